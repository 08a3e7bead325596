//! A dump as what `ipvsadm -R` reads: complete where ipvsadm has words, and what it has none for is told.
//!
//! `ipvsadm -S` leaves out thresholds, timeouts and daemons, and prints marks above 2^31-1 as negative numbers, which
//! `-R` refuses. Here is nothing but lines of arguments: `ipvsadm -R` takes no comments.

use super::Exported;
use crate::model::{
    Family, Forwarding, MAX_PERSIST_SECONDS, Port, Protocol, Server, ServerKey, Service, ServiceEntry,
    ServiceKey, Timeouts, Tunnel, TunnelKind,
};
use crate::plan::{Dump, Step};
use crate::view::ipvsadm::ipvsadm;
use crate::view::marks::group;

/// One line per timeout setting, service, server and daemon, in the order in which they can be restored.
pub fn save(dump: &Dump) -> Exported {
    let mut out = Exported::default();
    let state = &dump.state;
    if dump.says.timeouts && state.timeouts != Timeouts::NONE {
        push(&mut out, &Step::SetTimeouts { from: Timeouts::NONE, to: state.timeouts });
    }
    for (key, entry) in &state.services {
        service(&mut out, *key, entry);
    }
    // A daemon refuses servers of another family, so it comes last.
    for (role, daemon) in &state.syncs {
        match daemon.id {
            0..=255 => push(&mut out, &Step::StartSync { role: *role, daemon: daemon.clone() }),
            id => out.left_out.push(format!("sync {role}: ipvsadm takes ids up to 255, this is {id}")),
        }
    }
    let words = |what: String| format!("{what}: ipvsadm has no words for it");
    for one in group(state.marks.iter().map(|(selector, entry)| (selector, entry.mark))) {
        out.left_out.push(words(format!("mark {} for {}", one.mark, one.match_text())));
    }
    let ours = state.vips.iter().filter(|(_, vip)| vip.is_ours());
    out.left_out.extend(ours.map(|(key, _)| words(format!("vip {key}"))));
    let sysctls = state.sysctls.iter();
    out.left_out.extend(sysctls.map(|(name, value)| words(format!("sysctl {name} = {value}"))));
    out
}

fn service(out: &mut Exported, key: ServiceKey, entry: &ServiceEntry) {
    if let Some(why) = refused(&key, &entry.service) {
        out.left_out.push(format!("service {key} with {} servers: {why}", entry.servers.len()));
        return;
    }
    if entry.service.flags.without_words() != 0 {
        let bits = entry.service.flags.without_words();
        out.left_out.push(format!("flags {bits:#x} of service {key}: ipvsadm has no words for them"));
    }
    push(out, &Step::AddService { key, service: entry.service.clone() });
    for (id, server) in &entry.servers {
        match refused_server(&key, id, server) {
            Some(why) => out.left_out.push(format!("server {key} {id}: {why}")),
            None => push(out, &Step::AddServer { service: key, key: *id, server: *server }),
        }
    }
}

fn push(out: &mut Exported, step: &Step) {
    if let Some(line) = ipvsadm(step) {
        out.text.push_str(&line);
        out.text.push('\n');
    }
}

/// Why ipvsadm (1.31) does not take this service, although the kernel does.
fn refused(key: &ServiceKey, service: &Service) -> Option<&'static str> {
    let protocol = match key {
        ServiceKey::Address { protocol, .. } => Some(*protocol),
        ServiceKey::Mark { .. } => None,
    };
    if let Some(Protocol::Other(_)) = protocol {
        return Some("ipvsadm knows tcp, udp and sctp");
    }
    if service.one_packet() && !matches!(protocol, None | Some(Protocol::Udp)) {
        return Some("ipvsadm takes one-packet scheduling for udp and marks only");
    }
    match &service.persistence {
        None if key.port() == Some(Port(0)) => Some("ipvsadm takes port 0 with persistence only"),
        Some(hold) if !(1..=MAX_PERSIST_SECONDS).contains(&hold.timeout) => {
            Some("ipvsadm takes persistence of 1 to 2678400 seconds")
        }
        _ => None,
    }
}

fn refused_server(service: &ServiceKey, id: &ServerKey, server: &Server) -> Option<&'static str> {
    let own = service.port().unwrap_or_default();
    if let Forwarding::Other(_) = server.method {
        return Some("ipvsadm knows -g, -m and -i");
    }
    if id.port != own && server.method != Forwarding::Nat {
        return Some("ipvsadm gives it the service's port unless it is reached by nat");
    }
    if id.family() != service.family() && matches!(service, ServiceKey::Mark { family: Family::Ipv6, .. }) {
        return Some("ipvsadm takes no IPv4 server for a mark of IPv6");
    }
    let Tunnel { kind, port, flags } = server.tunnel;
    let said = match kind {
        _ if server.method != Forwarding::Tun => server.tunnel == Tunnel::default(),
        TunnelKind::Ipip => port == Port(0) && flags == 0,
        TunnelKind::Gue => flags <= 2,
        TunnelKind::Gre => port == Port(0) && flags <= 1,
        TunnelKind::Other(_) => false,
    };
    (!said).then_some("ipvsadm cannot say this tunnel")
}
