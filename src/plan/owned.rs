//! What a policy owns, and what was there before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Step;
use crate::model::{
    Fou, FouKey, IfName, Installed, MarkEntry, MarkSelector, RouteKey, RuleKey, ServiceEntry, ServiceKey,
    State, SyncDaemon, SyncRole, SysctlName, Timeouts, TunnelDevice, Vip, VipKey,
};

/// The part of the machine that one policy made, each thing with what stood there before (`None`: nothing).
///
/// IPVS has no comment field, so this is kept in the policy's state file; it dies with the reboot, as the table
/// does. `without` is the machine as if the policy had never started: what `stop` goes back to, and what a
/// second `start` is planned from, so that it finds nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Owned {
    #[serde(with = "crate::model::pairs")]
    pub services: BTreeMap<ServiceKey, Option<Arc<ServiceEntry>>>,
    #[serde(with = "crate::model::pairs")]
    pub marks: BTreeMap<MarkSelector, Option<MarkEntry>>,
    #[serde(with = "crate::model::pairs")]
    pub vips: BTreeMap<VipKey, Option<Vip>>,
    #[serde(with = "crate::model::pairs")]
    pub rules: BTreeMap<RuleKey, Option<Installed>>,
    #[serde(with = "crate::model::pairs")]
    pub routes: BTreeMap<RouteKey, Option<Installed>>,
    pub tunnels: BTreeMap<IfName, Option<TunnelDevice>>,
    #[serde(with = "crate::model::pairs")]
    pub fous: BTreeMap<FouKey, Option<Fou>>,
    pub sysctls: BTreeMap<SysctlName, String>,
    /// 0 for those that are not owned.
    pub timeouts: Option<Timeouts>,
    pub syncs: BTreeMap<SyncRole, Option<SyncDaemon>>,
}

impl Owned {
    pub fn is_empty(&self) -> bool {
        *self == Owned::default()
    }

    /// What `desired` adds to `base` or changes in it.
    pub fn between(base: &State, desired: &State) -> Owned {
        Owned {
            services: changed(&base.services, &desired.services),
            marks: changed(&base.marks, &desired.marks),
            vips: changed(&base.vips, &desired.vips),
            rules: changed(&base.rules, &desired.rules),
            routes: changed(&base.routes, &desired.routes),
            tunnels: changed(&base.tunnels, &desired.tunnels),
            fous: changed(&base.fous, &desired.fous),
            sysctls: changed(&base.sysctls, &desired.sysctls)
                .into_iter()
                .filter_map(|(name, before)| Some((name, before?)))
                .collect(),
            timeouts: base.timeouts.but(desired.timeouts).said(),
            syncs: changed(&base.syncs, &desired.syncs),
        }
    }

    /// The state as it would be had the policy never started.
    pub fn without(&self, state: &State) -> State {
        let mut out = state.clone();
        restore(&mut out.services, &self.services);
        restore(&mut out.marks, &self.marks);
        restore(&mut out.vips, &self.vips);
        restore(&mut out.rules, &self.rules);
        restore(&mut out.routes, &self.routes);
        restore(&mut out.tunnels, &self.tunnels);
        restore(&mut out.fous, &self.fous);
        for (name, before) in &self.sysctls {
            // Only where it was read: what is not known here cannot be changed here.
            if let Some(value) = out.sysctls.get_mut(name) {
                value.clone_from(before);
            }
        }
        if let Some(before) = self.timeouts {
            out.timeouts = before.over(out.timeouts);
        }
        restore(&mut out.syncs, &self.syncs);
        out
    }

    /// This and `more`, which name different things.
    #[must_use]
    pub fn and(mut self, more: Owned) -> Owned {
        self.services.extend(more.services);
        self.marks.extend(more.marks);
        self.vips.extend(more.vips);
        self.rules.extend(more.rules);
        self.routes.extend(more.routes);
        self.tunnels.extend(more.tunnels);
        self.fous.extend(more.fous);
        self.sysctls.extend(more.sysctls);
        self.add_timeouts(more.timeouts);
        self.syncs.extend(more.syncs);
        self
    }

