return require "pool" { name = "counts", health = { http = { path = "/healthz" }, rise = 3, fall = 2 } }
