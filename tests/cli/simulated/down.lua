return require "pool" { name = "down", health = { http = { path = "/healthz" }, rise = 1, fall = 1, initial = "down", min_up = 0 } }
