-- One director as data: a firewall-mark service with two servers in direct routing.
--
-- What it teaches: a policy file returns what shall exist. start, stop, apply, status and plan come for free;
-- the order is part of them (service, servers, mark, address; stop is the reverse), so that traffic never meets
-- half a director.
--
--     lvsh plan  ./web.lua        what start would change; nothing is sent
--     lvsh start ./web.lua
--     lvsh stop  ./web.lua
--
-- Put it at /etc/lvsh/web.lua and it is `lvsh start web`. The same, one call per command: web-imperative.lua.
return lvs.policy {
  name = "web",

  -- Where clients go. Added last, removed first.
  vip  = { addr = "192.168.1.99/32", dev = "eth0" },

  -- Which packets belong to the service: HTTP and HTTPS of one client reach the same server.
  mark = { mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = { "http", "https" } },

  service = {
    fwmark    = 3,
    scheduler = "sh",
    flags     = { "sh-fallback" },      -- a server at weight 0 must not refuse its clients
    servers   = {
      { addr = "192.168.1.107", method = "dr", weight = 1 },
      { addr = "192.168.1.109", method = "dr", weight = 1 },
    },
  },
}
