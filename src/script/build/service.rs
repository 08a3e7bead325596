//! Services: their key, their settings, their servers.

use std::collections::BTreeMap;

use super::super::convert::{Row, Val};
use super::super::fault::{Checked, Fault};
use super::server;
use crate::model::{
    Family, Flags, Fwmark, Netmask, PeName, Persistence, Port, Protocol, Scheduler, Service, ServiceEntry,
    ServiceKey,
};

/// Which service a row names: exactly one of tcp, udp, sctp and fwmark.
pub fn key(row: &Row) -> Checked<ServiceKey> {
    const NAMES: [&str; 4] = ["tcp", "udp", "sctp", "fwmark"];
    let mut named = NAMES.iter().copied().filter(|name| row.has(name));
    let (Some(name), second) = (named.next(), named.next()) else {
        return Err(Fault::bad("a service is named by one of tcp, udp, sctp and fwmark; none is given")
            .hint("tcp = \"192.0.2.1:80\", or fwmark = 3"));
    };
    if let Some(second) = second {
        return Err(Fault::bad(format!(
            "a service is named by one of tcp, udp, sctp and fwmark; got '{name}' and '{second}'"
        ))
        .under(second));
    }
    if let Some(mark) = row.u32("fwmark") {
        let mark = Fwmark::new(mark).map_err(|why| Fault::bad(why).under("fwmark"))?;
        let family = if row.str("family") == Some("ipv6") { Family::Ipv6 } else { Family::Ipv4 };
        return Ok(ServiceKey::Mark { family, mark });
    }
    if row.has("family") {
        return Err(Fault::bad("'family' is for fwmark services; here the address says it").under("family"));
    }
    let protocol = match name {
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => Protocol::Tcp,
    };
    match row.get(name) {
        Val::Endpoint(addr, Some(port)) => Ok(ServiceKey::Address { protocol, addr: *addr, port: *port }),
        Val::Endpoint(addr, None) => {
            let example = crate::model::show_endpoint(*addr, Port(80));
            Err(Fault::bad(format!("bad value for '{name}': {addr} has no port; write \"{example}\""))
                .under(name))
        }
        _ => Err(Fault::bad(format!("bad value for '{name}'")).under(name)),
    }
}

/// A whole service from a row of `SERVICE`.
pub fn service(row: &Row) -> Checked<(ServiceKey, ServiceEntry)> {
    let key = key(row)?;
    let mut service = Service::default();
    settings(row, &key, &mut service)?;
    let mut servers = BTreeMap::new();
    for (at, val) in row.list("servers").iter().enumerate() {
        let Val::Row(row) = val else { continue };
        let here = |fault: Box<Fault>| fault.item(at + 1).under("servers");
        let (id, server) = server(row, &key).map_err(here)?;
        if servers.insert(id, server).is_some() {
            let fault = Fault::bad(format!("server {id} is twice in service {key}")).under("addr");
            return Err(here(fault));
        }
    }
    Ok((key, ServiceEntry { service, servers }))
}

/// The service as it will be: what is there, with the named fields exchanged.
pub fn change_service(row: &Row, key: &ServiceKey, from: &Service) -> Checked<Service> {
    let mut to = from.clone();
    settings(row, key, &mut to)?;
    Ok(to)
}

fn settings(row: &Row, key: &ServiceKey, service: &mut Service) -> Checked<()> {
    if let Some(name) = row.str("scheduler") {
        service.scheduler = Scheduler::new(name).map_err(|why| Fault::bad(why).under("scheduler"))?;
    }
    flags(row, service)?;
    persistence(row, key, service)?;
    match row.str("pe") {
        None => {}
        Some("none") => service.pe = None,
        Some(name) => service.pe = Some(PeName::new(name).map_err(|why| Fault::bad(why).under("pe"))?),
    }
    if service.persistence.is_none() && key.port() == Some(Port(0)) {
        return Err(Fault::bad(format!(
            "service {key} has port 0, which means every port and needs 'persistent'"
        ))
        .hint("persistent = 600, or name a port"));
    }
    Ok(())
}

