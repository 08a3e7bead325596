lvs.add_service { fwmark = 3 }
return { name = "web", start = function() end, stop = function() end }
