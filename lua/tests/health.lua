-- Tests of health.lua and round.lua: plain Lua, time as a number. Each is a function; what it asserts must hold.
local health, round = ...
local tests = {}

local function equal(got, wanted, what)
  if got ~= wanted then
    error(("%s: got %s, wanted %s"):format(what or "value", tostring(got), tostring(wanted)), 2)
  end
end

-- A policy of one service, its servers and their truth, stepped a minute at a time.
local function sim(given)
  local self = { rules = health.rules(given.rules or {}), now = 0, weight = {}, events = {}, admin = {}, live = {} }
  for name, base in pairs(given.servers) do self.weight[name] = base end
  function self.step(bad, more)
    self.now = self.now + (given.every or 60)
    local servers, asked = {}, {}
    local names = {}
    for name in pairs(given.servers) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
      local live = self.live[name] or {}
      servers[#servers + 1] = {
        id = name, addr = name, target = name, base = given.servers[name], weight = self.weight[name],
        active = live.active or 0, inactive = 0, persist = live.persist or 0,
      }
      local is = bad[name]
      local answer = { ok = not is, ms = 3, err = is and "connection refused" or nil }
      if is == "blind" then answer = { verdict = "unknown", err = "too many open files" } end
      for key, value in pairs(more and more[name] or {}) do answer[key] = value end
      asked[name] = { answer }
    end
    local found = round({ { service = "fwm:3", servers = servers } }, self.rules, self.memory,
      not self.silent and asked or nil, self.admin, self.now)
    self.memory, self.found = found.memory, found
    for _, one in ipairs(found.weights) do self.weight[one.server] = one.weight end
    return found
  end
  function self.weights(...)
    local got = {}
    for index, name in ipairs { ... } do got[index] = tostring(self.weight[name]) end
    return table.concat(got, " ")
  end
  return self
end

