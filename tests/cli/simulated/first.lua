return require "pool" { name = "first", health = { http = { path = "/healthz" }, initial = "first" } }
