-- Where two values differ: the way there, and what is on either side; nothing when they are equal.
local type, pairs, tostring, math_type = type, pairs, tostring, math.type
local sort = table.sort

local function step(key)
  if type(key) == "string" and key:find "^[%a_][%w_]*$" then return "." .. key end
  if type(key) == "string" then return ("[%q]"):format(key) end
  return "[" .. tostring(key) .. "]"
end

-- Keys of both, in an order that is the same in every run.
local function keys(a, b)
  local seen, list = {}, {}
  for _, side in pairs { a, b } do
    for key in pairs(side) do
      if not seen[key] then
        seen[key] = true
        list[#list + 1] = key
      end
    end
  end
  local function rank(key) return math_type(key) and "0" or type(key) end
  sort(list, function(one, other)
    if rank(one) ~= rank(other) then return rank(one) < rank(other) end
    if math_type(one) then return one < other end
    return tostring(one) < tostring(other)
  end)
  return list
end

local function differ(got, wanted, way, depth)
  if got == wanted then return nil end
  if type(got) ~= "table" or type(wanted) ~= "table" or depth > 100 then return way, got, wanted end
  for _, key in pairs(keys(got, wanted)) do
    local there, mine, theirs = differ(got[key], wanted[key], way .. step(key), depth + 1)
    if there then return there, mine, theirs end
  end
  return nil
end

return function(got, wanted) return differ(got, wanted, "", 0) end
