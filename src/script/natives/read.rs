//! The fields of records.

use mlua::{IntoLua, Lua, Table, Value};

use super::want_service;
use crate::error::{Error, Kind};
use crate::model::{
    Family, Port, Protocol, Server, ServerKey, ServerLive, Service, ServiceKey, Stats, TunnelKind,
    show_endpoint,
};
use crate::script::fault::{Checked, Fault};
use crate::script::host::Host;
use crate::script::records::{Id, Records, lua_fault};
use crate::script::schema::{COUNTERS_RECORD, PERSISTENCE_RECORD, TUNNEL_RECORD};

/// One field of a service or server, as it is now.
pub fn field(lua: &Lua, host: &Host, records: &Records, id: &Id, name: &str) -> Checked<Value> {
    match id {
        Id::Service(key) => service(lua, host, records, key, name),
        Id::Server(service, key) => server(lua, host, records, service, key, name),
        Id::Plain(_, data) | Id::List(data) => data.raw_get(name).map_err(lua_fault),
        Id::Walk(_) | Id::Sim(_) => Ok(Value::Nil),
    }
}

fn gone(what: &str, name: String) -> Error {
    Error::new(Kind::Refused, "ENOENT", format!("{what} {name} is not there any more")).about(name)
}

pub fn server_count(host: &Host, key: &ServiceKey) -> Checked<usize> {
    let count = host
        .with(|session| Ok(session.see(&want_service(key))?.service(key).map(|entry| entry.servers.len())))?;
    count.ok_or_else(|| Fault::new(gone("service", key.to_string())))
}

/// A service's key as Lua: `{ fwmark = 3 }`.
pub fn spec(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Address { protocol, addr, port } => {
            format!("{{ {protocol} = \"{}\" }}", show_endpoint(*addr, *port))
        }
        ServiceKey::Mark { family: Family::Ipv4, mark } => format!("{{ fwmark = {mark} }}"),
        ServiceKey::Mark { family: Family::Ipv6, mark } => {
            format!("{{ fwmark = {mark}, family = \"ipv6\" }}")
        }
    }
}

fn service(lua: &Lua, host: &Host, records: &Records, key: &ServiceKey, name: &str) -> Checked<Value> {
    match name {
        "key" => return text(lua, &key.to_string()),
        "family" => return text(lua, &key.family().to_string()),
        "tcp" | "udp" | "sctp" | "fwmark" => {
            return match (key, name) {
                (ServiceKey::Mark { mark, .. }, "fwmark") => Ok(Value::Integer(mark.get().into())),
                (ServiceKey::Address { protocol, addr, port }, name) if named(*protocol) == name => {
                    text(lua, &show_endpoint(*addr, *port))
                }
                _ => Ok(Value::Nil),
            };
        }
        _ => {}
    }
    let want = want_service(key);
    if name == "servers" {
        let keys = host.with(|session| {
            let entry = session.see(&want)?.service(key).ok_or_else(|| gone("service", key.to_string()))?;
            Ok(entry.servers.keys().copied().collect::<Vec<_>>())
        })?;
        let made = keys.into_iter().map(|server| records.make(lua, Id::Server(*key, server)));
        return records.list(lua, made.collect::<Checked<Vec<_>>>()?);
    }
    if name == "stats" || name == "rates" {
        let stats = host.with(|session| {
            let (state, observed) = session.see_live(&want)?;
            state.service(key).ok_or_else(|| gone("service", key.to_string()))?;
            Ok(observed.services.get(key).copied().unwrap_or_default())
        })?;
        return counters(lua, records, &stats, name == "rates");
    }
    let service = host.with(|session| {
        let entry = session.see(&want)?.service(key).ok_or_else(|| gone("service", key.to_string()))?;
        Ok(entry.service.clone())
    })?;
    setting(lua, records, &service, name)
}

fn named(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
        Protocol::Other(_) => "",
    }
}

