return lvs.policy {
  name = "web",
  tunnel = { dev = "in0", type = "vxlan" },
}
