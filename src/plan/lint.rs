//! The known traps of IPVS, said before they bite.

use std::collections::BTreeSet;

use super::buckets::{percent, shares, table};
use super::{Declared, Plan, Session, Step};
use crate::backend::{Capabilities, Services, Want};
use crate::error::{Result, did_you_mean};
use crate::model::{
    Fwmark, Observed, Scheduler, Server, ServerKey, ServiceEntry, ServiceKey, State, SysctlName, Weight,
};

/// Something that the kernel accepts and that does not do what one would think.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Warning {
    /// What it is about: `fwm:3`, `fwm:3 192.168.1.109`.
    pub subject: String,
    pub message: String,
}

/// The sysctl that decides whether a drained server keeps its persistent clients.
pub const EXPIRE_QUIESCENT: &str = "net.ipv4.vs.expire_quiescent_template";

/// Looks at what a policy wants (`desired`: its own services and marks) on this machine (`seen`: everything).
/// `machine` is `None` when nothing is known of the kernel.
pub fn lint(desired: &State, seen: &State, machine: Option<&Capabilities>) -> Vec<Warning> {
    let mut out = Vec::new();
    // What checks go through is made as it must be, and its packets are marked by the checks themselves.
    let services = desired.services.iter().filter(|(key, entry)| !entry.service.is_way(key));
    for (key, entry) in services {
        let mut warn = |server: Option<&ServerKey>, message: String| {
            let subject = match server {
                Some(server) => format!("{key} {server}"),
                None => key.to_string(),
            };
            out.push(Warning { subject, message });
        };
        scheduler(entry, machine, &mut warn);
        refused_buckets(entry, &mut warn);
        uneven_buckets(entry, &mut warn);
        unmarked(key, desired, seen, &mut warn);
        one_packet(key, entry, &mut warn);
        for server in entry.servers.keys().filter(|server| seen.is_local(server.addr)) {
            warn(Some(server), format!("{} is local: forwarded as Local, method ignored", server.addr));
        }
    }
    out.extend(unserved(desired, seen));
    out
}

/// A slow start goes up in whole numbers: from 1 to 1 there is no step.
pub fn lint_ramps(declared: &Declared) -> Vec<Warning> {
    let services = declared.services.iter().filter(|_| declared.ramps);
    let flat = services.filter(|(_, entry)| entry.servers.values().any(|server| server.weight.get() == 1));
    let warn = |(key, _): (&ServiceKey, _)| Warning {
        subject: key.to_string(),
        message: "base weight 1 cannot ramp; use 8 for all servers".to_string(),
    };
    flat.map(warn).collect()
}

/// Whether a step takes the new clients away from a server that had some.
fn drained(step: &Step) -> Option<(&ServiceKey, &ServerKey)> {
    match step {
        Step::SetServer { service, key, from, to } if to.weight.is_zero() && !from.weight.is_zero() => {
            Some((service, key))
        }
        _ => None,
    }
}

/// [`lint_plan`] of what a session is about to send. Counters and the sysctl are read only if something is drained.
///
/// # Errors
/// Those of reading them.
pub fn lint_drains(plan: &Plan, session: &mut Session) -> Result<Vec<Warning>> {
    let services = Services::of(plan.steps().filter_map(drained).map(|(service, _)| service));
    if services == Services::None {
        return Ok(Vec::new());
    }
    // Whether clients keep coming to a drained server hangs on this one.
    let sysctls = SysctlName::new(EXPIRE_QUIESCENT).into_iter().collect();
    let observed = session.see_live(&Want { services, sysctls, ..Want::default() })?.1.clone();
    Ok(lint_plan(plan, session.actual(), &observed))
}

