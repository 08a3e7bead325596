-- A canary: one connection in ten goes to the server with the new release.
--
-- What it teaches: shares are weights, and only some schedulers look at them: wrr gives exactly these shares, wlc
-- roughly, rr and lc not at all. More for the canary is a change of one number and `lvsh apply`; 0 takes it out
-- and lets its open connections finish.
--
--     lvsh start ./canary.lua
--     $EDITOR ./canary.lua            CANARY = 25
--     lvsh apply ./canary.lua
--
-- Without persistence a visitor may meet both releases. Where that hurts, add `persistent = "10m"` to the service:
-- then one visitor in ten, not one connection in ten, gets the new one.
local CANARY = 10                       -- per cent

local VIP = "192.168.1.99"

return lvs.policy {
  name = "canary",
  vip  = { addr = VIP .. "/32", dev = "eth0" },
  mark = { mark = 3, daddr = VIP, proto = "tcp", dports = { 80, 443 } },

  service = {
    fwmark = 3, scheduler = "wrr",
    servers = {
      { addr = "192.168.1.107", method = "dr", weight = 100 - CANARY },   -- what everybody has
      { addr = "192.168.1.109", method = "dr", weight = CANARY },         -- the new release
    },
  },
}
