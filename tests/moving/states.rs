//! Random whole machines, and what of them a kernel, a policy and ipvsadm can say; shared with the tests on a kernel.
//!
//! The values are few, so that addresses, ports and lists of servers meet: that is what a policy file names once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use lvsh::model::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Who set the marks.
pub const OWNER: &str = "web";

fn family() -> impl Strategy<Value = Family> {
    prop_oneof![2 => Just(Family::Ipv4), 1 => Just(Family::Ipv6)]
}

fn addr(family: Family, host: u8) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::new(10, 0, 0, host)),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, host.into())),
    }
}

fn key() -> impl Strategy<Value = ServiceKey> {
    let known = select(vec![Protocol::Tcp, Protocol::Tcp, Protocol::Udp, Protocol::Sctp]);
    let protocol = prop_oneof![20 => known, 1 => any::<u8>().prop_map(Protocol::from_number)];
    let port = prop_oneof![8 => select(vec![80, 443, 53, 25, 0]), 2 => any::<u16>()];
    let address = (protocol, family(), 1..4_u8, port).prop_map(|(protocol, family, host, port)| {
        ServiceKey::Address { protocol, addr: addr(family, 100 + host), port: Port(port) }
    });
    let mark = prop_oneof![3 => 1..6_u32, 1 => 1..=u32::MAX];
    let mark = (family(), mark)
        .prop_map(|(family, mark)| ServiceKey::Mark { family, mark: Fwmark::new(mark).expect("not 0") });
    prop_oneof![3 => address, 2 => mark]
}

fn service(family: Family) -> impl Strategy<Value = Service> {
    // Debian builds its kernels without `twos`.
    let built: Vec<&str> = Scheduler::KNOWN.into_iter().filter(|name| *name != "twos").collect();
    let named = (0..8_u32).prop_map(|bits| Flags::from_bits(bits << 3));
    let flags = prop_oneof![
        6 => Just(Flags::default()),
        4 => named,
        2 => Just(Flags::ONE_PACKET),
        1 => any::<u32>().prop_map(Flags::from_bits)
    ];
    let timeout = prop_oneof![8 => 1..4000_u32, 1 => 0..=MAX_PERSIST_SECONDS];
    let netmask = match family {
        Family::Ipv4 => prop_oneof![
            4 => Just(Netmask::host(Family::Ipv4)),
            4 => (1..=32_u8).prop_map(|length| Netmask::prefix(length, Family::Ipv4).expect("a length")),
            1 => any::<u32>().prop_map(|bits| Netmask::V4(Ipv4Addr::from_bits(bits)))
        ]
        .boxed(),
        Family::Ipv6 => prop_oneof![Just(128), 1..=128_u8].prop_map(Netmask::V6).boxed(),
    };
    let hold = option::of((timeout, netmask).prop_map(|(timeout, netmask)| Persistence { timeout, netmask }));
    let pe = option::weighted(0.1, Just(PeName::new("sip").expect("a name")));
    (select(built), flags, hold, pe).prop_map(|(scheduler, flags, persistence, pe)| Service {
        scheduler: Scheduler::new(scheduler).expect("a name"),
        flags,
        persistence,
        pe,
    })
}

fn server(of: ServiceKey) -> impl Strategy<Value = (ServerKey, Server)> {
    let own = of.port().unwrap_or_default().0;
    let ports = prop_oneof![6 => Just(own), 2 => select(vec![8080, 0]), 1 => any::<u16>()];
    let families = prop_oneof![12 => Just(of.family()), 1 => family()];
    let method = prop_oneof![12 => 0..4_u32, 1 => 0..8_u32].prop_map(Forwarding::from_number);
    let weight = prop_oneof![6 => Just(1), 6 => 0..=100_u32, 1 => 0..=Weight::MAX];
    let limits = prop_oneof![6 => Just((0, 0)), 2 => (0..=i32::MAX as u32, 0..=i32::MAX as u32)];
    let kind = prop_oneof![
        9 => (0..3_u8).prop_map(TunnelKind::from_number),
        1 => any::<u8>().prop_map(TunnelKind::from_number)
    ];
    let tunnel = (kind, any::<u16>(), prop_oneof![9 => 0..3_u16, 1 => any::<u16>()]);
    let tunnel = tunnel.prop_map(|(kind, port, flags)| {
        let port = if kind == TunnelKind::Gue { port | 1 } else { port & (port >> 15) };
        Tunnel { kind, port: Port(port), flags }
    });
    let tunnel = prop_oneof![2 => Just(Tunnel::default()), 1 => tunnel];
    (families, 1..6_u8, ports, method, weight, limits, tunnel).prop_map(
        move |(family, host, port, mut method, weight, (a, b), mut tunnel)| {
            if family != of.family() {
                method = Forwarding::Tun;
            }
            if method != Forwarding::Tun && host > 1 {
                tunnel = Tunnel::default();
            }
            let weight = Weight::new(weight).expect("in range");
            let id = ServerKey { addr: addr(family, host), port: Port(port) };
            (id, Server { method, weight, upper: a.max(b), lower: a.min(b), tunnel })
        },
    )
}

