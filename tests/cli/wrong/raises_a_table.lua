local M = { name = "web" }
function M.start()
  error { reason = "friday" }
end
function M.stop() end
return M
