//! Conversion: what is taken, and the words for what is not.

use super::*;

/// The message of a service spec that cannot be.
fn wrong(spec: &str) -> String {
    fault(&format!("return lvs.add_service {spec}")).message
}

fn wrong_server(spec: &str) -> String {
    wrong(&format!("{{ tcp = '192.0.2.1:80', servers = {{ {spec} }} }}"))
}

#[test]
fn unknown_fields_at_any_depth() {
    let error =
        fault("return lvs.add_service { fwmark = 3, servers = { { addr = '192.0.2.7', wieght = 1 } } }");
    assert_eq!(error.message, "unknown field 'wieght' in a server");
    assert_eq!(error.code, "unknown_field");
    assert_eq!(error.notes[0], "fields: addr, method, weight, upper, lower, tunnel");
    let excerpt = error.excerpt.clone().expect("an excerpt");
    assert_eq!(excerpt.label, "did you mean 'weight'?");
    assert_eq!((excerpt.width, error.exit_code()), (6, 3));
    assert_eq!(
        wrong("{ fwmark = 3, persistent = { timout = 3 } }"),
        "unknown field 'timout' in a persistence"
    );
    assert_eq!(wrong("{ fwmark = 3, schedular = 'sh' }"), "unknown field 'schedular' in a service");
    assert_eq!(
        wrong(
            "{ fwmark = 3, servers = { { addr = '192.0.2.7', method = 'tun', tunnel = { typ = 'gue' } } } }"
        ),
        "unknown field 'typ' in a tunnel"
    );
    assert_eq!(
        wrong("{ fwmark = 3, servers = { addr = '192.0.2.7' } }"),
        "unknown field 'addr' in the list 'servers'"
    );
    assert_eq!(wrong("{ fwmark = 3, 'sh' }"), "a service takes named fields; got a value without a name");
}

#[test]
fn numbers() {
    let weight = |text: &str| wrong_server(&format!("{{ addr = '192.0.2.7', weight = {text} }}"));
    assert_eq!(
        weight("2.5"),
        "bad value for 'weight': 2.5 is not a whole number (0..65535); 10 // 4 gives 2"
    );
    assert_eq!(weight("70000"), "bad value for 'weight': 70000 is not in 0..65535");
    assert_eq!(weight("-1"), "bad value for 'weight': -1 is not in 0..65535");
    assert_eq!(
        weight("'7'"),
        "bad value for 'weight': \"7\" is a string, not a whole number (0..65535); write 7"
    );
    assert_eq!(weight("{}"), "bad value for 'weight': a table is not a whole number (0..65535)");
    assert_eq!(weight("0/0"), "bad value for 'weight': NaN is not a whole number (0..65535)");
    // A whole float is a whole number.
    assert_eq!(
        value(
            "lvs.add_service { fwmark = 3, servers = { { addr = '192.0.2.7', weight = 8.0 } } }.servers[1].weight"
        ),
        "8"
    );
    assert_eq!(wrong("{ fwmark = 0 }"), "bad value for 'fwmark': mark 0 means 'no mark'; use 1..4294967295");
    assert_eq!(wrong("{ fwmark = 1 << 32 }"), "bad value for 'fwmark': 4294967296 is not in 1..4294967295");
}

#[test]
fn words_and_addresses() {
    assert_eq!(
        wrong_server("{ addr = '192.0.2.7', method = 'direct' }"),
        "'method' is one of dr, nat, tun; got \"direct\""
    );
    for (elsewhere, here) in [
        ("gate", "dr"),
        ("direct", "dr"),
        ("masq", "nat"),
        ("ipip", "tun"),
        ("tunnel", "tun"),
        ("NAT", "nat"),
    ] {
        let spec = format!("{{ addr = '192.0.2.7', method = '{elsewhere}' }}");
        let error = fault(&format!("return lvs.add_service {{ fwmark = 3, servers = {{ {spec} }} }}"));
        assert_eq!(error.hint, Some(format!("did you mean \"{here}\"?")), "{elsewhere}");
    }
    assert_eq!(wrong_server("{ weight = 1 }"), "missing field 'addr' in a server");
    assert_eq!(
        wrong_server("{ addr = 'www.example.org' }"),
        "bad value for 'addr': 'www.example.org' is not an address; names are not looked up, write it as 192.0.2.1 or \
         2001:db8::1"
    );
    assert_eq!(
        wrong("{ tcp = '192.0.2.1:70000' }"),
        "bad value for 'tcp': port '70000' is not a number 0..65535"
    );
    assert_eq!(
        wrong("{ tcp = '192.0.2.1' }"),
        "bad value for 'tcp': 192.0.2.1 has no port; write \"192.0.2.1:80\""
    );
    assert_eq!(wrong("{ tcp = 80 }"), "bad value for 'tcp': 80 is not an address like \"192.0.2.1:80\"");
}

