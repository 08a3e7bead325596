//! The traps of IPVS that are about the kernel's place in the machine: where packets enter, what is local, what
//! belongs to a network namespace. `tests/README.md` has the list of all traps with their tests.

use super::*;
use crate::support::{Raw, Topology};
use lvsh::backend::{Backend, Outcome};
use lvsh::kernel::Kernel;
use lvsh::model::{Port, Protocol, Server, ServerKey, Service, ServiceKey};
use lvsh::plan::Step;

const HTTP: &str = "http://192.168.1.99/";

/// Sends what no policy may say.
#[track_caller]
fn behind_lvsh(director: &Host, steps: &[Step]) {
    let outcomes = director.namespace.inside(|| Kernel::open().expect("a kernel with IPVS").apply(steps));
    assert!(outcomes.iter().all(Outcome::is_done), "{outcomes:?}");
}

fn service(port: u16) -> ServiceKey {
    ServiceKey::Address { protocol: Protocol::Tcp, addr: VIP.parse().expect("an address"), port: Port(port) }
}

fn server(port: u16) -> ServerKey {
    ServerKey { addr: SERVERS[0].parse().expect("an address"), port: Port(port) }
}

/// A.6.7: the kernel takes another port for direct routing, and then sends packets to the one they had.
#[test]
fn direct_routing_keeps_the_port_whatever_was_stored() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    let (key, id) = (service(80), server(81));
    behind_lvsh(
        director,
        &[
            Step::AddService { key, service: Service::default() },
            Step::AddServer { service: key, key: id, server: Server::default() },
        ],
    );
    assert!(director.run("ipvsadm -Sn").contains("-r 192.168.1.107:81 -g"));
    assert_eq!(net.client("c1").get(HTTP).map(|answer| answer.port), Ok(80));
}

/// A.6.8: "every port" without persistence is stored and takes nobody.
#[test]
fn every_port_without_persistence_takes_nobody() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    let (key, id) = (service(0), server(0));
    let sticky = Service {
        persistence: Some(lvsh::model::Persistence::seconds(60, key.family())),
        ..Service::default()
    };
    let plain = Service::default();
    behind_lvsh(
        director,
        &[
            Step::AddService { key, service: plain.clone() },
            Step::AddServer { service: key, key: id, server: Server::default() },
        ],
    );
    assert!(net.client("c1").get(HTTP).is_err());
    assert_eq!(director.conns(), []);
    behind_lvsh(director, &[Step::SetService { key, from: plain, to: sticky }]);
    assert_eq!(net.client("c1").server_of(HTTP), "rs1");
}

/// A.6.24: a server that is the director itself is served locally, whatever method it has.
#[test]
fn the_director_can_be_its_own_server() {
    needs!(ipvs);
    // A host that serves, with the role of a director.
    let net = Topology::new().client("c1", "192.168.1.11").server("dir", "192.168.1.1").build();
    let director = net.host("dir");
    director.vip(VIP);
    for (server, method) in [("192.168.1.1", "dr"), ("192.168.1.1", "nat"), ("127.0.0.1", "dr")] {
        let said = script(
            director,
            &format!(
                "lvs.del_service {{ tcp = '{VIP}:80', missing_ok = true }}
                 lvs.add_service {{ tcp = '{VIP}:80', scheduler = 'rr', servers = {{
                   {{ addr = '{server}', method = '{method}' }} }} }}"
            ),
        );
        assert_eq!(net.client("c1").server_of(HTTP), "dir", "{server} {method}: {said}");
        let entry = entries(director).into_iter().find(|entry| entry.server.0.to_string() == server);
        assert!(entry.is_some(), "not balanced, but answered past IPVS: {:#?}", director.conns());
        assert!(director.run("ipvsadm -Ln").contains("Local"), "{server}");
    }
}

