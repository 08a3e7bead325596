return lvs.policy {
  name = "web",
  local_route = { mark = 3, table = 254 },
}
