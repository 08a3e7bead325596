return require "pool" { name = "any", health = { probes = { { http = true }, { tcp = { port = 22 } } }, need = "any", rise = 1, fall = 1 } }
