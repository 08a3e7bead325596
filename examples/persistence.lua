-- The three kinds of persistence. They differ only in what names the service.
--
-- What it teaches: how long a client sticks to its server, and for what: one port (PPC), all ports with one mark
-- (PFWMC), or everything (PCC); and who is one client: an address, or a whole network.
--
--     lvsh plan  ./persistence.lua
--     lvsh start ./persistence.lua
--
-- The addresses must be on the director; web.lua shows how a policy brings one.
local rs = {
  { addr = "192.168.1.107", method = "dr", weight = 1 },
  { addr = "192.168.1.109", method = "dr", weight = 1 },
}

return lvs.policy {
  name = "persistence",

  -- 80 and 443 of this address stick together; 22 is untouched.
  mark = { mark = 3, daddr = "192.168.1.100", proto = "tcp", dports = { 80, 443 } },

  service = {
    -- PPC: one client, one port -> one server.           ipvsadm -A -t 192.168.1.99:80 -s wlc -p 600
    { tcp = "192.168.1.99:80", scheduler = "wlc", persistent = 600, servers = rs },

    -- PFWMC: one client, every port with the mark.       ipvsadm -A -f 3 -s wlc -p 600
    { fwmark = 3, scheduler = "wlc", persistent = "10m", servers = rs },

    -- PCC: one client, every port of the address. Port 0 means "all ports" and needs persistence.
    -- With a mask a network is one client: those behind a farm of proxies come from several addresses.
    --                                                    ipvsadm -A -t 192.168.1.101:0 -s wlc -p 600 -M 255.255.255.0
    {
      tcp = "192.168.1.101:0", scheduler = "wlc", servers = rs,
      persistent = { timeout = "10m", netmask = "255.255.255.0" },   -- a /24 sticks together
    },

    -- In IPv6 the mask is a prefix length. A host changes its address within its /64 every day.
    --                                                    ipvsadm -A -t [fd00::99]:80 -s wlc -p 600 -M 64
    {
      tcp = "[fd00::99]:80", scheduler = "wlc",
      persistent = { timeout = "10m", netmask = 64 },
      servers = {
        { addr = "fd00::107", method = "dr", weight = 1 },
        { addr = "fd00::109", method = "dr", weight = 1 },
      },
    },
  },
}
