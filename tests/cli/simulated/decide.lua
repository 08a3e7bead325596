#!/usr/bin/env -S lvsh run
-- A script that says what an operator says: the verb, the server, and for weight a number.
local counts = require "counts"
local verb, server, number = ...
local why = { reason = "said by a script" }
if verb == "weight" then
  counts:weight(server, tonumber(number), why)
elseif verb == "fail" then
  counts:drain(server)
  error "and then something went wrong"
elseif verb == "transaction" then
  local ok = pcall(lvs.transaction, function()
    counts:drain(server)
    error "and then something went wrong"
  end)
  assert(not ok)
else
  counts[verb](counts, server, why)
end
