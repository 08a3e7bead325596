return require "pool" { name = "all", health = { probes = { { http = true }, { tcp = { port = 22 } } }, rise = 1, fall = 1 } }
