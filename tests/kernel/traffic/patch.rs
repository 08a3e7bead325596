//! A.6.1: the kernel replaces whole records. Naming one field in lvsh changes that field and no other.

use super::*;
use crate::support::Topology;
use lvsh::backend::{Backend, Outcome, Want};
use lvsh::kernel::Kernel;
use lvsh::model::{
    Flags, Forwarding, Netmask, Persistence, Port, Protocol, Scheduler, Server, ServerKey, Service,
    ServiceEntry, ServiceKey, Tunnel, TunnelKind, Weight,
};
use lvsh::plan::Step;

fn key() -> ServiceKey {
    let addr = VIP.parse().expect("an address");
    ServiceKey::Address { protocol: Protocol::Udp, addr, port: Port(5060) }
}

fn id() -> ServerKey {
    ServerKey { addr: SERVERS[0].parse().expect("an address"), port: Port(5060) }
}

/// Nothing at its default, and a flag that nobody has a name for.
fn full() -> (Service, Server) {
    let flags = [Flags::ONE_PACKET, Flags::SCHED1, Flags::SCHED2, Flags::SCHED3, Flags::from_bits(0x100)];
    let service = Service {
        scheduler: Scheduler::new("sh").expect("a name"),
        flags: flags.into_iter().fold(Flags::default(), Flags::with),
        persistence: Some(Persistence { timeout: 700, netmask: mask(24) }),
        pe: Some(lvsh::model::PeName::new("sip").expect("a name")),
    };
    let server = Server {
        method: Forwarding::Tun,
        weight: Weight::new(7).expect("a weight"),
        upper: 100,
        lower: 50,
        tunnel: Tunnel { kind: TunnelKind::Gue, port: Port(6080), flags: 1 },
    };
    (service, server)
}

fn plain() -> (Service, Server) {
    (Service::default(), Server { method: Forwarding::Tun, ..Server::default() })
}

fn mask(prefix: u8) -> Netmask {
    Netmask::prefix(prefix, lvsh::model::Family::Ipv4).expect("a mask")
}

/// The one service, put into the kernel as it is, whatever lvsh would say of it.
fn put(director: &Host, service: &Service, server: &Server) {
    let entry = |service: &Service| ServiceEntry { service: service.clone(), servers: Default::default() };
    let steps = [
        Step::AddService { key: key(), service: service.clone() },
        Step::AddServer { service: key(), key: id(), server: *server },
    ];
    director.namespace.inside(|| {
        let mut kernel = Kernel::open().expect("a kernel with IPVS");
        // It is there from the case before, except for the first.
        kernel.apply(&[Step::DelService { key: key(), entry: entry(service) }]);
        for outcome in kernel.apply(&steps) {
            assert!(matches!(outcome, Outcome::Done), "{outcome:?}");
        }
    });
}

fn get(director: &Host) -> (Service, Server) {
    let look = || Kernel::open()?.snapshot(&Want::all());
    let state = director.namespace.inside(look).expect("a snapshot").state;
    let entry = state.service(&key()).expect("the service");
    (entry.service.clone(), entry.servers[&id()])
}

