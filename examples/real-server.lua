-- A real server for direct routing: the machine behind the directors of web.lua and no-vip.lua. Runs on each of them.
--
-- What it teaches: in direct routing a real server gets packets for an address of the director and answers the client
-- itself, so it must have the address, and must not tell anybody. The address is on lo; arp_ignore and arp_announce are
-- raised where they are lower. stop brings back what was there before. No IPVS is needed on this machine.
--
--     lvsh plan   ./real-server.lua
--     lvsh start  ./real-server.lua
--     lvsh stop   ./real-server.lua
--
-- A machine that is director and real server at once needs nothing of this: its service delivers locally. When two such
-- directors back each other up, the backup must not schedule what the master sent it: sysctls = { backup_only = 1 } in
-- the policy of the director, else each sends the packets to the other without end.
return lvs.real_server {
  name   = "real-server",
  vip    = { "192.168.1.99", "192.168.9.99", "2001:db8:9::99" },
  method = "dr",
}