/// A.6.26: what is not for this machine never reaches IPVS; a mark and a local route make it so.
#[test]
fn an_address_that_is_not_the_directors_own_needs_a_route() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    script(
        director,
        &format!(
            "lvs.add_service {{ fwmark = 3, scheduler = 'rr', {BOTH} }}
             lvs.add_mark {{ mark = 3, daddr = '{VIP}', proto = 'tcp', dports = 80 }}"
        ),
    );
    // The client sends it there: as to a router.
    let client = net.client("c1");
    client.run(&format!("ip route add {VIP}/32 via 192.168.1.1"));
    assert!(client.get(HTTP).is_err(), "neither local nor forwarded");
    director
        .cmd("ip -batch -")
        .stdin("rule add fwmark 3 lookup 100\nroute add local default dev lo table 100")
        .run();
    let mut servers = answers(client, HTTP, 4);
    servers.sort();
    assert_eq!(servers, ["rs1", "rs1", "rs2", "rs2"]);
}

/// A.6.28: what is in use cannot be unloaded.
#[test]
fn modules_in_use_stay() {
    needs!(ipvs);
    let net = farm();
    let director = net.director();
    tcp(director, 80, "scheduler = 'rr'");
    for module in ["ip_vs_rr", "ip_vs"] {
        let refused = director.cmd(&format!("rmmod {module}")).output();
        assert_ne!(refused.code, 0, "{module} went away under a service");
    }
    assert!(net.client("c1").get(HTTP).is_ok());
}

/// A.6.29 and the table itself: nothing leaks from one network namespace into another.
#[test]
fn services_and_timeouts_belong_to_a_network_namespace() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "192.168.1.1").director("other", "192.168.1.2").build();
    let (dir, other) = (net.host("dir"), net.host("other"));
    let before = dir.snapshot_text();
    let policy = format!(
        "return lvs.policy {{ name = 'web', timeouts = {{ tcp = 1234 }}, sysctls = {{ conntrack = 1 }},
           vip = {{ addr = '{VIP}/32', dev = 'eth0' }},
           service = {{ tcp = '{VIP}:80', scheduler = 'rr', {BOTH} }} }}"
    );
    let file = write("web", &policy);
    // From here the other one is reached by its name.
    lvsh(dir, &format!("--netns other start {file}"));
    assert_eq!(dir.snapshot_text(), before);
    assert_eq!(value(dir, "lvs.timeouts().tcp"), 900);
    assert_eq!(value(other, "lvs.timeouts().tcp"), 1234);
    assert_eq!(value(dir, "#lvs.services()"), 0);
    // The same policy here as well: two directors of one machine.
    lvsh(dir, &format!("start {file}"));
    lvsh(dir, &format!("--netns other stop {file}"));
    assert_eq!(value(other, "#lvs.services()"), 0);
    assert_eq!(value(dir, "#lvs.services()"), 1);
    assert_eq!(value(dir, "lvs.timeouts().tcp"), 1234);
    lvsh(dir, &format!("stop {file}"));
    assert_eq!(dir.snapshot_text(), before);
}

/// The third protocol. This kernel has no sockets for it, so the packets are made by hand; IPVS has its states.
#[test]
fn sctp_associations_are_spread() {
    needs!(ipvs);
    const SCTP: i32 = 132;
    let net = farm();
    let director = net.director();
    script(director, &format!("lvs.add_service {{ sctp = '{VIP}:5000', scheduler = 'rr', {BOTH} }}"));
    let ends: Vec<_> =
        net.servers().map(|server| Raw::open(&server.namespace, SCTP).expect("a raw socket")).collect();
    let client = Raw::open(&net.client("c1").namespace, SCTP).expect("a raw socket");
    for port in 40000..40004_u16 {
        client.send(VIP.parse().expect("an address"), &init(port, 5000)).expect("sending");
    }
    for end in &ends {
        let packets: Vec<_> = std::iter::from_fn(|| end.receive()).collect();
        assert_eq!(packets.len(), 2, "half of the four");
        assert!(packets.iter().all(|packet| packet[2..4] == 5000_u16.to_be_bytes()), "{packets:?}");
    }
    let entries = entries(director);
    assert_eq!(entries.len(), 4);
    assert!(
        entries.iter().all(|entry| (entry.protocol.as_str(), entry.state.as_str()) == ("SCTP", "INIT1")),
        "{entries:#?}"
    );
}

/// An SCTP packet that begins an association: common header, INIT chunk (RFC 9260, 3.3.2). Nobody on the way looks at
/// the checksum.
fn init(from: u16, to: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(from.to_be_bytes());
    packet.extend(to.to_be_bytes());
    packet.extend([0; 8]);
    packet.extend([1, 0, 0, 20]);
    packet.extend([0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    packet
}
