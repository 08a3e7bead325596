-- MySQL or MariaDB behind IPVS: the server greets first. Its packet is a length of three bytes, number 0, and then the
-- version of the protocol, 10. One that has too many connections or has blocked this host sends an error (0xff) there.
--
-- A server counts who connects and does not log in; FLUSH HOSTS or a large max_connect_errors keeps it from blocking the
-- director.
return lvs.policy {
  name = "mysql",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },
  service = {
    tcp = "192.168.1.99:3306",
    scheduler = "lc",
    servers = {
      { addr = "192.168.1.107", method = "dr" },
      { addr = "192.168.1.109", method = "dr" },
    },
  },
  health = {
    steps = { { expect = "\0\0\0\10" } },
    timeout = 2,
    rise = 2,
    fall = 3,
  },
}
