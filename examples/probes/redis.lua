-- Redis behind IPVS: it answers PING. A replica that still loads its data says -LOADING and is left out until it is done.
--
--     lvsh start redis.lua; lvsh check redis.lua
return lvs.policy {
  name = "redis",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },
  service = {
    tcp = "192.168.1.99:6379",
    scheduler = "wlc",
    servers = {
      { addr = "192.168.1.107", method = "dr" },
      { addr = "192.168.1.109", method = "dr" },
    },
  },
  health = {
    steps = {
      -- With a password: { send = "AUTH secret\r\n" }, { expect = "+OK\r\n" }, first.
      { send = "PING\r\n" },
      { expect = "+PONG\r\n" },
      { send = "QUIT\r\n" },
    },
    timeout = 2,
    rise = 2,
    fall = 3,
  },
}