fn services() -> impl Strategy<Value = BTreeMap<ServiceKey, Arc<ServiceEntry>>> {
    let entry = key().prop_flat_map(|key| {
        let servers = vec(server(key), 0..5).prop_map(BTreeMap::from_iter);
        (Just(key), service(key.family()), servers)
    });
    let made = |(key, service, servers)| (key, Arc::new(ServiceEntry { service, servers }));
    // The same servers behind several services, as real ones have.
    let twins = (vec(entry.prop_map(made), 0..5), any::<bool>());
    twins.prop_map(|(entries, twins): (Vec<(ServiceKey, Arc<ServiceEntry>)>, bool)| {
        let mut all: BTreeMap<_, _> = entries.iter().cloned().collect();
        for (key, entry) in entries.iter().filter(|_| twins) {
            let ServiceKey::Address { protocol, addr, port } = *key else { continue };
            let twin = |port: Port| if port.0 == 0 { port } else { Port(port.0 ^ 1) };
            let move_port = |(id, server): (&ServerKey, &Server)| {
                let port = if id.port == port { twin(port) } else { id.port };
                (ServerKey { port, ..*id }, *server)
            };
            let servers = entry.servers.iter().map(move_port).collect();
            let entry = ServiceEntry { service: entry.service.clone(), servers };
            all.entry(ServiceKey::Address { protocol, addr, port: twin(port) }).or_insert(Arc::new(entry));
        }
        all
    })
}

fn marks(device: &'static str) -> impl Strategy<Value = BTreeMap<MarkSelector, MarkEntry>> {
    let net = |family: Family, length: u8| {
        let length = if length == 0 { family.max_prefix() } else { family.max_prefix() - length };
        ipnet::IpNet::new(addr(family, 101), length).expect("a length").trunc()
    };
    let daddr = option::weighted(0.9, prop_oneof![4 => Just(0), 1 => 1..24_u8]);
    let saddr = option::weighted(0.1, 1..24_u8);
    let protocol = option::weighted(0.9, select(vec![Protocol::Tcp, Protocol::Udp, Protocol::Sctp]));
    let ports = select(vec![(80, 80), (443, 443), (53, 53), (1000, 2000), (1100, 1200), (1, 65535)]);
    let one = (
        family(),
        daddr,
        saddr,
        protocol,
        option::weighted(0.8, ports),
        any::<bool>(),
        option::weighted(0.1, Just(device)),
        prop_oneof![4 => 1..6_u32, 1 => 1..=u32::MAX],
    );
    let one = one.prop_map(move |(family, daddr, saddr, protocol, ports, output, iif, mark)| {
        let range = |(first, last)| PortRange::new(first, last).expect("a range");
        let selector = MarkSelector {
            hook: if output && iif.is_none() { Hook::Output } else { Hook::Prerouting },
            family,
            daddr: daddr.map(|length| net(family, length)),
            protocol,
            dport: ports.map(range).filter(|_| protocol.is_some()),
            saddr: saddr.map(|length| net(family, length)),
            iif: iif.map(|name| IfName::new(name).expect("a name")),
        };
        let entry = MarkEntry { mark: Fwmark::new(mark).expect("not 0"), owner: OWNER.to_string() };
        (selector.canonical(), entry)
    });
    vec(one, 0..8).prop_map(|all| {
        let mut marks = BTreeMap::new();
        for (selector, entry) in all {
            if !selector.meets_any(&marks) {
                marks.insert(selector, entry);
            }
        }
        // Whatever order they come back in, they must be as able to stand beside each other.
        let fits = |marks: &BTreeMap<MarkSelector, MarkEntry>| {
            let mut seen = BTreeMap::new();
            marks.iter().all(|(selector, entry)| {
                !selector.meets_any(&seen) && seen.insert(selector.clone(), entry.clone()).is_none()
            })
        };
        if fits(&marks) { marks } else { BTreeMap::new() }
    })
}

