-- Draining and slow start, spelled out as a library a script can require; drain-by-hand.lua does.
--
--     local roll = require "roll"     (found beside the script or in /etc/lvsh/lib)
local log, roll = lvs.log, {}

--- Begins to drain one server: no new clients, those it has may finish.
--- @param svc LvsService
--- @param addr string
--- @param st table  what lvs.state() gave
function roll.drain(svc, addr, st)
  local s = svc:get_server(addr) or error("no server " .. addr .. " in " .. tostring(svc), 2)
  if st[addr] and st[addr].admin == "drain" then return end -- idempotent
  st[addr] = { admin = "drain", since = lvs.uptime(), was = s.weight }
  svc:set_server(addr, { weight = 0 })
  if svc.persistent and lvs.sysctl "expire_quiescent_template" == 0 then
    log.warn("%s: %d persistence templates keep sending clients; "
      .. "set net.ipv4.vs.expire_quiescent_template=1 to cut them", addr, s.persist)
  end
end

--- One step, to be called on every run. Returns "draining", "drained" or "timeout".
function roll.step(svc, addr, st, timeout)
  local s, h = svc:get_server(addr), st[addr]
  if not s or not h then return "drained" end
  if s.active == 0 and s.persist == 0 then
    svc:del_server(addr)
    st[addr] = nil
    return "drained"
  end
  if lvs.uptime() - h.since >= lvs.seconds(timeout) then
    svc:del_server(addr)
    st[addr] = nil
    return "timeout"
  end
  return "draining"
end

--- The weight of a server that came up `up_for` seconds ago.
function roll.slow_start(base, up_for, over, from)
  over, from = lvs.seconds(over), from or 1
  if up_for >= over then return base end
  return math.max(from, from + (base - from) * up_for // over) -- // keeps it an integer
end

return roll
