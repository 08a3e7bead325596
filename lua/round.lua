-- One round of health over a policy: from its pool, the answers of its probes and what was remembered, to weights.
--
-- Pure as health.lua is, on which it stands. With answers it is a check; without, it is what start, apply and plan
-- need to know: the weights as the last check left them, with what the operator has said since.
local health = ...

-- What is news of a service: that it lost or gained its quorum. In its first round only a loss is.
local function quorum_news(service, was, done)
  if (was and was.up) == done.up or (not was and done.up) then return nil end
  return { kind = done.up and "quorum gained" or "quorum lost", service = service, up = done.up, sorry = done.sorry }
end

-- The memory of the last round, with nothing missing.
local function remembered(past)
  past = past or {}
  return {
    servers = past.servers or {}, services = past.services or {}, weights = past.weights or {}, at = past.at,
    degraded = past.degraded,
  }
end

local function share(bad, of)
  if bad > of then return ("%d probes in a row failed"):format(bad) end
  return ("%d of %d probes failed"):format(bad, of)
end

-- Why a server's weight is what it is, for the line that says so.
local function detail(one, h, admin, rules, event)
  local reason = one.reason
  if event == "up" and (reason == "base" or reason == "hook") then
    return ("up after %d good probes (%.0f ms)"):format(h.good, h.ms or 0)
  end
  if reason == "health" or reason == "kept" then
    return h.err and ("%s: %s"):format(share(h.bad, rules.fall), h.err) or share(h.bad, rules.fall)
  elseif reason == "drain" or reason == "maint" or reason == "weight" then
    local by = admin and admin.by and (" by " .. admin.by) or ""
    local why = admin and admin.reason and (": " .. admin.reason) or ""
    return by:sub(2) .. why
  elseif reason == "slow start" then
    return ("%d of %d"):format(one.weight, one.facts.base)
  elseif reason == "unknown" then
    return h.err or "it was not asked"
  elseif reason == "quorum" then
    return "too little weight is up"
  end
  return ""
end

-- A server whose last weight came from the hook keeps it when nobody was asked, while its base is the same.
local function without_answers(one, last)
  if one.reason == "base" and last and last.reason == "hook" and last.base == one.facts.base then
    one.weight, one.reason = last.weight, "hook"
  end
end

-- One target's answers into its memory; what happened, if something did.
local function hear(h, answers, rules, now)
  local verdict, decided = health.verdict(answers, rules.need)
  local event = health.judge(h, verdict, rules, now)
  h.err, h.ms, h.status, h.at = decided.err, decided.ms, decided.status, now
  return event
end

-- What becomes of a drained server that has nothing left, or has had its time: "remove", "evict", or nothing.
local function drain(server, admin, last, rules, now)
  if not admin or admin.state ~= "drain" then return nil end
  local told = rules.drain or {}
  -- It left the table in an earlier round.
  if told.remove and server.weight == nil and last and last.gone then return "remove" end
  -- First it takes no new clients, and only a later round ends it: none is caught in between.
  if server.weight ~= 0 then return nil end
  local how = health.drained(server, admin, told, now)
  -- What is evicted has nothing left, and the round after finds it drained.
  if how == "timeout" and (admin.evict or told.evict) then return "evict" end
  return how ~= "draining" and told.remove and "remove" or nil
end

