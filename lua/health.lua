-- Health: from what probes answered to weights, each with its reason.
--
-- Pure functions. Time is an argument, nothing is read, sent or kept here, so twelve minutes of health take a
-- millisecond in a test, and the same history always gives the same weights.
--
--   verdict = health.verdict(answers, need)          what one round says of one server
--   event   = health.judge(h, verdict, rules, now)   rise and fall; changes h, the memory of one server
--   w, why  = health.weight(facts, rules)            what weight that makes
--   service = health.service(servers, memory, rules) the weights of all servers of a service, guards included
--
-- Times are seconds on one clock that does not jump (the boot clock).
local health = {}

local floor, max, min = math.floor, math.max, math.min

-- What a policy gets when it does not say. rise and fall are those of HAProxy and dnsdist.
health.DEFAULTS = {
  rise = 2, -- good rounds in a row until a server is up
  fall = 3, -- bad rounds in a row until it is down
  initial = "up", -- before the first answer: "up", "down", or "first": the first answer decides alone
  need = "all", -- of several probes: "all" must be good, or "any"
  down = "inhibit", -- a server that is down gets weight 0, or "remove": it leaves the table
  min_up = 1, -- keep the last weights rather than have fewer servers above 0
  panic = 0, -- per cent: with fewer servers up than this share, suspect ourselves and keep the last weights
  quorum = 1, -- weight that must be up for the service to count as up
  hysteresis = 0, -- quorum + hysteresis to come up, quorum - hysteresis to stay up
}

--- What the rules are when some are given. A sorry server takes the place of the guard that keeps the last ones.
function health.rules(given)
  local rules = {}
  for name, value in pairs(health.DEFAULTS) do rules[name] = value end
  if given.sorry then rules.min_up = 0 end
  for name, value in pairs(given) do rules[name] = value end
  return rules
end

-- One server --------------------------------------------------------------------------------------

--- One answer out of those of several probes: "good", "bad", or "unknown" when what decides could not be asked;
--- and the text of the probe that decided.
function health.verdict(answers, need)
  local good, bad, unknown
  for _, answer in ipairs(answers) do
    if answer.verdict == "unknown" then
      unknown = unknown or answer
    elseif answer.ok then
      good = good or answer
    else
      bad = bad or answer
    end
  end
  if need == "any" then
    if good then return "good", good end
    if unknown then return "unknown", unknown end
  end
  if bad then return "bad", bad end
  if unknown then return "unknown", unknown end
  if good then return "good", good end
  return "unknown", { err = "no probe answered" }
end

--- The memory of a server that was never asked.
function health.fresh(rules, now)
  local up = nil
  if rules.initial ~= "first" then up = rules.initial == "up" end
  -- A server that is up from the start has been up for ever: it does not ramp.
  return { up = up, good = 0, bad = 0, since = now, changes = {} }
end

