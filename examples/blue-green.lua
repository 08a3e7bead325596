-- Blue and green: two complete sets of servers, of which one is live.
--
-- What it teaches: a release, and the way back, is one word. Each colour is a service of its own, with a mark of its
-- own; which of the two marks the site's packets get is the only thing that changes. The kernel exchanges it in one
-- go: every connection before goes to one colour, every connection after to the other, and those that are open stay
-- where they are.
--
--     lvsh start ./blue-green.lua
--     $EDITOR ./blue-green.lua        LIVE = "green"
--     lvsh plan  ./blue-green.lua     the marks of both addresses change, and nothing else
--     lvsh apply ./blue-green.lua
--
-- The colour that is not live can be tried at an address of its own: PREVIEW leads to it, whichever it is.
local LIVE = "blue"

local SITE, PREVIEW = "192.168.1.99", "192.168.1.98"
local MARK  = { blue = 10, green = 20 }
local other = { blue = "green", green = "blue" }

local function colour(name, servers)
  return { fwmark = MARK[name], scheduler = "wlc", persistent = "10m", servers = servers }
end

return lvs.policy {
  name = "blue-green",

  vip = { { addr = SITE .. "/32", dev = "eth0" }, { addr = PREVIEW .. "/32", dev = "eth0" } },

  mark = {
    { mark = MARK[LIVE],        daddr = SITE,    proto = "tcp", dports = { 80, 443 } },
    { mark = MARK[other[LIVE]], daddr = PREVIEW, proto = "tcp", dports = { 80, 443 } },
  },

  service = {
    colour("blue",  { { addr = "192.168.1.107", method = "dr", weight = 1 } }),
    colour("green", { { addr = "192.168.1.109", method = "dr", weight = 1 } }),
  },
}
