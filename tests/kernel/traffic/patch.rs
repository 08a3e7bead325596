//! A.6.1: the kernel replaces whole records. Naming one field in lvsh changes that field and no other.

use super::*;
use crate::support::Topology;
use lvsh::backend::{Backend, Outcome, Want};
use lvsh::kernel::Kernel;
use lvsh::model::{
    Flags, Forwarding, Netmask, Persistence, Port, Protocol, Scheduler, Server, ServerKey, Service,
    ServiceKey, Tunnel, TunnelKind, Weight,
};
use lvsh::plan::Step;

/// One service for each case, told apart by the port.
fn key(port: u16) -> ServiceKey {
    let addr = VIP.parse().expect("an address");
    ServiceKey::Address { protocol: Protocol::Udp, addr, port: Port(port) }
}

fn id(port: u16) -> ServerKey {
    ServerKey { addr: SERVERS[0].parse().expect("an address"), port: Port(port) }
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

/// So many services that are all the same, put into the kernel as they are, whatever lvsh would say of them.
fn put(director: &Host, count: u16, service: &Service, server: &Server) {
    let both = |port| {
        [
            Step::AddService { key: key(port), service: service.clone() },
            Step::AddServer { service: key(port), key: id(port), server: *server },
        ]
    };
    let steps: Vec<Step> = (1..=count).flat_map(both).collect();
    let outcomes = director.namespace.inside(|| Kernel::open().expect("a kernel with IPVS").apply(&steps));
    assert!(outcomes.iter().all(Outcome::is_done), "{outcomes:?}");
}

fn get(director: &Host, port: u16) -> (Service, Server) {
    let look = || Kernel::open()?.snapshot(&Want::all());
    let state = director.namespace.inside(look).expect("a snapshot").state;
    let entry = state.service(&key(port)).expect("the service");
    (entry.service.clone(), entry.servers[&id(port)])
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

/// The change as Lua and what it shall make of a service.
fn cases(service: &Service, server: Server) -> Vec<(String, (Service, Server))> {
    let mut cases = Vec::new();
    let rs = SERVERS[0];
    for (change, does) in SERVICE {
        let mut to = service.clone();
        does(&mut to);
        cases.push((format!("lvs.set_service(KEY, {{ {change} }})"), (to, server)));
    }
    for (change, does) in SERVER {
        let mut to = server;
        does(&mut to);
        let lua = format!("lvs.get_service(KEY):set_server('{rs}', {{ {change} }})");
        cases.push((lua, (service.clone(), to)));
    }
    let weights = format!("lvs.get_service(KEY):set_weights {{ ['{rs}'] = 3 }}");
    let to = Server { weight: Weight::new(3).expect("a weight"), ..server };
    cases.push((weights, (service.clone(), to)));
    cases
}

fn every_field_from((service, server): (Service, Server)) {
    let net = Topology::new().director("dir", "192.168.1.1").build();
    let director = net.director();
    let cases = cases(&service, server);
    put(director, u16::try_from(cases.len()).expect("a few"), &service, &server);
    let named =
        |(port, (lua, _)): (u16, &(String, _))| lua.replace("KEY", &format!("{{ udp = '{VIP}:{port}' }}"));
    let lines: Vec<String> = (1..).zip(&cases).map(named).collect();
    script(director, &lines.join("\n"));
    let mut wrong = Vec::new();
    for (port, (lua, expected)) in (1..).zip(&cases) {
        let found = get(director, port);
        if found != *expected {
            wrong.push(format!("{lua}\n  expected {expected:?}\n  got      {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn naming_one_field_never_resets_another() {
    needs!(ipvs);
    every_field_from(full());
}

#[test]
fn naming_one_field_never_sets_another() {
    needs!(ipvs);
    every_field_from(plain());
}

/// What is only half said, and cannot be completed from what is there, is refused; nothing changes.
#[test]
fn a_change_that_does_not_fit_the_rest_is_refused() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "192.168.1.1").build();
    let director = net.director();
    let (service, server) = full();
    put(director, 1, &service, &server);
    for (change, says) in [
        ("upper = 10", "'lower' (50) is above 'upper' (10)"),
        ("lower = 101", "'lower' (101) is above 'upper' (100)"),
        ("tunnel = { type = 'gre', port = 6081 }", "'port' is for type \"gue\""),
    ] {
        let lua =
            format!("lvs.get_service({{ udp = '{VIP}:1' }}):set_server('{}', {{ {change} }})", SERVERS[0]);
        let refused = director.lvsh(&format!("run {}", write("script", &lua)));
        assert_eq!(refused.code, 3, "{change}: {}", refused.stderr);
        assert!(refused.stderr.contains(says), "{change}: {}", refused.stderr);
        assert_eq!(get(director, 1), (service.clone(), server), "{change}");
    }
}
