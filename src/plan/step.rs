//! The vocabulary of change. A plan is made of these, every backend obeys them, every printer spells them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{
    Fou, FouKey, IfName, Installed, MarkEntry, MarkSelector, RouteKey, RuleKey, Server, ServerKey, Service,
    ServiceEntry, ServiceKey, SyncDaemon, SyncRole, SysctlName, Timeouts, TunnelDevice, Vip, VipKey,
};

/// One change, complete in itself: what it replaces or removes is part of it, so that its inverse needs no
/// memory. `Set*` carries the whole new value because the kernel replaces whole records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Step {
    AddService {
        key: ServiceKey,
        service: Service,
    },
    SetService {
        key: ServiceKey,
        from: Service,
        to: Service,
    },
    /// Takes its servers with it.
    DelService {
        key: ServiceKey,
        entry: ServiceEntry,
    },
    AddServer {
        service: ServiceKey,
        key: ServerKey,
        server: Server,
    },
    SetServer {
        service: ServiceKey,
        key: ServerKey,
        from: Server,
        to: Server,
    },
    DelServer {
        service: ServiceKey,
        key: ServerKey,
        server: Server,
    },
    AddMark {
        selector: MarkSelector,
        entry: MarkEntry,
    },
    SetMark {
        selector: MarkSelector,
        from: MarkEntry,
        to: MarkEntry,
    },
    DelMark {
        selector: MarkSelector,
        entry: MarkEntry,
    },
    AddVip {
        key: VipKey,
        vip: Vip,
    },
    /// Only the tag can change: an address that was there is taken over, or given back.
    SetVip {
        key: VipKey,
        from: Vip,
        to: Vip,
    },
    DelVip {
        key: VipKey,
        vip: Vip,
    },
    AddRule {
        key: RuleKey,
        rule: Installed,
    },
    DelRule {
        key: RuleKey,
        rule: Installed,
    },
    AddRoute {
        key: RouteKey,
        route: Installed,
    },
    DelRoute {
        key: RouteKey,
        route: Installed,
    },
    AddTunnel {
        dev: IfName,
        tunnel: TunnelDevice,
    },
    /// All but the kind can change.
    SetTunnel {
        dev: IfName,
        from: TunnelDevice,
        to: TunnelDevice,
    },
    /// Takes its addresses with it.
    DelTunnel {
        dev: IfName,
        tunnel: TunnelDevice,
    },
    AddFou {
        key: FouKey,
        fou: Fou,
    },
    DelFou {
        key: FouKey,
        fou: Fou,
    },
    SetSysctl {
        name: SysctlName,
        from: String,
        to: String,
    },
    SetTimeouts {
        from: Timeouts,
        to: Timeouts,
    },
    StartSync {
        role: SyncRole,
        daemon: SyncDaemon,
    },
    StopSync {
        role: SyncRole,
        daemon: SyncDaemon,
    },
}

/// What a step is done to: the key of one thing, without formatting anything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    Service(ServiceKey),
    Server(ServiceKey, ServerKey),
    Mark(MarkSelector),
    Vip(VipKey),
    Rule(RuleKey),
    Route(RouteKey),
    Tunnel(IfName),
    Fou(FouKey),
    Sysctl(SysctlName),
    Timeouts,
    Sync(SyncRole),
}

impl fmt::Display for Thing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Thing::Service(key) => write!(out, "service {key}"),
            Thing::Server(service, key) => write!(out, "server {service} {key}"),
            Thing::Mark(selector) => write!(out, "mark for {selector}"),
            Thing::Vip(key) => write!(out, "vip {key}"),
            Thing::Rule(key) => write!(out, "rule {key}"),
            Thing::Route(key) => write!(out, "route {key}"),
            Thing::Tunnel(dev) => write!(out, "tunnel {dev}"),
            Thing::Fou(key) => write!(out, "gue port {key}"),
            Thing::Sysctl(name) => write!(out, "sysctl {name}"),
            Thing::Timeouts => out.write_str("timeouts"),
            Thing::Sync(role) => write!(out, "sync {role}"),
        }
    }
}

impl Step {
    pub fn thing(&self) -> Thing {
        use Step::*;
        match self {
            AddService { key, .. } | SetService { key, .. } | DelService { key, .. } => Thing::Service(*key),
            AddServer { service, key, .. }
            | SetServer { service, key, .. }
            | DelServer { service, key, .. } => Thing::Server(*service, *key),
            AddMark { selector, .. } | SetMark { selector, .. } | DelMark { selector, .. } => {
                Thing::Mark(selector.clone())
            }
            AddVip { key, .. } | SetVip { key, .. } | DelVip { key, .. } => Thing::Vip(key.clone()),
            AddRule { key, .. } | DelRule { key, .. } => Thing::Rule(*key),
            AddRoute { key, .. } | DelRoute { key, .. } => Thing::Route(*key),
            AddTunnel { dev, .. } | SetTunnel { dev, .. } | DelTunnel { dev, .. } => {
                Thing::Tunnel(dev.clone())
            }
            AddFou { key, .. } | DelFou { key, .. } => Thing::Fou(*key),
            SetSysctl { name, .. } => Thing::Sysctl(name.clone()),
            SetTimeouts { .. } => Thing::Timeouts,
            StartSync { role, .. } | StopSync { role, .. } => Thing::Sync(*role),
        }
    }

