-- One site on two ports: the same servers in two services, asked once.
local function service(port)
  return {
    tcp = "10.0.0.99:" .. port, scheduler = "wrr",
    servers = { { addr = "10.0.0.1", method = "dr" }, { addr = "10.0.0.2", method = "dr" } },
  }
end

return lvs.policy {
  name = "shared",
  service = { service(80), service(443) },
  health = { http = { port = 80, path = "/healthz" }, rise = 1, fall = 1 },
}
