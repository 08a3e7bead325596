return lvs.policy {
  name = "web",
  service = {
    { fwmark = 3, scheduler = "rr" },
    { fwmark = 3, scheduler = "wlc" },
  },
}
