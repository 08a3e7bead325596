//! `ipvsadm -L` and its variants, byte for byte.

use std::fmt::Write as _;

use super::{Format, Names, address, cut, endpoint};
use crate::model::{
    Connection, Family, Flags, Forwarding, Listed, Port, Protocol, Server, ServerKey, ServerLive, Service,
    ServiceKey, Stats, SyncDaemon, SyncRole, Target, Timeouts, Tunnel, TunnelKind,
};

/// `IP Virtual Server version 1.2.1 (size=4096)`; not shown for one service.
pub fn head_text(version: &str, size: u32) -> String {
    format!("IP Virtual Server version {version} (size={size})\n")
}

/// The two lines above the services.
pub fn title_text(format: Format) -> String {
    let numbers = |columns: [&str; 5]| {
        let [a, b, c, d, e] = columns;
        format!("{:<33} {a:>8} {b:>8} {c:>8} {d:>8} {e:>8}\n", "Prot LocalAddress:Port")
    };
    let first = if format.stats {
        numbers(["Conns", "InPkts", "OutPkts", "InBytes", "OutBytes"])
    } else if format.rate {
        numbers(["CPS", "InPPS", "OutPPS", "InBPS", "OutBPS"])
    } else if format.thresholds {
        let [a, b, c, d] = ["Uthreshold", "Lthreshold", "ActiveConn", "InActConn"];
        format!("{:<33} {a:<10} {b:<10} {c:<10} {d:<10}\n", "Prot LocalAddress:Port")
    } else if format.persistent {
        let [a, b, c, d] = ["Weight", "PersistConn", "ActiveConn", "InActConn"];
        format!("{:<33} {a:<9} {b:<11} {c:<10} {d:<10}\n", "Prot LocalAddress:Port")
    } else {
        let tunnel = if format.tunnels { "TunnelInfo    " } else { "" };
        return format!(
            "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward {tunnel}Weight ActiveConn InActConn\n"
        );
    };
    first + "  -> RemoteAddress:Port\n"
}

/// A service and its servers, in the order in which they are in the list.
pub fn service_text(listed: &Listed, format: Format, names: &mut dyn Names) -> String {
    let mut out = String::with_capacity(80 * (1 + listed.servers.len()));
    let name = service_name(&listed.key, names);
    if format.stats || format.rate {
        let _ = write!(out, "{name:<33}");
        for number in columns(&listed.stats, format) {
            large(&mut out, number, format);
        }
    } else {
        let _ = write!(out, "{name} {}", listed.service.scheduler);
        service_words(&mut out, &listed.service);
    }
    out.push('\n');
    for (key, server, live) in &listed.servers {
        server_line(&mut out, &listed.key, (key, server, live), format, names);
    }
    out
}

/// `TCP  192.0.2.1:80`, `FWM  3 IPv6`. A mark above 2^31-1 is negative there.
fn service_name(key: &ServiceKey, names: &mut dyn Names) -> String {
    match key {
        ServiceKey::Mark { family, mark } => {
            let version = if *family == Family::Ipv6 { " IPv6" } else { "" };
            format!("FWM  {}{version}", mark.get() as i32)
        }
        ServiceKey::Address { protocol, addr, port } => {
            let word = match protocol {
                Protocol::Tcp => "TCP",
                Protocol::Udp => "UDP",
                Protocol::Sctp => "SCTP",
                Protocol::Other(_) => "?",
            };
            let mut name = format!("{word:<4} {}", endpoint(*addr, *port, *protocol, names));
            if addr.is_ipv4() {
                cut(&mut name, 33);
            }
            name
        }
    }
}

fn service_words(out: &mut String, service: &Service) {
    if let Some(words) = flag_words(service) {
        let _ = write!(out, " ({words})");
    }
    if let Some(hold) = &service.persistence {
        let _ = write!(out, " persistent {}", hold.timeout);
        if !hold.netmask.is_host() {
            let _ = write!(out, " mask {}", hold.netmask);
        }
        if let Some(pe) = &service.pe {
            let _ = write!(out, " pe {pe}");
        }
    }
    if service.one_packet() {
        out.push_str(" ops");
    }
}

