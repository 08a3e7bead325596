//! Values to complete from: the words of a type, and what is on the machine.

use std::collections::BTreeSet;

use super::core::Repl;
use super::names::policies;
use crate::cli::machine::Machine;
use crate::model::{Protocol, SYSCTLS, Scheduler, ServiceKey, State, SysctlName, show_endpoint};
use crate::script::Entry;
use crate::script::schema::Ty;

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    pub text: String,
    /// Between quotes.
    pub quoted: bool,
}

fn quoted(text: impl ToString) -> Value {
    Value { text: text.to_string(), quoted: true }
}

fn bare(text: impl ToString) -> Value {
    Value { text: text.to_string(), quoted: false }
}

/// What a field or parameter of this type and name may be here, sorted, each once.
pub fn values(
    repl: &mut Repl<'_>,
    ty: &Ty,
    name: &str,
    entry: &Entry,
    service: Option<ServiceKey>,
) -> Vec<Value> {
    let mut out: Vec<Value> = match ty {
        Ty::Enum(words) => return words.iter().map(quoted).collect(),
        Ty::Boolean => vec![bare("true"), bare("false")],
        Ty::Either(all) => all
            .iter()
            .filter(|ty| !matches!(ty, Ty::Table(_)))
            .flat_map(|ty| values(repl, ty, name, entry, service))
            .collect(),
        Ty::List(of) | Ty::OneOrList(of) => return values(repl, of, name, entry, service),
        Ty::Mark => marks(repl.picture(), name),
        Ty::Endpoint if name == "addr" => servers(repl, entry, service),
        Ty::Endpoint => services(repl.picture(), name, entry),
        Ty::Address => all_servers(repl.picture()),
        Ty::Net => networks(repl.picture(), name),
        Ty::Str => strings(repl, name),
        _ => Vec::new(),
    };
    out.sort();
    out.dedup();
    out
}

fn marks(state: &State, name: &str) -> Vec<Value> {
    let services = state.services.keys().filter_map(|key| match key {
        ServiceKey::Mark { mark, .. } => Some(mark.get()),
        ServiceKey::Address { .. } => None,
    });
    let set = state.marks.values().map(|entry| entry.mark.get());
    let all: BTreeSet<u32> =
        if name == "fwmark" { services.chain(set).collect() } else { set.chain(services).collect() };
    all.into_iter().map(bare).collect()
}

/// Servers of the service that a method is called on; for a new one, those of other services.
fn servers(repl: &mut Repl<'_>, entry: &Entry, service: Option<ServiceKey>) -> Vec<Value> {
    let own: Vec<Value> = service
        .and_then(|key| repl.service(key))
        .map(|entry| entry.servers.keys().map(quoted).collect())
        .unwrap_or_default();
    if service.is_some() && !entry.last().starts_with("add") {
        return own;
    }
    all_servers(repl.picture()).into_iter().filter(|value| !own.contains(value)).collect()
}

fn all_servers(state: &State) -> Vec<Value> {
    let all: BTreeSet<_> =
        state.services.values().flat_map(|entry| entry.servers.keys().map(|key| key.addr)).collect();
    all.into_iter().map(quoted).collect()
}

/// Services of a protocol; for a new one, the addresses it could have.
fn services(state: &State, name: &str, entry: &Entry) -> Vec<Value> {
    if entry.last().starts_with("add") {
        return state
            .vips
            .iter()
            .filter(|(_, vip)| vip.is_ours())
            .map(|(key, _)| quoted(key.addr.addr()))
            .collect();
    }
    let of = |key: &ServiceKey| match key {
        ServiceKey::Address { protocol, addr, port } if word(*protocol) == name => {
            Some(quoted(show_endpoint(*addr, *port)))
        }
        _ => None,
    };
    state.services.keys().filter_map(of).collect()
}

fn word(protocol: Protocol) -> String {
    protocol.to_string()
}

fn networks(state: &State, name: &str) -> Vec<Value> {
    let ours = state.vips.iter().filter(|(_, vip)| vip.is_ours());
    match name {
        "addr" => ours.map(|(key, _)| quoted(key.addr)).collect(),
        "daddr" => {
            let marked = state
                .marks
                .keys()
                .filter_map(|selector| selector.daddr.map(|net| crate::view::net_text(&net)));
            ours.map(|(key, _)| quoted(key.addr.addr())).chain(marked.map(quoted)).collect()
        }
        _ => state
            .marks
            .keys()
            .filter_map(|selector| selector.saddr.map(|net| quoted(crate::view::net_text(&net))))
            .collect(),
    }
}

fn strings(repl: &mut Repl<'_>, name: &str) -> Vec<Value> {
    match name {
        "scheduler" => Scheduler::KNOWN.iter().map(quoted).collect(),
        "dev" | "iif" => devices(repl).into_iter().map(quoted).collect(),
        "owner" => policies(&repl.context.common.config_dir).into_iter().map(quoted).collect(),
        _ => Vec::new(),
    }
}

/// Names of kernel settings, those of IPVS without their prefix until it is typed; of those that each device has, one
/// for each that is there.
pub fn settings(repl: &mut Repl<'_>, word: &str) -> Vec<String> {
    let whole = !word.is_empty() && (SysctlName::VS.starts_with(word) || word.starts_with(SysctlName::VS));
    let devices = devices(repl);
    let mut all = Vec::new();
    for known in SYSCTLS {
        let name = if whole { known.full_name() } else { known.name.to_string() };
        match name.split_once('*') {
            None => all.push(name),
            Some((before, after)) => {
                let of = ["all", "default"].into_iter().chain(devices.iter().map(String::as_str));
                // A device with a dot in its name is no part of a name with dots.
                all.extend(of.filter(|dev| !dev.contains('.')).map(|dev| format!("{before}{dev}{after}")));
            }
        }
    }
    all.sort();
    all.retain(|name| name.starts_with(word));
    all
}

/// Devices of this network namespace, and those that addresses are on.
fn devices(repl: &mut Repl<'_>) -> BTreeSet<String> {
    let mut all: BTreeSet<String> =
        repl.picture().vips.keys().map(|key| key.dev.name().to_string()).collect();
    if matches!(repl.context.machine, Machine::Kernel)
        && let Ok(interfaces) = nix::net::if_::if_nameindex()
    {
        all.extend(interfaces.iter().map(|interface| interface.name().to_string_lossy().into_owned()));
    }
    all
}
