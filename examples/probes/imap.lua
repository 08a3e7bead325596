-- IMAP behind IPVS: the greeting, NOOP with a tag of our own, and goodbye (RFC 9051). For port 993 say tls = true, or
-- tls = { sni = "mail.example.org" }, beside steps.
return lvs.policy {
  name = "imap",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },
  service = {
    tcp = "192.168.1.99:143",
    scheduler = "wlc",
    persistent = 600,
    servers = {
      { addr = "192.168.1.107", method = "dr" },
      { addr = "192.168.1.109", method = "dr" },
    },
  },
  health = {
    steps = {
      { expect = "* OK" },
      { send = "c1 NOOP\r\n" },
      { expect = "c1 OK" },
      { send = "c2 LOGOUT\r\n" },
      { expect = "* BYE" },
    },
    timeout = 5,
    rise = 2,
    fall = 3,
  },
}
