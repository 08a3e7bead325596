return lvs.policy { name = "web", service = { fwmark = MARK } }
