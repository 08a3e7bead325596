return require "pool" { name = "panic", health = { http = { path = "/healthz" }, rise = 1, fall = 1, panic = 50, min_up = 0 } }