-- Changes of the last `within` seconds.
local function recent(changes, now, within)
  local kept = {}
  for _, at in ipairs(changes) do
    if now - at < within then kept[#kept + 1] = at end
  end
  return kept
end

-- Whether a server that changes too often has to wait.
local function held(h, rules, now)
  local flap = rules.flap
  if not flap then return false end
  h.changes = recent(h.changes, now, flap.within + flap.hold)
  local last = h.changes[#h.changes]
  -- Too many before the last one: it is held from then on, however long ago the others are by now.
  return last ~= nil and now - last < flap.hold and #recent(h.changes, last, flap.within) >= flap.changes
end

local function turn(h, up, now)
  local first = h.up == nil
  h.up, h.since = up, now
  -- The first word is not a change.
  if not first then h.changes[#h.changes + 1] = now end
  h.ramp = (up and not first) and now or nil
  return up and "up" or "down"
end

--- Takes one verdict into a server's memory. Returns "up", "down", "held" or nothing when it stays as it was.
function health.judge(h, verdict, rules, now)
  -- What could not be asked says nothing: neither row of answers goes on or ends.
  if verdict == "unknown" then
    h.blind = true
    return nil
  end
  h.blind = nil
  if verdict == "good" then
    h.good, h.bad = h.good + 1, 0
  else
    h.good, h.bad = 0, h.bad + 1
  end
  if h.up == nil then return turn(h, verdict == "good", now) end
  if h.up and h.bad >= rules.fall then return turn(h, false, now) end
  if not h.up and h.good >= rules.rise then
    if held(h, rules, now) then
      local said = h.held
      h.held = true
      return not said and "held" or nil
    end
    h.held = nil
    return turn(h, true, now)
  end
  return nil
end

-- Weights -----------------------------------------------------------------------------------------

--- The weight of a server that came up `up_for` seconds ago; 8 over 4 minutes gives 1 2 4 6 8.
function health.ramp(base, up_for, over, from)
  from = min(from or 1, base)
  if up_for >= over then return base end
  return floor(max(from, from + (base - from) * up_for // over))
end

-- A weight as far from the last one as one round may go.
local function bounded(wanted, last, step)
  if not step or last == nil or last == 0 then return wanted end
  return max(last - step, min(last + step, wanted))
end

-- facts = { base, admin, health, up_for, last, active, inactive, persist, probe }

--- One server's weight, and who spoke: admin, health, slow start, hook, base, the first that applies.
function health.weight(facts, rules)
  if facts.admin == "maint" or facts.admin == "drain" then return 0, facts.admin end
  if facts.health == "down" then return 0, "health" end
  -- Nobody knows: as it was.
  if facts.health == "unknown" and facts.last then return facts.last, "unknown" end
  local slow = rules.slow_start
  if slow and facts.up_for and facts.up_for < slow.over then
    local weight = health.ramp(facts.base, facts.up_for, slow.over, slow.from)
    if weight < facts.base then return weight, "slow start" end
  end
  local probe = facts.probe
  local said = rules.weight and rules.weight(facts)
  if said == nil and probe and probe.percent and facts.base > 0 then
    -- An agent's word is of the configured weight; only 0 % is none.
    said = floor(facts.base * probe.percent / 100 + 0.5)
    if probe.percent > 0 then said = max(1, said) end
  end
  if said ~= nil then return bounded(said, facts.last, rules.max_change), "hook" end
  return facts.base, "base"
end

local function name_of(h)
  if h.up == nil then return "unknown" end
  return h.up and "up" or "down"
end

-- What is known of one server, for the weight and for the hook.
local function facts_of(server, h, rules, now)
  return {
    server = server.addr,
    base = server.base,
    last = server.weight,
    admin = server.admin,
    -- What cannot be asked keeps its state: it is as healthy as it was.
    health = name_of(h),
    up_for = h.up and h.ramp and now - h.ramp or nil,
    active = server.active or 0,
    inactive = server.inactive or 0,
    persist = server.persist or 0,
    -- Nobody was asked, or nothing was seen: a hook finds no header rather than an error.
    probe = server.probe or { headers = {} },
  }
end

-- Whether the weight that is up makes the service up.
local function quorum(weight, was, rules)
  if was == false then return weight > 0 and weight >= rules.quorum + rules.hysteresis end
  return weight > 0 and weight >= rules.quorum - rules.hysteresis
end

--- All weights of one service.
--- `servers`: list of { addr, base, weight (now; nil when it is not in the table), admin, released (the operator took it
--- out until now), active, inactive, persist, probe }.
--- `memory`: addr -> what `judge` keeps. `was`: what this returned as `up` the last time, nil at first.
--- Returns { servers = list of { addr, weight (nil: not in the table), reason, from }, up, degraded (a text), sorry }.
function health.service(servers, memory, was, rules, now)
  local out, above, alive, total, good = {}, 0, 0, 0, 0
  for index, server in ipairs(servers) do
    local h = memory[server.addr]
    local facts = facts_of(server, h, rules, now)
    local weight, reason = health.weight(facts, rules)
    out[index] = { addr = server.addr, weight = weight, reason = reason, from = server.weight, facts = facts }
    total = total + 1
    if facts.health ~= "down" then
      good = good + 1
      if not facts.admin or facts.admin == "ready" then alive = alive + server.base end
    end
    if weight > 0 then above = above + 1 end
  end
  local result = { servers = out, up = quorum(alive, was, rules), sorry = false }
  local thin = total > 0 and good * 100 < rules.panic * total
  if thin or above < rules.min_up then
    -- So many at once: suspect the one who asks. What the operator decided stands all the same.
    local kept = 0
    for index, one in ipairs(out) do
      -- One that the operator gives back has no last weight of its own.
      local last = (one.from or 0) > 0 and one.from or servers[index].released and one.facts.base or 0
      if one.reason == "health" and last > 0 then
        one.weight, one.reason, kept = last, "kept", kept + 1
      end
    end
    local left = kept > 0 and "; weights left as they are" or ""
    result.degraded = (thin
        and ("%d of %d servers are up, fewer than %d %%"):format(good, total, rules.panic)
      or ("%d of %d server%s would be left, min_up is %d"):format(above, total, total == 1 and "" or "s", rules.min_up))
      .. left
    if kept > 0 then return result end
  end
  if rules.sorry and not result.up then
    result.sorry = true
    for _, one in ipairs(out) do
      if one.weight > 0 then one.weight, one.reason = 0, "quorum" end
    end
  end
  if rules.down == "remove" then
    for _, one in ipairs(out) do
      if one.weight == 0 and (one.reason == "health" or one.reason == "quorum") then one.weight = nil end
    end
  end
  return result
end

-- Drain -------------------------------------------------------------------------------------------

--- How far a drain is: "draining", "drained" or "timeout".
function health.drained(server, admin, drain, now)
  if server.active == 0 and server.persist == 0 then return "drained" end
  local limit = admin.timeout or (drain and drain.timeout)
  if limit and now - admin.since >= limit then return "timeout" end
  return "draining"
end

return health
