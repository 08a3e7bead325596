//! Services of a policy file, with their servers or the name of their list.

use std::collections::BTreeMap;

use super::layout::{comment, fields, fits, indent, inline, rows};
use super::marks::alike;
use super::names::Names;
use crate::model::{
    Family, Flags, Forwarding, Netmask, Port, Scheduler, Server, ServerKey, Service, ServiceEntry,
    ServiceKey, State, Tunnel, Weight,
};
use crate::view::lua::quoted;
use crate::view::value::tunnel_value;

/// Servers as a policy names them, so that two services on different ports can have the same ones: without the port
/// where it is the service's.
pub type Servers = Vec<(String, ServerWords)>;

/// What is said of a server beside its address; ordered, to find equal lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerWords {
    method: Forwarding,
    weight: Weight,
    /// `upper = 100`, `tunnel = { … }`: what few servers have.
    rest: Vec<String>,
}

pub fn servers(key: &ServiceKey, entry: &ServiceEntry) -> Servers {
    let own = key.port().unwrap_or_default();
    let one = |(id, server): (&ServerKey, &Server)| {
        let name = if id.port == own { id.addr.to_string() } else { with_port(id) };
        (name, words(server))
    };
    entry.servers.iter().map(one).collect()
}

/// `192.0.2.1:0` too, which a key prints as the address alone.
fn with_port(id: &ServerKey) -> String {
    crate::model::show_endpoint(id.addr, id.port)
}

fn words(server: &Server) -> ServerWords {
    let mut rest = Vec::new();
    if server.upper != 0 {
        rest.push(format!("upper = {}", server.upper));
    }
    if server.lower != 0 {
        rest.push(format!("lower = {}", server.lower));
    }
    if server.tunnel != Tunnel::default() {
        rest.push(format!("tunnel = {}", tunnel(&server.tunnel)));
    }
    ServerWords { method: server.method, weight: server.weight, rest }
}

fn tunnel(tunnel: &Tunnel) -> String {
    let value = tunnel_value(tunnel);
    let mut cells = vec![format!("type = \"{}\"", tunnel.kind)];
    if tunnel.port != Port(0) {
        cells.push(format!("port = {}", tunnel.port));
    }
    if value["checksum"] != "none" {
        cells.push(format!("checksum = {}", value["checksum"]));
    }
    inline(&cells)
}

/// The cells of each server, and how many of them stand under each other. A method or weight that one server has is
/// said for all, so that the eye finds what differs.
pub fn columns(list: &Servers) -> (Vec<Vec<String>>, usize) {
    let methods = list.iter().any(|(_, words)| words.method != Forwarding::default());
    let weights = list.iter().any(|(_, words)| words.weight != Weight::default());
    let one = |(name, words): &(String, ServerWords)| {
        let mut cells = vec![format!("addr = {}", quoted(name))];
        if methods {
            cells.push(format!("method = \"{}\"", words.method));
        }
        if weights {
            cells.push(format!("weight = {}", words.weight));
        }
        cells.extend(words.rest.iter().cloned());
        cells
    };
    let fixed = 1 + usize::from(methods) + usize::from(weights);
    (list.iter().map(one).collect(), fixed)
}

/// The field `service`.
pub fn services(state: &State, warnings: &BTreeMap<ServiceKey, Vec<String>>, names: &Names) -> Vec<String> {
    let said = |key: &ServiceKey| -> Vec<String> {
        warnings.get(key).into_iter().flatten().flat_map(|text| comment(text)).collect()
    };
    let mut all = state.services.iter();
    if let (Some((key, entry)), None) = (all.next(), all.next()) {
        let mut out = said(key);
        out.extend(fields(&[("service".to_string(), block(key, entry, names))]));
        return out;
    }
    let mut lines = Vec::new();
    let mut run: Vec<Vec<String>> = Vec::new();
    for (key, entry) in &state.services {
        let comments = said(key);
        let short = short(key, entry, names);
        if short.is_none() || !comments.is_empty() {
            flush(&mut run, &mut lines);
        }
        lines.extend(comments);
        match short {
            Some(cells) => run.push(cells),
            None => {
                let mut block = block(key, entry, names);
                if let Some(last) = block.last_mut() {
                    last.push(',');
                }
                lines.extend(block);
            }
        }
    }
    flush(&mut run, &mut lines);
    if lines.is_empty() {
        return lines;
    }
    let mut out = vec!["service = {".to_string()];
    out.extend(indent(lines));
    out.push("},".to_string());
    out
}

/// Services of one line each, under each other.
fn flush(run: &mut Vec<Vec<String>>, lines: &mut Vec<String>) {
    lines.extend(rows(run, alike(run)));
    run.clear();
}

/// A service on one line, if its servers have a name or it has none.
fn short(key: &ServiceKey, entry: &ServiceEntry, names: &Names) -> Option<Vec<String>> {
    let list = servers(key, entry);
    let mut cells: Vec<String> = settings(key, &entry.service, names)
        .into_iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    match names.pool(&list) {
        Some(name) => cells.push(format!("servers = {name}")),
        None if list.is_empty() => {}
        None => return None,
    }
    fits(&inline(&cells)).then_some(cells)
}

fn block(key: &ServiceKey, entry: &ServiceEntry, names: &Names) -> Vec<String> {
    let list = servers(key, entry);
    let mut all: Vec<(String, Vec<String>)> =
        settings(key, &entry.service, names).into_iter().map(|(name, value)| (name, vec![value])).collect();
    match names.pool(&list) {
        Some(name) => all.push(("servers".to_string(), vec![name.to_string()])),
        None if list.is_empty() => {}
        None => {
            let (cells, uniform) = columns(&list);
            let mut lines = vec!["{".to_string()];
            lines.extend(indent(rows(&cells, uniform)));
            lines.push("}".to_string());
            all.push(("servers".to_string(), lines));
        }
    }
    let mut out = vec!["{".to_string()];
    out.extend(indent(fields(&all)));
    out.push("}".to_string());
    out
}

/// What names it and what is not as usual.
fn settings(key: &ServiceKey, service: &Service, names: &Names) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut say = |name: &str, value: String| out.push((name.to_string(), value));
    match key {
        ServiceKey::Address { protocol, addr, port } => {
            say(&protocol.to_string(), names.endpoint(*addr, *port));
        }
        ServiceKey::Mark { family, mark } => {
            say("fwmark", mark.to_string());
            if *family == Family::Ipv6 {
                say("family", "\"ipv6\"".to_string());
            }
        }
    }
    if service.scheduler != Scheduler::default() {
        say("scheduler", quoted(service.scheduler.name()));
    }
    let flags = flags(service.flags, &service.scheduler);
    if !flags.is_empty() {
        say("flags", inline(&flags));
    }
    if let Some(hold) = &service.persistence {
        let netmask = match hold.netmask {
            Netmask::V4(mask) => quoted(&mask.to_string()),
            Netmask::V6(length) => length.to_string(),
        };
        say(
            "persistent",
            match hold.netmask.is_host() {
                true => hold.timeout.to_string(),
                false => format!("{{ timeout = {}, netmask = {netmask} }}", hold.timeout),
            },
        );
    }
    if let Some(pe) = &service.pe {
        say("pe", quoted(pe.name()));
    }
    if service.one_packet() {
        say("ops", "true".to_string());
    }
    out
}

/// Words, and bits that have none as a number.
fn flags(flags: Flags, scheduler: &Scheduler) -> Vec<String> {
    let words = flags.words(scheduler).into_iter().map(quoted);
    let rest = flags.without_words();
    words.chain((rest != 0).then(|| format!("{rest:#x}"))).collect()
}