/// Warnings about changes rather than about states: draining a server whose clients persist.
pub fn lint_plan(plan: &Plan, seen: &State, observed: &Observed) -> Vec<Warning> {
    let quiescent = SysctlName::new(EXPIRE_QUIESCENT).ok();
    let value = quiescent.and_then(|name| seen.sysctls.get(&name)).map_or("0", String::as_str);
    let warn = |(service, key): (&ServiceKey, &ServerKey)| {
        let templates = observed.servers.get(&(*service, *key))?.persist;
        (templates > 0 && value == "0").then(|| Warning {
            subject: format!("{service} {key}"),
            message: format!(
                "{templates} template{} point{} at {key}; {EXPIRE_QUIESCENT}=0 keeps them coming",
                if templates == 1 { "" } else { "s" },
                if templates == 1 { "s" } else { "" },
            ),
        })
    };
    plan.steps().filter_map(drained).filter_map(warn).collect()
}

type Warn<'a> = dyn FnMut(Option<&ServerKey>, String) + 'a;

fn scheduler(entry: &ServiceEntry, machine: Option<&Capabilities>, warn: &mut Warn<'_>) {
    let scheduler = &entry.service.scheduler;
    let lacks = |list: &BTreeSet<String>| !list.contains(scheduler.name());
    let known = machine.and_then(|machine| machine.schedulers.as_ref());
    if scheduler.name() != "none" && known.is_some_and(lacks) {
        let list: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
        // A word of current kernels is not misspelled.
        let near = match Scheduler::KNOWN.contains(&scheduler.name()) {
            true => None,
            false => did_you_mean(scheduler.name(), list.iter().copied()),
        };
        let near = near.map(|near| format!(" (did you mean '{near}'?)")).unwrap_or_default();
        warn(None, format!("this kernel has no scheduler '{scheduler}'{near}; it has {}", list.join(", ")));
    }
    let mut weights = entry.servers.values().map(|server| server.weight).filter(|weight| !weight.is_zero());
    let first = weights.next();
    if scheduler.ignores_weights() && weights.any(|weight| Some(weight) != first) {
        let instead = match scheduler.name() {
            "lc" => "wlc",
            "dh" => "mh",
            _ => "wrr",
        };
        warn(None, format!("{scheduler} ignores weights other than 0; use {instead}"));
    }
}

/// Weights in the order of the kernel's list, which is newest first; a plan adds servers in the order of their keys.
fn newest_first(entry: &ServiceEntry) -> (Vec<&ServerKey>, Vec<Weight>) {
    let of = |(key, server): (_, &Server)| (key, server.weight);
    entry.servers.iter().rev().map(of).unzip()
}

fn refused_buckets(entry: &ServiceEntry, warn: &mut Warn<'_>) {
    let service = &entry.service;
    if !service.scheduler.hashes_sources() || service.falls_back() || entry.servers.is_empty() {
        return;
    }
    let name = service.scheduler.name();
    let (keys, weights) = newest_first(entry);
    // The server that is out already, else the one that would be missed most.
    let out = weights.iter().position(|weight| weight.is_zero());
    let message = match table(&service.scheduler, &weights) {
        Some(slots) => {
            let counts = shares(&slots, keys.len());
            let most = || (0..keys.len()).rev().max_by_key(|server| counts[*server]);
            let Some(server) = out.or_else(most) else { return };
            let share = percent(counts[server], slots.len());
            format!(
                "while {} has weight 0, {} of {} hash buckets ({share} % of clients) are refused",
                keys[server],
                counts[server],
                slots.len(),
            )
        }
        None => {
            let total: u64 = weights.iter().map(|weight| u64::from(weight.get())).sum();
            let most = || (0..keys.len()).rev().max_by_key(|server| weights[*server]);
            let Some(server) = out.or_else(most) else { return };
            match u64::from(weights[server].get()) {
                0 => format!("{} has weight 0, and its hash buckets refuse their clients", keys[server]),
                mine => format!(
                    "while {} has weight 0, its hash buckets (about {} % of clients) are refused",
                    keys[server],
                    mine * 100 / total.max(1)
                ),
            }
        }
    };
    warn(None, format!("scheduler '{name}' without flag '{name}-fallback': {message}"));
}

