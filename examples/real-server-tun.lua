-- A real server that gets its packets in tunnels: it may stand anywhere, behind routers, in another network.
--
-- What it teaches: with method "tun" the director packs each packet into another one for the real server, which needs a
-- device that unpacks packets of any sender, and the address on it. For GUE a UDP port is opened in front of the device.
-- type, port and family are those of the directors' servers: tunnel = { type = "gue", port = 6080 }.
--
--     lvsh plan  ./real-server-tun.lua --as ipvsadm     the ip and sysctl commands it stands for
--     lvsh start ./real-server-tun.lua
--
-- An IPv6 address can be served through IPv4 tunnels and the other way round: family = "ipv4" says what is outside.
-- Whoever can send packets to this machine can send them into the tunnel; a firewall lets in the directors only.
return lvs.real_server {
  name   = "real-server-tun",
  vip    = { "192.168.1.99", "2001:db8:9::99" },
  method = "tun",
  tunnel = { type = "gue", port = 6080, family = "ipv4" },
}
