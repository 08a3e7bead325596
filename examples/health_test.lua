-- What health.lua does when servers break and come back: minutes of it in milliseconds, without root.
--
--     lvsh test health_test.lua
local A, B = "192.168.1.107", "192.168.1.109"

local function started()
  local sim = lvs.sim { policy = "health.lua" }
  sim:probe("*", true)
  sim:start()
  return sim
end

lvs.test("a broken server leaves after fall rounds and climbs 1 2 4 6 8", function()
  local sim = started()
  sim:probe(B, function(asked) return asked.time > 360 or "connect: connection refused" end)
  local seen = {}
  sim:advance("12m", "1m", function()
    sim:check()
    seen[#seen + 1] = sim:weights()[B]
  end)
  lvs.expect(table.concat(seen, " "), "8 8 0 0 0 0 0 1 2 4 6 8")
  lvs.expect(sim:weights()[A], 8)
  local first = sim:events()[#sim:events() - 4]
  lvs.expect(first.from, 0)
  lvs.expect(first.reason, "slow start: 1 of 8")
end)

lvs.test("each change is told to on_change, with its reason", function()
  local sim = started()
  sim:probe(B, "connect: connection refused")
  sim:advance("3m", "1m")
  lvs.expect(sim:log()[1].text, B .. ": weight 8 -> 0 (health)")
  lvs.expect(#sim:log(), 1)
end)

lvs.test("the last server is kept although it fails", function()
  local sim = started()
  sim:probe("*", false)
  sim:advance("5m", "1m")
  local round = sim:check()
  lvs.expect(sim:weights(), { [A] = 8, [B] = 8 })
  lvs.expect(round.status, "degraded")
  lvs.expect(round.code, 5)
end)

lvs.test("one that says it is loaded gets half", function()
  local sim = started()
  sim:probe(A, { status = 200, headers = { ["X-Load"] = "0.95" } })
  sim:check()
  lvs.expect(sim:weights(), { [A] = 4, [B] = 8 })
end)

lvs.test("a plan tells how many clients a new weight moves", function()
  local sim = started()
  sim:eval 'lvs.get_service({ fwmark = 3 }):set_server("192.168.1.109", { weight = 4 })'
  assert(sim:plan().text:find("moves %d+ %% of client buckets"), sim:plan().text)
end)

lvs.test("a drain keeps its clients, and removes the server when the last one has gone", function()
  local sim = started()
  sim:live(B, { active = 2, persist = 1 })
  sim:drain(B, { reason = "new kernel" })
  lvs.expect(sim:weights()[B], 0, "at once")
  sim:advance("5m", "1m")
  lvs.expect(sim:weights()[B], 0, "while it has connections")
  sim:live(B, { active = 0, persist = 0 })
  sim:advance("1m", "1m")
  lvs.expect(sim:weights(), { [A] = 8 })
  sim:undrain(B)
  lvs.expect(sim:weights(), { [A] = 8, [B] = 8 })
end)

lvs.test("a drain that takes too long ends with its timeout", function()
  local sim = started()
  sim:live(B, { active = 2 })
  sim:drain(B)
  sim:advance("14m", "1m")
  lvs.expect(sim:weights()[B], 0)
  sim:advance("1m", "1m")
  lvs.expect(sim:weights(), { [A] = 8 })
end)

lvs.test("what was decided survives a reboot, health does not", function()
  local sim = started()
  sim:maint(B, { reason = "disk" })
  sim:probe(A, false)
  sim:advance("3m", "1m")
  sim:reboot()
  lvs.expect(sim:weights(), {})
  sim:start()
  lvs.expect(sim:weights(), { [A] = 8, [B] = 0 })
  assert(sim:status().text:find "disk", sim:status().text)
end)
