//! A machine, or a part of one, on its way into a text or out of one.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Owned;
use crate::backend::{Services, Want};
use crate::model::{Fou, RuleKey, ServiceKey, State, SysctlName, Timeouts};

/// What was saved, and what it says nothing of.
///
/// `ipvsadm -S` knows services only, a policy says what its author wrote, and of a policy's export the rest of the
/// machine is no part. What is not said is neither changed nor removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dump {
    /// Of sysctls those that are named; timeouts that are 0 are not said.
    pub state: State,
    pub says: Says,
}

/// What a dump speaks of beside services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Says {
    pub marks: bool,
    pub vips: bool,
    /// Rules for marks, and local routes.
    pub paths: bool,
    /// What unpacks tunnels: devices, and UDP ports.
    pub tunnels: bool,
    pub timeouts: bool,
    pub syncs: bool,
}

impl Says {
    pub const ALL: Says =
        Says { marks: true, vips: true, paths: true, tunnels: true, timeouts: true, syncs: true };
}

impl Dump {
    /// What has to be read for a dump of the whole machine.
    pub fn want() -> Want {
        Want { sysctls: SysctlName::portable().collect(), ..Want::all() }
    }

    /// Everything. Of sysctls those of IPVS that are not at their defaults.
    pub fn whole(mut state: State) -> Dump {
        let set = |name: &SysctlName, value: &str| name.is_vs() && !name.is_default(value);
        state.sysctls.retain(|name, value| set(name, value));
        Dump { state, says: Says::ALL }
    }

    /// These services, the marks that lead to them with their local routes, and our addresses that they answer on.
    pub fn of_services(mut state: State, keys: &BTreeSet<ServiceKey>) -> Dump {
        state.services.retain(|key, _| keys.contains(key));
        let marked = |key: &ServiceKey| match key {
            ServiceKey::Mark { family, mark } => Some((*family, *mark)),
            ServiceKey::Address { .. } => None,
        };
        let marks: BTreeSet<_> = keys.iter().filter_map(marked).collect();
        state.marks.retain(|selector, entry| marks.contains(&(selector.family, entry.mark)));
        let of_services = keys.iter().filter_map(|key| match key {
            ServiceKey::Address { addr, .. } => Some(*addr),
            ServiceKey::Mark { .. } => None,
        });
        let of_marks = state.marks.keys().filter_map(|selector| Some(selector.daddr?.addr()));
        let addrs: BTreeSet<_> = of_services.chain(of_marks).collect();
        state.vips.retain(|key, vip| vip.is_ours() && addrs.contains(&key.addr.addr()));
        state.rules.retain(|key, _| marks.contains(&(key.family, key.mark)));
        let led = |rule: &RuleKey| (rule.family, rule.table);
        let tables: BTreeSet<_> = state.rules.keys().map(led).collect();
        state.routes.retain(|key, _| tables.contains(&(key.family, key.table)));
        state.tunnels.clear();
        state.fous.clear();
        state.sysctls.clear();
        state.syncs.clear();
        state.timeouts = Timeouts::NONE;
        Dump { state, says: Says { marks: true, vips: true, paths: true, ..Says::default() } }
    }

    /// What a policy owns.
    pub fn of_policy(state: &State, owned: &Owned) -> Dump {
        let mut part = owned.part_of(state);
        part.timeouts = part.timeouts.only(owned.timeouts.unwrap_or(Timeouts::NONE));
        let says = Says { timeouts: owned.timeouts.is_some(), syncs: !owned.syncs.is_empty(), ..Says::ALL };
        Dump { state: part, says }
    }

    /// What has to be read for [`Dump::of_policy`]. A real server has no IPVS to be asked.
    pub fn want_of(owned: &Owned) -> Want {
        Want {
            services: Services::of(owned.services.keys()),
            marks: !owned.marks.is_empty(),
            vips: !owned.vips.is_empty(),
            routes: !owned.rules.is_empty() || !owned.routes.is_empty(),
            tunnels: !owned.tunnels.is_empty() || !owned.fous.is_empty(),
            host: owned.timeouts.is_some() || !owned.syncs.is_empty(),
            sysctls: owned.sysctls.keys().cloned().collect(),
        }
    }

    /// What has to be read to see what [`Dump::over`] would change.
    pub fn want_for(&self, replace: bool) -> Want {
        let keys = self.state.services.keys().copied().collect();
        Want {
            services: if replace { Services::All } else { Services::Only(keys) },
            marks: self.says.marks && (replace || !self.state.marks.is_empty()),
            vips: self.says.vips && (replace || self.state.vips.values().any(|vip| vip.is_ours())),
            host: self.says.timeouts || self.says.syncs,
            routes: self.says.paths
                && (replace || !self.state.rules.is_empty() || !self.state.routes.is_empty()),
            tunnels: self.says.tunnels
                && (replace || !self.state.tunnels.is_empty() || !self.state.fous.is_empty()),
            sysctls: self.state.sysctls.keys().cloned().collect(),
        }
    }