type Case<T> = (&'static str, fn(&mut T));

const SERVICE: &[Case<Service>] = &[
    ("scheduler = 'mh'", |s| s.scheduler = Scheduler::new("mh").expect("a name")),
    ("scheduler = 'wlc'", |s| s.scheduler = Scheduler::new("wlc").expect("a name")),
    ("flags = { 'flag-2' }", |s| {
        let ours = Flags::SCHED1.with(Flags::SCHED2).with(Flags::SCHED3);
        s.flags = s.flags.without(ours).with(Flags::SCHED2);
    }),
    ("ops = true", |s| s.flags = s.flags.with(Flags::ONE_PACKET)),
    ("ops = false", |s| s.flags = s.flags.without(Flags::ONE_PACKET)),
    ("persistent = 60", |s| {
        let netmask = s.persistence.map_or(mask(32), |hold| hold.netmask);
        s.persistence = Some(Persistence { timeout: 60, netmask });
    }),
    ("persistent = true", |s| {
        let netmask = s.persistence.map_or(mask(32), |hold| hold.netmask);
        s.persistence = Some(Persistence { timeout: 360, netmask });
    }),
    ("persistent = { timeout = 61 }", |s| {
        let netmask = s.persistence.map_or(mask(32), |hold| hold.netmask);
        s.persistence = Some(Persistence { timeout: 61, netmask });
    }),
    ("persistent = { netmask = 16 }", |s| {
        let timeout = s.persistence.map_or(360, |hold| hold.timeout);
        s.persistence = Some(Persistence { timeout, netmask: mask(16) });
    }),
    ("persistent = false", |s| s.persistence = None),
    ("pe = 'sip'", |s| s.pe = Some(lvsh::model::PeName::new("sip").expect("a name"))),
    ("pe = 'none'", |s| s.pe = None),
];

const SERVER: &[Case<Server>] = &[
    ("weight = 9", |s| s.weight = Weight::new(9).expect("a weight")),
    ("weight = 0", |s| s.weight = Weight::new(0).expect("a weight")),
    ("upper = 200", |s| s.upper = 200),
    ("lower = 0", |s| s.lower = 0),
    ("method = 'tun'", |s| s.method = Forwarding::Tun),
    // Only a tunnel has the settings of one.
    ("method = 'nat'", |s| (s.method, s.tunnel) = (Forwarding::Nat, Tunnel::default())),
    ("tunnel = { checksum = 'remcsum' }", |s| s.tunnel.flags = 2),
    ("tunnel = { checksum = 'none' }", |s| s.tunnel.flags = 0),
    ("tunnel = { type = 'gue', port = 6081 }", |s| {
        (s.tunnel.kind, s.tunnel.port) = (TunnelKind::Gue, Port(6081));
    }),
    // No other kind has a port.
    ("tunnel = { type = 'gre' }", |s| (s.tunnel.kind, s.tunnel.port) = (TunnelKind::Gre, Port(0))),
];

/// Every field, from a service that has everything set and from one that has nothing.
#[test]
fn naming_one_field_never_resets_another() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "192.168.1.1").build();
    let director = net.director();
    let mut wrong = Vec::new();
    for (service, server) in [full(), plain()] {
        let mut check = |lua: String, expected: (Service, Server)| {
            put(director, &service, &server);
            script(director, &lua);
            let found = get(director);
            if found != expected {
                wrong.push(format!("{lua}\n  expected {expected:?}\n  got      {found:?}"));
            }
        };
        let udp = format!("{{ udp = '{VIP}:5060' }}");
        for (change, does) in SERVICE {
            let mut to = service.clone();
            does(&mut to);
            check(format!("lvs.set_service({udp}, {{ {change} }})"), (to, server));
        }
        for (change, does) in SERVER {
            let mut to = server;
            does(&mut to);
            let rs = SERVERS[0];
            let lua = format!("lvs.get_service({udp}):set_server('{rs}', {{ {change} }})");
            check(lua, (service.clone(), to));
        }
        let weights = format!("lvs.get_service({udp}):set_weights {{ ['{}'] = 3 }}", SERVERS[0]);
        let to = Server { weight: Weight::new(3).expect("a weight"), ..server };
        check(weights, (service.clone(), to));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is only half said, and cannot be completed from what is there, is refused; nothing changes.
#[test]
fn a_change_that_does_not_fit_the_rest_is_refused() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "192.168.1.1").build();
    let director = net.director();
    let (service, server) = full();
    put(director, &service, &server);
    for (change, says) in [
        ("upper = 10", "'lower' (50) is above 'upper' (10)"),
        ("lower = 101", "'lower' (101) is above 'upper' (100)"),
        ("tunnel = { type = 'gre', port = 6081 }", "'port' is for type \"gue\""),
    ] {
        let rs = SERVERS[0];
        let lua = format!("lvs.get_service({{ udp = '{VIP}:5060' }}):set_server('{rs}', {{ {change} }})");
        let refused = director.lvsh(&format!("run {}", write("script", &lua)));
        assert_eq!(refused.code, 3, "{change}: {}", refused.stderr);
        assert!(refused.stderr.contains(says), "{change}: {}", refused.stderr);
        assert_eq!(get(director), (service.clone(), server), "{change}");
    }
}
