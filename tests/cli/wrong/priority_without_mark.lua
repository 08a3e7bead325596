return lvs.policy {
  name = "web",
  local_route = { table = 100, priority = 7 },
}
