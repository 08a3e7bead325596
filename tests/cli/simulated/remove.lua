return require "pool" { name = "remove", health = { http = { path = "/healthz" }, rise = 1, fall = 1, down = "remove" }, sorry = { addr = "10.0.0.9", method = "dr" } }