fn setting(lua: &Lua, records: &Records, service: &Service, name: &str) -> Checked<Value> {
    match name {
        "scheduler" => text(lua, service.scheduler.name()),
        "flags" => {
            let words = service.flags.words(&service.scheduler);
            let words = words.into_iter().map(|word| text(lua, word)).collect::<Checked<Vec<_>>>()?;
            records.list(lua, words)
        }
        "persistent" => match &service.persistence {
            None => Ok(Value::Nil),
            Some(hold) if hold.netmask.is_host() => Ok(Value::Integer(hold.timeout.into())),
            Some(hold) => {
                let data = table(lua)?;
                set(&data, "timeout", hold.timeout)?;
                set(&data, "netmask", hold.netmask.to_string())?;
                records.plain(lua, &PERSISTENCE_RECORD, data)
            }
        },
        "pe" => match &service.pe {
            Some(pe) => text(lua, pe.name()),
            None => Ok(Value::Nil),
        },
        "ops" => Ok(Value::Boolean(service.one_packet())),
        _ => Ok(Value::Nil),
    }
}

fn server(
    lua: &Lua,
    host: &Host,
    records: &Records,
    service: &ServiceKey,
    key: &ServerKey,
    name: &str,
) -> Checked<Value> {
    match name {
        "addr" => return text(lua, &key.addr.to_string()),
        "port" => return Ok(Value::Integer(key.port.0.into())),
        "service" => return text(lua, &service.to_string()),
        _ => {}
    }
    let (server, live): (Server, ServerLive) = host.with(|session| {
        let (state, observed) = session.see_live(&want_service(service))?;
        let server = state.server(service, key).ok_or_else(|| gone("server", format!("{service} {key}")))?;
        Ok((*server, observed.servers.get(&(*service, *key)).copied().unwrap_or_default()))
    })?;
    let number = |number: u32| Ok(Value::Integer(number.into()));
    match name {
        "method" => text(lua, &server.method.to_string()),
        "weight" => number(server.weight.get()),
        "upper" => number(server.upper),
        "lower" => number(server.lower),
        "active" => number(live.active),
        "inactive" => number(live.inactive),
        "persist" => number(live.persist),
        "stats" => counters(lua, records, &live.stats, false),
        "rates" => counters(lua, records, &live.stats, true),
        "tunnel" if server.method == crate::model::Forwarding::Tun => {
            let data = table(lua)?;
            set(&data, "type", server.tunnel.kind.to_string())?;
            if server.tunnel.kind == TunnelKind::Gue && server.tunnel.port != Port(0) {
                set(&data, "port", server.tunnel.port.0)?;
            }
            let checksum = match server.tunnel.flags {
                0 => "none",
                1 => "csum",
                _ => "remcsum",
            };
            set(&data, "checksum", checksum)?;
            records.plain(lua, &TUNNEL_RECORD, data)
        }
        _ => Ok(Value::Nil),
    }
}

fn counters(lua: &Lua, records: &Records, stats: &Stats, rates: bool) -> Checked<Value> {
    let numbers = if rates {
        [
            ("conns", stats.conns_per_s),
            ("in_packets", stats.in_packets_per_s),
            ("out_packets", stats.out_packets_per_s),
            ("in_bytes", stats.in_bytes_per_s),
            ("out_bytes", stats.out_bytes_per_s),
        ]
    } else {
        [
            ("conns", stats.conns),
            ("in_packets", stats.in_packets),
            ("out_packets", stats.out_packets),
            ("in_bytes", stats.in_bytes),
            ("out_bytes", stats.out_bytes),
        ]
    };
    let data = table(lua)?;
    for (name, number) in numbers {
        // Lua's integers are signed; no counter gets there.
        set(&data, name, i64::try_from(number).unwrap_or(i64::MAX))?;
    }
    records.plain(lua, &COUNTERS_RECORD, data)
}

pub fn text(lua: &Lua, text: &str) -> Checked<Value> {
    lua.create_string(text).map(Value::String).map_err(lua_fault)
}

pub fn table(lua: &Lua) -> Checked<Table> {
    lua.create_table().map_err(lua_fault)
}

pub fn set(table: &Table, key: &str, value: impl IntoLua) -> Checked<()> {
    table.raw_set(key, value).map_err(lua_fault)
}
