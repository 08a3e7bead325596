//! What the captured messages are about, in the words of the model.

use std::net::Ipv4Addr;

use lvsh::model::*;

pub fn tcp(addr: &str, port: u16) -> ServiceKey {
    address(Protocol::Tcp, addr, port)
}

pub fn udp(addr: &str, port: u16) -> ServiceKey {
    address(Protocol::Udp, addr, port)
}

fn address(protocol: Protocol, addr: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { protocol, addr: addr.parse().expect("an address"), port: Port(port) }
}

pub fn mark(family: Family) -> ServiceKey {
    ServiceKey::Mark { family, mark: Fwmark::new(3).expect("not 0") }
}

fn plain(scheduler: &str) -> Service {
    Service { scheduler: Scheduler::new(scheduler).expect("a name"), ..Service::default() }
}

/// What the six `ipvsadm -A` make, each with its key.
pub fn services() -> [(ServiceKey, Service); 6] {
    let sticky = |timeout, netmask| Some(Persistence { timeout, netmask });
    let mask = Netmask::V4(Ipv4Addr::new(255, 255, 255, 0));
    let mh = Service {
        flags: Flags::SCHED1.with(Flags::SCHED2),
        persistence: sticky(300, Netmask::V6(64)),
        ..plain("mh")
    };
    let sh = Service { flags: Flags::SCHED1, persistence: sticky(600, mask), ..plain("sh") };
    let sip = Service {
        persistence: sticky(60, Netmask::host(Family::Ipv4)),
        pe: Some(PeName::new("sip").expect("a name")),
        ..plain("rr")
    };
    [
        (tcp("198.51.100.1", 80), plain("rr")),
        (tcp("2001:db8::1", 443), mh),
        (mark(Family::Ipv4), sh),
        (mark(Family::Ipv6), plain("wlc")),
        (udp("198.51.100.1", 5060), sip),
        (udp("198.51.100.1", 53), Service { flags: Flags::ONE_PACKET, ..plain("rr") }),
    ]
}

/// What `ipvsadm -E` makes of the first of them.
pub fn edited() -> Service {
    plain("wlc")
}

fn server(method: Forwarding, weight: u32) -> Server {
    Server { method, weight: Weight::new(weight).expect("a weight"), ..Server::default() }
}

/// What the five `ipvsadm -a` make: the service, the server's key, the server.
pub fn servers() -> [(ServiceKey, ServerKey, Server); 5] {
    let id = |addr: &str, port| ServerKey { addr: addr.parse().expect("an address"), port: Port(port) };
    let tunnel = |kind, port| Tunnel { kind, port: Port(port), flags: 1 };
    let web = tcp("198.51.100.1", 80);
    let limited = Server { upper: 1000, lower: 800, ..server(Forwarding::Dr, 300) };
    let gue = Server { tunnel: tunnel(TunnelKind::Gue, 5555), ..server(Forwarding::Tun, 1) };
    let gre = Server { tunnel: tunnel(TunnelKind::Gre, 0), ..server(Forwarding::Tun, 2) };
    [
        (web, id("192.0.2.1", 80), limited),
        (mark(Family::Ipv4), id("192.0.2.7", 0), gue),
        (mark(Family::Ipv4), id("192.0.2.8", 0), gre),
        (mark(Family::Ipv4), id("2001:db8::2", 0), server(Forwarding::Tun, 1)),
        (tcp("2001:db8::1", 443), id("2001:db8::9", 8443), server(Forwarding::Nat, 0)),
    ]
}

/// What `ipvsadm -e` makes of the first of them.
pub fn quiet() -> Server {
    server(Forwarding::Nat, 0)
}

pub fn timeouts() -> Timeouts {
    Timeouts { tcp: 901, tcp_fin: 121, udp: 301 }
}

/// What the two `ipvsadm --start-daemon` start.
pub fn daemons() -> [(SyncRole, SyncDaemon); 2] {
    let dev = IfName::new("d0").expect("a name");
    let backup = SyncDaemon {
        maxlen: 1400,
        group: "ff02::81".parse().expect("an address"),
        port: 9000,
        ttl: 3,
        ..SyncDaemon::new(dev.clone(), 255)
    };
    [(SyncRole::Master, SyncDaemon::new(dev, 7)), (SyncRole::Backup, backup)]
}
