-- What a machine needs to answer for addresses whose packets a director sends it.
--
-- Gets what `lvs.real_server` was told, checked; returns the spec of a policy.
local ipairs = ipairs

-- The device that unpacks: by encapsulation, family of the outer packet, family of what is inside.
local DEVICES = {
  ipip = { ipv4 = { ipv4 = "ipip", ipv6 = "sit" }, ipv6 = { ipv4 = "ip6tnl", ipv6 = "ip6tnl" } },
  gre  = { ipv4 = { ipv4 = "gre", ipv6 = "gre" }, ipv6 = { ipv4 = "ip6gre", ipv6 = "ip6gre" } },
}
-- GUE is UDP around the same: its port takes the UDP off, and the device sees the packet as it would have come.
DEVICES.gue = DEVICES.ipip

-- Every machine of the segment has the address, but only the director may say so.
--   arp_ignore 1    answer only for addresses of the device that was asked on: the address is on another one
--   arp_announce 2  ask with an address of the device that asks: else the neighbours learn the address from questions
-- On `all`, because the kernel takes the larger of `all` and the device's own: one setting, devices of tomorrow
-- included. At least, because a machine that is stricter already must not become less so. IPv6 needs nothing: a
-- neighbour solicitation is answered only for addresses of the device it came in by.
local ARP = {
  ["net.ipv4.conf.all.arp_ignore"] = { min = 1 },
  ["net.ipv4.conf.all.arp_announce"] = { min = 2 },
}

return function(told)
  local policy = { vip = {}, tunnel = {}, gue_port = {} }
  local made = {} -- devices and ports that are in the lists already
  local function once(list, key, item)
    if not made[key] then
      made[key] = true
      list[#list + 1] = item
    end
  end
  for _, vip in ipairs(told.vips) do
    local dev = told.dev
    if told.method == "tun" then
      local outer = told.outer or vip.family
      local kind = DEVICES[told.type][outer][vip.family]
      dev = "lvsh-" .. kind
      -- Only GRE has it in its own header, and its device takes one sort or the other.
      once(policy.tunnel, dev, { dev = dev, type = kind, checksum = told.checksum })
      if told.port then once(policy.gue_port, outer, { port = told.port, family = outer }) end
    end
    policy.vip[#policy.vip + 1] = { addr = vip.addr, dev = dev }
    if vip.family == "ipv4" then policy.sysctls = ARP end
  end
  return policy
end
