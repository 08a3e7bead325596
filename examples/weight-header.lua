-- Weights by a header of the health page: the server's own opinion of its load, 0.0 to 1.0.
return lvs.policy {
  name = "weight-header",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },

  service = {
    tcp = "192.168.1.99:80",
    scheduler = "wrr",
    servers = {
      { addr = "192.168.1.107", method = "dr", weight = 16 },
      { addr = "192.168.1.109", method = "dr", weight = 16 },
    },
  },

  health = { http = { path = "/healthz" } },

  weight = function(_, facts)
    local load = tonumber(facts.probe.headers["x-load"])
    if load then return math.max(1, math.floor(facts.base * (1 - load) + 0.5)) end
  end,
}
