//! Real servers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::super::convert::{Row, Val};
use super::super::fault::{Checked, Fault};
use crate::model::{
    Family, Forwarding, Port, Server, ServerKey, ServiceKey, Tunnel, TunnelKind, Weight, show_endpoint,
};

/// A whole server from a row of `SERVER`.
pub fn server(row: &Row, service: &ServiceKey) -> Checked<(ServerKey, Server)> {
    let Val::Endpoint(addr, port) = row.get("addr") else {
        return Err(Fault::bad("missing field 'addr' in a server"));
    };
    let key = ServerKey { addr: *addr, port: port.unwrap_or_else(|| default_port(service)) };
    let mut server = Server::default();
    settings(row, service, &key, &mut server)?;
    Ok((key, server))
}

/// The server as it will be: what is there, with the named fields exchanged.
pub fn change_server(row: &Row, service: &ServiceKey, key: &ServerKey, from: &Server) -> Checked<Server> {
    let mut to = *from;
    settings(row, service, key, &mut to)?;
    Ok(to)
}

/// The service's port; for a mark service 0, "as the client asked".
fn default_port(service: &ServiceKey) -> Port {
    service.port().unwrap_or_default()
}

/// Which server an address means: with a port exactly that one, without it the service's port, or the only server
/// of this address.
pub fn find_server(
    servers: &BTreeMap<ServerKey, Server>,
    service: &ServiceKey,
    addr: IpAddr,
    port: Option<Port>,
) -> Checked<ServerKey> {
    let key = ServerKey { addr, port: port.unwrap_or_else(|| default_port(service)) };
    if port.is_some() || servers.contains_key(&key) {
        return Ok(key);
    }
    let same: Vec<&ServerKey> = servers.keys().filter(|other| other.addr == addr).collect();
    match same.as_slice() {
        [] => Ok(key),
        [one] => Ok(**one),
        several => {
            let names: Vec<String> = several.iter().map(|key| key.to_string()).collect();
            Err(Fault::bad(format!("{addr} is several servers of {service}: {}", names.join(", ")))
                .hint("name the port"))
        }
    }
}

fn settings(row: &Row, service: &ServiceKey, key: &ServerKey, server: &mut Server) -> Checked<()> {
    if let Some(method) = row.str("method") {
        server.method = match method {
            "nat" => Forwarding::Nat,
            "tun" => Forwarding::Tun,
            _ => Forwarding::Dr,
        };
        if server.method != Forwarding::Tun {
            server.tunnel = Tunnel::default();
        }
    }
    if let Some(weight) = row.u32("weight") {
        server.weight = Weight::new(weight).map_err(|why| Fault::bad(why).under("weight"))?;
    }
    server.upper = row.u32("upper").unwrap_or(server.upper);
    server.lower = row.u32("lower").unwrap_or(server.lower);
    if server.lower > server.upper {
        let (lower, upper) = (server.lower, server.upper);
        let field = if row.has("lower") { "lower" } else { "upper" };
        return Err(Fault::bad(format!("'lower' ({lower}) is above 'upper' ({upper})"))
            .hint("new connections stop above upper and begin again below lower")
            .under(field));
    }
    if let Some(spec) = row.row("tunnel") {
        if server.method != Forwarding::Tun {
            return Err(Fault::bad(format!(
                "'tunnel' is for method \"tun\"; this server's is \"{}\"",
                server.method
            ))
            .under("tunnel"));
        }
        server.tunnel = tunnel(spec, server.tunnel).map_err(|fault| fault.under("tunnel"))?;
    }
    fits(row, service, key, server)
}

/// The tunnel as it will be: what is not named stays, but for the port, which belongs to gue.
fn tunnel(spec: &Row, now: Tunnel) -> Checked<Tunnel> {
    let kind = match spec.str("type") {
        Some("gue") => TunnelKind::Gue,
        Some("gre") => TunnelKind::Gre,
        Some(_) => TunnelKind::Ipip,
        None => now.kind,
    };
    let flags = match spec.str("checksum") {
        Some("csum") => 1,
        Some("remcsum") => 2,
        Some(_) => 0,
        None => now.flags,
    };
    let kept = Some(now.port).filter(|port| *port != Port(0));
    match (kind, spec.u16("port").map(Port)) {
        (TunnelKind::Gue, named) => match named.or(kept) {
            Some(port) => Ok(Tunnel { kind, port, flags }),
            None => Err(Fault::bad("missing field 'port' in a tunnel: gue needs its UDP port")),
        },
        (_, None) => Ok(Tunnel { kind, port: Port(0), flags }),
        (kind, Some(_)) => {
            Err(Fault::bad(format!("'port' is for type \"gue\"; this tunnel's is \"{kind}\"")).under("port"))
        }
    }
}

/// What a method cannot do.
fn fits(row: &Row, service: &ServiceKey, key: &ServerKey, server: &Server) -> Checked<()> {
    let at = if row.has("addr") { "addr" } else { "method" };
    let tunnelled = server.method == Forwarding::Tun;
    if key.family() != service.family() && !tunnelled {
        let (theirs, ours) = (words(key.family()), words(service.family()));
        return Err(Fault::bad(format!(
            "{} is an {theirs} server in an {ours} service, which needs method \"tun\"; got \"{}\"",
            key.addr, server.method
        ))
        .under(at));
    }
    let own = default_port(service);
    if key.port != own && server.method != Forwarding::Nat {
        let how = if tunnelled { "a tunnel" } else { "direct routing" };
        let kept = match service.port() {
            Some(port) => show_endpoint(key.addr, port),
            None => key.addr.to_string(),
        };
        return Err(Fault::bad(format!(
            "{how} cannot change the port: server {key}, service {service}; write \"{kept}\" or use method \"nat\""
        ))
        .under(at));
    }
    Ok(())
}

fn words(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}
