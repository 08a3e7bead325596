return lvs.real_server {
  name   = "web",
  vip    = {},
}
