-- The director of web.lua, with checks that go through IPVS, as the packets of clients do. A server whose address has gone
-- from lo, or whose tunnel does not unpack, answers a check of its own address and is found out by this one.
--
--     lvsh start via.lua; lvsh check via.lua
--
-- For each server start makes a service of a mark that nobody else uses; lvsh list leaves these out. Where the marks from
-- 0x76000000 to 0x76ffffff mean something, marks = { first, last } takes others. Answers come from the director's own
-- address: start sets net.ipv4.conf.eth0.accept_local to 1, and stop sets it back.
return lvs.policy {
  name = "via",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },
  mark = { mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = { 80, 443 } },
  service = {
    fwmark = 3,
    scheduler = "wlc",
    persistent = 600,
    servers = {
      { addr = "192.168.1.107", method = "dr", weight = 8 },
      { addr = "192.168.1.109", method = "dr", weight = 8 },
    },
  },
  health = {
    http = { port = 80, path = "/healthz", host = "www.example.org", status = { 200, 399 } },
    via = "vip",
    timeout = 2,
    rise = 2,
    fall = 3,
  },
}
