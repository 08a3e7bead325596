//! Marks and addresses of a policy file: protocols and ports of one match are one entry again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use super::layout::{comment, fields, fits, indent, inline, rows};
use super::names::Names;
use crate::model::{Fwmark, Hook, MarkSelector, PortRange, Protocol, ServiceKey, State};
use crate::view::lua::quoted;
use crate::view::value::net_text;

/// One table of the user: every protocol with every port.
#[derive(Debug)]
pub struct MarkSpec {
    pub mark: Fwmark,
    /// Without protocol and port.
    like: MarkSelector,
    protocols: Vec<Protocol>,
    ports: BTreeSet<PortRange>,
    owners: BTreeSet<String>,
}

impl MarkSpec {
    /// The one address it is for.
    pub fn host(&self) -> Option<IpAddr> {
        let daddr = self.like.daddr.filter(|net| net.prefix_len() == net.max_prefix_len());
        daddr.map(|net| net.addr())
    }
}

/// All marks, those that differ only in protocol or port together; sorted by mark.
pub fn mark_entries(state: &State) -> Vec<MarkSpec> {
    type Alike = (Fwmark, MarkSelector);
    /// By protocol, and whether ports are named.
    type Kinds = BTreeMap<(Option<Protocol>, bool), BTreeSet<PortRange>>;
    let mut alike: BTreeMap<Alike, Kinds> = BTreeMap::new();
    let mut owners: BTreeMap<Alike, BTreeSet<String>> = BTreeMap::new();
    for (selector, entry) in &state.marks {
        let like = (entry.mark, MarkSelector { protocol: None, dport: None, ..selector.clone() });
        owners.entry(like.clone()).or_default().insert(entry.owner.clone());
        let kinds = alike.entry(like).or_default();
        // With and without ports are two tables: a list has no word for every port.
        kinds.entry((selector.protocol, selector.dport.is_some())).or_default().extend(selector.dport);
    }
    let mut out = Vec::new();
    for (key, kinds) in alike {
        let mut same: BTreeMap<(bool, BTreeSet<PortRange>), Vec<Protocol>> = BTreeMap::new();
        for ((protocol, _), ports) in kinds {
            same.entry((protocol.is_some(), ports)).or_default().extend(protocol);
        }
        for ((_, ports), protocols) in same {
            let owners = owners.get(&key).cloned().unwrap_or_default();
            let (mark, like) = key.clone();
            out.push(MarkSpec { mark, like, protocols, ports, owners });
        }
    }
    out
}

/// The field `mark`.
pub fn marks(state: &State, name: &str, names: &Names) -> Vec<String> {
    let entries = mark_entries(state);
    let cells: Vec<Vec<String>> = entries.iter().map(|entry| cells(entry, names)).collect();
    let others: BTreeSet<&String> =
        entries.iter().flat_map(|entry| &entry.owners).filter(|owner| *owner != name).collect();
    let mut out = Vec::new();
    for owner in others {
        let text =
            format!("Marks of policy '{owner}' are among these; lvsh apply makes them this policy's own.");
        out.extend(comment(&text));
    }
    match cells.as_slice() {
        [] => {}
        [one] if fits(&inline(one)) => out.push(format!("mark = {},", inline(one))),
        several => {
            out.push("mark = {".to_string());
            let same = |a: &Vec<String>, b: &Vec<String>| {
                a.len() == b.len() && alike(&[a.clone(), b.clone()]) == a.len()
            };
            out.extend(several.chunk_by(same).flat_map(|run| indent(rows(run, run[0].len()))));
            out.push("},".to_string());
        }
    }
    out
}

/// How many fields all these tables begin with; what names a service counts as one, whichever it is.
pub fn alike(tables: &[Vec<String>]) -> usize {
    let name = |cell: &String| match cell.split(" =").next() {
        Some("tcp" | "udp" | "sctp" | "fwmark") => String::new(),
        name => name.unwrap_or_default().to_string(),
    };
    let Some(first) = tables.first() else { return 0 };
    let same = |table: &Vec<String>| first.iter().zip(table).take_while(|(a, b)| name(a) == name(b)).count();
    tables.iter().map(same).min().unwrap_or(0)
}

fn cells(entry: &MarkSpec, names: &Names) -> Vec<String> {
    let like = &entry.like;
    let net = |net: &IpNet| match net.prefix_len() == net.max_prefix_len() {
        true => names.address(net.addr()),
        false => quoted(&net_text(net)),
    };
    let mut cells = vec![format!("mark = {}", entry.mark)];
    if like.hook == Hook::Output {
        cells.push("output = true".to_string());
    }
    cells.extend(like.iif.as_ref().map(|iif| format!("iif = {}", quoted(iif.name()))));
    cells.extend(like.saddr.as_ref().map(|saddr| format!("saddr = {}", net(saddr))));
    cells.extend(like.daddr.as_ref().map(|daddr| format!("daddr = {}", net(daddr))));
    if like.saddr.is_none() && like.daddr.is_none() && like.family == crate::model::Family::Ipv6 {
        cells.push("family = \"ipv6\"".to_string());
    }
    let protocols: Vec<String> = entry.protocols.iter().map(|one| format!("\"{one}\"")).collect();
    match protocols.as_slice() {
        [] => {}
        [one] => cells.push(format!("proto = {one}")),
        several => cells.push(format!("proto = {}", inline(several))),
    }
    let port = |ports: &PortRange| match ports.is_one() {
        true => ports.first.to_string(),
        false => format!("\"{ports}\""),
    };
    let ports: Vec<String> = entry.ports.iter().map(port).collect();
    match ports.as_slice() {
        [] => {}
        [one] => cells.push(format!("dports = {one}")),
        several => cells.push(format!("dports = {}", inline(several))),
    }
    cells
}

/// The field `vip`, and a word on addresses that carry services and are the system's.
pub fn addresses(state: &State, names: &Names) -> Vec<String> {
    let of_services = state.services.keys().filter_map(|key| match key {
        ServiceKey::Address { addr, .. } => Some(*addr),
        ServiceKey::Mark { .. } => None,
    });
    let of_marks = state.marks.keys().filter_map(|selector| Some(selector.daddr?.addr()));
    let used: BTreeSet<IpAddr> = of_services.chain(of_marks).collect();
    let cells = |key: &crate::model::VipKey| {
        vec![format!("addr = {}", names.net(&key.addr)), format!("dev = {}", quoted(key.dev.name()))]
    };
    let foreign: Vec<_> =
        state.vips.iter().filter(|(key, vip)| !vip.is_ours() && used.contains(&key.addr.addr())).collect();
    let mut out = Vec::new();
    if !foreign.is_empty() {
        let text = "On this machine but not added by lvsh. To let an address come and go with this policy, take it \
                    out of the system's configuration and write here:";
        out.extend(comment(text));
        out.extend(foreign.iter().map(|(key, _)| format!("--   vip = {},", inline(&cells(key)))));
    }
    let ours: Vec<Vec<String>> =
        state.vips.iter().filter(|(_, vip)| vip.is_ours()).map(|(key, _)| cells(key)).collect();
    match ours.as_slice() {
        [] => {}
        [one] => out.extend(fields(&[("vip".to_string(), vec![inline(one)])])),
        several => {
            out.push("vip = {".to_string());
            out.extend(indent(rows(several, 2)));
            out.push("},".to_string());
        }
    }
    out
}
