local web = lvs.policy { name = "web", service = { fwmark = 3 } }
