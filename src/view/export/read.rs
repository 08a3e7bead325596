//! A dump from JSON, strictly: what is unknown, twice or out of range is an error that says where.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;

use super::json::{Document, Flag, MarkRow, Persistent, Ports, ServiceRow, SyncRow, TunnelRow};
use super::paths;
use crate::model::{
    Family, Flags, Fwmark, IfName, MarkEntry, MarkSelector, Netmask, PeName, Persistence, Port, PortRange,
    Scheduler, Server, Service, ServiceEntry, ServiceKey, State, SyncDaemon, SysctlName, Timeouts, Tunnel,
    Vip, VipKey, Weight,
};
use crate::plan::{Dump, Says};
use crate::view::json::FORMAT_VERSION;

/// Reads a document; the error says where and what.
pub fn read_json(text: &str) -> Result<Dump, String> {
    let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let major = |version: &str| version.split('.').next().unwrap_or_default().to_string();
    if major(&document.format_version) != major(FORMAT_VERSION) {
        let version = document.format_version;
        return Err(format!("its format_version is {version:?}; this lvsh reads {FORMAT_VERSION:?}"));
    }
    let mut state = State { timeouts: Timeouts::NONE, ..State::default() };
    let says = Says {
        marks: document.marks.is_some(),
        vips: document.vips.is_some(),
        paths: together([("rules", document.rules.is_some()), ("routes", document.routes.is_some())])?,
        tunnels: together([
            ("tunnels", document.tunnels.is_some()),
            ("gue_ports", document.gue_ports.is_some()),
        ])?,
        timeouts: document.timeouts.is_some(),
        syncs: document.syncs.is_some(),
    };
    for (at, row) in document.services.into_iter().enumerate() {
        let here = |why: String| format!("services[{at}]: {why}");
        let (key, entry) = read_service(row).map_err(here)?;
        once(state.services.insert(key, Arc::new(entry)), &key).map_err(here)?;
    }
    for (at, row) in document.marks.into_iter().flatten().enumerate() {
        let here = |why: String| format!("marks[{at}]: {why}");
        let (selector, entry) = read_mark(row).map_err(here)?;
        once(state.marks.insert(selector.clone(), entry), &selector).map_err(here)?;
    }
    for (at, row) in document.vips.into_iter().flatten().enumerate() {
        let here = |why: String| format!("vips[{at}]: {why}");
        let addr =
            row.addr.parse().map_err(|_| here(format!("'{}' is not an address with a prefix", row.addr)))?;
        let key = VipKey { addr, dev: IfName::new(&row.dev).map_err(here)? };
        once(state.vips.insert(key.clone(), Vip { proto: row.proto }), &key).map_err(here)?;
    }
    state.rules = paths::read_rules(document.rules.unwrap_or_default())?;
    state.routes = paths::read_routes(document.routes.unwrap_or_default())?;
    state.tunnels = paths::read_tunnels(document.tunnels.unwrap_or_default())?;
    state.fous = paths::read_ports(document.gue_ports.unwrap_or_default())?;
    for (name, value) in document.sysctls {
        let name = SysctlName::new(&name).map_err(|why| format!("sysctls: {why}"))?;
        state.sysctls.insert(name, value);
    }
    state.timeouts = document.timeouts.unwrap_or(Timeouts::NONE);
    for (at, row) in document.syncs.into_iter().flatten().enumerate() {
        let here = |why: String| format!("syncs[{at}]: {why}");
        let SyncRow { role, dev, id, group, port, ttl, maxlen } = row;
        let dev = IfName::new(&dev).map_err(here)?;
        let daemon = SyncDaemon { dev, id, maxlen, group, port, ttl };
        once(state.syncs.insert(role, daemon), &role).map_err(here)?;
    }
    Ok(Dump { state, says })
}

/// Whether both are said. One without the other would be taken for "there is none".
fn together([one, other]: [(&str, bool); 2]) -> Result<bool, String> {
    match (one, other) {
        ((_, first), (_, second)) if first == second => Ok(first),
        ((there, true), (missing, _)) | ((missing, _), (there, _)) => {
            Err(format!("'{there}' is there without '{missing}'; an empty list says that there is none"))
        }
    }
}

