return lvs.policy {
  name = "web",
  tunnel = {
    { dev = "in0", type = "ipip" },
    { dev = "in1", type = "ipip" },
  },
}
