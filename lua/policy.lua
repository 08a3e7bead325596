-- The policy object, and what else of the API is easier said in Lua.
--
-- `inner` holds natives that scripts do not see. They raise error objects themselves.
local inner = ...
local pack, unpack, xpcall, error, type, setmetatable = table.pack, table.unpack, xpcall, error, type, setmetatable
local ipairs, tostring, concat, next = ipairs, tostring, table.concat, next

-- Methods ----------------------------------------------------------------------------------------

local methods = {}
local kept = setmetatable({}, { __mode = "k" }) -- policy -> { name, declared, hooks }

local function of(self)
  local it = kept[self]
  if not it then error("this is a method of a policy: write policy:start() with ':'", 3) end
  return it
end

-- Health is more Lua than all the rest, and most runs need none of it.
local health, round
local function rules_of(self, it)
  if not health then health, round = inner.health() end
  if not it.rules then
    it.rules = health.rules(it.given.rules)
    local weight = it.given.weight
    if weight then
      it.rules.weight = function(facts) return inner.whole(weight(self, facts)) end
    end
  end
  return it.rules
end

-- The weights as the last check left them, with what the operator has said since; nil when those of the file stand.
local function weights_of(self, it, given)
  if type(given) ~= "table" then
    if it.given.rules.initial ~= "down" then return nil end
    given = {}
  end
  local rules = rules_of(self, it)
  return round(inner.pool(it.declared), rules, given.memory, nil, given.admin or {}, given.now or inner.now())
end

-- What is known of its servers, the last round and what was decided: lvsh itself says it, a script has to look.
local function known_of(it, args, works)
  if type(args) == "table" and args.health ~= nil then return args.health end
  local known = inner.known(it.name, works)
  return known and (known.memory or next(known.admin)) and known or nil
end

-- args = { adopt = true } takes over what is in the way instead of refusing.
function methods.default_start(self, args)
  local it = of(self)
  args = type(args) == "table" and args or {}
  inner.declare(it.declared, it.name, args.adopt == true, weights_of(self, it, known_of(it, args, true)))
  if it.given.on_start then it.given.on_start(self) end
end

function methods.default_stop(self)
  local it = of(self)
  if it.given.on_stop then it.given.on_stop(self) end
  inner.release()
end

function methods.default_status(self)
  local it = of(self)
  local plan, total = self:plan(), inner.total(it.declared)
  local differs, missing = plan.count, 0
  for _, step in ipairs(plan.steps) do
    if step.op == "add" or step.op == "start" then missing = missing + 1 end
  end
  local state = "changed"
  if differs == 0 then state = "up" elseif total > 0 and missing >= total then state = "down" end
  local text = differs == 0 and "everything is as declared" or ("%d of %d things differ"):format(differs, total)
  return { name = it.name, state = state, differs = differs, text = text }
end

function methods.plan(self)
  local it = of(self)
  return inner.plan(it.declared, it.name, weights_of(self, it, known_of(it, nil, false)))
end

-- One round of health: asks, remembers, and sets the weights that follow. Returns what was found.
function methods.default_check(self, args)
  local it = of(self)
  -- A script's own round begins with what is known, as one of lvsh check does.
  local known = type(args) ~= "table" and inner.known(it.name, true) or nil
  local given = known or type(args) == "table" and args.health or {}
  local pool = inner.pool(it.declared)
  -- A policy without probes is still weighed: by the operator, and by its hook.
  local asked
  if type(args) ~= "table" or args.ask ~= false then asked = inner.ask(it.declared) end
  local rules = rules_of(self, it)
  local found = round(pool, rules, given.memory, asked, given.admin or {}, given.now or inner.now())
  inner.weights(it.declared, found)
  if known and known.started then inner.remember(it.name, found.memory) end
  return found
end

-- One line of a mail.
local function line_of(event)
  local from, to = event.from or "none", event.to or "none"
  local why = event.detail ~= "" and ("%s: %s"):format(event.reason, event.detail) or event.reason
  return ("%s %s  weight %s -> %s   %s"):format(event.service, event.server, from, to, why)
end

local function news_of(it)
  if it.service then return ("%s: %s%s"):format(it.service, it.kind, it.sorry and ", the sorry server takes over" or "") end
  return it.detail ~= "" and ("%s: %s"):format(it.kind, it.detail) or it.kind
