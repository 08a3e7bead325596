#!/usr/bin/env -S lvsh run
-- Health-based weights with everything spelled out, for those who want their own rules.
--
--     * * * * * root lvsh run --quiet /etc/lvsh/health-by-hand.lua
local log = lvs.log
local RISE, FALL, BASE = 2, 3, 1

local web = lvs.get_service { fwmark = 3 }
if not web then
  log.info "service is stopped, nothing to check"
  return -- exit 0, no output under --quiet
end

-- An ordinary table. It is what the last good run left, and it is saved only if this run ends without an error.
local st = lvs.state "web-health"

-- All probes run at once; each answer is data, never an error.
local answers = lvs.probe_all(web.servers, {
  http = { port = 80, path = "/healthz", host = "www.example.org", status = { 200, 399 } },
  timeout = 2,
})

local want, up = {}, 0
for _, s in ipairs(web.servers) do
  local h = st[s.addr] or { up = s.weight > 0, ok = 0, bad = 0 }
  local a = answers[s.addr]
  if a.ok then
    h.ok, h.bad = h.ok + 1, 0
  elseif a.verdict == "bad" then -- "unknown" says nothing of the server
    h.ok, h.bad = 0, h.bad + 1
  end

  if not h.up and h.ok >= RISE then
    h.up = true
    log.notice("%s is up after %d good probes (%.0f ms)", s.addr, h.ok, a.ms)
  elseif h.up and h.bad >= FALL then
    h.up = false
    log.warn("%s is down after %d bad probes: %s", s.addr, h.bad, a.err)
  end

  st[s.addr] = h
  want[s.addr] = h.up and BASE or 0 -- absolute, from state; never "current weight minus one"
  if h.up then up = up + 1 end
end

if up == 0 then -- all down at once: suspect ourselves, not them
  lvs.status("degraded", "every server fails its probe; weights left as they are")
  return
end

web:set_weights(want) -- sends only what differs