#[test]
fn which_service() {
    assert_eq!(wrong("{}"), "a service is named by one of tcp, udp, sctp and fwmark; none is given");
    assert_eq!(
        wrong("{ tcp = '192.0.2.1:80', fwmark = 3 }"),
        "a service is named by one of tcp, udp, sctp and fwmark; got 'tcp' and 'fwmark'"
    );
    assert_eq!(
        wrong("{ tcp = '192.0.2.1:80', family = 'ipv6' }"),
        "'family' is for fwmark services; here the address says it"
    );
    assert_eq!(
        wrong("{ tcp = '192.0.2.1:0' }"),
        "service tcp:192.0.2.1:0 has port 0, which means every port and needs 'persistent'"
    );
    assert_eq!(value("lvs.add_service { fwmark = 3 }.scheduler"), "\"wlc\"");
    assert_eq!(value("lvs.add_service { fwmark = 3, family = 'ipv6' }.key"), "\"fwm6:3\"");
}

#[test]
fn servers_and_their_ports() {
    let port = |spec: &str| value(&format!("lvs.add_service {{ {spec} }}.servers[1].port"));
    assert_eq!(port("tcp = '192.0.2.1:80', servers = { { addr = '192.0.2.7' } }"), "80");
    assert_eq!(port("fwmark = 3, servers = { { addr = '192.0.2.7' } }"), "0");
    assert_eq!(
        port("tcp = '192.0.2.1:80', servers = { { addr = '192.0.2.7:8080', method = 'nat' } }"),
        "8080"
    );
    assert_eq!(
        wrong_server("{ addr = '192.0.2.7:8080' }"),
        "direct routing cannot change the port: server 192.0.2.7:8080, service tcp:192.0.2.1:80; write \"192.0.2.7:80\" \
         or use method \"nat\""
    );
    assert_eq!(
        wrong_server("{ addr = '192.0.2.7' }, { addr = '192.0.2.7:80' }"),
        "server 192.0.2.7:80 is twice in service tcp:192.0.2.1:80"
    );
    assert_eq!(
        wrong("{ tcp = '[2001:db8::1]:80', servers = { { addr = '192.0.2.7' } } }"),
        "192.0.2.7 is an IPv4 server in an IPv6 service, which needs method \"tun\"; got \"dr\""
    );
    assert_eq!(
        wrong_server("{ addr = '192.0.2.7', tunnel = { type = 'gue', port = 6080 } }"),
        "'tunnel' is for method \"tun\"; this server's is \"dr\""
    );
    assert_eq!(
        wrong_server("{ addr = '192.0.2.7', method = 'tun', tunnel = { type = 'gue' } }"),
        "missing field 'port' in a tunnel: gue needs its UDP port"
    );
    assert_eq!(
        wrong_server("{ addr = '192.0.2.7', upper = 10, lower = 20 }"),
        "'lower' (20) is above 'upper' (10)"
    );
}

#[test]
fn flags_belong_to_their_scheduler() {
    assert_eq!(
        wrong("{ fwmark = 3, scheduler = 'sh', flags = { 'mh-fallback' } }"),
        "flag 'mh-fallback' belongs to scheduler mh, not sh; use 'sh-fallback'"
    );
    assert_eq!(
        wrong("{ fwmark = 3, flags = 'sh-port' }"),
        "flag 'sh-port' belongs to scheduler sh, not wlc; scheduler wlc has no such flag; leave it out"
    );
    assert_eq!(
        value("lvs.add_service { fwmark = 3, scheduler = 'sh', flags = 'sh-port' }.flags"),
        "{ \"sh-port\" }"
    );
}

