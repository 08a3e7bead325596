//! Making what is declared be so, and seeing what is in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Mode, Session};
use crate::backend::{Services, Want};
use crate::error::{Error, Kind, Origin, Result, counted};
use crate::model::{
    FouKey, Fwmark, IfName, MarkEntry, MarkSelector, RouteKey, RuleKey, ServiceEntry, ServiceKey, State,
    SyncDaemon, SyncRole, SysctlName, Timeouts, TunnelDevice, Vip, VipKey,
};
use crate::plan::{Owned, Step, Thing, diff, refusal};

/// What a policy says shall exist; everything it does not name is left alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    pub services: BTreeMap<ServiceKey, Arc<ServiceEntry>>,
    /// What its health checks go through: one service for each server, with a mark that nobody else sets.
    pub ways: BTreeMap<ServiceKey, Arc<ServiceEntry>>,
    pub marks: BTreeMap<MarkSelector, Fwmark>,
    pub vips: BTreeSet<VipKey>,
    pub rules: BTreeSet<RuleKey>,
    pub routes: BTreeSet<RouteKey>,
    pub tunnels: BTreeMap<IfName, TunnelDevice>,
    /// UDP ports that unpack GUE.
    pub gue_ports: BTreeSet<FouKey>,
    pub sysctls: BTreeMap<SysctlName, String>,
    /// Settings that shall be at least so; those that are higher stay as they are.
    pub floors: BTreeMap<SysctlName, i64>,
    /// 0 keeps what is.
    pub timeouts: Option<Timeouts>,
    pub syncs: BTreeMap<SyncRole, SyncDaemon>,
    /// Devices that sync daemons and addresses are on, for completion and messages.
    pub devices: BTreeSet<IfName>,
    /// Where each thing was said.
    pub origins: BTreeMap<Thing, Origin>,
    /// Why a thing is not as it was said: a server's weight by health or by the operator.
    pub reasons: BTreeMap<Thing, String>,
    /// Servers that come up get their weight in steps.
    pub ramps: bool,
}

impl Declared {
    /// The settings it names.
    pub fn settings(&self) -> impl Iterator<Item = &SysctlName> {
        self.sysctls.keys().chain(self.floors.keys())
    }

