-- LDAP behind IPVS: an anonymous bind, as bytes (RFC 4511): a sequence of message 1, bind request, version 3, no name,
-- simple authentication without a password. The answer is message 1, bind response, resultCode 0. A server that forbids
-- anonymous binds answers with another code; then expect "\x61\x07\x0a\x01" takes any of them.
return lvs.policy {
  name = "ldap",
  vip = { addr = "192.168.1.99/32", dev = "eth0" },
  service = {
    tcp = "192.168.1.99:389",
    scheduler = "wlc",
    servers = {
      { addr = "192.168.1.107", method = "dr" },
      { addr = "192.168.1.109", method = "dr" },
    },
  },
  health = {
    steps = {
      { send = "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00" },
      { expect = "\x61\x07\x0a\x01\x00" },
      -- Unbind, so that the server logs no lost connection.
      { send = "\x30\x05\x02\x01\x02\x42\x00" },
    },
    timeout = 2,
    rise = 2,
    fall = 3,
  },
}
