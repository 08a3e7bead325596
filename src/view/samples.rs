//! One step of each kind, for the tests of the printers.

use std::collections::BTreeMap;

use crate::model::*;
use crate::plan::Step;

pub fn mark(number: u32) -> Fwmark {
    Fwmark::new(number).expect("a mark")
}

pub fn fwm(number: u32) -> ServiceKey {
    ServiceKey::Mark { family: Family::Ipv4, mark: mark(number) }
}

pub fn id(text: &str) -> ServerKey {
    let (addr, port) = parse_endpoint(text).expect("an endpoint");
    ServerKey { addr, port: port.unwrap_or_default() }
}

pub fn server(weight: u32) -> Server {
    Server { weight: Weight::new(weight).expect("a weight"), ..Server::default() }
}

pub fn service(scheduler: &str) -> Service {
    Service { scheduler: Scheduler::new(scheduler).expect("a scheduler"), ..Service::default() }
}

pub fn web_mark(port: u16) -> MarkSelector {
    MarkSelector {
        hook: Hook::Prerouting,
        family: Family::Ipv4,
        daddr: Some("192.168.1.99/32".parse().expect("a net")),
        protocol: Some(Protocol::Tcp),
        dport: Some(PortRange::one(port)),
        saddr: None,
        iif: None,
    }
}

pub fn entry(number: u32) -> MarkEntry {
    MarkEntry { mark: mark(number), owner: "web".to_string() }
}

pub fn vip() -> VipKey {
    VipKey { addr: "192.168.1.99/32".parse().expect("a net"), dev: IfName::new("eth0").expect("a name") }
}

pub fn rule(family: Family) -> RuleKey {
    let table = RouteTable::new(100).expect("a table");
    RuleKey { family, priority: RuleKey::PRIORITY, mark: mark(3), table }
}

pub fn route(family: Family) -> RouteKey {
    RouteKey { family, table: rule(family).table }
}

pub fn dev(name: &str) -> IfName {
    IfName::new(name).expect("a name")
}

pub fn persistent() -> Service {
    let netmask = Netmask::v4("255.255.255.0".parse().expect("a mask")).expect("a mask");
    Service {
        flags: Flags::SCHED1,
        persistence: Some(Persistence { timeout: 600, netmask }),
        pe: PeName::new("sip").ok(),
        ..service("sh")
    }
}

pub fn tunnel() -> Server {
    let tunnel = Tunnel { kind: TunnelKind::Gue, port: Port(6080), flags: 1 };
    Server { method: Forwarding::Tun, upper: 100, lower: 50, tunnel, ..server(4) }
}

pub fn steps() -> Vec<Step> {
    let fwm6 = ServiceKey::Mark { family: Family::Ipv6, mark: mark(3) };
    let addr = "2001:db8::99".parse().expect("an address");
    let udp6 = ServiceKey::Address { protocol: Protocol::Udp, addr, port: Port(53) };
    let servers = BTreeMap::from([(id("192.168.1.107"), server(1))]);
    let name = SysctlName::new("sync_threshold").expect("a name");
    let daemon = SyncDaemon::new(IfName::new("eth0").expect("a name"), 7);
    let old = Timeouts::default();
    vec![
        Step::AddService { key: fwm(3), service: persistent() },
        Step::AddService { key: fwm6, service: service("wlc") },
        Step::AddService { key: udp6, service: Service { flags: Flags::ONE_PACKET, ..service("rr") } },
        Step::SetService { key: fwm(3), from: service("wlc"), to: persistent() },
        Step::DelService { key: fwm(3), entry: ServiceEntry { service: service("sh"), servers } },
        Step::AddServer { service: fwm(3), key: id("192.168.1.111"), server: server(1) },
        Step::AddServer { service: udp6, key: id("[2001:db8::7]:53"), server: server(1) },
        Step::AddServer { service: fwm6, key: id("2001:db8::7"), server: tunnel() },
        Step::SetServer { service: fwm(3), key: id("192.168.1.109"), from: server(8), to: server(4) },
        Step::SetServer { service: fwm(3), key: id("192.168.1.109"), from: server(8), to: tunnel() },
        Step::DelServer { service: fwm(3), key: id("192.168.1.109"), server: server(8) },
        Step::AddMark { selector: web_mark(80), entry: entry(3) },
        Step::SetMark { selector: web_mark(80), from: entry(3), to: entry(4) },
        Step::DelMark { selector: web_mark(80), entry: entry(3) },
        Step::AddVip { key: vip(), vip: Vip::ours() },
        Step::SetVip { key: vip(), from: Vip::default(), to: Vip::ours() },
        Step::DelVip { key: vip(), vip: Vip::ours() },
        Step::AddRule { key: rule(Family::Ipv4), rule: Installed::ours() },
        Step::DelRule { key: RuleKey { priority: 7, ..rule(Family::Ipv6) }, rule: Installed::ours() },
        Step::AddRoute { key: route(Family::Ipv4), route: Installed::ours() },
        Step::DelRoute { key: route(Family::Ipv6), route: Installed::ours() },
        Step::AddTunnel { dev: dev("lvsh-ipip"), tunnel: TunnelDevice::ours(DeviceKind::Ipip, false) },
        Step::SetTunnel {
            dev: dev("lvsh-sit"),
            from: TunnelDevice {
                up: false,
                alias: "a b".to_string(),
                ..TunnelDevice::ours(DeviceKind::Sit, false)
            },
            to: TunnelDevice::ours(DeviceKind::Sit, false),
        },
        Step::AddTunnel { dev: dev("lvsh-gre"), tunnel: TunnelDevice::ours(DeviceKind::Gre, true) },
        Step::DelTunnel { dev: dev("lvsh-sit"), tunnel: TunnelDevice::ours(DeviceKind::Sit, false) },
        Step::AddFou { key: FouKey { family: Family::Ipv4, port: 6080 }, fou: Fou::Gue },
        Step::DelFou { key: FouKey { family: Family::Ipv6, port: 6080 }, fou: Fou::Gue },
        Step::SetSysctl { name, from: "3 50".to_string(), to: "5 60".to_string() },
        Step::SetTimeouts { from: old, to: Timeouts { tcp: 300, ..old } },
        Step::StartSync { role: SyncRole::Master, daemon: daemon.clone() },
        Step::StopSync { role: SyncRole::Master, daemon },
    ]
}