    /// How many things shall be there; settings always are.
    pub fn len(&self) -> usize {
        let all = self.services.values().chain(self.ways.values());
        let servers: usize = all.map(|entry| entry.servers.len()).sum();
        let paths = self.rules.len() + self.routes.len() + self.tunnels.len() + self.gue_ports.len();
        self.services.len() + self.ways.len() + servers + self.marks.len() + self.vips.len() + paths
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Session {
    /// Makes what is declared be so. What is in the way and not the policy's own is a conflict, unless `adopt`.
    pub fn declare(&mut self, wanted: &Declared, owner: &str, adopt: bool) -> Result<()> {
        self.ensure(&Want {
            services: Services::of(wanted.services.keys().chain(wanted.ways.keys())),
            marks: !wanted.marks.is_empty() || !wanted.ways.is_empty(),
            vips: !wanted.vips.is_empty(),
            routes: !wanted.rules.is_empty() || !wanted.routes.is_empty(),
            tunnels: !wanted.tunnels.is_empty() || !wanted.gue_ports.is_empty(),
            host: wanted.timeouts.is_some() || !wanted.syncs.is_empty(),
            sysctls: wanted.settings().cloned().collect(),
        })?;
        let mut next = self.view.clone();
        let (base, warnings) = (self.base.clone(), self.warnings.len());
        if let Err(error) = self.place(&mut next, wanted, owner, adopt) {
            // A script may go on after a refusal: then nothing was taken over.
            self.base = base;
            self.warnings.truncate(warnings);
            return Err(error);
        }
        for name in wanted.settings() {
            self.claim_sysctl(name);
        }
        self.claim_gue_ports(&wanted.gue_ports);
        self.claim_timeouts(wanted.timeouts.unwrap_or(Timeouts::NONE));
        self.canonical(&mut next);
        self.origins.extend(wanted.origins.clone());
        self.reasons.extend(wanted.reasons.clone());
        if self.mode == Mode::Staged {
            self.may_change()?;
            self.view = next;
            return Ok(());
        }
        let steps = diff(&self.view, &next);
        let plan = self.placed(steps);
        self.effect(plan.actions)
    }

    /// The policy wants this setting, also when it has the value already: another policy may have given it.
    pub fn claim_sysctl(&mut self, name: &SysctlName) {
        if let Some(before) = self.base.sysctls.get(name) {
            self.claimed.sysctls.insert(name.clone(), before.clone());
        }
    }

    /// As [`Session::claim_sysctl`], for timeouts.
    pub fn claim_timeouts(&mut self, which: Timeouts) {
        let before = self.claimed.timeouts.unwrap_or(Timeouts::NONE);
        self.claimed.timeouts = self.base.timeouts.only(which).over(before).said();
    }

    /// Leaves as it is what the policy gives up and another one still wants.
    pub fn keep(&mut self, shared: &Owned) {
        for key in shared.vips.keys() {
            if let Some(vip) = self.actual.vips.get(key) {
                self.view.vips.insert(key.clone(), *vip);
            }
        }
        self.keep_paths(shared);
        for name in shared.sysctls.keys() {
            if let Some(value) = self.actual.sysctls.get(name) {
                self.view.sysctls.insert(name.clone(), value.clone());
            }
        }
        self.view.timeouts = shared.timeouts.unwrap_or(Timeouts::NONE).over(self.view.timeouts);
    }

    fn place(&mut self, next: &mut State, wanted: &Declared, owner: &str, adopt: bool) -> Result<()> {
        let origin = |thing: Thing| wanted.origins.get(&thing);
        for (key, entry) in &wanted.services {
            if let Some(there) = next.services.get(key) {
                let name = key.to_string();
                if !adopt {
                    return Err(in_the_way("service", &name, &there.service.to_string(), owner)
                        .note(format!("it has {}", counted(there.servers.len(), "server")))
                        .at(origin(Thing::Service(*key))));
                }
                self.warnings.push(format!("service {key} was here before: taken over, stop removes it"));
                // What is taken over is ours from here on: stop does not put it back.
                self.base.services.remove(key);
            }
            next.services.insert(*key, entry.clone());
        }
        for (key, way) in &wanted.ways {
            // Exactly this one was left by a run whose state is lost: by its tag it is ours.
            if next.services.get(key) == Some(way) {
                self.base.services.remove(key);
            }
            place_way(next, key, way, owner)?;
            next.services.insert(*key, Arc::clone(way));
        }
        for (selector, mark) in &wanted.marks {
            let entry = MarkEntry { mark: *mark, owner: owner.to_string() };
            if let Some(there) = next.marks.get(selector)
                && there.owner != owner
                && !adopt
            {
                let what = format!("mark {} of policy '{}'", there.mark, there.owner);
                let subject = format!("{mark} for {selector}");
                return Err(
                    in_the_way("mark", &subject, &what, owner).at(origin(Thing::Mark(selector.clone())))
                );
            }
            self.base.marks.remove(selector);
            next.marks.insert(selector.clone(), entry);
        }
        for key in &wanted.vips {
            if let Some(there) = next.vips.get(key) {
                let name = key.to_string();
                if !adopt && !there.is_ours() {
                    return Err(in_the_way("address", &name, "an address that lvsh did not add", owner)
                        .at(origin(Thing::Vip(key.clone()))));
                }
                self.base.vips.remove(key);
            }
            next.vips.insert(key.clone(), Vip::ours());
        }
        self.place_paths(next, wanted, owner, adopt)?;
        let setting = |next: &State, name: &SysctlName, to: &str| {
            let step = Step::SetSysctl { name: name.clone(), from: String::new(), to: to.to_string() };
            let lacks = || refusal(&step, libc::ENOENT).at(origin(Thing::Sysctl(name.clone())));
            next.sysctls.get(name).cloned().ok_or_else(lacks)
        };
        for (name, value) in &wanted.sysctls {
            setting(next, name, value)?;
            next.sysctls.insert(name.clone(), value.clone());
        }
        for (name, floor) in &wanted.floors {
            let now = setting(next, name, &floor.to_string())?;
            if now.trim().parse::<i64>().is_ok_and(|now| now < *floor) {
                next.sysctls.insert(name.clone(), floor.to_string());
            }
        }
        if let Some(timeouts) = wanted.timeouts {
            next.timeouts = timeouts.over(next.timeouts);
        }
        for (role, daemon) in &wanted.syncs {
            if let Some(there) = next.syncs.get(role)
                && !adopt
            {
                return Err(in_the_way("sync", &role.to_string(), &there.to_string(), owner));
            }
            next.syncs.insert(*role, daemon.clone());
        }
        Ok(())
    }
}

/// The mark of a way must be nobody's, whatever is adopted: with another's mark a check would go where that one leads.
fn place_way(next: &State, key: &ServiceKey, way: &Arc<ServiceEntry>, owner: &str) -> Result<()> {
    let ServiceKey::Mark { mark, .. } = key else { return Ok(()) };
    let marked = next.marks.iter().find(|(_, entry)| entry.mark == *mark);
    let there = match (next.services.get(key), marked) {
        (Some(entry), _) if entry == way => return Ok(()),
        (Some(entry), _) => entry.service.to_string(),
        (None, Some((selector, entry))) => format!("policy '{}' marks {selector} with it", entry.owner),
        (None, None) => return Ok(()),
    };
    let message = format!("cannot add service {key}, which checks go through: the mark is in use (conflict)");
    let mut error = Error::new(Kind::Conflict, "conflict", message).about(key.to_string());
    error.op = "add service".to_string();
    let hint = format!(
        "health = {{ marks = {{ first, last }} }} in '{owner}' takes other marks; if nobody knows this service, \
         ipvsadm -D -f {mark} removes it"
    );
    Err(error.note(format!("there is: {there}")).hint(hint))
}

pub(super) fn in_the_way(kind: &str, subject: &str, there: &str, owner: &str) -> Error {
    let message = format!("cannot add {kind} {subject}: it exists and '{owner}' did not make it (conflict)");
    let mut error = Error::new(Kind::Conflict, "conflict", message).about(subject);
    error.op = format!("add {kind}");
    error
        .note(format!("there is: {there}"))
        .hint(format!("lvsh apply {owner}    takes it over and changes it in place"))
}