fn syncs(device: &'static str) -> impl Strategy<Value = BTreeMap<SyncRole, SyncDaemon>> {
    let role = prop_oneof![Just(SyncRole::Master), Just(SyncRole::Backup)];
    let id = prop_oneof![6 => 0..=255_u32, 1 => any::<u32>()];
    let maxlen = prop_oneof![2 => Just(0), 1 => 1024..=1400_u16];
    let rest = (id, maxlen, 0..16_u8, select(vec![8848, 9999]), select(vec![1, 3]));
    let some = prop_oneof![5 => Just(0), 1 => 1..=2_usize]
        .prop_flat_map(move |most| btree_map(role.clone(), rest.clone(), 0..=most));
    some.prop_map(move |all| {
        let daemon = |(role, (id, maxlen, host, port, ttl)): (SyncRole, (u32, u16, u8, u16, u8))| {
            let group = if host == 0 { SyncDaemon::DEFAULT_GROUP } else { IpAddr::from([239, 1, 1, host]) };
            let dev = IfName::new(device).expect("a name");
            let daemon = SyncDaemon { dev, id, maxlen, group, port, ttl };
            (role, daemon.canonical(role, SyncDaemon::DEFAULT_MTU))
        };
        all.into_iter().map(daemon).collect()
    })
}

/// Rules with the routes they lead to, a route that no rule leads to, a rule whose route somebody took away.
fn paths() -> impl Strategy<Value = (BTreeMap<RuleKey, Installed>, BTreeMap<RouteKey, Installed>)> {
    let table = (100..103_u32).prop_map(|number| RouteTable::new(number).expect("one of our own"));
    let priority = prop_oneof![3 => Just(RuleKey::PRIORITY), 1 => 1..200_u32];
    let rule = (family(), priority, 1..6_u32, table.clone(), prop::bool::weighted(0.9)).prop_map(
        |(family, priority, mark, table, led)| {
            (RuleKey { family, priority, mark: Fwmark::new(mark).expect("not 0"), table }, led)
        },
    );
    let rules = prop_oneof![3 => Just(Vec::new()), 1 => vec(rule, 1..4)];
    let alone = option::weighted(0.1, (family(), table));
    (rules, alone).prop_map(|(rules, alone)| {
        let led = rules.iter().filter(|(_, led)| *led).map(|(key, _)| (key.family, key.table));
        let routes = led.chain(alone).map(|(family, table)| (RouteKey { family, table }, Installed::ours()));
        let routes = routes.collect();
        (rules.iter().map(|(key, _)| (*key, Installed::ours())).collect(), routes)
    })
}

/// At most one of each kind, mostly none; and ports of GUE.
fn unpacking() -> impl Strategy<Value = (BTreeMap<IfName, TunnelDevice>, BTreeMap<FouKey, Fou>)> {
    let one = (select(DeviceKind::ALL.to_vec()), any::<bool>(), prop::bool::weighted(0.9));
    let devices = prop_oneof![6 => Just(Vec::new()), 1 => vec(one, 1..3)].prop_map(|all| {
        let device = |(kind, checksum, up): (DeviceKind, bool, bool)| {
            let made = TunnelDevice::ours(kind, checksum && kind.is_gre());
            (IfName::new(&format!("t-{kind}")).expect("a name"), TunnelDevice { up, ..made })
        };
        all.into_iter().map(device).collect()
    });
    let port = (family(), select(vec![6080, 6081])).prop_map(|(family, port)| FouKey { family, port });
    let ports = prop_oneof![6 => Just(BTreeSet::new()), 1 => btree_set(port, 1..3)];
    let ports = ports.prop_map(|all: BTreeSet<FouKey>| all.into_iter().map(|key| (key, Fou::Gue)).collect());
    (devices, ports)
}

/// A machine with this device, of MTU 1500, as the kernel could have it.
pub fn state(device: &'static str) -> impl Strategy<Value = State> {
    let some = prop_oneof![3 => Just(0), 1 => 1..3_usize];
    let vips = some.prop_flat_map(|most| btree_set((family(), 1..4_u8), 0..=most)).prop_map(
        move |all: BTreeSet<(Family, u8)>| {
            let key = |(family, host): (Family, u8)| VipKey {
                addr: ipnet::IpNet::new(addr(family, 100 + host), family.max_prefix()).expect("a length"),
                dev: IfName::new(device).expect("a name"),
            };
            all.into_iter().map(|one| (key(one), Vip::ours())).collect::<BTreeMap<_, _>>()
        },
    );
    let names = ["conntrack", "expire_nodest_conn", "sloppy_tcp", "drop_entry", "sync_refresh_period"];
    let name = select(names.to_vec()).prop_map(|name| SysctlName::new(name).expect("a name"));
    let sysctls = btree_map(name, Just("1".to_string()), 0..3);
    let seconds = || prop_oneof![Just(None), (1..100_000_u32).prop_map(Some)];
    let timeouts = (seconds(), seconds(), seconds()).prop_map(|(tcp, tcp_fin, udp)| {
        let usual = Timeouts::default();
        Timeouts {
            tcp: tcp.unwrap_or(usual.tcp),
            tcp_fin: tcp_fin.unwrap_or(usual.tcp_fin),
            udp: udp.unwrap_or(usual.udp),
        }
    });
    (services(), marks(device), vips, sysctls, timeouts, syncs(device), paths(), unpacking()).prop_map(
        |(services, marks, vips, sysctls, timeouts, syncs, (rules, routes), (tunnels, fous))| {
            let mut state =
                State { services, marks, vips, rules, routes, tunnels, fous, sysctls, timeouts, syncs };
            let mixed = |(key, entry): (&ServiceKey, &Arc<ServiceEntry>)| {
                entry.servers.keys().any(|id| id.family() != key.family())
            };
            // The kernel has daemons, or servers of another family than their service.
            if state.services.iter().any(mixed) {
                state.syncs.clear();
            }
            state
        },
    )
}

