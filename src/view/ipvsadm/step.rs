//! Steps as arguments of ipvsadm(8), complete enough to be run.

use crate::model::{
    Family, Forwarding, Port, Protocol, Server, ServerKey, Service, ServiceKey, SyncDaemon, Tunnel,
    TunnelKind, show_endpoint,
};
use crate::plan::Step;

/// `-e -f 3 -r 192.168.1.109 -g -w 4`; `None` for what ipvsadm has no words for (marks, addresses, sysctls).
pub fn ipvsadm(step: &Step) -> Option<String> {
    use Step::*;
    Some(match step {
        AddService { key, service } => format!("-A {} {}", service_name(key)?, ipvsadm_service(service)),
        SetService { key, to, .. } => format!("-E {} {}", service_name(key)?, ipvsadm_service(to)),
        DelService { key, .. } => format!("-D {}", service_name(key)?),
        AddServer { service, key, server } => {
            format!(
                "-a {} -r {} {}",
                service_name(service)?,
                server_name(service, key),
                server_words(server)?
            )
        }
        SetServer { service, key, to, .. } => {
            format!("-e {} -r {} {}", service_name(service)?, server_name(service, key), server_words(to)?)
        }
        DelServer { service, key, .. } => {
            format!("-d {} -r {}", service_name(service)?, server_name(service, key))
        }
        SetTimeouts { to, .. } => format!("--set {} {} {}", to.tcp, to.tcp_fin, to.udp),
        StartSync { role, daemon } => format!("--start-daemon {role} {}", daemon_words(daemon)),
        StopSync { role, .. } => format!("--stop-daemon {role}"),
        AddMark { .. } | SetMark { .. } | DelMark { .. } => return None,
        AddVip { .. } | SetVip { .. } | DelVip { .. } | SetSysctl { .. } => return None,
    })
}

/// `-t 192.0.2.1:80`, `-f 3`, `-f 3 -6`; `None` for protocols that ipvsadm cannot name.
fn service_name(key: &ServiceKey) -> Option<String> {
    Some(match key {
        ServiceKey::Address { protocol, addr, port } => {
            let option = match protocol {
                Protocol::Tcp => "-t",
                Protocol::Udp => "-u",
                Protocol::Sctp => "--sctp-service",
                Protocol::Other(_) => return None,
            };
            format!("{option} {}", show_endpoint(*addr, *port))
        }
        ServiceKey::Mark { family: Family::Ipv4, mark } => format!("-f {mark}"),
        ServiceKey::Mark { family: Family::Ipv6, mark } => format!("-f {mark} -6"),
    })
}

/// `-s sh -p 600 -M 255.255.255.0 --pe sip -o -b sh-fallback`, in the order of `ipvsadm -S`.
pub fn ipvsadm_service(service: &Service) -> String {
    let mut words = vec![format!("-s {}", service.scheduler)];
    if let Some(hold) = &service.persistence {
        words.push(format!("-p {}", hold.timeout));
        if !hold.netmask.is_host() {
            words.push(format!("-M {}", hold.netmask));
        }
    }
    if let Some(pe) = &service.pe {
        words.push(format!("--pe {pe}"));
    }
    if service.one_packet() {
        words.push("-o".to_string());
    }
    let flags = service.flags.words(&service.scheduler);
    if !flags.is_empty() {
        words.push(format!("-b {}", flags.join(",")));
    }
    words.join(" ")
}

/// Without a port ipvsadm takes the service's, so the port is left out only where that is 0 as well. An IPv6
/// address has its port always: in brackets ipvsadm does not take it without, and without them its last part could be
/// read as one.
fn server_name(service: &ServiceKey, key: &ServerKey) -> String {
    match (service.port(), key.port, key.addr) {
        (None | Some(Port(0)), Port(0), std::net::IpAddr::V4(addr)) => addr.to_string(),
        (_, port, addr) => show_endpoint(addr, port),
    }
}

fn server_words(server: &Server) -> Option<String> {
    let method = match server.method {
        Forwarding::Dr => "-g",
        Forwarding::Nat => "-m",
        Forwarding::Tun => "-i",
        Forwarding::Other(_) => return None,
    };
    let mut words = vec![format!("{method} -w {}", server.weight)];
    if server.upper != 0 || server.lower != 0 {
        words.push(format!("-x {} -y {}", server.upper, server.lower));
    }
    if server.tunnel != Tunnel::default() {
        words.push(format!("--tun-type {}", server.tunnel.kind));
        if server.tunnel.kind == TunnelKind::Gue {
            words.push(format!("--tun-port {}", server.tunnel.port));
        }
        match server.tunnel.flags & 3 {
            1 => words.push("--tun-csum".to_string()),
            2 => words.push("--tun-remcsum".to_string()),
            _ => {}
        }
    }
    Some(words.join(" "))
}

pub(super) fn daemon_words(daemon: &SyncDaemon) -> String {
    let mut words = vec![format!("--mcast-interface {} --syncid {}", daemon.dev, daemon.id)];
    if daemon.maxlen != 0 {
        words.push(format!("--sync-maxlen {}", daemon.maxlen));
    }
    if daemon.group != SyncDaemon::DEFAULT_GROUP {
        words.push(format!("--mcast-group {}", daemon.group));
    }
    if daemon.port != SyncDaemon::DEFAULT_PORT {
        words.push(format!("--mcast-port {}", daemon.port));
    }
    if daemon.ttl != SyncDaemon::DEFAULT_TTL {
        words.push(format!("--mcast-ttl {}", daemon.ttl));
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_that_ipvsadm_knows() {
        let lines: Vec<String> = crate::view::samples::steps().iter().filter_map(ipvsadm).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
