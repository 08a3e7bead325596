return lvs.policy {
  name = "web",
  local_route = {
    { mark = 3, table = 100 },
    { mark = 4, table = 100 },
    { mark = 3, table = 100 },
  },
}
