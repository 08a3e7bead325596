-- Weights by what an agent on each server says, as HAProxy's agent-check has it: "75%", "drain", "down # disk full".
-- Per cent are of the weight in the file; no function is needed.
return lvs.policy {
  name = "weight-agent",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },

  service = {
    tcp = "192.168.1.99:80",
    scheduler = "wrr",
    servers = {
      { addr = "192.168.1.107", method = "dr", weight = 16 },
      { addr = "192.168.1.109", method = "dr", weight = 16 },
    },
  },

  health = { agent = { port = 9707 }, rise = 1, fall = 1 },
}