#[test]
fn persistence() {
    let persistent =
        |text: &str| value(&format!("lvs.add_service {{ fwmark = 3, persistent = {text} }}.persistent"));
    assert_eq!(persistent("true"), "360");
    assert_eq!(persistent("600"), "600");
    assert_eq!(persistent("'10m'"), "600");
    assert_eq!(persistent("false"), "nil");
    assert_eq!(
        persistent("{ timeout = '1h', netmask = '255.255.255.0' }"),
        "{ netmask = \"255.255.255.0\", timeout = 3600 }"
    );
    assert_eq!(persistent("{ netmask = 24 }"), "{ netmask = \"255.255.255.0\", timeout = 360 }");
    let wrong = |text: &str| wrong(&format!("{{ fwmark = 3, persistent = {text} }}"));
    assert_eq!(
        wrong("'500ms'"),
        "bad value for 'persistent': 0.5 s is not a whole number of seconds (1..2678400)"
    );
    assert_eq!(wrong("0"), "bad value for 'persistent': 0 s is not in 1..2678400 seconds");
    assert_eq!(wrong("'32d'"), "bad value for 'persistent': 2764800 s is not in 1..2678400 seconds");
    assert_eq!(
        wrong("'soon'"),
        "bad value for 'persistent': \"soon\" is not a duration; write seconds, or \"500ms\", \"10m\", \"2h\", \"1d\""
    );
    assert_eq!(
        wrong("{ netmask = '255.0.255.0' }"),
        "bad value for 'netmask': netmask 255.0.255.0 has holes or is empty; use one like 255.255.255.0"
    );
}

#[test]
fn marks_expand() {
    let code = "lvs.add_mark { mark = 3, daddr = '192.0.2.1', proto = { 'tcp', 'udp' }, dports = { 'http', '8000-8100' } } \
                local out = {} for _, m in ipairs(lvs.marks()) do out[#out + 1] = m.proto .. ' ' .. m.dports end \
                return table.concat(out, ', ')";
    assert_eq!(value(code), "\"tcp 80, tcp 8000-8100, udp 80, udp 8000-8100\"");
    let wrong = |spec: &str| fault(&format!("lvs.add_mark {{ {spec} }}")).message;
    assert_eq!(wrong("mark = 3, daddr = '192.0.2.1', dports = 80"), "'dports' needs 'proto'");
    assert_eq!(
        wrong("mark = 3, proto = 'tcp', dports = { 'htp' }"),
        "bad value for 'dports': \"htp\" is not a port: a number, a range \"8000-8100\", or a name like \"http\""
    );
    assert_eq!(
        wrong("mark = 3, proto = 'tcp', dports = '90-80'"),
        "bad value for 'dports': port range 90-80 runs backwards"
    );
    assert_eq!(wrong("mark = 0"), "bad value for 'mark': mark 0 means 'no mark'; use 1..4294967295");
}

#[test]
fn arguments() {
    assert_eq!(fault("lvs.add_service()").message, "lvs.add_service needs 'spec' (a service)");
    assert_eq!(fault("lvs.uptime(1)").message, "lvs.uptime takes 0 arguments; got 1 more");
    assert_eq!(
        fault("lvs.add_service { fwmark = 3 }.set_weights {}").message,
        "'set_weights' is a method of a service; write service:set_weights(…) with ':'"
    );
    assert_eq!(value("lvs.seconds '500ms', lvs.seconds '2h', lvs.seconds(90)"), "0.5, 7200, 90");
}

/// Bits that nobody has named go through as a number; those with a word are written as words.
#[test]
fn flags_without_words_are_numbers() {
    let made =
        eval("lvs.add_service { fwmark = 1, scheduler = 'sh', flags = { 'sh-fallback', 0x40, 0x80 } }");
    assert!(made.is_ok(), "{made:?}");
    for (flags, part) in [("{ 8 }", "0x8"), ("{ 0x41 }", "0x1"), ("{ 4 }", "0x4")] {
        let error = fault(&format!("lvs.add_service {{ fwmark = 1, flags = {flags} }}"));
        assert!(error.message.contains(&format!("bits {part} of flags have words of their own")), "{error}");
    }
    assert!(fault("lvs.add_service { fwmark = 1, flags = { 1.5 } }").message.contains("whole number"));
    assert!(fault("lvs.add_service { fwmark = 1, flags = { 'sh-falback' } }").message.contains("one of"));
}
