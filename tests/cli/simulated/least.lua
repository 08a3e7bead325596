return require "pool" { name = "least", health = { http = { path = "/healthz" }, rise = 1, fall = 1, min_up = 3 } }