    /// The steps that bring back what was, in the order they must be taken.
    pub fn inverse(&self) -> Vec<Step> {
        use Step::*;
        let one = match self.clone() {
            AddService { key, service } => {
                DelService { key, entry: ServiceEntry { service, servers: BTreeMap::new() } }
            }
            SetService { key, from, to } => SetService { key, from: to, to: from },
            DelService { key, entry } => {
                let service = std::iter::once(AddService { key, service: entry.service });
                let servers =
                    entry.servers.into_iter().map(|(id, server)| AddServer { service: key, key: id, server });
                return service.chain(servers).collect();
            }
            AddServer { service, key, server } => DelServer { service, key, server },
            SetServer { service, key, from, to } => SetServer { service, key, from: to, to: from },
            DelServer { service, key, server } => AddServer { service, key, server },
            AddMark { selector, entry } => DelMark { selector, entry },
            SetMark { selector, from, to } => SetMark { selector, from: to, to: from },
            DelMark { selector, entry } => AddMark { selector, entry },
            AddVip { key, vip } => DelVip { key, vip },
            SetVip { key, from, to } => SetVip { key, from: to, to: from },
            DelVip { key, vip } => AddVip { key, vip },
            AddRule { key, rule } => DelRule { key, rule },
            DelRule { key, rule } => AddRule { key, rule },
            AddRoute { key, route } => DelRoute { key, route },
            DelRoute { key, route } => AddRoute { key, route },
            AddTunnel { dev, tunnel } => DelTunnel { dev, tunnel },
            SetTunnel { dev, from, to } => SetTunnel { dev, from: to, to: from },
            DelTunnel { dev, tunnel } => AddTunnel { dev, tunnel },
            AddFou { key, fou } => DelFou { key, fou },
            DelFou { key, fou } => AddFou { key, fou },
            SetSysctl { name, from, to } => SetSysctl { name, from: to, to: from },
            SetTimeouts { from, to } => SetTimeouts { from: to, to: from },
            StartSync { role, daemon } => StopSync { role, daemon },
            StopSync { role, daemon } => StartSync { role, daemon },
        };
        vec![one]
    }

    /// What is done, in the words of messages: `add`, `set`, `del`.
    pub fn verb(&self) -> &'static str {
        use Step::*;
        match self {
            AddService { .. } | AddServer { .. } | AddMark { .. } | AddVip { .. } => "add",
            DelService { .. } | DelServer { .. } | DelMark { .. } | DelVip { .. } => "del",
            SetService { .. } | SetServer { .. } | SetMark { .. } | SetVip { .. } => "set",
            AddRule { .. } | AddRoute { .. } | AddTunnel { .. } | AddFou { .. } => "add",
            DelRule { .. } | DelRoute { .. } | DelTunnel { .. } | DelFou { .. } => "del",
            SetTunnel { .. } | SetSysctl { .. } | SetTimeouts { .. } => "set",
            StartSync { .. } => "start",
            StopSync { .. } => "stop",
        }
    }

    /// What sort of thing it is done to.
    pub fn kind(&self) -> &'static str {
        use Step::*;
        match self {
            AddService { .. } | SetService { .. } | DelService { .. } => "service",
            AddServer { .. } | SetServer { .. } | DelServer { .. } => "server",
            AddMark { .. } | SetMark { .. } | DelMark { .. } => "mark",
            AddVip { .. } | SetVip { .. } | DelVip { .. } => "vip",
            AddRule { .. } | DelRule { .. } => "rule",
            AddRoute { .. } | DelRoute { .. } => "route",
            AddTunnel { .. } | SetTunnel { .. } | DelTunnel { .. } => "tunnel",
            AddFou { .. } | DelFou { .. } => "gue port",
            SetSysctl { .. } => "sysctl",
            SetTimeouts { .. } => "timeouts",
            StartSync { .. } | StopSync { .. } => "sync",
        }
    }

    /// What is tried, as errors have it for scripts: `del service`.
    pub fn op(&self) -> String {
        format!("{} {}", self.verb(), self.kind())
    }

    /// The same in a sentence: `delete service`.
    pub fn words(&self) -> String {
        let verb = if self.verb() == "del" { "delete" } else { self.verb() };
        format!("{verb} {}", self.kind())
    }

    /// Which thing: `fwm:3`, `fwm:3 192.168.1.107`, `3 for ip daddr …`, `192.168.1.99/32 dev eth0`.
    pub fn subject(&self) -> String {
        use Step::*;
        match self {
            AddService { key, .. } | SetService { key, .. } | DelService { key, .. } => key.to_string(),
            AddServer { service, key, .. }
            | SetServer { service, key, .. }
            | DelServer { service, key, .. } => {
                format!("{service} {key}")
            }
            AddMark { selector, entry } | DelMark { selector, entry } => {
                format!("{} for {selector}", entry.mark)
            }
            SetMark { selector, to, .. } => format!("{} for {selector}", to.mark),
            AddVip { key, .. } | SetVip { key, .. } | DelVip { key, .. } => key.to_string(),
            AddRule { key, .. } | DelRule { key, .. } => key.to_string(),
            AddRoute { key, .. } | DelRoute { key, .. } => key.to_string(),
            AddTunnel { dev, .. } | SetTunnel { dev, .. } | DelTunnel { dev, .. } => dev.to_string(),
            AddFou { key, .. } | DelFou { key, .. } => key.to_string(),
            SetSysctl { name, .. } => name.to_string(),
            SetTimeouts { to, .. } => to.to_string(),
            StartSync { role, .. } | StopSync { role, .. } => role.to_string(),
        }
    }

    /// The service this step is about, if it is about one.
    pub fn service(&self) -> Option<&ServiceKey> {
        use Step::*;
        match self {
            AddService { key, .. } | SetService { key, .. } | DelService { key, .. } => Some(key),
            AddServer { service, .. } | SetServer { service, .. } | DelServer { service, .. } => {
                Some(service)
            }
            _ => None,
        }
    }
}
