local t = nil
return lvs.policy { name = t.name }
