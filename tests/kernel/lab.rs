//! The kernel itself, driven by `ipvsadm` and `nft` alone: the reference for what lvsh must reach by its own means.

use super::support::{Failure, Net, Topology};

const HTTP: &str = "http://10.0.0.99/";
const HTTPS: &str = "https://10.0.0.99/";

/// Three clients, two real servers on one segment with the director, and tcp 80 and 443 to the virtual address marked
/// with 3.
fn web() -> Net {
    let net = Topology::new()
        .director("dir", "10.0.0.1")
        .client("c1", "10.0.0.11")
        .client("c2", "10.0.0.12")
        .client("c3", "10.0.0.13")
        .server("rs1", "10.0.0.107")
        .server("rs2", "10.0.0.109")
        .build();
    net.director().vip("10.0.0.99");
    for server in net.servers() {
        server.direct("10.0.0.99");
    }
    let rules = "add table inet t
        add chain inet t pre { type filter hook prerouting priority mangle; }
        add rule inet t pre ip daddr 10.0.0.99 tcp dport { 80, 443 } meta mark set 3";
    net.director().cmd("nft -f -").stdin(rules).run();
    net
}

/// One service for mark 3 with both servers, weights 1, direct routing.
fn service(net: &Net, options: &str) {
    let rules = format!("-A -f 3 {options}\n-a -f 3 -r 10.0.0.107 -g -w 1\n-a -f 3 -r 10.0.0.109 -g -w 1\n");
    net.director().cmd("ipvsadm -R").stdin(rules).run();
}

/// Six pairs of requests from every client: who answered each.
fn pairs(net: &Net) -> Vec<Vec<(String, String)>> {
    net.clients()
        .map(|client| (0..6).map(|_| (client.server_of(HTTP), client.server_of(HTTPS))).collect())
        .collect()
}

#[test]
fn source_hashing_keeps_each_client_on_one_server() {
    needs!(ipvs);
    let net = web();
    service(&net, "-s sh");
    for answers in pairs(&net) {
        let first = &answers[0].0;
        for (http, https) in &answers {
            assert_eq!((http, https), (first, first), "{answers:?}");
        }
    }
}

#[test]
fn round_robin_splits_every_pair() {
    needs!(ipvs);
    let net = web();
    service(&net, "-s rr");
    for (http, https) in pairs(&net).into_iter().flatten() {
        assert_ne!(http, https);
    }
}

#[test]
fn persistence_over_the_mark_keeps_http_and_https_together() {
    needs!(ipvs);
    let net = web();
    service(&net, "-s rr -p 600");
    let answers = pairs(&net);
    for of_one_client in &answers {
        let first = &of_one_client[0].0;
        for (http, https) in of_one_client {
            assert_eq!((http, https), (first, first), "{answers:?}");
        }
    }
    let conns = net.director().conns();
    let templates: Vec<_> = conns.iter().filter(|c| c.is_template()).collect();
    assert_eq!(templates.len(), 3, "one for each client: {conns:#?}");
    for template in templates {
        assert_eq!((template.protocol.as_str(), template.mark()), ("IP", Some(3)));
        assert!(template.expires > 500, "{template:?}");
    }
}

#[test]
fn nat_through_two_segments() {
    needs!(ipvs);
    let net = Topology::new()
        .director("dir", "10.0.0.1 fd00::1")
        .client("c1", "10.0.0.11 fd00::11")
        .segment("back")
        .join("dir", "192.168.0.1 fd01::1")
        .server("rs1", "192.168.0.107 fd01::107")
        .build();
    net.director().forward();
    net.director().vip("10.0.0.99");
    net.director().vip("fd00::99");
    net.server("rs1").masqueraded("192.168.0.1");
    net.server("rs1").masqueraded("fd01::1");
    let rules = "-A -t 10.0.0.99:8080 -s rr\n-a -t 10.0.0.99:8080 -r 192.168.0.107:80 -m\n\
        -A -t [fd00::99]:8443 -s rr\n-a -t [fd00::99]:8443 -r [fd01::107]:443 -m\n";
    net.director().cmd("ipvsadm -R").stdin(rules).run();
    let answer = net.client("c1").get("http://10.0.0.99:8080/x").expect("IPv4");
    assert_eq!((answer.server.as_str(), answer.port, answer.path.as_str()), ("rs1", 80, "/x"));
    assert_eq!(answer.client.map(|c| c.ip().to_string()).as_deref(), Some("10.0.0.11"));
    let answer = net.client("c1").get("https://[fd00::99]:8443/").expect("IPv6");
    assert_eq!((answer.server.as_str(), answer.scheme.as_str()), ("rs1", "https"));
}