end

-- One mail for all that a round changed.
local function mail(it, found)
  local lines, events, news = {}, found.events or {}, found.news or {}
  for _, event in ipairs(events) do lines[#lines + 1] = line_of(event) end
  for _, one in ipairs(news) do lines[#lines + 1] = news_of(one) end
  local subject
  if #news > 0 then subject = news[#news].kind else subject = ("%d change%s"):format(#events, #events == 1 and "" or "s") end
  lines[#lines + 1] = ""
  for _, server in ipairs(found.servers or {}) do
    local err = server.err and ("   " .. server.err) or ""
    lines[#lines + 1] = ("%s %s  weight %d  %s  %s%s"):format(
      server.service, server.server, server.weight, server.admin, server.health, err)
  end
  local notify = it.notify
  local sent = inner.mail {
    to = notify.mail, from = notify.from, sendmail = notify.sendmail,
    subject = ("%s on %s: %s"):format(it.name, found.host, subject), text = concat(lines, "\n"),
  }
  return not sent.ok and ("no mail was sent: %s %s"):format(sent.err, sent.stderr:match "[^\n]*") or nil
end

-- After the changes of a check were made and verified: the hooks hear of each, and one mail of all. What goes wrong
-- here undoes nothing, and keeps nobody else from hearing; returns it as texts.
function methods.changed(self, found)
  local it, troubles = of(self), {}
  local function tell(name, event)
    local hook = it.given[name]
    if not hook then return end
    local ok, raised = xpcall(hook, inner.caught, event)
    if not ok then troubles[#troubles + 1] = ("%s failed: %s"):format(name, tostring(raised)) end
  end
  for _, event in ipairs(found.events or {}) do tell("on_change", event) end
  for _, one in ipairs(found.news or {}) do tell(one.service and "on_quorum" or "on_degraded", one) end
  if it.notify then troubles[#troubles + 1] = mail(it, found) end
  return troubles
end

-- What an operator says of one server, said by a script. A word that cannot be made so was not said.
local function says(verb)
  return function(self, ...)
    local it = of(self)
    local before = inner.said()
    local known = inner[verb](it.declared, it.name, ...)
    if not known.started then return end
    local ok, raised = xpcall(function()
      local rules = rules_of(self, it)
      local found = round(inner.pool(it.declared), rules, known.memory, nil, known.admin, known.now)
      inner.weights(it.declared, found)
      inner.remember(it.name, found.memory)
    end, inner.caught)
    if not ok then
      inner.unsay(before)
      error(raised, 0)
    end
  end
end

for _, verb in ipairs { "drain", "undrain", "maint", "ready", "weight" } do methods[verb] = says(verb) end

-- What the policy starts with decides: a start of the user's own is also what apply runs.
function methods.apply(self) return self:start { adopt = true } end

methods.start, methods.stop, methods.status = methods.default_start, methods.default_stop, methods.default_status
methods.check = methods.default_check

local policy = {
  __name = "policy",
  __metatable = false,
  __tostring = function(self) return "policy " .. of(self).name end,
  __index = function(self, key)
    local own = methods[key]
    if own ~= nil then return own end
    return inner.unknown_method(key)
  end,
}

local function make(name, declared, given)
  local object = { name = name }
  -- What the spec replaces; the derived one stays reachable as default_….
  object.start, object.stop, object.status = given.start, given.stop, given.status
  kept[object] = { name = name, declared = declared, given = given, notify = given.notify }
  return setmetatable(object, policy)
end

-- Functions of the root --------------------------------------------------------------------------

local function transaction(body)
  local point, said = inner.mark(body), inner.said()
  local got = pack(xpcall(body, inner.caught))
  if got[1] then return unpack(got, 2, got.n) end
  inner.unsay(said)
  error(inner.back(point, got[2]), 0)
end

local function plan(desired)
  if type(desired) ~= "function" then return inner.plan_desired(desired) end
  inner.rehearse()
  local ok, raised = xpcall(desired, inner.caught)
  local steps = inner.rehearsed()
  if not ok then error(raised, 0) end
  return steps
end

return make, transaction, plan
