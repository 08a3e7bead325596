//! How long a client sticks to its server, and for what.

use super::*;
use crate::support::Topology;

const NAMED: [&str; 3] = ["http", "https", "echo"];

/// Three clients, of which the first two are one IPv4 /24 and one IPv6 /64.
fn two_networks() -> Net {
    let net = Topology::new()
        .director("dir", "192.168.1.1/16 fd00::1/48")
        .client("c1", "192.168.1.11/16 fd00:0:0:1::11/48")
        .client("c2", "192.168.1.15/16 fd00:0:0:1::15/48")
        .client("c3", "192.168.2.20/16 fd00:0:0:2::20/48")
        .server("rs1", "192.168.1.107/16 fd00::107/48")
        .server("rs2", "192.168.1.109/16 fd00::109/48")
        .build();
    for vip in ["192.168.1.99", "192.168.1.100", "192.168.1.101", "fd00::99"] {
        net.director().vip(vip);
        for server in net.servers() {
            server.direct(vip);
        }
    }
    net
}

fn started() -> Net {
    let net = two_networks();
    lvsh(net.director(), &format!("start {}", crate::site::example("persistence.lua")));
    net
}

/// Who answers on port 7 of this address.
#[track_caller]
fn echo(client: &Host, address: &str) -> String {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = client.connect(&format!("{address}:7")).expect("a connection");
    stream.write_all(b"hello\n").expect("writing");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    line.split(' ').next().unwrap_or_default().to_owned()
}

/// All that a client reaches at this address, in turn: HTTP, HTTPS, echo.
#[track_caller]
fn on_every_port(client: &Host, address: &str) -> Vec<String> {
    let mut servers = vec![];
    for _ in 0..3 {
        servers.push(client.server_of(&format!("http://{address}/")));
        servers.push(client.server_of(&format!("https://{address}/")));
        servers.push(echo(client, address));
    }
    servers.dedup();
    servers
}

/// The control: without persistence the same scheduler spreads the same requests.
#[test]
fn without_persistence_a_client_meets_both_servers() {
    needs!(ipvs);
    let net = farm();
    tcp(net.director(), 80, "scheduler = 'wlc'");
    let mut servers = answers(net.client("c1"), "http://192.168.1.99/", 6);
    servers.sort();
    servers.dedup();
    assert_eq!(servers, ["rs1", "rs2"]);
    assert_eq!(templates(net.director()), []);
}

/// PPC: one client and one port. Another port is another service, with a template of its own.
#[test]
fn persistent_port_connections() {
    needs!(ipvs);
    let net = started();
    let director = net.director();
    // A second PPC service of the same address, whose persistence is its own.
    tcp(director, 443, "scheduler = 'wlc', persistent = 600");
    let client = net.client("c1");
    stays(client, "http://192.168.1.99/", 6);
    stays(client, "https://192.168.1.99/", 6);
    let mut keys: Vec<_> = templates(director)
        .into_iter()
        .map(|template| (template.protocol.clone(), template.service.0.to_string(), template.service.1))
        .collect();
    keys.sort();
    let key = |port| ("TCP".to_string(), "192.168.1.99".to_string(), port);
    assert_eq!(keys, [key(80), key(443)], "the template's key is the service's address and port");
    assert!(templates(director).iter().all(|template| (590..=600).contains(&template.expires)));
}

/// PFWMC: one client and every port with the mark. Its template names the mark; what is not marked is not balanced.
#[test]
fn persistent_firewall_mark_connections() {
    needs!(ipvs);
    let net = started();
    let director = net.director();
    let client = net.client("c1");
    let server = stays(client, "http://192.168.1.100/", 4);
    assert_eq!(stays(client, "https://192.168.1.100/", 4), server, "80 and 443 are one group");
    assert_eq!(client.connect("192.168.1.100:7").err(), Some(Failure::Refused), "port 7 has no mark");
    let templates = templates(director);
    assert_eq!(templates.len(), 1, "{templates:#?}");
    assert_eq!((templates[0].protocol.as_str(), templates[0].mark()), ("IP", Some(3)));
}

