return lvs.policy {
  name = "web",
  local_route = { mark = 3, tabel = 100 },
}
