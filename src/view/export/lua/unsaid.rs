//! What the kernel can hold and a policy does not say: mostly what policies refuse because it is a trap.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{
    DeviceKind, Forwarding, MAX_PERSIST_SECONDS, MarkSelector, Netmask, Port, Protocol, RouteKey, Server,
    ServerKey, Service, ServiceEntry, ServiceKey, State, SyncDaemon, Tunnel, TunnelDevice, TunnelKind,
};

/// The part that can be said, and a line for everything else.
pub fn sift(state: &State) -> (State, Vec<String>) {
    let mut out = Vec::new();
    let mut said = state.clone();
    said.services.retain(|key, entry| {
        let why = of_entry(key, entry);
        out.extend(why.iter().map(|why| format!("service {key}: {why}")));
        why.is_none()
    });
    said.marks.retain(|selector, entry| {
        let why = of_mark(selector);
        out.extend(why.iter().map(|why| format!("mark {} for {selector}: {why}", entry.mark)));
        why.is_none()
    });
    said.rules.retain(|key, rule| {
        let route = state.routes.get(&RouteKey { family: key.family, table: key.table });
        let why = match rule.is_ours() {
            // A policy's rule comes with the route it leads to.
            true if !route.is_some_and(|route| route.is_ours()) => "its table has no local route of lvsh",
            true if !(1..=32765).contains(&key.priority) => "priorities are 1 to 32765",
            _ => return true,
        };
        out.push(format!("rule {key}: {why}"));
        false
    });
    let mut kinds = BTreeSet::new();
    said.tunnels.retain(|dev, tunnel| {
        let why = of_tunnel(tunnel, &mut kinds);
        out.extend(why.iter().map(|why| format!("tunnel {dev}: {why}")));
        why.is_none()
    });
    said.syncs.retain(|role, daemon| {
        let why = of_daemon(daemon);
        out.extend(why.iter().map(|why| format!("sync {role}: {why}")));
        why.is_none()
    });
    (said, out)
}

fn of_entry(key: &ServiceKey, entry: &Arc<ServiceEntry>) -> Option<String> {
    let why = of_service(key, &entry.service).map(str::to_string);
    let of_server = |(id, server)| Some(format!("server {id} {}", of_server(key, id, server)?));
    why.or_else(|| entry.servers.iter().find_map(of_server))
}

fn of_service(key: &ServiceKey, service: &Service) -> Option<&'static str> {
    let protocol = match key {
        ServiceKey::Address { protocol, .. } => Some(*protocol),
        ServiceKey::Mark { .. } => None,
    };
    if let Some(Protocol::Other(_)) = protocol {
        return Some("a service is tcp, udp, sctp or fwmark");
    }
    if service.one_packet() && !matches!(protocol, None | Some(Protocol::Udp)) {
        return Some("one-packet scheduling works for udp only");
    }
    if service.pe.as_ref().is_some_and(|pe| pe.name() != "sip") {
        return Some("the only persistence engine is sip");
    }
    let Some(hold) = &service.persistence else {
        return (key.port() == Some(Port(0))).then_some("port 0 needs persistence");
    };
    if !(1..=MAX_PERSIST_SECONDS).contains(&hold.timeout) {
        return Some("persistence is 1 to 2678400 seconds");
    }
    match hold.netmask {
        Netmask::V4(mask) if Netmask::v4(mask).is_err() => Some("its netmask has holes or is empty"),
        _ => None,
    }
}

fn of_server(service: &ServiceKey, id: &ServerKey, server: &Server) -> Option<&'static str> {
    if let Forwarding::Other(_) = server.method {
        return Some("is reached by none of dr, nat and tun");
    }
    if server.method != Forwarding::Nat && id.port != service.port().unwrap_or_default() {
        return Some("has another port than the service, which only nat can change");
    }
    if server.weight.get() > 65535 {
        return Some("has a weight above 65535");
    }
    let Tunnel { kind, port, flags } = server.tunnel;
    let known = match kind {
        _ if server.method != Forwarding::Tun => server.tunnel == Tunnel::default(),
        TunnelKind::Ipip | TunnelKind::Gre => port == Port(0) && flags <= 2,
        TunnelKind::Gue => flags <= 2,
        TunnelKind::Other(_) => false,
    };
    (!known).then_some("has tunnel settings that belong to no tunnel")
}

fn of_mark(selector: &MarkSelector) -> Option<&'static str> {
    if let Some(Protocol::Other(_)) = selector.protocol {
        return Some("a mark is for tcp, udp, sctp, or every protocol");
    }
    selector.dport.is_some_and(|ports| ports.first == 0).then_some("ports begin at 1")
}

fn of_tunnel(tunnel: &TunnelDevice, kinds: &mut BTreeSet<DeviceKind>) -> Option<String> {
    if !tunnel.is_ours() {
        return None;
    }
    let made = TunnelDevice::ours(tunnel.kind, tunnel.checksum);
    if *tunnel != made {
        return Some(format!("it is {tunnel}; a policy makes it {made}"));
    }
    (!kinds.insert(tunnel.kind)).then(|| "a policy has one of each type".to_string())
}

fn of_daemon(daemon: &SyncDaemon) -> Option<&'static str> {
    if daemon.id > 255 {
        return Some("ids end at 255");
    }
    (daemon.port == 0 || daemon.ttl == 0).then_some("its port or TTL is 0")
}