    /// Adds timeouts with what was there before; those that are owned already stay as they are.
    pub fn add_timeouts(&mut self, more: Option<Timeouts>) {
        let own = self.timeouts.unwrap_or(Timeouts::NONE);
        self.timeouts = own.over(more.unwrap_or(Timeouts::NONE)).said();
    }

    /// What is in this and not in `other`.
    pub fn beyond(&self, other: &Owned) -> Owned {
        let mut out = self.clone();
        out.services.retain(|key, _| !other.services.contains_key(key));
        out.marks.retain(|key, _| !other.marks.contains_key(key));
        out.vips.retain(|key, _| !other.vips.contains_key(key));
        out.rules.retain(|key, _| !other.rules.contains_key(key));
        out.routes.retain(|key, _| !other.routes.contains_key(key));
        out.tunnels.retain(|key, _| !other.tunnels.contains_key(key));
        out.fous.retain(|key, _| !other.fous.contains_key(key));
        out.sysctls.retain(|name, _| !other.sysctls.contains_key(name));
        let kept = other.timeouts.unwrap_or(Timeouts::NONE);
        out.timeouts =
            out.timeouts.and_then(|own| own.zip(kept, |own, kept| if kept == 0 { own } else { 0 }).said());
        out.syncs.retain(|role, _| !other.syncs.contains_key(role));
        out
    }

    /// The policy's own part of a state, for looking at it alone. Timeouts have no owner: they are all there.
    pub fn part_of(&self, state: &State) -> State {
        State {
            services: shared(&state.services, &self.services),
            marks: shared(&state.marks, &self.marks),
            vips: shared(&state.vips, &self.vips),
            rules: shared(&state.rules, &self.rules),
            routes: shared(&state.routes, &self.routes),
            tunnels: shared(&state.tunnels, &self.tunnels),
            fous: shared(&state.fous, &self.fous),
            sysctls: shared(&state.sysctls, &self.sysctls),
            timeouts: state.timeouts,
            syncs: shared(&state.syncs, &self.syncs),
        }
    }

    /// Adds what an interrupted run may have made: whatever its journal says it was going to.
    pub fn absorb<'a>(&mut self, steps: impl IntoIterator<Item = &'a Step>) {
        use Step::*;
        for step in steps {
            match step {
                AddService { key, .. } => {
                    self.services.entry(*key).or_insert(None);
                }
                AddMark { selector, .. } => {
                    self.marks.entry(selector.clone()).or_insert(None);
                }
                AddVip { key, .. } => {
                    self.vips.entry(key.clone()).or_insert(None);
                }
                AddRule { key, .. } => {
                    self.rules.entry(*key).or_insert(None);
                }
                AddRoute { key, .. } => {
                    self.routes.entry(*key).or_insert(None);
                }
                AddTunnel { dev, .. } => {
                    self.tunnels.entry(dev.clone()).or_insert(None);
                }
                AddFou { key, .. } => {
                    self.fous.entry(*key).or_insert(None);
                }
                SetSysctl { name, from, .. } => {
                    self.sysctls.entry(name.clone()).or_insert_with(|| from.clone());
                }
                SetTimeouts { from, to } => self.add_timeouts(from.but(*to).said()),
                StartSync { role, .. } => {
                    self.syncs.entry(*role).or_insert(None);
                }
                _ => {}
            }
        }
    }
}

/// What of `all` is named in `some`.
fn shared<K: Ord + Clone, V: Clone, W>(all: &BTreeMap<K, V>, some: &BTreeMap<K, W>) -> BTreeMap<K, V> {
    let named = all.iter().filter(|(key, _)| some.contains_key(key));
    named.map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn changed<K: Ord + Clone, V: Clone + PartialEq>(
    base: &BTreeMap<K, V>,
    desired: &BTreeMap<K, V>,
) -> BTreeMap<K, Option<V>> {
    desired
        .iter()
        .filter(|(key, value)| base.get(key) != Some(value))
        .map(|(key, _)| (key.clone(), base.get(key).cloned()))
        .collect()
}

fn restore<K: Ord + Clone, V: Clone>(now: &mut BTreeMap<K, V>, before: &BTreeMap<K, Option<V>>) {
    for (key, value) in before {
        match value {
            Some(value) => now.insert(key.clone(), value.clone()),
            None => now.remove(key),
        };
    }
}
