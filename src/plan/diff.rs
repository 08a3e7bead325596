//! The steps from one state to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Step, sort};
use crate::model::{ServiceEntry, ServiceKey, State};

/// The changes that turn `current` into `desired`, in the order in which they can be made.
///
/// Whole values are compared; what is only in `current` is removed. Ownership is decided before: `desired` is
/// the current state with the policy's own part exchanged (`Owned`, `Session`), so what is foreign is equal here.
pub fn diff(current: &State, desired: &State) -> Vec<Step> {
    let mut steps = Vec::new();
    each(&current.services, &desired.services, |key, change| services(*key, change, &mut steps));
    each(&current.marks, &desired.marks, |selector, change| {
        let selector = selector.clone();
        steps.push(match change {
            Change::Add(entry) => Step::AddMark { selector, entry: entry.clone() },
            Change::Set(from, to) => Step::SetMark { selector, from: from.clone(), to: to.clone() },
            Change::Del(entry) => Step::DelMark { selector, entry: entry.clone() },
        });
    });
    each(&current.vips, &desired.vips, |key, change| {
        let key = key.clone();
        steps.push(match change {
            Change::Add(vip) => Step::AddVip { key, vip: *vip },
            Change::Set(from, to) => Step::SetVip { key, from: *from, to: *to },
            Change::Del(vip) => Step::DelVip { key, vip: *vip },
        });
    });
    paths(current, desired, &mut steps);
    each(&current.sysctls, &desired.sysctls, |name, change| {
        // A sysctl is never added or removed; one that only one side knows was not read.
        if let Change::Set(from, to) = change {
            steps.push(Step::SetSysctl { name: name.clone(), from: from.clone(), to: to.clone() });
        }
    });
    if current.timeouts != desired.timeouts {
        steps.push(Step::SetTimeouts { from: current.timeouts, to: desired.timeouts });
    }
    each(&current.syncs, &desired.syncs, |role, change| {
        let role = *role;
        match change {
            Change::Add(daemon) => steps.push(Step::StartSync { role, daemon: daemon.clone() }),
            Change::Del(daemon) => steps.push(Step::StopSync { role, daemon: daemon.clone() }),
            // A running daemon cannot be changed.
            Change::Set(from, to) => {
                steps.push(Step::StopSync { role, daemon: from.clone() });
                steps.push(Step::StartSync { role, daemon: to.clone() });
            }
        }
    });
    sort(&mut steps);
    steps
}

/// Rules, routes, tunnels. What says who installed a rule or route is part of it for the kernel, so one that changes
/// hands goes and comes.
fn paths(current: &State, desired: &State, steps: &mut Vec<Step>) {
    each(&current.rules, &desired.rules, |key, change| {
        let (from, to) = change.ends();
        steps.extend(from.map(|rule| Step::DelRule { key: *key, rule: *rule }));
        steps.extend(to.map(|rule| Step::AddRule { key: *key, rule: *rule }));
    });
    each(&current.routes, &desired.routes, |key, change| {
        let (from, to) = change.ends();
        steps.extend(from.map(|route| Step::DelRoute { key: *key, route: *route }));
        steps.extend(to.map(|route| Step::AddRoute { key: *key, route: *route }));
    });
    each(&current.fous, &desired.fous, |key, change| {
        let (from, to) = change.ends();
        steps.extend(from.map(|fou| Step::DelFou { key: *key, fou: *fou }));
        steps.extend(to.map(|fou| Step::AddFou { key: *key, fou: *fou }));
    });
    each(&current.tunnels, &desired.tunnels, |dev, change| match change.ends() {
        (Some(from), Some(to)) if from.is_kin(to) => {
            steps.push(Step::SetTunnel { dev: dev.clone(), from: from.clone(), to: to.clone() });
        }
        (from, to) => {
            steps.extend(from.map(|tunnel| Step::DelTunnel { dev: dev.clone(), tunnel: tunnel.clone() }));
            steps.extend(to.map(|tunnel| Step::AddTunnel { dev: dev.clone(), tunnel: tunnel.clone() }));
            // Addresses go with their device; those of ours that shall stay come again.
            let replaced = from.is_some() && to.is_some();
            let stay = desired.vips.iter().filter(|(key, vip)| {
                replaced && key.dev == *dev && vip.is_ours() && current.vips.get(key) == Some(vip)
            });
            steps.extend(stay.map(|(key, vip)| Step::AddVip { key: key.clone(), vip: *vip }));
        }
    });
}

fn services(key: ServiceKey, change: Change<'_, Arc<ServiceEntry>>, steps: &mut Vec<Step>) {
    let none = BTreeMap::new();
    let (old, new) = match change {
        Change::Del(entry) => {
            steps.push(Step::DelService { key, entry: ServiceEntry::clone(entry) });
            return;
        }
        Change::Add(entry) => {
            steps.push(Step::AddService { key, service: entry.service.clone() });
            (&none, &entry.servers)
        }
        Change::Set(from, to) => {
            if from.service != to.service {
                let (from, to) = (from.service.clone(), to.service.clone());
                steps.push(Step::SetService { key, from, to });
            }
            (&from.servers, &to.servers)
        }
    };
    each(old, new, |id, change| {
        let (service, key) = (key, *id);
        steps.push(match change {
            Change::Add(server) => Step::AddServer { service, key, server: *server },
            Change::Set(from, to) => Step::SetServer { service, key, from: *from, to: *to },
            Change::Del(server) => Step::DelServer { service, key, server: *server },
        });
    });
}

/// One difference between two maps.
enum Change<'a, V> {
    Add(&'a V),
    Set(&'a V, &'a V),
    Del(&'a V),
}

impl<'a, V> Change<'a, V> {
    /// What was and what shall be.
    fn ends(self) -> (Option<&'a V>, Option<&'a V>) {
        match self {
            Change::Add(to) => (None, Some(to)),
            Change::Set(from, to) => (Some(from), Some(to)),
            Change::Del(from) => (Some(from), None),
        }
    }
}

/// Walks two sorted maps side by side and hands over what differs, in the order of the keys.
fn each<'a, K: Ord, V: PartialEq>(
    old: &'a BTreeMap<K, V>,
    new: &'a BTreeMap<K, V>,
    mut found: impl FnMut(&K, Change<'a, V>),
) {
    let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let order = match (olds.peek(), news.peek()) {
            (None, None) => return,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((a, _)), Some((b, _))) => a.cmp(b),
        };
        match order {
            std::cmp::Ordering::Less => {
                if let Some((key, value)) = olds.next() {
                    found(key, Change::Del(value));
                }
            }
            std::cmp::Ordering::Greater => {
                if let Some((key, value)) = news.next() {
                    found(key, Change::Add(value));
                }
            }
            std::cmp::Ordering::Equal => {
                if let (Some((key, from)), Some((_, to))) = (olds.next(), news.next())
                    && from != to
                {
                    found(key, Change::Set(from, to));
                }
            }
        }
    }
}