/// Scheduler flags in ipvsadm's words: `None` without any; it has no word for the third one of `sh` and `mh`.
pub(super) fn flag_words(service: &Service) -> Option<String> {
    let flags = [Flags::SCHED1, Flags::SCHED2, Flags::SCHED3];
    if !flags.into_iter().any(|flag| service.flags.contains(flag)) {
        return None;
    }
    let mut shown = service.flags;
    if service.scheduler.hashes_sources() {
        shown = shown.without(Flags::SCHED3);
    }
    Some(shown.words(&service.scheduler).join(","))
}

fn server_line(
    out: &mut String,
    service: &ServiceKey,
    (key, server, live): (&ServerKey, &Server, &ServerLive),
    format: Format,
    names: &mut dyn Names,
) {
    let mut name = endpoint(key.addr, key.port, protocol(service), names);
    if key.addr.is_ipv4() {
        cut(&mut name, 28);
    }
    let ServerLive { active, inactive, persist, stats } = live;
    let Server { weight, upper, lower, .. } = server;
    let _ = write!(out, "  -> {name:<28}");
    if format.stats {
        for number in columns(stats, format) {
            large(out, number, format);
        }
    } else if format.rate {
        let [cps, in_packets, out_packets, in_bytes, out_bytes] = columns(stats, format);
        let _ = write!(out, " {cps:>8} {in_packets:>8} {out_packets:>8}");
        large(out, in_bytes, format);
        large(out, out_bytes, format);
    } else if format.thresholds {
        let _ = write!(out, " {upper:<10} {lower:<10} {active:<10} {inactive:<10}");
    } else if format.persistent {
        let weight = weight.get();
        let _ = write!(out, " {weight:<9} {persist:<11} {active:<10} {inactive:<10}");
    } else {
        let _ = write!(out, " {:<7}", method(server.method));
        if format.tunnels {
            let _ = write!(out, " {:<13}", tunnel(server).unwrap_or_else(|| "n/a".to_string()));
        }
        let _ = write!(out, " {:<6} {active:<10} {inactive:<10}", weight.get());
    }
    out.push('\n');
}

/// What `/etc/services` is asked for; a mark's service has no protocol.
pub(super) fn protocol(service: &ServiceKey) -> Protocol {
    match service {
        ServiceKey::Address { protocol, .. } => *protocol,
        ServiceKey::Mark { .. } => Protocol::Other(0),
    }
}

fn method(method: Forwarding) -> &'static str {
    match method {
        Forwarding::Nat => "Masq",
        Forwarding::Other(1) => "Local",
        Forwarding::Tun => "Tunnel",
        Forwarding::Dr => "Route",
        Forwarding::Other(_) => "(null)",
    }
}

/// `ipip`, `gue:6080:+c`, `gre:-c`; `None` for what is no tunnel that ipvsadm knows.
fn tunnel(server: &Server) -> Option<String> {
    let Tunnel { kind, port, flags } = server.tunnel;
    let checksum = match flags {
        0 => "-c",
        1 => "+c",
        _ => "r+c",
    };
    match kind {
        _ if server.method != Forwarding::Tun => None,
        TunnelKind::Ipip => Some("ipip".to_string()),
        TunnelKind::Gue => Some(format!("gue:{port}:{checksum}")),
        TunnelKind::Gre => Some(format!("gre:{checksum}")),
        TunnelKind::Other(_) => None,
    }
}

fn columns(stats: &Stats, format: Format) -> [u64; 5] {
    if format.stats {
        [stats.conns, stats.in_packets, stats.out_packets, stats.in_bytes, stats.out_bytes]
    } else {
        [
            stats.conns_per_s,
            stats.in_packets_per_s,
            stats.out_packets_per_s,
            stats.in_bytes_per_s,
            stats.out_bytes_per_s,
        ]
    }
}

/// A counter in nine columns: from 100 million on in thousands, from a billion on in millions, and so on.
fn large(out: &mut String, number: u64, format: Format) {
    const BILLION: u64 = 1_000_000_000;
    let _ = match number {
        _ if format.exact => {
            let digits = number.to_string();
            let width = if digits.len() <= 8 { 9 } else { digits.len() + 1 };
            write!(out, "{digits:>width$}")
        }
        0..100_000_000 => write!(out, "{number:>9}"),
        100_000_000..BILLION => write!(out, "{:>8}K", number / 1000),
        BILLION..100_000_000_000 => write!(out, "{:>8}M", number / 1_000_000),
        100_000_000_000..100_000_000_000_000 => write!(out, "{:>8}G", number / BILLION),
        _ => write!(out, "{:>8}T", number / (1000 * BILLION)),
    };
}