    /// The machine as it would be with this. `replace`: what the dump speaks of and does not name is removed.
    ///
    /// Addresses, rules, routes and devices that are not ours are the system's: they are neither added nor removed.
    /// Of a port that unpacks nothing says whose it is, so none is closed.
    pub fn over(&self, now: &State, replace: bool) -> State {
        let mut next = now.clone();
        if replace {
            next.services.clear();
            if self.says.marks {
                next.marks.clear();
            }
            if self.says.vips {
                next.vips.retain(|_, vip| !vip.is_ours());
            }
            if self.says.paths {
                next.rules.retain(|_, rule| !rule.is_ours());
                next.routes.retain(|_, route| !route.is_ours());
            }
            if self.says.tunnels {
                next.tunnels.retain(|_, tunnel| !tunnel.is_ours());
            }
            if self.says.syncs {
                next.syncs.clear();
            }
        }
        let services = self.state.services.iter();
        next.services.extend(services.map(|(key, entry)| (*key, Arc::clone(entry))));
        if self.says.marks {
            next.marks.extend(self.state.marks.clone());
        }
        if self.says.vips {
            for (key, vip) in self.state.vips.iter().filter(|(_, vip)| vip.is_ours()) {
                next.vips.entry(key.clone()).or_insert(*vip);
            }
        }
        if self.says.paths {
            for (key, rule) in self.state.rules.iter().filter(|(_, rule)| rule.is_ours()) {
                next.rules.entry(*key).or_insert(*rule);
            }
            for (key, route) in self.state.routes.iter().filter(|(_, route)| route.is_ours()) {
                next.routes.entry(*key).or_insert(*route);
            }
        }
        if self.says.tunnels {
            let ours = self.state.tunnels.iter().filter(|(_, tunnel)| tunnel.is_ours());
            next.tunnels.extend(ours.map(|(dev, tunnel)| (dev.clone(), tunnel.clone())));
            for (key, fou) in self.state.fous.iter().filter(|(_, fou)| **fou == Fou::Gue) {
                next.fous.entry(*key).or_insert(*fou);
            }
        }
        if self.says.timeouts {
            next.timeouts = self.state.timeouts.over(now.timeouts);
        }
        if self.says.syncs {
            next.syncs.extend(self.state.syncs.clone());
        }
        next.sysctls.extend(self.state.sysctls.clone());
        next
    }

    /// What others have where this wants a device or port of its own: its name, and what it is.
    pub fn in_the_way(&self, now: &State) -> Option<(String, String)> {
        let ours = self.state.tunnels.iter().filter(|(_, tunnel)| self.says.tunnels && tunnel.is_ours());
        let foreign = |(dev, _)| Some((dev, now.tunnels.get(dev).filter(|there| !there.is_ours())?));
        if let Some((dev, there)) = ours.filter_map(foreign).next() {
            return Some((format!("tunnel {dev}"), there.to_string()));
        }
        let ports = self.state.fous.iter().filter(|(_, fou)| self.says.tunnels && **fou == Fou::Gue);
        let other = |(key, fou): (_, &Fou)| Some((key, now.fous.get(key).filter(|there| *there != fou)?));
        let (key, there) = ports.filter_map(other).next()?;
        Some((format!("gue port {key}"), there.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Family, Fwmark, Service, ServiceEntry};

    fn with(marks: &[u32]) -> State {
        let entry = || Arc::new(ServiceEntry { service: Service::default(), servers: Default::default() });
        let key = |mark| ServiceKey::Mark { family: Family::Ipv4, mark: Fwmark::new(mark).expect("a mark") };
        State { services: marks.iter().map(|mark| (key(*mark), entry())).collect(), ..State::default() }
    }

    #[test]
    fn what_is_not_said_stays() {
        let now = State { timeouts: Timeouts { tcp: 77, ..Timeouts::default() }, ..with(&[1, 2]) };
        let dump = Dump { state: with(&[2, 3]), says: Says::default() };
        assert_eq!(dump.over(&now, false), State { services: with(&[1, 2, 3]).services, ..now.clone() });
        assert_eq!(dump.over(&now, true), State { services: with(&[2, 3]).services, ..now.clone() });
        let said = Dump { says: Says::ALL, ..dump };
        assert_eq!(said.over(&now, false).timeouts, Timeouts::default());
    }
}
