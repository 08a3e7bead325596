//! `ipvsadm -S`: rules that `ipvsadm -R` reads.
//!
//! ipvsadm itself leaves out thresholds, timeouts and daemons, and prints marks above 2^31-1 as negative numbers, which
//! its `-R` refuses. Here is all that it could have said, and what it has no words for is told beside the rules.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::list::{flag_words, protocol};
use super::step::{daemon_words, ipvsadm_service};
use super::{Names, endpoint};
use crate::error::counted;
use crate::model::{
    Family, Flags, Forwarding, MAX_PERSIST_SECONDS, Port, Protocol, Server, ServerKey, Service, ServiceKey,
    SyncDaemon, SyncRole, Timeouts, Tunnel, TunnelKind,
};

/// Whether rules are what ipvsadm writes, or all that it could have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faithful {
    /// To ipvsadm, whether they can be read again or not.
    ToIpvsadm,
    /// To the table: each line is taken by ipvsadm and makes what it was written for.
    ToTable,
}

/// A service with its servers, in the order in which they are written.
pub struct Saved<'a> {
    pub key: &'a ServiceKey,
    pub service: &'a Service,
    pub servers: Vec<(&'a ServerKey, &'a Server)>,
}

/// The lines of one service, and what of it they cannot say.
pub fn save_text(saved: &Saved<'_>, faithful: Faithful, names: &mut dyn Names) -> (String, Vec<String>) {
    let Saved { key, service, servers } = saved;
    let mut out = String::with_capacity(80 * (1 + servers.len()));
    let mut lost = Vec::new();
    if faithful == Faithful::ToTable {
        if let Some(why) = refused(key, service) {
            lost.push(format!("service {key} with {}: {why}", counted(servers.len(), "server")));
            return (out, lost);
        }
        let bits = service.flags.without_words();
        if bits != 0 {
            lost.push(format!("flags {bits:#x} of service {key}: ipvsadm has no words for them"));
        }
    }
    // Servers that are written with the service's port.
    let mut moved = BTreeSet::new();
    let name = service_name(key, faithful, names);
    let _ = writeln!(out, "-A {name} {}", service_words(service, faithful));
    for (id, server) in servers {
        let mut port = id.port;
        if faithful == Faithful::ToTable {
            if let Some(why) = refused_server(server) {
                lost.push(format!("server {key} {id}: {why}"));
                continue;
            }
            if server.method != Forwarding::Nat && port != key.port().unwrap_or_default() {
                port = key.port().unwrap_or_default();
                let same = ServerKey { port, ..**id };
                if servers.iter().any(|(other, _)| **other == same) || !moved.insert(same) {
                    lost.push(format!("server {key} {id}: ipvsadm gives it the port of {same}"));
                    continue;
                }
                lost.push(format!("server {key} {id}: ipvsadm gives it the service's port, {port}"));
            }
        }
        let endpoint = endpoint(id.addr, port, protocol(key), names);
        let _ = write!(out, "-a {name} -r {endpoint} {} -w {}", method(server.method), server.weight.get());
        if server.method == Forwarding::Tun {
            tunnel_words(&mut out, &server.tunnel);
        }
        if faithful == Faithful::ToTable && (server.upper != 0 || server.lower != 0) {
            let _ = write!(out, " -x {} -y {}", server.upper, server.lower);
        }
        out.push('\n');
    }
    (out, lost)
}

/// Lines for timeouts, unless they say nothing, and for sync daemons. ipvsadm never writes these, but it reads them; they
/// go first, because the exit code of its `-R` is that of the last line, and a daemon may run already.
pub fn settings_text<'a>(
    timeouts: Timeouts,
    syncs: impl IntoIterator<Item = (&'a SyncRole, &'a SyncDaemon)>,
) -> (String, Vec<String>) {
    let (mut out, mut lost) = (String::new(), Vec::new());
    if timeouts != Timeouts::NONE {
        let _ = writeln!(out, "--set {} {} {}", timeouts.tcp, timeouts.tcp_fin, timeouts.udp);
    }
    for (role, daemon) in syncs {
        if daemon.id > 255 {
            lost.push(format!("sync {role}: ipvsadm takes ids up to 255, this is {}", daemon.id));
            continue;
        }
        let _ = writeln!(out, "--start-daemon {role} {}", daemon_words(daemon));
    }
    (out, lost)
}

fn service_words(service: &Service, faithful: Faithful) -> String {
    if faithful == Faithful::ToTable {
        return ipvsadm_service(service);
    }
    let third = Flags::SCHED1.with(Flags::SCHED2).with(Flags::SCHED3);
    let mut plain = service.clone();
    plain.flags = plain.flags.without(third);
    let words = ipvsadm_service(&plain);
    flag_words(service).map_or(words.clone(), |flags| format!("{words} -b {flags}"))
}

fn service_name(key: &ServiceKey, faithful: Faithful, names: &mut dyn Names) -> String {
    match key {
        ServiceKey::Mark { family, mark } => {
            let version = if *family == Family::Ipv6 { " -6" } else { "" };
            match faithful {
                Faithful::ToIpvsadm => format!("-f {}{version}", mark.get() as i32),
                Faithful::ToTable => format!("-f {mark}{version}"),
            }
        }
        ServiceKey::Address { protocol, addr, port } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
                Protocol::Other(_) => "--xxx-service",
            };
            format!("{option} {}", endpoint(*addr, *port, *protocol, names))
        }
    }
}

fn method(method: Forwarding) -> &'static str {
    match method {
        Forwarding::Nat => "-m",
        Forwarding::Tun => "-i",
        Forwarding::Dr | Forwarding::Other(1) => "-g",
        // What the C library prints for no word.
        Forwarding::Other(_) => "(null)",
    }
}

fn tunnel_words(out: &mut String, tunnel: &Tunnel) {
    let Tunnel { kind, port, flags } = tunnel;
    let checksum = match flags {
        0 => "--tun-nocsum",
        1 => "--tun-csum",
        _ => "--tun-remcsum",
    };
    let _ = match kind {
        TunnelKind::Ipip => write!(out, " --tun-type ipip"),
        TunnelKind::Gue => write!(out, " --tun-type gue --tun-port {port} {checksum}"),
        TunnelKind::Gre => write!(out, " --tun-type gre {checksum}"),
        TunnelKind::Other(_) => Ok(()),
    };
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

fn refused_server(server: &Server) -> Option<&'static str> {
    if let Forwarding::Other(_) = server.method {
        return Some("ipvsadm knows -g, -m and -i");
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