--- pool: list of { service, servers = list of { id, target, base, weight, active, inactive, persist } }
--- asked: target -> list of answers; nil when nobody was asked
--- admin: id or address -> { state, weight, since, by, reason, timeout }
--- Returns { memory, weights = list of { service, server, weight, reason, detail }, events, news, servers, degraded, sorry }
--- events: list of { service, server, from, to, reason, detail }, a server each; news: list of { kind, … }, what is not
--- about one server: "quorum lost", "quorum gained" with service and sorry, "degraded", "recovered" with detail
local function round(pool, rules, past, asked, admin, now)
  local memory, heard = remembered(past), {}
  local result = { weights = {}, events = {}, news = {}, servers = {}, sorry = {}, warnings = {}, evict = {} }
  result.drain = rules.drain or {}
  local fresh = { servers = {}, services = {}, weights = {} }
  for _, service in ipairs(pool) do
    local list, states = {}, {}
    for index, server in ipairs(service.servers) do
      local target = server.target
      local h = fresh.servers[target] or memory.servers[target] or health.fresh(rules, now)
      fresh.servers[target] = h
      local answers = asked and asked[target]
      if answers and not heard[target] then
        heard[target] = hear(h, answers, rules, now) or "same"
        if h.blind then
          result.warnings[#result.warnings + 1] = ("%s was not checked: %s"):format(server.id, h.err or "no answer")
        end
      end
      local word = admin[server.id] or admin[server.addr]
      local last = (memory.weights[service.service] or {})[server.id]
      list[index] = {
        addr = server.id,
        base = word and word.weight or server.base,
        -- A start sees the machine without what the policy owns; what it left there is remembered.
        weight = server.weight or (not asked and last and last.weight) or nil,
        admin = word and word.state,
        released = last and (last.reason == "maint" or last.reason == "drain") and not (word and word.state),
        active = server.active,
        inactive = server.inactive,
        persist = server.persist,
        probe = answers and answers[1],
      }
      states[server.id] = h
    end
    local was = memory.services[service.service]
    local done = health.service(list, states, was and was.up, rules, now)
    fresh.services[service.service] = { up = done.up }
    result.news[#result.news + 1] = quorum_news(service.service, was, done)
    local weights = {}
    for index, one in ipairs(done.servers) do
      local server, h = service.servers[index], states[one.addr]
      local word = admin[server.id] or admin[server.addr]
      if not asked then without_answers(one, (memory.weights[service.service] or {})[one.addr]) end
      local ends = drain(server, word, (memory.weights[service.service] or {})[one.addr], rules, now)
      if ends == "remove" then
        one.weight = nil
      elseif ends == "evict" then
        result.evict[#result.evict + 1] = { service = service.service, server = one.addr }
      end
      if word and word.weight and one.reason == "base" then one.reason = "weight" end
      local said = detail(one, h, word, rules, heard[server.target])
      weights[one.addr] = {
        weight = one.weight or 0, reason = one.reason, base = one.facts.base, gone = one.weight == nil,
        -- Where its row of answers is kept, when that is not said by its name.
        target = server.target ~= one.addr and server.target ~= server.addr and server.target or nil,
      }
      result.weights[#result.weights + 1] =
        { service = service.service, server = one.addr, weight = one.weight, reason = one.reason, detail = said }
      if one.weight ~= one.from then
        result.events[#result.events + 1] = {
          -- A server that is not in the table has no weight; a hook that prints it counts with a number.
          service = service.service, server = one.addr, from = one.from or 0, to = one.weight or 0,
          reason = one.reason, detail = said,
        }
      end
      result.servers[#result.servers + 1] = {
        service = service.service, server = one.addr, weight = one.weight or 0, base = one.facts.base,
        admin = word and word.state or "ready", health = one.facts.health, reason = one.reason, detail = said,
        good = h.good, bad = h.bad, since = h.since, ms = h.ms, status = h.status, err = h.err,
        active = server.active, inactive = server.inactive, persist = server.persist,
      }
    end
    fresh.weights[service.service] = weights
    result.degraded = result.degraded or done.degraded
    result.sorry[service.service] = done.sorry
    if not done.up and not result.degraded then
      result.degraded = ("%s is down: too little weight is up"):format(service.service)
    end
  end
  fresh.degraded = result.degraded
  -- How degraded it is may change in each round; that it is, is news once.
  if (fresh.degraded == nil) ~= (memory.degraded == nil) then
    local kind = fresh.degraded and "degraded" or "recovered"
    result.news[#result.news + 1] = { kind = kind, degraded = fresh.degraded ~= nil, detail = fresh.degraded or "" }
  end
  fresh.drain = rules.drain
  fresh.at = asked and now or memory.at
  result.memory = fresh
  return result
end

return round
