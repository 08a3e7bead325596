return lvs.real_server {
  name   = "web",
  vip    = "192.168.1.99",
  method = "dr",
  tunnel = { type = "gue", port = 6080 },
}
