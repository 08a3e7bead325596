//! Changes that are only tried: staged on what is seen, told as a plan, and forgotten.

use std::collections::BTreeMap;

use super::{Mode, Session};
use crate::error::Origin;
use crate::model::State;
use crate::plan::{Owned, Plan, Thing, diff};

impl Session {
    /// Whether what is done now is only tried, and taken back.
    pub fn rehearses(&self) -> bool {
        !self.rehearsals.is_empty()
    }

    /// From here on changes are only staged, whatever the mode, until [`Session::rehearsed`].
    pub fn rehearse(&mut self) {
        self.rehearsals.push(Rehearsal {
            mode: self.mode,
            view: self.view.clone(),
            base: self.base.clone(),
            claimed: self.claimed.clone(),
            origins: self.origins.clone(),
            warnings: self.warnings.len(),
        });
        self.mode = Mode::Staged;
    }

    /// What was staged since [`Session::rehearse`]; everything is as before then.
    pub fn rehearsed(&mut self) -> Plan {
        let Some(before) = self.rehearsals.pop() else { return Plan::default() };
        let steps = diff(&before.view, &self.view);
        let plan = self.placed(steps);
        self.mode = before.mode;
        self.view = before.view;
        self.base = before.base;
        self.claimed = before.claimed;
        self.origins = before.origins;
        self.warnings.truncate(before.warnings);
        plan
    }

    /// Ends all rehearsals, after a script that was cut off in one.
    pub fn stop_rehearsing(&mut self) {
        while !self.rehearsals.is_empty() {
            self.rehearsed();
        }
    }
}

/// A session before changes were only tried.
pub struct Rehearsal {
    mode: Mode,
    pub(super) view: State,
    pub(super) base: State,
    claimed: Owned,
    origins: BTreeMap<Thing, Origin>,
    warnings: usize,
}
