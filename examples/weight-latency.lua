-- Weights by how long a server takes to answer: who is slow gets less, a few steps per round.
return lvs.policy {
  name = "weight-latency",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },

  service = {
    tcp = "192.168.1.99:80",
    scheduler = "wrr",
    servers = {
      { addr = "192.168.1.107", method = "dr", weight = 16 },
      { addr = "192.168.1.109", method = "dr", weight = 16 },
    },
  },

  health = {
    http = { path = "/healthz" },
    max_change = 4, -- one slow answer does not turn everything over
  },

  -- 50 ms is what it should take; twice as long is half the weight.
  weight = function(_, facts)
    if not facts.probe.ms then return nil end
    local share = math.min(1, 50 / math.max(1, facts.probe.ms))
    return math.max(1, math.floor(facts.base * share))
  end,
}