/// `sh` fills its table in runs; when these do not end with the table, some servers get a run more.
fn uneven_buckets(entry: &ServiceEntry, warn: &mut Warn<'_>) {
    let (_, weights) = newest_first(entry);
    let Some(slots) = table(&entry.service.scheduler, &weights) else { return };
    let counts = shares(&slots, weights.len());
    let total: u64 = weights.iter().map(|weight| u64::from(weight.get())).sum();
    let percents: Vec<u32> = counts.iter().map(|count| percent(*count, slots.len())).collect();
    let ideal = |weight: &Weight| (u64::from(weight.get()) * 100).checked_div(total).unwrap_or(0);
    let off =
        weights.iter().zip(&percents).any(|(weight, real)| ideal(weight).abs_diff(u64::from(*real)) > 3);
    if total == 0 || weights.iter().any(|weight| weight.is_zero()) || !off {
        return;
    }
    let list = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(", ");
    let words: Vec<String> = percents.iter().map(|share| format!("{share} %")).collect();
    let (last, first) = match words.split_last() {
        Some((last, first)) if !first.is_empty() => (last, first),
        _ => return,
    };
    let gcd = weights.iter().fold(0, |gcd, weight| greatest_common_divisor(gcd, weight.get()));
    let small: Vec<u32> = weights.iter().rev().map(|weight| weight.get() / gcd).collect();
    let sum: u32 = small.iter().sum();
    let scaled = |factor: u32| list(&mut small.iter().map(|weight| (weight * factor).to_string()));
    let instead = match sum {
        2 => format!("use {} or {}", scaled(64), scaled(8)),
        4 | 8 | 16 => format!("use {} or {}", scaled(128 / sum), scaled(8)),
        _ => format!("small weights share best: use {}", scaled(1)),
    };
    let given = list(&mut weights.iter().rev().map(|weight| weight.to_string()));
    warn(
        None,
        format!(
            "sh fills 256 buckets in runs: weights {given} give {} and {last}; {instead}",
            first.join(", ")
        ),
    );
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn unmarked(key: &ServiceKey, desired: &State, seen: &State, warn: &mut Warn<'_>) {
    let ServiceKey::Mark { family, mark } = key else { return };
    let sets = |state: &State, wanted: &Fwmark| {
        state.marks.iter().any(|(selector, entry)| entry.mark == *wanted && selector.family == *family)
    };
    if !sets(desired, mark) && !sets(seen, mark) {
        warn(
            None,
            format!(
                "nothing marks packets with {mark}; add mark = {{ mark = {mark}, daddr = …, proto = …, dports = … }}"
            ),
        );
    }
}

/// Marks that no service is for: often a number mistyped. A policy of marks alone is for the services of others, which
/// nobody may have read.
fn unserved(desired: &State, seen: &State) -> Vec<Warning> {
    if desired.services.is_empty() {
        return Vec::new();
    }
    let served: BTreeSet<Fwmark> = [desired, seen]
        .into_iter()
        .flat_map(|state| state.services.keys())
        .filter_map(|key| match key {
            ServiceKey::Mark { mark, .. } => Some(*mark),
            ServiceKey::Address { .. } => None,
        })
        .collect();
    let marks: BTreeSet<Fwmark> = desired.marks.values().map(|entry| entry.mark).collect();
    let warn = |mark: &Fwmark| Warning {
        subject: format!("mark {mark}"),
        message: format!("packets get it, and no service of this policy has fwmark = {mark}"),
    };
    marks.difference(&served).map(warn).collect()
}

/// The flag is for datagrams; the kernel takes it for TCP and does nothing with it.
fn one_packet(key: &ServiceKey, entry: &ServiceEntry, warn: &mut Warn<'_>) {
    let connected = matches!(
        key,
        ServiceKey::Address { protocol: crate::model::Protocol::Tcp | crate::model::Protocol::Sctp, .. }
    );
    if connected && entry.service.one_packet() {
        warn(None, "one-packet scheduling works for udp only; the kernel ignores it here".to_string());
    }
}
