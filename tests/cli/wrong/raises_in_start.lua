local M = { name = "web" }
function M.start()
  lvs.add_service { fwmark = 3, scheduler = "sh" }
  error("not on a Friday")
end
function M.stop() end
return M
