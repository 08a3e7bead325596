#!/usr/bin/env -S lvsh run
-- Drains servers without a policy: begins with those it is given, and goes on with those it began with.
--
--     lvsh run drain-by-hand.lua 192.168.1.109
--     * * * * * root lvsh run --quiet /etc/lvsh/drain-by-hand.lua
local roll = require "roll"

local web = lvs.get_service { fwmark = 3 }
if not web then
  lvs.log.info "service is stopped, nothing to drain"
  return
end

local st = lvs.state "roll"
for _, addr in ipairs { ... } do roll.drain(web, addr, st) end

local left = {}
for addr in pairs(st) do left[#left + 1] = addr end
table.sort(left)
for _, addr in ipairs(left) do
  local how = roll.step(web, addr, st, "15m")
  if how ~= "draining" then lvs.log.notice("%s: %s", addr, how) end
end
