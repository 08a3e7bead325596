-- POP3 behind IPVS: the greeting, and then STLS and a greeting of TLS whose certificate must be right (RFC 1939, 2595).
return lvs.policy {
  name = "pop3",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },
  service = {
    tcp = "192.168.1.99:110",
    scheduler = "wlc",
    persistent = 600,
    servers = {
      { addr = "192.168.1.107", method = "dr" },
      { addr = "192.168.1.109", method = "dr" },
    },
  },
  health = {
    steps = {
      { expect = "+OK" },
      { send = "STLS\r\n" },
      { expect = "+OK" },
      { starttls = { sni = "mail.example.org" } },
      { send = "QUIT\r\n" },
      { expect = "+OK" },
    },
    timeout = 5,
    rise = 2,
    fall = 3,
  },
}
