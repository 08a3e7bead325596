-- Minute by minute: what health-by-hand.lua does while 109 fails in minutes 3 to 6, and both from 9 on.
--
--     lvsh test health-by-hand_test.lua
local A, B = "192.168.1.107", "192.168.1.109"

-- What cron would do, twelve times; one line for each minute in which something is said or done.
local function minutes(sim)
  local lines, heard, changed = {}, #sim:log(), #sim:events()
  sim:advance("12m", "1m", function(now)
    local run = sim:run "health-by-hand.lua"
    local line = ("minute %2d  %s"):format(now // 60, run.status or "ok")
    local before = line
    for at = changed + 1, #sim:events() do
      local event = sim:events()[at]
      line = ("%s  set server %s %s w=%d"):format(line, event.service, event.server, event.to)
    end
    for at = heard + 1, #sim:log() do
      line = ("%s  %s: %s"):format(line, sim:log()[at].level, sim:log()[at].text)
    end
    heard, changed = #sim:log(), #sim:events()
    if run.status_message then line = line .. "  " .. run.status_message end
    if line ~= before then lines[#lines + 1] = line end
  end)
  return lines
end

lvs.test("minute by minute", function()
  local sim = lvs.sim()
  sim:eval [[
    lvs.add_service { fwmark = 3, scheduler = "sh", flags = { "sh-fallback" }, servers = {
      { addr = "192.168.1.107", method = "dr", weight = 1 },
      { addr = "192.168.1.109", method = "dr", weight = 1 },
    } }
  ]]
  sim:probe(A, function(asked) return asked.time < 540 and { status = 200, ms = 3 } end)
  sim:probe(B, function(asked)
    local minute = asked.time // 60
    local fails = minute >= 3 and minute <= 6 or minute >= 9
    return not fails and { status = 200, ms = 3 }
  end)
  lvs.expect(minutes(sim), {
    "minute  5  ok  set server fwm:3 192.168.1.109 w=0  "
      .. "warn: 192.168.1.109 is down after 3 bad probes: connect: connection refused",
    "minute  8  ok  set server fwm:3 192.168.1.109 w=1  notice: 192.168.1.109 is up after 2 good probes (3 ms)",
    "minute 11  degraded  warn: 192.168.1.107 is down after 3 bad probes: connect: connection refused  "
      .. "warn: 192.168.1.109 is down after 3 bad probes: connect: connection refused  "
      .. "every server fails its probe; weights left as they are",
    "minute 12  degraded  every server fails its probe; weights left as they are",
  })
end)

lvs.test("without the service there is nothing to do", function()
  local sim = lvs.sim()
  local run = sim:run "health-by-hand.lua"
  lvs.expect(run.changed, false)
  lvs.expect(sim:log()[1].text, "service is stopped, nothing to check")
end)
