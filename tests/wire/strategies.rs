//! Random services, servers and daemons; for the wire tests whatever the bytes can hold, and for those on a kernel,
//! which share this file, what remains of it after [`accepted`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lvsh::model::*;
use proptest::prelude::*;

fn addr_of(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::Ipv4 => any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))).boxed(),
        Family::Ipv6 => any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))).boxed(),
    }
}

fn any_family() -> impl Strategy<Value = Family> {
    prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]
}

fn any_addr() -> impl Strategy<Value = IpAddr> {
    any_family().prop_flat_map(addr_of)
}

pub fn service_key() -> impl Strategy<Value = ServiceKey> {
    prop_oneof![
        (any::<u8>(), any_addr(), any::<u16>()).prop_map(|(number, addr, port)| ServiceKey::Address {
            protocol: Protocol::from_number(number),
            addr,
            port: Port(port),
        }),
        (any_family(), 1..=u32::MAX)
            .prop_map(|(family, mark)| ServiceKey::Mark { family, mark: Fwmark::new(mark).expect("not 0") }),
    ]
}

fn name() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&b"abcxyz0189_-"[..]), 1..=15)
        .prop_map(|bytes| String::from_utf8(bytes).expect("ASCII"))
}

fn persistence(family: Family) -> BoxedStrategy<Persistence> {
    let netmask = match family {
        Family::Ipv4 => any::<u32>().prop_map(|bits| Netmask::V4(Ipv4Addr::from_bits(bits))).boxed(),
        Family::Ipv6 => (1..=128_u8).prop_map(Netmask::V6).boxed(),
    };
    (any::<u32>(), netmask).prop_map(|(timeout, netmask)| Persistence { timeout, netmask }).boxed()
}

pub fn service() -> impl Strategy<Value = (ServiceKey, Service)> {
    service_key().prop_flat_map(|key| {
        let persistence = proptest::option::of(persistence(key.family()));
        (name(), any::<u32>(), persistence, proptest::option::of(name())).prop_map(
            move |(scheduler, flags, persistence, pe)| {
                let scheduler = Scheduler::new(&scheduler).expect("a name");
                let pe = pe.map(|pe| PeName::new(&pe).expect("a name"));
                (key, Service { scheduler, flags: Flags::from_bits(flags), persistence, pe })
            },
        )
    })
}

pub fn server() -> impl Strategy<Value = (ServerKey, Server)> {
    let key = (any_addr(), any::<u16>()).prop_map(|(addr, port)| ServerKey { addr, port: Port(port) });
    let tunnel = (any::<u8>(), any::<u16>(), any::<u16>()).prop_map(|(kind, port, flags)| Tunnel {
        kind: TunnelKind::from_number(kind),
        port: Port(port),
        flags,
    });
    let tunnel = prop_oneof![Just(Tunnel::default()), tunnel];
    (key, 0..8_u32, 0..=Weight::MAX, any::<u32>(), any::<u32>(), tunnel).prop_map(
        |(key, method, weight, upper, lower, tunnel)| {
            let weight = Weight::new(weight).expect("in range");
            (key, Server { method: Forwarding::from_number(method), weight, upper, lower, tunnel })
        },
    )
}

pub fn daemon() -> impl Strategy<Value = (SyncRole, SyncDaemon)> {
    let role = prop_oneof![Just(SyncRole::Master), Just(SyncRole::Backup)];
    (role, name(), any::<u32>(), any::<u16>(), any_addr(), any::<u16>(), any::<u8>()).prop_map(
        |(role, dev, id, maxlen, group, port, ttl)| {
            (role, SyncDaemon { dev: IfName::new(&dev).expect("a name"), id, maxlen, group, port, ttl })
        },
    )
}

pub fn stats() -> impl Strategy<Value = Stats> {
    any::<[u64; 10]>().prop_map(|n| Stats {
        conns: n[0],
        in_packets: n[1],
        out_packets: n[2],
        in_bytes: n[3],
        out_bytes: n[4],
        conns_per_s: n[5],
        in_packets_per_s: n[6],
        out_packets_per_s: n[7],
        in_bytes_per_s: n[8],
        out_bytes_per_s: n[9],
    })
}

/// Bends random things to what every kernel takes, and changes nothing else.
#[allow(dead_code, reason = "for the tests on a kernel")]
pub mod accepted {
    use super::*;

    /// A scheduler and an engine that exist, and a timeout that its clock can hold.
    pub fn service(mut service: Service) -> Service {
        let number: usize = service.scheduler.name().bytes().map(usize::from).sum();
        // Debian builds its kernels without `twos`.
        let built: Vec<&str> = Scheduler::KNOWN.into_iter().filter(|name| *name != "twos").collect();
        let name = built[number % built.len()];
        service.scheduler = Scheduler::new(name).expect("a name");
        service.pe = service.pe.map(|_| PeName::new("sip").expect("a name"));
        if let Some(persistence) = &mut service.persistence {
            persistence.timeout %= MAX_PERSIST_SECONDS + 1;
        }
        service
    }

    /// A unicast address; another family only through a tunnel; thresholds in order; GUE with a port.
    pub fn server(service: &ServiceKey, (mut key, mut server): (ServerKey, Server)) -> (ServerKey, Server) {
        key.addr = match key.addr {
            // 1.0.0.0 to 126.255.255.255.
            IpAddr::V4(addr) => {
                let [first, b, c, d] = addr.octets();
                IpAddr::from([first % 126 + 1, b, c, d])
            }
            // 2000::/3.
            IpAddr::V6(addr) => IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() >> 3 | 1 << 125)),
        };
        if key.addr.is_ipv4() != (service.family() == Family::Ipv4) {
            server.method = Forwarding::Tun;
        }
        server.upper &= i32::MAX as u32;
        server.lower = server.lower.min(server.upper);
        if server.tunnel.kind == TunnelKind::Gue {
            server.tunnel.port.0 |= 1;
        }
        (key, server)
    }

    /// On this device, which has this MTU: a multicast group, for IPv6 on the link; no port or TTL that is left to
    /// the kernel; IPv6 only for a backup, because a master needs a route to its group.
    pub fn daemon(role: SyncRole, mut daemon: SyncDaemon, dev: &IfName, mtu: u32) -> SyncDaemon {
        daemon.dev = dev.clone();
        daemon.group = match daemon.group {
            IpAddr::V6(addr) if role == SyncRole::Backup => {
                IpAddr::V6(Ipv6Addr::from_bits(addr.to_bits() >> 16 | 0xff02 << 112))
            }
            IpAddr::V6(_) => SyncDaemon::DEFAULT_GROUP,
            IpAddr::V4(addr) => IpAddr::V4(Ipv4Addr::from_bits(addr.to_bits() >> 4 | 0xe << 28)),
        };
        daemon.port = daemon.port.max(1);
        daemon.ttl = daemon.ttl.max(1);
        daemon.canonical(role, mtu)
    }
}
