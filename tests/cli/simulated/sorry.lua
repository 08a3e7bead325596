return require "pool" { name = "sorry", health = { http = { path = "/healthz" }, rise = 1, fall = 1 }, sorry = { addr = "10.0.0.9", method = "dr" } }
