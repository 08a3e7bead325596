//! `ipvsadm -S`: rules that `ipvsadm -R` reads.

use std::fmt::Write as _;

use super::list::{flag_words, protocol};
use super::step::{daemon_words, ipvsadm_service};
use super::{Names, endpoint};
use crate::model::{
    Family, Flags, Forwarding, Listed, Protocol, Server, ServerKey, ServiceKey, SyncDaemon, SyncRole,
    Timeouts, Tunnel, TunnelKind,
};

/// Whether rules are what ipvsadm writes, or all that it could have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faithful {
    /// To ipvsadm: without thresholds, and with marks above 2^31-1 as negative numbers, which it does not read.
    ToIpvsadm,
    /// To the table. What ipvsadm has no words for is told beside the rules.
    ToTable,
}

/// The lines of one service, and what of it they cannot say.
pub fn save_text(listed: &Listed, faithful: Faithful, names: &mut dyn Names) -> (String, Vec<String>) {
    let mut out = String::with_capacity(80 * (1 + listed.servers.len()));
    let mut lost = Vec::new();
    let name = service_name(&listed.key, faithful, names);
    let words = match faithful {
        Faithful::ToTable => ipvsadm_service(&listed.service),
        Faithful::ToIpvsadm => {
            let third = Flags::SCHED1.with(Flags::SCHED2).with(Flags::SCHED3);
            let mut plain = listed.service.clone();
            plain.flags = plain.flags.without(third);
            let words = ipvsadm_service(&plain);
            flag_words(&listed.service).map_or(words.clone(), |flags| format!("{words} -b {flags}"))
        }
    };
    if faithful == Faithful::ToTable {
        service_lost(listed, &mut lost);
        if matches!(listed.key, ServiceKey::Address { protocol: Protocol::Other(_), .. }) {
            return (String::new(), lost);
        }
    }
    let _ = writeln!(out, "-A {name} {words}");
    for (key, server, _) in &listed.servers {
        if faithful == Faithful::ToTable {
            server_lost(&listed.key, key, server, &mut lost);
            if method(server.method) == UNKNOWN {
                continue;
            }
        }
        let endpoint = endpoint(key.addr, key.port, protocol(&listed.key), names);
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

/// Lines for timeouts that are not the kernel's defaults, and for sync daemons. ipvsadm never writes these, but it
/// reads them; they go first, because the exit code of its `-R` is that of the last line.
pub fn settings_text(timeouts: Timeouts, syncs: &[(SyncRole, SyncDaemon)]) -> String {
    let mut out = String::new();
    if timeouts != Timeouts::default() {
        let _ = writeln!(out, "--set {} {} {}", timeouts.tcp, timeouts.tcp_fin, timeouts.udp);
    }
    for (role, daemon) in syncs {
        let _ = writeln!(out, "--start-daemon {role} {}", daemon_words(daemon));
    }
    out
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
        Forwarding::Other(_) => UNKNOWN,
    }
}

/// What the C library prints for no word.
const UNKNOWN: &str = "(null)";

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

fn service_lost(listed: &Listed, lost: &mut Vec<String>) {
    let key = &listed.key;
    if let ServiceKey::Address { protocol: Protocol::Other(_), .. } = key {
        lost.push(format!("service {key} is left out: ipvsadm has no option for its protocol"));
    }
    let known = Flags::ONE_PACKET.with(Flags::SCHED1).with(Flags::SCHED2).with(Flags::SCHED3);
    let others = listed.service.flags.without(known);
    if others != Flags::default() {
        lost.push(format!("service {key} has flags {:#x}, for which ipvsadm has no words", others.bits()));
    }
    if listed.service.persistence.is_some_and(|hold| hold.timeout == 0) {
        lost.push(format!("service {key} is persistent for 0 s, which only lvsh restores"));
    }
}

fn server_lost(service: &ServiceKey, key: &ServerKey, server: &Server, lost: &mut Vec<String>) {
    let Tunnel { kind, flags, .. } = server.tunnel;
    if method(server.method) == UNKNOWN {
        let method = server.method;
        lost.push(format!(
            "server {service} {key} is left out: ipvsadm has no option for forwarding {method}"
        ));
    }
    let said = match kind {
        TunnelKind::Ipip => flags == 0,
        TunnelKind::Gue => flags <= 2,
        TunnelKind::Gre => flags <= 1,
        TunnelKind::Other(_) => false,
    };
    if server.method == Forwarding::Tun && !said {
        lost.push(format!(
            "server {service} {key} has tunnel {kind} with flags {flags:#x}, for which ipvsadm has no options"
        ));
    }
}