/// PCC: one client and every port. With a mask, a whole network is one client.
#[test]
fn persistent_client_connections_of_a_network() {
    needs!(ipvs);
    let net = started();
    let director = net.director();
    let [first, neighbour, stranger] = ["c1", "c2", "c3"].map(|name| net.client(name));
    let servers = on_every_port(first, "192.168.1.101");
    assert_eq!(servers.len(), 1, "{NAMED:?}: {servers:?}");
    assert_eq!(on_every_port(neighbour, "192.168.1.101"), servers, "c2 is of the same /24");
    let theirs = on_every_port(stranger, "192.168.1.101");
    assert_eq!(theirs, [other(&servers[0])], "c3 is of another /24, and the other server has less to do");
    let mut keys: Vec<_> = templates(director)
        .iter()
        .map(|template| (template.client.0.to_string(), template.service.0.to_string(), template.service.1))
        .collect();
    keys.sort();
    let key = |net: &str| (net.to_string(), "192.168.1.101".to_string(), 0);
    assert_eq!(keys, [key("192.168.1.0"), key("192.168.2.0")], "the network and port 0");
}

/// The same in IPv6, where a network is a prefix length: a household has a /64, not an address.
#[test]
fn persistence_of_an_ipv6_prefix() {
    needs!(ipvs);
    let net = started();
    let director = net.director();
    let server = stays(net.client("c1"), "http://[fd00::99]/", 4);
    assert_eq!(stays(net.client("c2"), "http://[fd00::99]/", 4), server, "c2 is of the same /64");
    assert_eq!(stays(net.client("c3"), "http://[fd00::99]/", 4), other(&server), "c3 is of another /64");
    let mut clients: Vec<_> = templates(director).iter().map(|t| t.client.0.to_string()).collect();
    clients.sort();
    assert_eq!(clients, ["fd00:0:0:1::", "fd00:0:0:2::"]);
}

/// A mark service of IPv6 groups ports as one of IPv4 does, and both may have the same number.
#[test]
fn one_mark_in_both_families() {
    needs!(ipvs);
    let net = two_networks();
    let director = net.director();
    script(
        director,
        "for _, net in ipairs { { '192.168.1.99', 'ipv4', '192.168.1.' }, { 'fd00::99', 'ipv6', 'fd00::' } } do
           local vip, family, prefix = table.unpack(net)
           lvs.add_mark { mark = 7, daddr = vip, proto = 'tcp', dports = { 80, 443 } }
           lvs.add_service { fwmark = 7, family = family, scheduler = 'rr', persistent = 600,
             servers = { { addr = prefix .. '107' }, { addr = prefix .. '109' } } }
         end",
    );
    let client = net.client("c1");
    for vip in ["192.168.1.99", "[fd00::99]"] {
        let server = stays(client, &format!("http://{vip}/"), 3);
        assert_eq!(stays(client, &format!("https://{vip}/"), 3), server);
    }
    let marks: Vec<_> = templates(director).iter().map(Conn::mark).collect();
    assert_eq!(marks, [Some(7), Some(7)]);
}

/// A.6.19: at weight 0 a server keeps the clients that it has templates for, until these may expire.
#[test]
fn a_drained_server_keeps_its_persistent_clients_until_templates_may_expire() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    tcp(director, 80, "scheduler = 'rr', persistent = 600");
    let client = net.client("c1");
    let server = stays(client, "http://192.168.1.99/", 2);
    weigh(director, address_of(&server), 0);
    assert_eq!(stays(client, "http://192.168.1.99/", 3), server, "a known client");
    assert_eq!(stays(net.client("c2"), "http://192.168.1.99/", 3), other(&server), "a new client");
    script(director, "lvs.sysctl('expire_quiescent_template', 1)");
    assert_eq!(stays(client, "http://192.168.1.99/", 3), other(&server));
}
