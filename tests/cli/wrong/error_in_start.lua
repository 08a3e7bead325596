local M = { name = "web" }
function M.start()
  local web = lvs.add_service { fwmark = 3, scheduler = "sh" }
  web:add_server { addr = "192.168.1.107", wieght = 1 }
end
function M.stop() end
return M
