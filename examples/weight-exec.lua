-- Weights by a program of one's own, as keepalived's MISC_CHECK with misc_dynamic: it ends with 0 (well), 1 (not
-- well), or with 2 to 255 for a weight of 0 to 253.
return lvs.policy {
  name = "weight-exec",
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
    exec = { "/usr/local/lib/lvsh/load-of", "{addr}" },
    dynamic = true,
    timeout = 5,
  },

  weight = function(_, facts) return facts.probe.weight end,
}