/// Bends a machine to what a policy can say, and changes nothing else.
pub fn for_policy(mut state: State) -> State {
    state.services.retain(|key, _| plain_protocol(key));
    for (key, entry) in &mut state.services {
        let ServiceEntry { service, servers } = Arc::make_mut(entry);
        bend_service(key, service);
        if let Some(hold) = &mut service.persistence
            && let Netmask::V4(mask) = hold.netmask
            && Netmask::v4(mask).is_err()
        {
            hold.netmask = Netmask::host(Family::Ipv4);
        }
        bend_servers(key, servers, 65535);
    }
    state.syncs.values_mut().for_each(|daemon| daemon.id &= 255);
    let led = state.rules.keys().map(|key| RouteKey { family: key.family, table: key.table });
    state.routes.extend(led.map(|key| (key, Installed::ours())).collect::<Vec<_>>());
    state.tunnels.values_mut().for_each(|tunnel| tunnel.up = true);
    state
}

/// Bends a machine to what ipvsadm can say, and changes nothing else.
pub fn for_ipvsadm(mut state: State) -> State {
    state.marks.clear();
    state.vips.clear();
    state.rules.clear();
    state.routes.clear();
    state.tunnels.clear();
    state.fous.clear();
    state.sysctls.clear();
    state.services.retain(|key, _| plain_protocol(key));
    for (key, entry) in &mut state.services {
        let ServiceEntry { service, servers } = Arc::make_mut(entry);
        bend_service(key, service);
        service.flags = Flags::from_bits(service.flags.bits() & 0x3c);
        bend_servers(key, servers, Weight::MAX);
        for server in servers.values_mut() {
            if server.tunnel.kind == TunnelKind::Ipip {
                server.tunnel = Tunnel::default();
            }
            if server.tunnel.kind == TunnelKind::Gre {
                server.tunnel.flags &= 1;
            }
        }
    }
    state.syncs.values_mut().for_each(|daemon| daemon.id &= 255);
    state
}

fn plain_protocol(key: &ServiceKey) -> bool {
    !matches!(key, ServiceKey::Address { protocol: Protocol::Other(_), .. })
}

fn bend_service(key: &ServiceKey, service: &mut Service) {
    if let Some(hold) = &mut service.persistence {
        hold.timeout = hold.timeout.max(1);
    }
    if key.port() == Some(Port(0)) && service.persistence.is_none() {
        service.persistence = Some(Persistence::seconds(300, key.family()));
    }
    let datagrams =
        matches!(key, ServiceKey::Mark { .. } | ServiceKey::Address { protocol: Protocol::Udp, .. });
    if !datagrams {
        service.flags = service.flags.without(Flags::ONE_PACKET);
    }
}

fn bend_servers(key: &ServiceKey, servers: &mut BTreeMap<ServerKey, Server>, heaviest: u32) {
    let bent = std::mem::take(servers).into_iter().map(|(mut id, mut server)| {
        if let Forwarding::Other(_) = server.method {
            server.method = Forwarding::Dr;
        }
        if server.method != Forwarding::Nat {
            id.port = key.port().unwrap_or_default();
        }
        let unknown = matches!(server.tunnel.kind, TunnelKind::Other(_));
        if server.method != Forwarding::Tun || unknown || server.tunnel.flags > 2 {
            server.tunnel = Tunnel::default();
        }
        if server.tunnel.kind != TunnelKind::Gue {
            server.tunnel.port = Port(0);
        }
        server.weight = Weight::new(server.weight.get().min(heaviest)).expect("less than before");
        (id, server)
    });
    *servers = bent.collect();
}
