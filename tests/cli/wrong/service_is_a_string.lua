return lvs.policy { name = "web", service = "fwm:3" }
