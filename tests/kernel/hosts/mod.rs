//! What is around IPVS: directors without the address, and the real servers' side, with real traffic.

mod no_vip;
mod real_server;
mod tunnels;

use std::collections::BTreeSet;

use super::site::{lvsh, write};
use super::support::{Host, Net, Topology};

/// The example site with both families: two clients that `sh` gives to different servers, a director, two servers.
fn topology() -> Topology {
    Topology::new()
        .director("dir", "192.168.1.1 2001:db8:1::1")
        .client("c1", "192.168.1.11 2001:db8:1::11")
        .client("c2", "192.168.1.15 2001:db8:1::12")
        .server("rs1", "192.168.1.107 2001:db8:1::107")
        .server("rs2", "192.168.1.109 2001:db8:1::109")
}

/// `http://[2001:db8:9::99]/`
fn url(scheme: &str, addr: &str) -> String {
    match addr.contains(':') {
        true => format!("{scheme}://[{addr}]/"),
        false => format!("{scheme}://{addr}/"),
    }
}

/// Both clients get answers of the address over http and https; over all of them both servers answer.
#[track_caller]
fn served(net: &Net, addr: &str) {
    let mut servers = BTreeSet::new();
    for round in 0..8 {
        for client in net.clients() {
            let scheme = if round % 2 == 0 { "http" } else { "https" };
            servers.insert(client.server_of(&url(scheme, addr)));
        }
    }
    assert_eq!(servers.len(), 2, "of {addr} only {servers:?} answered");
}

/// Starts a policy, sees that a second start has nothing to do, and gives the picture of before.
#[track_caller]
fn start_twice(host: &Host, file: &str) -> String {
    let before = host.snapshot_text();
    lvsh(host, &format!("start {file}"));
    let started = host.snapshot_text();
    assert_ne!(started, before);
    let again = lvsh(host, &format!("start --json {file}"));
    assert!(again.stdout.contains("\"changed\": false"), "{}", again.stdout);
    assert_eq!(host.snapshot_text(), started);
    before
}

/// Stops it, and compares with before.
#[track_caller]
fn stop_whole(host: &Host, file: &str, before: &str) {
    lvsh(host, &format!("stop {file}"));
    assert_eq!(host.snapshot_text(), before, "{}", host.name);
    lvsh(host, &format!("stop {file}"));
    assert_eq!(host.snapshot_text(), before, "{}", host.name);
}

/// One file for all real servers, as it would be.
fn real_server(name: &str, spec: &str) -> String {
    write(name, &format!("return lvs.real_server {{ name = \"{name}\", {spec} }}\n"))
}

/// A director with an address service per virtual address, `rr`, so that both servers are seen.
fn director(net: &Net, services: &[(&str, &str)], method: &str) -> String {
    let mut vips = String::new();
    let mut list = String::new();
    for (vip, family) in services {
        let servers = match *family {
            "ipv4" => ["192.168.1.107", "192.168.1.109"],
            _ => ["2001:db8:1::107", "2001:db8:1::109"],
        };
        let at = if vip.contains(':') { format!("[{vip}]") } else { (*vip).to_string() };
        vips += &format!("{{ addr = \"{vip}\", dev = \"eth0\" }}, ");
        for port in [80, 443] {
            let servers = servers.map(|addr| format!("{{ addr = \"{addr}\", {method} }}")).join(", ");
            list += &format!("{{ tcp = \"{at}:{port}\", scheduler = \"rr\", servers = {{ {servers} }} }},\n");
        }
    }
    let file = write(
        "director",
        &format!("return lvs.policy {{ name = \"director\", vip = {{ {vips} }}, service = {{ {list} }} }}\n"),
    );
    lvsh(net.director(), &format!("start {file}"));
    file
}
