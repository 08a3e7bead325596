-- Weights by a number in the body of the health page: {"free": 37} is 37 per cent of the weight.
return lvs.policy {
  name = "weight-body",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },

  service = {
    tcp = "192.168.1.99:80",
    scheduler = "wrr",
    servers = {
      { addr = "192.168.1.107", method = "dr", weight = 16 },
      { addr = "192.168.1.109", method = "dr", weight = 16 },
    },
  },

  health = { http = { path = "/load.json", body = "free" } },

  weight = function(_, facts)
    local free = tonumber((facts.probe.body or ""):match '"free"%s*:%s*(%d+)')
    if free then return math.max(1, facts.base * free // 100) end
  end,
}
