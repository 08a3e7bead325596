-- The state machine of health, phrase by phrase, through the program's own rounds.
local A, B, C, D, SORRY = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.9"

local function started(policy)
  local sim = lvs.sim { policy = policy .. ".lua" }
  sim:probe("*", true)
  sim:start()
  return sim
end

--- The weights of the four servers as one word for each; `-` is not in the table.
local function weights(sim)
  local all = sim:weights()
  local out = {}
  for at, server in ipairs { A, B, C, D } do out[at] = tostring(all[server] or "-") end
  return table.concat(out, " ")
end

--- What the next round changes, in the order in which it is sent.
local function sent(sim, before)
  local out = {}
  for at = before + 1, #sim:events() do
    local event = sim:events()[at]
    local to = type(event.to) == "number" and " " .. event.to or ""
    out[#out + 1] = event.op .. " " .. event.server:gsub(":80$", "") .. to
  end
  return out
end

lvs.test("rise and fall: exactly so many in a row", function()
  local sim = started "counts"
  sim:probe(B, false)
  sim:check()
  sim:probe(B, true)
  sim:check()
  sim:probe(B, false)
  sim:check()
  lvs.expect(weights(sim), "4 4 4 4", "one good answer begins the count anew")
  sim:check()
  lvs.expect(weights(sim), "4 0 4 4")
  sim:probe(B, true)
  sim:check()
  sim:check()
  lvs.expect(weights(sim), "4 0 4 4")
  sim:check()
  lvs.expect(weights(sim), "4 4 4 4")
end)

lvs.test("initial up", function()
  local sim = started "counts"
  lvs.expect(weights(sim), "4 4 4 4")
end)

lvs.test("initial down: nobody before it answered", function()
  local sim = started "down"
  lvs.expect(weights(sim), "0 0 0 0")
  sim:probe(C, false)
  sim:check()
  lvs.expect(weights(sim), "4 4 0 4")
end)

lvs.test("initial first: the first answer decides alone", function()
  local sim = started "first"
  sim:probe(C, false)
  sim:check()
  lvs.expect(weights(sim), "4 4 0 4")
end)

lvs.test("several probes: all must be good, or any", function()
  local function web_only(asked) return asked.kind == "http" end
  local sim = started "all"
  sim:probe(B, web_only)
  sim:check()
  lvs.expect(weights(sim), "4 0 4 4")
  sim = started "any"
  sim:probe(B, web_only)
  sim:probe(C, false)
  sim:check()
  lvs.expect(weights(sim), "4 4 0 4")
end)

lvs.test("one probe is shared by all services that have the server", function()
  local sim, asked = lvs.sim { policy = "shared.lua" }, 0
  sim:start()
  sim:probe("*", function(question)
    asked = asked + 1
    return question.server ~= B
  end)
  sim:check()
  lvs.expect(asked, 2)
  lvs.expect(sim:weights("tcp:10.0.0.99:80"), { [A] = 1, [B] = 0 })
  lvs.expect(sim:weights("tcp:10.0.0.99:443"), { [A] = 1, [B] = 0 })
end)

lvs.test("quorum by weight, with hysteresis", function()
  local sim = started "quorum"
  for _, server in ipairs { B, C, D } do sim:probe(server, false) end
  sim:check()
  lvs.expect(weights(sim), "4 0 0 0", "4 is quorum - hysteresis: it stays up")
  sim:probe(A, false)
  sim:check()
  lvs.expect(sim:weights()[SORRY], 1)
  sim:probe(A, true)
  sim:probe(B, true)
  sim:check()
  lvs.expect(weights(sim), "0 0 0 0", "8 is not quorum + hysteresis: it stays down")
  lvs.expect(sim:weights()[SORRY], 1)
  sim:probe(C, true)
  sim:check()
  lvs.expect(weights(sim), "4 4 4 0")
  lvs.expect(sim:weights()[SORRY], nil)
end)

lvs.test("min_up: the last weights stay rather than fewer", function()
  local sim = started "least"
  sim:probe(A, false)
  sim:check()
  lvs.expect(weights(sim), "0 4 4 4")
  sim:probe(B, false)
  local round = sim:check()
  lvs.expect(weights(sim), "0 4 4 4")
  assert(round.degraded:find "min_up is 3", round.degraded)
end)

lvs.test("panic: when most are down, who asks is suspected", function()
  local sim = started "panic"
  for _, server in ipairs { A, B, C } do sim:probe(server, false) end
  local round = sim:check()
  lvs.expect(weights(sim), "4 4 4 4")
  assert(round.degraded:find "fewer than 50 %%", round.degraded)
end)

lvs.test("the sorry server comes before the last real one leaves, and goes after the first is back", function()
  local sim = started "sorry"
  sim:probe("*", false)
  local before = #sim:events()
  sim:check()
  local order = sent(sim, before)
  lvs.expect(order[1], "add " .. SORRY)
  lvs.expect(#order, 5)
  sim:probe(A, true)
  before = #sim:events()
  sim:check()
  lvs.expect(sent(sim, before), { "set " .. A .. " 4", "del " .. SORRY })
end)

lvs.test("inhibit keeps a server in the table, remove takes it out", function()
  local sim = started "sorry"
  sim:probe(D, false)
  sim:check()
  lvs.expect(weights(sim), "4 4 4 0")
  sim = started "remove"
  sim:probe(D, false)
  sim:check()
  lvs.expect(weights(sim), "4 4 4 -")
  sim:probe("*", false)
  local before = #sim:events()
  sim:check()
  lvs.expect(sent(sim, before)[1], "add " .. SORRY)
  lvs.expect(weights(sim), "- - - -")
  sim:probe("*", true)
  sim:probe(D, true)
  sim:check()
  lvs.expect(weights(sim), "4 4 4 4")
end)

lvs.test("a server that comes and goes has to wait", function()
  local sim = started "flap"
  local good = true
  sim:probe(B, function()
    good = not good
    return good
  end)
  sim:advance("4m", "1m")
  lvs.expect(weights(sim), "4 4 4 4", "four changes may happen")
  sim:advance("1m", "1m")
  sim:probe(B, true)
  sim:advance("10m", "1m")
  lvs.expect(weights(sim), "4 0 4 4", "then it is held")
  sim:advance("9m", "1m")
  lvs.expect(weights(sim), "4 0 4 4", "for all of the hold")
  sim:advance("1m", "1m")
  lvs.expect(weights(sim), "4 4 4 4", "and comes back")
end)

lvs.test("the order of who decides: admin, health, slow start, hook, base", function()
  local sim = started "order"
  sim:probe(B, { headers = { w = "2" } })
  sim:check()
  lvs.expect(weights(sim), "4 3 4 4", "the hook before the base, one step a round")
  sim:probe(B, false)
  sim:check()
  lvs.expect(weights(sim), "4 0 4 4", "health before the hook")
  sim:probe(B, { headers = { w = "9" } })
  sim:advance("1m", "1m")
  lvs.expect(weights(sim), "4 1 4 4", "slow start before the hook")
  sim:maint(B)
  lvs.expect(weights(sim), "4 0 4 4", "the operator before all")
  sim:ready(B)
  sim:weight(A, 7)
  sim:check()
  lvs.expect(sim:weights()[A], 7, "and what he said is the base")
end)

lvs.test("what cannot be asked from here changes nothing, and is warned of", function()
  local sim = started "counts"
  sim:probe(B, { unknown = true, err = "socket: too many open files" })
  sim:advance("5m", "1m")
  lvs.expect(weights(sim), "4 4 4 4")
  local warning = sim:check().warnings[1]
  assert(warning.message:find "too many open files", warning.message)
end)
