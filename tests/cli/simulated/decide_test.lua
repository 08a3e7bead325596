-- policy:drain and its like do what the verbs of the same names do.
local A, B = "10.0.0.1", "10.0.0.2"

local function started()
  local sim = lvs.sim { policy = "counts.lua" }
  sim:probe("*", true)
  sim:start()
  return sim
end

lvs.test("a script drains a server, at once and until undrain", function()
  local sim = started()
  sim:run("decide.lua", "drain", B)
  lvs.expect(sim:weights()[B], 0)
  lvs.expect(sim:plan().changed, false)
  lvs.expect(#sim:plan().changes, 0, "it is no drift")
  lvs.expect(sim:check().changed, false)
  assert(sim:status().text:find "said by a script", sim:status().text)
  sim:run("decide.lua", "undrain", B)
  lvs.expect(sim:weights()[B], 4)
end)

lvs.test("the verb and the method are one", function()
  local by_verb, by_method = started(), started()
  for _, sim in ipairs { by_verb, by_method } do
    local say = sim == by_verb and function(word, ...) sim[word](sim, ...) end
      or function(word, server, number) sim:run("decide.lua", word, server, number) end
    say("maint", A)
    if sim == by_verb then sim:weight(B, 7) else say("weight", B, 7) end
    sim:check()
  end
  lvs.expect(by_method:weights(), by_verb:weights())
  lvs.expect(by_method:weights()[B], 7)
  by_method:run("decide.lua", "ready", A)
  lvs.expect(by_method:weights()[A], 4)
end)

lvs.test("it survives a reboot", function()
  local sim = started()
  sim:run("decide.lua", "maint", B)
  sim:reboot()
  sim:start()
  lvs.expect(sim:weights()[B], 0)
end)

lvs.test("before a start it is only kept", function()
  local sim = lvs.sim { policy = "counts.lua" }
  sim:run("decide.lua", "drain", B)
  lvs.expect(sim:weights(), {})
  sim:start()
  lvs.expect(sim:weights()[B], 0)
end)

lvs.test("a script that fails has said nothing", function()
  local sim = started()
  lvs.expect(pcall(sim.run, sim, "decide.lua", "fail", B), false)
  lvs.expect(sim:weights()[B], 4)
  sim:check()
  lvs.expect(sim:weights()[B], 4)
  sim:run("decide.lua", "transaction", B)
  sim:check()
  lvs.expect(sim:weights()[B], 4)
end)

lvs.test("who is no server is told, with the nearest", function()
  local sim = started()
  local _, raised = pcall(sim.run, sim, "decide.lua", "drain", "10.0.0.22")
  lvs.expect(raised.message, "policy 'counts' has no server 10.0.0.22")
  lvs.expect(raised.hint, "did you mean 10.0.0.2:80?")
end)
