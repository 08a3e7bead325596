return require "pool" { name = "flap", health = { http = { path = "/healthz" }, rise = 1, fall = 1, flap = { changes = 4, within = "10m", hold = "20m" } } }
