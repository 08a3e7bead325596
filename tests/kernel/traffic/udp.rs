//! Datagrams: what is one client to the kernel, and how it is moved elsewhere.

use super::*;
use crate::support::eventually;
use std::net::UdpSocket;
use std::time::Duration;

fn dns(settings: &str) -> Net {
    let net = farm();
    for server in net.servers() {
        server.udp(format!("{VIP}:53").parse().expect("an address"));
    }
    let service = format!("lvs.add_service {{ udp = '{VIP}:53', scheduler = 'rr', {settings} {BOTH} }}");
    script(net.director(), &service);
    net
}

#[track_caller]
fn ask(socket: &UdpSocket) -> String {
    Host::ask(socket, "question").expect("an answer").server
}

fn six(socket: &UdpSocket) -> Vec<String> {
    (0..6).map(|_| ask(socket)).collect()
}

fn client(net: &Net) -> UdpSocket {
    net.client("c1").udp_socket(5353, &format!("{VIP}:53"))
}

/// A resolver asks from one port for hours. To the kernel this is one connection.
#[test]
fn queries_from_one_port_stick_to_one_server() {
    needs!(ipvs);
    let net = dns("");
    let mut servers = six(&client(&net));
    servers.dedup();
    assert_eq!(servers.len(), 1, "{servers:?}");
    let entries = entries(net.director());
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert_eq!((entries[0].protocol.as_str(), entries[0].client.1), ("UDP", 5353));
}

#[test]
fn with_one_packet_scheduling_they_alternate_and_leave_no_entry() {
    needs!(ipvs);
    let net = dns("ops = true,");
    let socket = client(&net);
    let servers = six(&socket);
    assert!(servers.windows(2).all(|pair| pair[0] != pair[1]), "{servers:?}");
    assert_eq!(entries(net.director()), []);
    // The one setting is changed, and the same port sticks from now on.
    script(net.director(), &format!("lvs.set_service({{ udp = '{VIP}:53' }}, {{ ops = false }})"));
    let mut servers = six(&socket);
    servers.dedup();
    assert_eq!(servers.len(), 1, "{servers:?}");
}

/// A.6.20: neither weight 0 nor `expire_nodest_conn` moves a flow of datagrams; only taking the server out does.
#[test]
fn a_flow_moves_when_its_server_is_deleted_and_not_before() {
    needs!(ipvs);
    let net = dns("");
    let director = net.director();
    let socket = client(&net);
    let server = ask(&socket);
    let change = |lua: &str| {
        let dns = format!("local dns = lvs.get_service {{ udp = '{VIP}:53' }} ");
        script(director, &(dns + &lua.replace("SERVER", address_of(&server))));
    };
    change("dns:set_server('SERVER', { weight = 0 })");
    assert!(six(&socket).iter().all(|answer| *answer == server), "weight 0");
    change("lvs.sysctl('expire_nodest_conn', 1)");
    assert!(six(&socket).iter().all(|answer| *answer == server), "weight 0 and expire_nodest_conn");
    change("dns:del_server('SERVER')");
    // The first datagram finds the entry without its server, and is lost with it.
    let moved = || Host::ask(&socket, "question").ok().map(|answer| answer.server);
    assert_eq!(eventually(Duration::from_secs(8), "an answer of the other server", moved), other(&server));
}
