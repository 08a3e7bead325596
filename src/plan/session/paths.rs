//! Rules, routes and tunnels that are declared: what is in their way, and what several policies share.

use std::collections::BTreeSet;

use super::Session;
use super::declare::{Declared, in_the_way};
use crate::error::{Error, Result};
use crate::model::{Fou, FouKey, Installed, RouteKey, State};
use crate::plan::{Owned, Thing};

impl Session {
    /// As for an address: what lvsh made is shared, what others made is a conflict unless `adopt`.
    pub(super) fn place_paths(
        &mut self,
        next: &mut State,
        wanted: &Declared,
        owner: &str,
        adopt: bool,
    ) -> Result<()> {
        let at = |error: Error, thing: Thing| error.at(wanted.origins.get(&thing));
        let foreign = |there: &Installed| !there.is_ours() && !adopt;
        for key in &wanted.rules {
            if next.rules.get(key).is_some_and(foreign) {
                let error = in_the_way("rule", &key.to_string(), "a rule that lvsh did not add", owner);
                return Err(at(error, Thing::Rule(*key)));
            }
            self.base.rules.remove(key);
            next.rules.insert(*key, Installed::ours());
        }
        for key in &wanted.routes {
            if next.routes.get(key).is_some_and(foreign) {
                let error = in_the_way("route", &key.to_string(), "a route that lvsh did not add", owner);
                return Err(at(error, Thing::Route(*key)));
            }
            self.base.routes.remove(key);
            next.routes.insert(*key, Installed::ours());
        }
        for (dev, ours) in &wanted.tunnels {
            if let Some(there) = next.tunnels.get(dev)
                && !(there.is_kin(ours) && (there.is_ours() || adopt))
            {
                let mut error = in_the_way("tunnel", dev.name(), &there.to_string(), owner);
                if !there.is_kin(ours) {
                    // Another kind of device, with its addresses and routes, is not ours to throw away.
                    error.hint = Some(format!("if nobody needs it: ip link del {dev}"));
                }
                return Err(at(error, Thing::Tunnel(dev.clone())));
            }
            self.base.tunnels.remove(dev);
            next.tunnels.insert(dev.clone(), ours.clone());
        }
        for key in &wanted.gue_ports {
            match next.fous.get(key) {
                // Nothing says whose it is, and one does for all: it is used, and stays when the policy stops.
                Some(Fou::Gue) => {}
                Some(there) => {
                    let mut error = in_the_way("gue port", &key.to_string(), &there.to_string(), owner);
                    error.hint = Some(format!("if nobody needs it: ip fou del port {}", key.port));
                    return Err(at(error, Thing::Fou(*key)));
                }
                None => {
                    next.fous.insert(*key, Fou::Gue);
                }
            }
        }
        Ok(())
    }

    /// The policy wants these ports, also where they are there already: another policy may have opened them.
    pub fn claim_gue_ports(&mut self, keys: &BTreeSet<FouKey>) {
        for key in keys {
            self.claimed.fous.insert(*key, self.base.fous.get(key).copied());
        }
    }

    /// The policy wants this route of ours, also where it is there already for another mark or policy.
    pub fn claim_route(&mut self, key: &RouteKey) {
        if self.base.routes.get(key).is_some_and(|route| route.is_ours()) {
            self.base.routes.remove(key);
        }
    }

    /// See [`Session::keep`].
    pub(super) fn keep_paths(&mut self, shared: &Owned) {
        for key in shared.rules.keys() {
            self.view.rules.extend(self.actual.rules.get(key).map(|rule| (*key, *rule)));
        }
        for key in shared.routes.keys() {
            self.view.routes.extend(self.actual.routes.get(key).map(|route| (*key, *route)));
        }
        for dev in shared.tunnels.keys() {
            self.view.tunnels.extend(self.actual.tunnels.get(dev).map(|there| (dev.clone(), there.clone())));
        }
        for key in shared.fous.keys() {
            self.view.fous.extend(self.actual.fous.get(key).map(|fou| (*key, *fou)));
        }
    }
}