-- The table of the manual: 109 fails in minutes 3 to 6, both fail from 9 on.
function tests.minute_by_minute()
  local s = sim { servers = { a = 1, b = 1 } }
  local said = {}
  for minute = 1, 12 do
    local found = s.step { a = minute >= 9, b = minute >= 3 and minute <= 6 or minute >= 9 }
    for _, event in ipairs(found.events) do
      said[#said + 1] = ("%d %s %d->%d %s: %s"):format(minute, event.server, event.from, event.to, event.reason, event.detail)
    end
    if found.degraded then said[#said + 1] = minute .. " degraded" end
  end
  equal(table.concat(said, "\n"), [[
5 b 1->0 health: 3 of 3 probes failed: connection refused
8 b 0->1 base: up after 2 good probes (3 ms)
11 degraded
12 degraded]])
end

function tests.exactly_fall_and_exactly_rise()
  for rise = 1, 4 do
    for fall = 1, 4 do
      local s = sim { servers = { a = 1, b = 1 }, rules = { rise = rise, fall = fall } }
      for index = 1, fall do
        equal(s.weight.b, 1, "before fall")
        s.step { b = true }
        equal(s.weight.b, index == fall and 0 or 1, "fall")
      end
      for index = 1, rise do
        s.step {}
        equal(s.weight.b, index == rise and 1 or 0, "rise")
      end
    end
  end
end

function tests.slow_start_goes_1_2_4_6_8()
  local s = sim { servers = { a = 8, b = 8 }, rules = { slow_start = { over = 240, from = 1 } } }
  equal(s.weights("a", "b"), "8 8")
  for _ = 1, 3 do s.step { b = true } end
  local seen = {}
  s.step {}
  for _ = 1, 6 do
    s.step {}
    seen[#seen + 1] = s.weight.b
  end
  equal(table.concat(seen, " "), "1 2 4 6 8 8")
end

function tests.what_cannot_be_asked_keeps_its_state()
  local s = sim { servers = { a = 1, b = 1 } }
  s.step { b = true }
  s.step { b = true }
  for _ = 1, 5 do s.step { b = "blind" } end
  equal(s.weight.b, 1, "blind rounds do not count as bad")
  s.step { b = true }
  equal(s.weight.b, 0, "the row of bad answers goes on")
end

function tests.initial_states()
  local up = sim { servers = { a = 1, b = 1 } }
  up.step { b = true }
  equal(up.weight.b, 1, "up needs fall bad rounds")
  local down = sim { servers = { a = 1, b = 1 }, rules = { initial = "down", min_up = 0 } }
  down.step {}
  equal(down.weight.a, 0, "down needs rise good rounds")
  down.step {}
  equal(down.weight.a, 1)
  local first = sim { servers = { a = 1, b = 1 }, rules = { initial = "first" } }
  first.step { b = true }
  equal(first.weights("a", "b"), "1 0", "the first answer decides alone")
end

function tests.several_probes()
  local good, bad, blind = { ok = true }, { ok = false }, { verdict = "unknown" }
  equal(health.verdict({ good, bad }, "all"), "bad")
  equal(health.verdict({ good, bad }, "any"), "good")
  equal(health.verdict({ good, blind }, "all"), "unknown")
  equal(health.verdict({ bad, blind }, "all"), "bad")
  equal(health.verdict({ bad, blind }, "any"), "unknown")
  equal(health.verdict({}, "all"), "unknown")
end

function tests.never_below_min_up()
  local s = sim { servers = { a = 1, b = 1, c = 1 }, rules = { min_up = 2, fall = 1 } }
  s.step { a = true }
  equal(s.weights("a", "b", "c"), "0 1 1")
  s.step { a = true, b = true }
  equal(s.weights("a", "b", "c"), "0 1 1", "b is kept")
  assert(s.found.degraded:find "min_up is 2", s.found.degraded)
  s.step { b = true }
  s.step { b = true }
  equal(s.weights("a", "b", "c"), "1 0 1", "a came back, so b may go")
end

function tests.panic_keeps_everything()
  local s = sim { servers = { a = 1, b = 1, c = 1, d = 1 }, rules = { panic = 50, fall = 1 } }
  s.step { a = true, b = true, c = true }
  equal(s.weights("a", "b", "c", "d"), "1 1 1 1")
  assert(s.found.degraded:find "fewer than 50 %%", s.found.degraded)
end

function tests.quorum_with_hysteresis()
  local s = sim {
    servers = { a = 1, b = 1, c = 1, d = 1 },
    rules = { quorum = 2, hysteresis = 1, fall = 1, rise = 1, sorry = true },
  }
  s.step { a = true, b = true, c = true }
  equal(s.found.sorry["fwm:3"], false, "1 is quorum - hysteresis: still up")
  s.step { a = true, b = true, c = true, d = true }
  equal(s.found.sorry["fwm:3"], true)
  s.step { a = true, b = true }
  equal(s.found.sorry["fwm:3"], true, "2 is not quorum + hysteresis: still down")
  equal(s.weights("a", "b", "c", "d"), "0 0 0 0")
  s.step { a = true }
  equal(s.found.sorry["fwm:3"], false)
  equal(s.weights("b", "c", "d"), "1 1 1")
end

function tests.remove_instead_of_inhibit()
  local s = sim { servers = { a = 1, b = 1 }, rules = { down = "remove", fall = 1, rise = 1 } }
  s.step { b = true }
  equal(s.weights("a", "b"), "1 nil")
  s.step {}
  equal(s.weights("a", "b"), "1 1")
end

function tests.flapping_waits()
  local s = sim {
    servers = { a = 1, b = 1 }, every = 10,
    rules = { rise = 1, fall = 1, flap = { changes = 4, within = 100, hold = 200 } },
  }
  for _ = 1, 2 do
    s.step { b = true }
    s.step {}
  end
  equal(s.weight.b, 1, "four changes are allowed to happen")
  s.step { b = true }
  s.step {}
  equal(s.weight.b, 0, "then it has to wait")
  for _ = 1, 18 do s.step {} end
  equal(s.weight.b, 0, "for all of the hold")
  for _ = 1, 2 do s.step {} end
  equal(s.weight.b, 1, "and comes back")
end

function tests.admin_is_first()
  local s = sim { servers = { a = 4, b = 4 } }
  s.admin.b = { state = "drain", by = "anna", since = 0, reason = "kernel" }
  s.step {}
  equal(s.weights("a", "b"), "4 0")
  equal(s.found.servers[2].detail, "by anna: kernel")
  s.admin.b = { weight = 2, by = "anna", since = 0 }
  s.step {}
  equal(s.weights("a", "b"), "4 2")
  s.admin.b = nil
  s.step {}
  equal(s.weights("a", "b"), "4 4")
end

function tests.drained_servers_leave_when_they_are_empty()
  local s = sim { servers = { a = 1, b = 1 }, rules = { drain = { timeout = 300, remove = true } } }
  s.admin.b = { state = "drain", since = 60 }
  s.live.b = { active = 3 }
  s.step {}
  equal(s.weight.b, 0)
  s.step {}
  equal(s.weight.b, 0, "it still has connections")
  s.live.b = { active = 0, persist = 0 }
  s.step {}
  equal(s.weight.b, nil)
  s.admin.b = nil
  s.step {}
  equal(s.weight.b, 1, "ready again")
end

function tests.a_drain_has_an_end()
  local s = sim { servers = { a = 1, b = 1 }, rules = { drain = { timeout = 300, remove = true } } }
  s.admin.b = { state = "drain", since = 0 }
  s.live.b = { active = 3 }
  local minutes = 0
  repeat
    s.step {}
    minutes = minutes + 1
  until s.weight.b == nil or minutes > 20
  equal(minutes, 5)
end

function tests.hooks_agents_and_their_bounds()
  local s = sim {
    servers = { a = 8, b = 8 },
    rules = {
      max_change = 2,
      weight = function(facts)
        local load = tonumber((facts.probe.headers or {})["x-load"])
        if load and load > 0.9 then return facts.base // 2 end
      end,
    },
  }
  local loaded = { a = { headers = { ["x-load"] = "0.95" } } }
  s.step({}, loaded)
  equal(s.weight.a, 6, "at most 2 in one round")
  s.step({}, loaded)
  equal(s.weight.a, 4)
  s.silent = true
  s.step {}
  equal(s.weight.a, 4, "nobody was asked: the hook's word stays")
  s.silent = false
  s.step {}
  equal(s.weight.a, 8, "as computed")
  local agent = sim { servers = { a = 8, b = 8 } }
  agent.step({}, { a = { percent = 75 }, b = { percent = 1 } })
  equal(agent.weights("a", "b"), "6 1")
  agent.step({}, { a = { percent = 0 } })
  equal(agent.weights("a", "b"), "0 8")
end

-- What a weight has to be, written down a second time: who decides, in words. `up_for`: since it came back; `by`: the
-- reason of its weight before.
local function must_be(one, before, rules, up_for, by)
  if one.admin == "maint" or one.admin == "drain" then return 0 end
  if one.health == "down" then
    if one.reason ~= "kept" then return 0 end
    return (before or 0) == 0 and (by == "maint" or by == "drain") and one.base or before
  end
  if one.health == "unknown" then return before or one.base end
  local slow = rules.slow_start
  if not slow or not up_for or up_for >= slow.over then return one.base end
  return 1 + (one.base - 1) * up_for // slow.over
end

-- Whatever happens: never all out while one is up, never below min_up by our doing, each weight is what follows from
-- the facts, and the same history gives the same weights from a memory that was written to a file and read again.
function tests.random_histories(count, seed, copy)
  math.randomseed(seed)
  for history = 1, count do
    local servers, total = {}, math.random(1, 5)
    for index = 1, total do servers["s" .. index] = math.random(1, 8) end
    local rules = {
      rise = math.random(1, 3), fall = math.random(1, 3), min_up = math.random(0, 2), need = "all",
      panic = math.random(0, 1) * 30, down = math.random(2) == 1 and "inhibit" or "remove",
      initial = ({ "up", "down", "first" })[math.random(3)],
      slow_start = math.random(2) == 1 and { over = 120, from = 1 } or nil,
    }
    local s, replay = sim { servers = servers, rules = rules }, sim { servers = servers, rules = rules }
    local came, last, by = {}, {}, {}
    for name in pairs(servers) do last[name] = rules.initial == "down" and "down" or "up" end
    for step = 1, 12 do
      local bad, before = {}, 0
      local was = {}
      for name in pairs(servers) do
        was[name] = s.weight[name]
        if math.random(3) == 1 then bad[name] = math.random(4) == 1 and "blind" or true end
        if (s.weight[name] or 0) > 0 then before = before + 1 end
      end
      if math.random(5) == 1 then
        local name = "s" .. math.random(total)
        local words = { { state = "maint", since = 0 }, { state = "drain", since = 0 }, { weight = 3, since = 0 } }
        local word = words[math.random(4)] -- or none any more
        s.admin[name], replay.admin[name] = word, word
      end
      local found = s.step(bad)
      if replay.memory then replay.memory = copy(replay.memory) end
      replay.step(bad)
      local above, should, ours = 0, 0, nil
      for _, one in ipairs(found.servers) do
        equal(s.weight[one.server], replay.weight[one.server], "replay of history " .. history)
        if one.weight > 0 then above = above + 1 end
        if one.health == "up" and one.admin == "ready" then should = should + 1 end
        if one.reason == "health" and (was[one.server] or 0) > 0 then ours = one.server end
        if one.health == "up" and last[one.server] == "down" then came[one.server] = s.now end
        if one.health == "down" then came[one.server] = nil end
        last[one.server] = one.health
        local up_for = came[one.server] and s.now - came[one.server]
        equal(one.weight, must_be(one, was[one.server], rules, up_for, by[one.server]),
          ("history %d, step %d: %s by %s"):format(history, step, one.server, one.reason))
      end
      for _, one in ipairs(found.servers) do by[one.server] = one.reason end
      if should > 0 then assert(above > 0, ("history %d, step %d: all out while one is up"):format(history, step)) end
      if above < rules.min_up then
        assert(not ours, ("history %d, step %d: %s was taken out below min_up"):format(history, step, tostring(ours)))
      end
      local decided = 0
      for _ in pairs(s.admin) do decided = decided + 1 end
      if decided == 0 and before >= rules.min_up then
        assert(above >= rules.min_up, ("history %d, step %d: below min_up"):format(history, step))
      end
    end
  end
end

function tests.who_is_given_back_while_all_are_down_is_in_service_as_the_others_are()
  local s = sim { servers = { a = 2, b = 1 }, rules = { fall = 1 } }
  local all = { a = true, b = true }
  s.step(all)
  equal(s.weights("a", "b"), "2 1", "they are all there is")
  for _, name in ipairs { "a", "b" } do
    s.admin[name] = { state = "maint", since = 0 }
    s.step(all)
    equal(s.weight[name], 0)
    s.admin[name] = nil
    s.step(all)
    equal(s.weights("a", "b"), "2 1", name .. " is back")
  end
  s.admin.a, s.admin.b = { state = "maint", since = 0 }, { state = "drain", since = 0 }
  s.step(all)
  equal(s.weights("a", "b"), "0 0")
  equal(s.found.degraded, "0 of 2 servers would be left, min_up is 1", "none was left as it was")
end

function tests.news_are_told_once()
  local site = sim { servers = { a = 8, b = 8 }, rules = { rise = 1, fall = 1, sorry = true, quorum = 1 } }
  local function kinds()
    local out = {}
    for _, one in ipairs(site.found.news) do out[#out + 1] = one.kind end
    return table.concat(out, ", ")
  end
  site.step {}
  equal(kinds(), "", "a service that is up from the start")
  site.step { a = true }
  equal(kinds(), "", "one of two")
  site.step { a = true, b = true }
  equal(kinds(), "quorum lost, degraded")
  equal(site.found.news[1].service, "fwm:3")
  equal(site.found.news[1].sorry, true)
  site.step { a = true, b = true }
  equal(kinds(), "", "it is known")
  site.step { a = true }
  equal(kinds(), "quorum gained, recovered")
  equal(site.found.news[1].sorry, false)
end

return tests
