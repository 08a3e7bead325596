return require "pool" { name = "quorum", health = { http = { path = "/healthz" }, rise = 1, fall = 1, quorum = 8, hysteresis = 4 }, sorry = { addr = "10.0.0.9", method = "dr" } }
