-- A director of four servers, a to d, for the policies beside; what they say replaces what is here.
local function server(last, weight) return { addr = "10.0.0." .. last, method = "dr", weight = weight or 4 } end

return function(said)
  local spec = {
    service = {
      tcp = "10.0.0.99:80", scheduler = "wrr",
      servers = { server(1), server(2), server(3), server(4) },
    },
  }
  for name, value in pairs(said) do spec[name] = value end
  return lvs.policy(spec)
end
