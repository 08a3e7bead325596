return lvs.policy {
  name = "web",
  vip  = { addr = "192.168.1.99/32", dev = "eth0" },
  mark = { mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = { 80, 443 } },
  service = {
    fwmark    = 3,
    scheduler = "sh",
    flags     = { "sh-fallback" },
    servers   = {
      { addr = "192.168.1.107", method = "dr", weight = -1 },
      { addr = "192.168.1.109", method = "dr", weight = 1 },
    },
  },
}
