-- Weights from what servers say: one policy for each way.
--
--     lvsh test weights_test.lua
local A, B = "192.168.1.107", "192.168.1.109"

--- @param way string
local function started(way)
  local sim = lvs.sim { policy = "weight-" .. way .. ".lua" }
  sim:probe("*", true)
  sim:start()
  return sim
end

lvs.test("latency: twice as slow is half the weight, four steps a round", function()
  local sim = started "latency"
  sim:probe(B, { status = 200, ms = 100 })
  local seen = {}
  sim:advance("3m", "1m", function()
    sim:check()
    seen[#seen + 1] = sim:weights()[B]
  end)
  lvs.expect(seen, { 12, 8, 8 })
  sim:probe(B, { status = 200, ms = 10 })
  sim:check()
  lvs.expect(sim:weights(), { [A] = 16, [B] = 12 })
end)

lvs.test("agent: per cent, drain and down", function()
  local sim = started "agent"
  sim:probe(A, { body = "up 75%" })
  sim:probe(B, { body = "drain" })
  sim:check()
  lvs.expect(sim:weights(), { [A] = 12, [B] = 0 })
  sim:probe(B, { body = "down # disk full" })
  local round = sim:check()
  lvs.expect(round.servers[2].err, "the agent says down (disk full)")
  lvs.expect(round.servers[2].health, "down")
end)

lvs.test("header: a quarter of the load is three quarters of the weight", function()
  local sim = started "header"
  sim:probe(B, { status = 200, headers = { ["X-Load"] = "0.25" } })
  sim:check()
  lvs.expect(sim:weights(), { [A] = 16, [B] = 12 })
end)

lvs.test("body: a number in it", function()
  local sim = started "body"
  sim:probe(A, { status = 200, body = '{"free": 50}' })
  sim:probe(B, { status = 200, body = '{"free": 1}' })
  sim:check()
  lvs.expect(sim:weights(), { [A] = 8, [B] = 1 })
end)

lvs.test("exec: the exit code", function()
  local sim = started "exec"
  sim:probe(A, { status = 12 })
  sim:check()
  lvs.expect(sim:weights(), { [A] = 10, [B] = 16 })
end)