#[test]
fn tunnel_and_datagrams() {
    needs!(ipvs);
    let net = Topology::new()
        .director("dir", "10.0.0.1")
        .client("c1", "10.0.0.11")
        .server("rs1", "10.0.0.107")
        .build();
    net.director().vip("10.0.0.99");
    net.server("rs1").tunnel("10.0.0.99");
    net.server("rs1").udp("10.0.0.99:53".parse().expect("an address"));
    let rules = "-A -t 10.0.0.99:80 -s rr\n-a -t 10.0.0.99:80 -r 10.0.0.107:80 -i\n\
        -A -u 10.0.0.99:53 -s rr\n-a -u 10.0.0.99:53 -r 10.0.0.107:53 -i\n";
    net.director().cmd("ipvsadm -R").stdin(rules).run();
    assert_eq!(net.client("c1").server_of(HTTP), "rs1");
    let socket = net.client("c1").udp_socket(5353, "10.0.0.99:53");
    let answer = super::support::Host::ask(&socket, "question").expect("an answer");
    assert_eq!(answer.server, "rs1");
    assert!(answer.body.ends_with("question"), "{answer:?}");
}

#[test]
fn what_goes_wrong_has_a_name() {
    needs!(ipvs);
    let net = web();
    service(&net, "-s rr");
    let client = net.client("c1");
    for server in net.servers() {
        server.status(503);
    }
    assert_eq!(client.get(HTTP).map(|a| a.status), Ok(503));
    for server in net.servers() {
        server.down();
    }
    assert_eq!(client.get(HTTP), Err(Failure::Refused));
    net.server("rs1").up();
    net.server("rs2").up();
    assert!(client.get(HTTPS).is_ok());
    net.director().run("ipvsadm -e -f 3 -r 10.0.0.107 -g -w 0");
    net.director().run("ipvsadm -e -f 3 -r 10.0.0.109 -g -w 0");
    assert_eq!(client.get(HTTP), Err(Failure::Refused));
}

#[test]
fn a_snapshot_sees_a_change_and_its_undoing() {
    needs!(ipvs);
    let net = web();
    let director = net.director();
    let before = director.snapshot_text();
    service(&net, "-s rr");
    director.add_address("eth0", "10.0.0.98");
    let during = director.snapshot_text();
    assert!(during.contains("-a -f 3 -r 10.0.0.109:0 -g -w 1"), "{during}");
    assert!(during.contains("10.0.0.98/32"), "{during}");
    for line in
        ["meta mark set 0x00000003", "local 10.0.0.99 dev eth0", "local ::1 dev lo", "from all lookup main"]
    {
        assert!(during.contains(line), "no {line}: {during}");
    }
    director.run("ipvsadm -C");
    director.remove_address("eth0", "10.0.0.98");
    assert_eq!(before, director.snapshot_text());
}

#[test]
fn namespaces_have_the_names_that_ip_netns_knows() {
    needs!(ipvs);
    let net = web();
    let addresses = net.director().run("ip netns exec rs1 ip -brief addr show eth0");
    assert!(addresses.contains("10.0.0.107/24"), "{addresses}");
}

#[test]
fn the_guest_has_the_checkout_and_the_program() {
    needs!(ipvs);
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    assert!(std::fs::exists(manifest).expect("a look"), "{manifest}");
    let net = Topology::new().director("dir", "10.0.0.1").build();
    let output = net.director().lvsh("--version");
    assert_eq!(output.code, 0, "{output}");
}
