-- A director that does not have the addresses it serves: their packets are routed to it, marked, and delivered here.
--
-- What it teaches: IPVS sees only packets that are delivered to the director. One way is to have the address (web.lua);
-- the other is a mark, a rule that leads the mark to a table of its own, and in that table a route that says "all of it
-- is for me". Then a whole network can be served, and the same addresses by many directors at once (ECMP, BGP).
--
--     lvsh plan  ./no-vip.lua --as ipvsadm     the ip, nft and ipvsadm commands it stands for
--     lvsh start ./no-vip.lua
--
-- The routers send the network here: ip route add 192.168.9.0/24 via DIRECTOR (or BGP does). The real servers are those
-- of real-server.lua.
return lvs.policy {
  name = "no-vip",

  -- Every address of the network, both ports, one service.
  mark = {
    { mark = 3, daddr = "192.168.9.0/24", proto = "tcp", dports = { 80, 443 } },
    { mark = 3, daddr = "2001:db8:9::/64", proto = "tcp", dports = { 80, 443 } },
  },

  -- ip rule add fwmark 3 lookup 100 priority 100; ip route add local default dev lo table 100
  local_route = {
    { mark = 3, table = 100 },
    { mark = 3, table = 100, family = "ipv6" },
  },

  service = {
    { fwmark = 3, scheduler = "sh", flags = { "sh-fallback" }, servers = {
      { addr = "192.168.1.107", method = "dr", weight = 1 },
      { addr = "192.168.1.109", method = "dr", weight = 1 },
    } },
    { fwmark = 3, family = "ipv6", scheduler = "sh", flags = { "sh-fallback" }, servers = {
      { addr = "2001:db8:1::107", method = "dr", weight = 1 },
      { addr = "2001:db8:1::109", method = "dr", weight = 1 },
    } },
  },
}
