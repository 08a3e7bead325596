return lvs.policy {
  name = "web",
  sysctls = { ["net.ipv4.conf.all.arp_ignore"] = { minimum = 1 } },
}
