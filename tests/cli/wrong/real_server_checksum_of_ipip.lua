return lvs.real_server {
  name   = "web",
  vip    = "192.168.1.99",
  method = "tun",
  tunnel = { type = "ipip", checksum = "csum" },
}
