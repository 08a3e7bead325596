//! What is written is read back the same: every kind of service and server, added, changed, deleted.

use super::*;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

fn entry(service: Service, servers: &[(ServerKey, Server)]) -> ServiceEntry {
    ServiceEntry { service, servers: servers.iter().copied().collect() }
}

/// One of each.
fn zoo() -> BTreeMap<ServiceKey, ServiceEntry> {
    let sticky = |timeout, netmask| Some(Persistence { timeout, netmask });
    let weight = |weight| Weight::new(weight).expect("a weight");
    let (v4, plain) = server("192.0.2.1", 80);
    let (v4_zero, _) = server("192.0.2.2", 0);
    let (v6, _) = server("2001:db8::2", 80);
    let nat = Server { method: Forwarding::Nat, weight: weight(65535), ..plain };
    let limited = Server { upper: 1000, lower: 800, weight: weight(0), ..plain };
    let heavy = Server { weight: weight(Weight::MAX), upper: i32::MAX as u32, ..plain };
    let tun = |kind, port, flags| Server {
        method: Forwarding::Tun,
        tunnel: Tunnel { kind, port: Port(port), flags },
        ..plain
    };
    let mut zoo = BTreeMap::from([
        (address(Protocol::Tcp, "198.51.100.1", 80), entry(service("wlc"), &[(v4, plain), (v4_zero, nat)])),
        (address(Protocol::Tcp, "2001:db8::1", 80), entry(service("rr"), &[(v6, limited)])),
        (address(Protocol::Sctp, "198.51.100.1", 80), entry(service("wrr"), &[(v4, heavy)])),
        (address(Protocol::Other(99), "198.51.100.1", 1), entry(service("none"), &[])),
        (
            address(Protocol::Udp, "198.51.100.1", 53),
            entry(Service { flags: Flags::ONE_PACKET, ..service("rr") }, &[(v4, plain)]),
        ),
        (
            address(Protocol::Udp, "198.51.100.1", 5060),
            entry(
                Service {
                    pe: Some(PeName::new("sip").expect("a name")),
                    persistence: sticky(60, Netmask::host(Family::Ipv4)),
                    ..service("rr")
                },
                &[],
            ),
        ),
        (
            address(Protocol::Tcp, "198.51.100.2", 0),
            entry(
                Service {
                    persistence: sticky(2678400, Netmask::V4(Ipv4Addr::new(255, 255, 255, 0))),
                    ..service("rr")
                },
                &[],
            ),
        ),
        (
            mark(Family::Ipv4, 3),
            entry(
                Service { flags: Flags::SCHED1.with(Flags::SCHED2), ..service("sh") },
                &[
                    (v4, tun(TunnelKind::Ipip, 0, 0)),
                    (server("192.0.2.3", 0).0, tun(TunnelKind::Gue, 5555, 1)),
                    (server("192.0.2.4", 0).0, tun(TunnelKind::Gre, 0, 1)),
                    // Another family than the service's: only tunnels may.
                    (v6, tun(TunnelKind::Gue, 6666, 2)),
                ],
            ),
        ),
        (
            mark(Family::Ipv6, 3),
            entry(
                Service {
                    persistence: sticky(300, Netmask::V6(64)),
                    flags: Flags::from_bits(0x8000_0020),
                    ..service("mh")
                },
                &[(v6, plain)],
            ),
        ),
        (mark(Family::Ipv4, u32::MAX), entry(service("sed"), &[])),
    ]);
    for (port, scheduler) in (1000..).zip(["dh", "fo", "lblc", "lblcr", "lc", "nq", "ovf"]) {
        zoo.insert(address(Protocol::Tcp, "198.51.100.3", port), entry(service(scheduler), &[(v4, plain)]));
    }
    zoo
}

#[test]
fn everything_is_read_as_it_was_written() {
    needs!(ipvs);
    let mut ipvs = open();
    assert_eq!(all(&mut ipvs), BTreeMap::new());
    let zoo = zoo();
    apply(&mut ipvs, &adding(&zoo));
    assert_eq!(all(&mut ipvs), zoo);

    // One by one; what does not exist is absent.
    let some: BTreeMap<_, _> = zoo.iter().step_by(3).map(|(key, entry)| (*key, entry.clone())).collect();
    let mut keys: BTreeSet<ServiceKey> = some.keys().copied().collect();
    keys.insert(mark(Family::Ipv4, 99));
    let read = ipvs.services(&Services::Only(keys), None).expect("reading");
    assert_eq!(bare(read), some);

    // Away with the half, servers first.
    let mut steps = Vec::new();
    for (key, entry) in zoo.iter().step_by(2) {
        for (id, server) in &entry.servers {
            steps.push(Step::DelServer { service: *key, key: *id, server: *server });
        }
        let left = ServiceEntry { servers: BTreeMap::new(), ..entry.clone() };
        steps.push(Step::DelService { key: *key, entry: left });
    }
    apply(&mut ipvs, &steps);
    let rest: BTreeMap<_, _> = zoo.iter().skip(1).step_by(2).map(|(k, e)| (*k, e.clone())).collect();
    assert_eq!(all(&mut ipvs), rest);

    ipvs.flush().expect("flushing");
    assert_eq!(all(&mut ipvs), BTreeMap::new());
}

/// SET replaces the whole record, so that what the new value does not say is gone.
#[test]
fn changes_replace_the_whole_record() {
    needs!(ipvs);
    let mut ipvs = open();
    let zoo = zoo();
    apply(&mut ipvs, &adding(&zoo));
    let mut steps = Vec::new();
    let mut after = zoo.clone();
    for (key, entry) in &mut after {
        let from = std::mem::replace(&mut entry.service, service("lc"));
        steps.push(Step::SetService { key: *key, from, to: entry.service.clone() });
        for (id, server) in &mut entry.servers {
            let method = if id.family() == key.family() { Forwarding::Dr } else { Forwarding::Tun };
            let to = Server { method, ..Server::default() };
            steps.push(Step::SetServer { service: *key, key: *id, from: *server, to });
            *server = to;
        }
    }
    apply(&mut ipvs, &steps);
    assert_eq!(all(&mut ipvs), after);
    // And back again, by the inverses.
    let back: Vec<Step> = steps.iter().rev().flat_map(Step::inverse).collect();
    apply(&mut ipvs, &back);
    assert_eq!(all(&mut ipvs), zoo);
}

#[test]
fn timeouts_version_and_counters() {
    needs!(ipvs);
    let mut ipvs = open();
    let from = ipvs.timeouts().expect("reading");
    assert_eq!(from, Timeouts::default());
    let to = Timeouts { tcp: 901, tcp_fin: 121, udp: Timeouts::MAX };
    apply(&mut ipvs, &[Step::SetTimeouts { from, to }]);
    assert_eq!(ipvs.timeouts().expect("reading"), to);
    let (version, _) = ipvs.info().expect("reading");
    assert_eq!(version, "1.2.1");

    let key = mark(Family::Ipv4, 1);
    apply(&mut ipvs, &[Step::AddService { key, service: service("rr") }]);
    ipvs.zero(Some(&key)).expect("zeroing one");
    ipvs.zero(None).expect("zeroing all");
    let missing = ipvs.zero(Some(&mark(Family::Ipv6, 1))).expect_err("no such service");
    assert_eq!(missing.errno, Some(libc::ESRCH));
    assert_eq!(missing.to_string(), "cannot zero service fwm6:1: it does not exist (ESRCH)");
}
