-- The director of web.lua, one call per ipvsadm, nft and ip command.
--
-- What it teaches: a policy may also be any table with start and stop functions. They run against a copy of the
-- kernel's state first, so that plan, dry run and undo work as for a declared policy.
--
--     lvsh plan  ./web-imperative.lua
--     lvsh start ./web-imperative.lua
--     lvsh stop  ./web-imperative.lua
local VIP, MARK = "192.168.1.99", 3
local M = { name = "web-imperative" }

function M.start()
  -- ipvsadm -A -f 3 -s sh -b sh-fallback
  local web = lvs.add_service { fwmark = MARK, scheduler = "sh", flags = { "sh-fallback" } }
  -- ipvsadm -a -f 3 -r 192.168.1.107 -g -w 1
  web:add_server { addr = "192.168.1.107", method = "dr", weight = 1 }
  -- ipvsadm -a -f 3 -r 192.168.1.109 -g -w 1
  web:add_server { addr = "192.168.1.109", method = "dr", weight = 1 }
  -- nft add rule … ip daddr 192.168.1.99 tcp dport { 80, 443 } meta mark set 3
  lvs.add_mark { mark = MARK, daddr = VIP, proto = "tcp", dports = { 80, 443 } }
  -- ip addr add 192.168.1.99/32 dev eth0      (last: no traffic before the service is whole)
  lvs.add_vip { addr = VIP .. "/32", dev = "eth0" }
end

function M.stop()                       -- the reverse order; each may be gone already
  lvs.del_vip     { addr = VIP .. "/32", dev = "eth0", missing_ok = true }
  lvs.del_mark    { mark = MARK, missing_ok = true }
  lvs.del_service { fwmark = MARK, missing_ok = true }      -- takes its servers with it
end

return M
