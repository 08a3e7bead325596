return lvs.polcy { name = "web" }
