//! Which service a packet meets when several would fit (A.6.5): its mark's, its address and port's, every port's.

use super::*;

/// One server for each service, so that the answer tells which it was.
fn services(director: &Host, lua: &str) {
    script(director, &lua.replace("VIP", VIP).replace("RS1", SERVERS[0]).replace("RS2", SERVERS[1]));
}

#[test]
fn a_mark_wins_over_the_address() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    services(
        director,
        "lvs.add_service { tcp = 'VIP:80', scheduler = 'rr', servers = { { addr = 'RS1' } } }",
    );
    assert_eq!(stays(net.client("c1"), "http://192.168.1.99/", 3), "rs1");
    services(
        director,
        "lvs.add_service { fwmark = 3, scheduler = 'rr', servers = { { addr = 'RS2' } } }
         lvs.add_mark { mark = 3, daddr = 'VIP', proto = 'tcp', dports = 80 }",
    );
    assert_eq!(stays(net.client("c1"), "http://192.168.1.99/", 3), "rs2");
    services(director, "lvs.del_mark { mark = 3 }");
    assert_eq!(stays(net.client("c1"), "http://192.168.1.99/", 3), "rs1");
}

#[test]
fn a_port_wins_over_every_port() {
    needs!(ipvs);
    let net = farm();
    services(
        net.director(),
        "lvs.add_service { tcp = 'VIP:0', scheduler = 'rr', persistent = 60, servers = { { addr = 'RS1' } } }
         lvs.add_service { tcp = 'VIP:80', scheduler = 'rr', servers = { { addr = 'RS2' } } }",
    );
    let client = net.client("c1");
    assert_eq!(client.server_of("http://192.168.1.99/"), "rs2");
    assert_eq!(client.server_of("https://192.168.1.99/"), "rs1");
}

/// A mark without a service is a packet like others.
#[test]
fn a_mark_without_a_service_is_no_obstacle() {
    needs!(ipvs);
    let net = farm();
    services(
        net.director(),
        "lvs.add_service { tcp = 'VIP:80', scheduler = 'rr', servers = { { addr = 'RS1' } } }
         lvs.add_mark { mark = 99, daddr = 'VIP', proto = 'tcp', dports = 80 }",
    );
    assert_eq!(net.client("c1").server_of("http://192.168.1.99/"), "rs1");
}

/// A range around a port, and a source beside everybody: what is said more exactly counts.
#[test]
fn the_more_exact_mark_wins() {
    needs!(ipvs);
    let net = farm();
    services(
        net.director(),
        "lvs.add_service { fwmark = 1, scheduler = 'rr', servers = { { addr = 'RS1' } } }
         lvs.add_service { fwmark = 2, scheduler = 'rr', servers = { { addr = 'RS2' } } }
         lvs.add_mark { mark = 1, daddr = 'VIP', proto = 'tcp', dports = '1-1000' }
         lvs.add_mark { mark = 2, daddr = 'VIP', proto = 'tcp', dports = 443 }",
    );
    let client = net.client("c1");
    assert_eq!(client.server_of("http://192.168.1.99/"), "rs1");
    assert_eq!(client.server_of("https://192.168.1.99/"), "rs2");
    let source =
        "lvs.add_mark { mark = 2, daddr = 'VIP', saddr = '192.168.1.11', proto = 'tcp', dports = 80 }";
    services(net.director(), source);
    assert_eq!(client.server_of("http://192.168.1.99/"), "rs2");
    assert_eq!(net.client("c2").server_of("http://192.168.1.99/"), "rs1");
}
