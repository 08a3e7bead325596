-- The director of web.lua, with health: servers that fail leave, servers that come back climb slowly.
--
--     lvsh start health.lua
--     * * * * * root lvsh check --quiet /etc/lvsh/health.lua       (cron)
--     lvsh check --loop 10s /etc/lvsh/health.lua                    (or a service)
--     lvsh drain health.lua 192.168.1.109 --reason "new kernel" --wait
--     lvsh test health_test.lua                                    (what it does when servers break)
return lvs.policy {
  name = "health",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },
  mark = { mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = { 80, 443 } },

  service = {
    fwmark = 3,
    scheduler = "sh",
    flags = { "sh-fallback" }, -- a server at weight 0 must not black-hole its clients
    persistent = 600,
    servers = {
      { addr = "192.168.1.107", method = "dr", weight = 8 },
      { addr = "192.168.1.109", method = "dr", weight = 8 },
    },
  },

  health = {
    http = { port = 80, path = "/healthz", host = "www.example.org", status = { 200, 399 } },
    timeout = 2,
    rise = 2,
    fall = 3,
    min_up = 1, -- keep the last weights rather than go below this
  },

  slow_start = { over = "4m", from = 1 }, -- 1 2 4 6 8, with a check every minute
  drain = { timeout = "15m", remove = true },

  -- The last word on one server's weight: its own opinion, if it has one. nil: as computed.
  weight = function(_, facts)
    local load = facts.probe.headers["x-load"]
    if load and tonumber(load) > 0.9 then return math.max(1, facts.base // 2) end
  end,

  on_change = function(ev)
    lvs.log.notice("%s: weight %d -> %d (%s)", ev.server, ev.from, ev.to, ev.reason)
  end,
}