/// `-L --timeout`
pub fn timeouts_text(timeouts: Timeouts) -> String {
    let Timeouts { tcp, tcp_fin, udp } = timeouts;
    format!("Timeout (tcp tcpfin udp): {tcp} {tcp_fin} {udp}\n")
}

/// A line of `-L --daemon`; its length of messages is the one that the kernel counts with.
pub fn daemon_text(role: SyncRole, daemon: &SyncDaemon, mtu: u32) -> String {
    let SyncDaemon { dev, id, group, port, ttl, .. } = daemon;
    let maxlen = daemon.effective_maxlen(role, mtu);
    let group = address(*group);
    format!(
        "{role} sync daemon (mcast={dev}, syncid={}, maxlen={maxlen}, group={group}, port={port}, ttl={ttl})\n",
        *id as i32
    )
}

/// The two lines above the connection table.
pub fn connections_title(format: Format) -> String {
    let [state, source, target] = ["state", "source", "virtual"];
    let end = match format.persistent {
        true => format!("{:<18} {:<16} pe_data", "destination", "pe name"),
        false => "destination".to_string(),
    };
    format!("IPVS connection entries\npro expire {state:<11} {source:<18} {target:<18} {end}\n")
}

/// One entry of it.
pub fn connection_text(connection: &Connection, format: Format, names: &mut dyn Names) -> String {
    let Connection { protocol, client, client_port, target, server, state, expires, pe } = connection;
    let word = match protocol {
        Protocol::Tcp => "TCP".to_string(),
        Protocol::Udp => "UDP".to_string(),
        Protocol::Sctp => "SCTP".to_string(),
        Protocol::Other(0) => "IP".to_string(),
        Protocol::Other(1) => "ICMP".to_string(),
        Protocol::Other(58) => "ICMPv6".to_string(),
        Protocol::Other(number) => format!("IP_{number}"),
    };
    let (addr, port) = match target {
        Target::Address { addr, port } => (*addr, *port),
        // A template that was given up has lost its port too.
        Target::Mark { family, mark } => {
            let port = if connection.is_given_up() { Connection::GIVEN_UP } else { Port(0) };
            (mark_address(*family, mark.get()), port)
        }
    };
    let expires = format!("{:02}:{:02}", expires / 60, expires % 60);
    let source = endpoint(*client, *client_port, *protocol, names);
    let target = endpoint(addr, port, *protocol, names);
    let server = endpoint(server.addr, server.port, *protocol, names);
    match pe.as_ref().filter(|_| format.persistent) {
        Some(pe) => format!(
            "{word:<3} {expires:<6} {state:<11} {source:<18} {target:<18} {server:<16} {:<18} {}\n",
            pe.name, pe.data
        ),
        None => format!("{word:<3} {expires:<6} {state:<11} {source:<18} {target:<18} {server}\n"),
    }
}

/// The kernel keeps the mark of a template in the first 32 bits of the address.
fn mark_address(family: Family, mark: u32) -> std::net::IpAddr {
    match family {
        Family::Ipv4 => std::net::Ipv4Addr::from_bits(mark).into(),
        Family::Ipv6 => std::net::Ipv6Addr::from_bits(u128::from(mark) << 96).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_in_nine_columns() {
        for (number, shown, exact) in [
            (0, "        0", "        0"),
            (99_999_999, " 99999999", " 99999999"),
            (100_000_000, "  100000K", " 100000000"),
            (999_999_999, "  999999K", " 999999999"),
            (1_000_000_000, "    1000M", " 1000000000"),
            (100_000_000_000, "     100G", " 100000000000"),
            (100_000_000_000_000, "     100T", " 100000000000000"),
        ] {
            let text = |exact| {
                let mut out = String::new();
                large(&mut out, number, Format { exact, ..Format::default() });
                out
            };
            assert_eq!((text(false).as_str(), text(true).as_str()), (shown, exact));
        }
    }
}