/// The scheduler's flags are one field: named, they are replaced together; else they stay, whatever the scheduler.
fn flags(row: &Row, service: &mut Service) -> Checked<()> {
    if row.has("flags") {
        let scheduled = Flags::SCHED1.with(Flags::SCHED2).with(Flags::SCHED3);
        service.flags = service.flags.without(scheduled);
    }
    for (at, val) in row.list("flags").iter().enumerate() {
        if let Val::Int(bits) = val {
            let bits = raw_bits(*bits).map_err(|fault| fault.item(at + 1).under("flags"))?;
            service.flags = service.flags.with(bits);
        }
        let Val::Word(typed) = val else { continue };
        let Some((_, flag, owner)) = Flags::WORDS.iter().find(|(word, ..)| word == typed) else { continue };
        if let Some(owner) = owner
            && *owner != service.scheduler.name()
        {
            let here = service.scheduler.name();
            let mut own = Flags::WORDS.iter().filter(|word| word.2 == Some(here) && word.1 == *flag);
            let remedy = match own.next() {
                Some((word, ..)) => format!("use '{word}'"),
                None => format!("scheduler {here} has no such flag; leave it out"),
            };
            let text = format!("flag '{typed}' belongs to scheduler {owner}, not {here}; {remedy}");
            return Err(Fault::bad(text).item(at + 1).under("flags"));
        }
        service.flags = service.flags.with(*flag);
    }
    if let Some(ops) = row.bool("ops") {
        let bit = Flags::ONE_PACKET;
        service.flags = if ops { service.flags.with(bit) } else { service.flags.without(bit) };
        if ops && (row.has("tcp") || row.has("sctp")) {
            return Err(Fault::bad("'ops' is for udp and fwmark services").under("ops"));
        }
    }
    Ok(())
}

/// Bits that the kernel stores and nobody has named; an import carries them.
fn raw_bits(bits: i64) -> Checked<Flags> {
    let bits = u32::try_from(bits).unwrap_or_default();
    let nameless = Flags::from_bits(bits).without_words();
    if nameless == bits {
        return Ok(Flags::from_bits(bits));
    }
    let named = bits & !nameless;
    Err(Fault::bad(format!(
        "bits {named:#x} of flags have words of their own; write these, or leave them out"
    ))
    .hint("persistent, ops, and flags = { \"flag-1\", \"flag-2\", \"flag-3\" }"))
}

/// Of timeout and mask, what is not named stays as it is.
fn persistence(row: &Row, key: &ServiceKey, service: &mut Service) -> Checked<()> {
    let family = key.family();
    let now = service.persistence.unwrap_or(Persistence::seconds(Persistence::DEFAULT_SECONDS, family));
    service.persistence = match row.get("persistent") {
        Val::Nil => return Ok(()),
        Val::Bool(false) => None,
        Val::Bool(true) => Some(Persistence { timeout: Persistence::DEFAULT_SECONDS, ..now }),
        Val::Seconds(timeout) => Some(Persistence { timeout: *timeout as u32, ..now }),
        Val::Row(spec) => {
            let timeout = spec.seconds("timeout").map_or(now.timeout, |seconds| seconds as u32);
            let netmask = netmask(spec, family, now.netmask).map_err(|why| {
                Fault::bad(format!("bad value for 'netmask': {why}")).under("netmask").under("persistent")
            })?;
            Some(Persistence { timeout, netmask })
        }
        _ => return Ok(()),
    };
    Ok(())
}

fn netmask(spec: &Row, family: Family, now: Netmask) -> Result<Netmask, String> {
    match spec.get("netmask") {
        Val::Int(length) => Netmask::prefix(u8::try_from(*length).unwrap_or(0), family),
        Val::Str(text) => {
            if let Ok(length) = text.trim_start_matches('/').parse::<u8>() {
                return Netmask::prefix(length, family);
            }
            match (family, text.parse()) {
                (Family::Ipv4, Ok(mask)) => Netmask::v4(mask),
                (Family::Ipv4, Err(_)) => Err(format!("\"{text}\" is not a mask like 255.255.255.0")),
                (Family::Ipv6, _) => Err(format!("\"{text}\" is not a prefix length; write netmask = 64")),
            }
        }
        _ => Ok(now),
    }
}
