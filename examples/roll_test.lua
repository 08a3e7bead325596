-- roll.lua by itself, and as drain-by-hand.lua uses it.
--
--     lvsh test roll_test.lua
local A, B = "192.168.1.107", "192.168.1.109"
local SCRIPT = "drain-by-hand.lua"

local function director()
  local sim = lvs.sim()
  sim:eval [[
    lvs.add_service { fwmark = 3, scheduler = "sh", flags = { "sh-fallback" }, persistent = 600, servers = {
      { addr = "192.168.1.107", method = "dr", weight = 8 },
      { addr = "192.168.1.109", method = "dr", weight = 8 },
    } }
  ]]
  return sim
end

lvs.test("a server is removed when its last client has gone", function()
  local sim = director()
  sim:live(B, { active = 3, persist = 7 })
  sim:run(SCRIPT, B)
  lvs.expect(sim:weights(), { [A] = 8, [B] = 0 })
  lvs.expect(sim:log()[1].text, B .. ": 7 persistence templates keep sending clients; "
    .. "set net.ipv4.vs.expire_quiescent_template=1 to cut them")
  sim:advance("5m", "1m", function() sim:run(SCRIPT) end)
  lvs.expect(sim:weights(), { [A] = 8, [B] = 0 })
  sim:live(B, {})
  sim:run(SCRIPT)
  lvs.expect(sim:weights(), { [A] = 8 })
  lvs.expect(sim:log()[2].text, B .. ": drained")
end)

lvs.test("or when it has had its time", function()
  local sim = director()
  sim:live(B, { active = 3 })
  sim:run(SCRIPT, B)
  sim:advance("14m", "1m", function() sim:run(SCRIPT) end)
  lvs.expect(sim:weights()[B], 0)
  sim:advance("1m", "1m", function() sim:run(SCRIPT) end)
  lvs.expect(sim:weights(), { [A] = 8 })
  lvs.expect(sim:log()[2].text, B .. ": timeout")
end)

lvs.test("what is no server is told where it was asked for", function()
  local ok, raised = pcall(function() director():run(SCRIPT, "192.168.1.110") end)
  lvs.expect(ok, false)
  lvs.expect(raised.message, "no server 192.168.1.110 in service fwm:3")
end)

lvs.test("8 over 4 minutes is 1 2 4 6 8", function()
  local seen = {}
  for minute = 0, 4 do seen[#seen + 1] = require("roll").slow_start(8, minute * 60, "4m") end
  lvs.expect(seen, { 1, 2, 4, 6, 8 })
end)