pub(super) fn once<T>(before: Option<T>, key: &impl Display) -> Result<(), String> {
    before.map_or(Ok(()), |_| Err(format!("{key} is there twice")))
}

fn read_service(row: ServiceRow) -> Result<(ServiceKey, ServiceEntry), String> {
    let key: ServiceKey = row.service.parse()?;
    let mut flags = Flags::default();
    for flag in row.flags {
        flags = flags.with(match flag {
            Flag::Bits(bits) => Flags::from_bits(bits),
            Flag::Word(word) => match Flags::WORDS.iter().find(|(known, ..)| *known == word) {
                Some((_, flag, _)) => *flag,
                None => return Err(format!("{key}: '{word}' is not a flag")),
            },
        });
    }
    if row.ops {
        flags = flags.with(Flags::ONE_PACKET);
    }
    let here = |why: String| format!("{key}: {why}");
    let persistence = match row.persistent {
        None => None,
        Some(Persistent::Seconds(timeout)) => Some(Persistence::seconds(timeout, key.family())),
        Some(Persistent::Network { timeout, netmask }) => {
            let netmask = match key.family() {
                Family::Ipv4 => netmask.parse().ok().map(Netmask::V4),
                Family::Ipv6 => {
                    netmask.parse().ok().filter(|length| (1..=128).contains(length)).map(Netmask::V6)
                }
            };
            let netmask = netmask.ok_or_else(|| here("its netmask is not one of its family".to_string()))?;
            Some(Persistence { timeout, netmask })
        }
    };
    let pe = row.pe.map(|pe| PeName::new(&pe)).transpose().map_err(here)?;
    let scheduler = Scheduler::new(&row.scheduler).map_err(here)?;
    let mut servers = BTreeMap::new();
    for row in row.servers {
        let id = row.server.parse().map_err(here)?;
        let here = |why: String| format!("{key} {id}: {why}");
        let tunnel = match row.tunnel {
            None => Tunnel::default(),
            Some(TunnelRow { r#type, port, flags }) => {
                Tunnel { kind: r#type.parse().map_err(here)?, port: Port(port), flags }
            }
        };
        let (method, weight) = (row.method.parse().map_err(here)?, Weight::new(row.weight).map_err(here)?);
        let server = Server { method, weight, upper: row.upper, lower: row.lower, tunnel };
        once(servers.insert(id, server), &id).map_err(|why| format!("{key}: {why}"))?;
    }
    Ok((key, ServiceEntry { service: Service { scheduler, flags, persistence, pe }, servers }))
}

fn read_mark(row: MarkRow) -> Result<(MarkSelector, MarkEntry), String> {
    let net = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => match (text.parse(), text.parse::<IpAddr>()) {
            (Ok(net), _) => Ok(Some(net)),
            (_, Ok(addr)) => Ok(Some(ipnet::IpNet::from(addr))),
            _ => Err(format!("'{text}' is not an address or network")),
        },
    };
    let ports = |ports: Ports| match ports {
        Ports::One(port) => Ok(PortRange::one(port)),
        Ports::Range(text) => {
            let (first, last) = text.split_once('-').unwrap_or((&text, &text));
            match (first.parse(), last.parse()) {
                (Ok(first), Ok(last)) => PortRange::new(first, last),
                _ => Err(format!("'{text}' is not a range of ports")),
            }
        }
    };
    let selector = MarkSelector {
        hook: row.hook,
        family: row.family,
        daddr: net(row.daddr)?,
        protocol: row.proto.map(|text| text.parse()).transpose()?,
        dport: row.dport.map(ports).transpose()?,
        saddr: net(row.saddr)?,
        iif: row.iif.map(|name| IfName::new(&name)).transpose()?,
    };
    Ok((selector.canonical(), MarkEntry { mark: Fwmark::new(row.mark)?, owner: row.policy }))
}
