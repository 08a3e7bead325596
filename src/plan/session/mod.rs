//! One run against one machine: what a script sees, and what becomes of what it asks for.

mod counters;
mod declare;
mod evict;
mod lend;
mod look;
mod paths;
mod rehearsal;
mod savepoint;

pub use declare::Declared;
pub use evict::{Evicted, Evicting};
pub use lend::Lent;
pub use savepoint::Savepoint;

use std::collections::BTreeMap;

use self::rehearsal::Rehearsal;
use super::execute::{roll_back, rollback_failed};
use super::{Action, Journal, Owned, Plan, Report, Step, Thing, World, advance, diff, execute, refusal};
use crate::backend::{Backend, Capabilities, Services, Want};
use crate::error::{Error, Kind, Origin, Result};
use crate::model::{Observed, State};

/// From so many changes on it pays to compare two pictures of the machine before both are changed.
const MANY: usize = 64;

/// When changes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each at once, as `run` and the REPL do; a run that fails is taken back.
    Live,
    /// None before [`Session::commit`], then all as one ordered plan: `start`, `stop`, `apply`, and every dry run.
    Staged,
}

/// One run: the machine as read, the machine as the script sees it, and how the two are brought together.
///
/// What a policy owns is taken out of what the script sees, so that its `start` runs against the machine as if
/// it had never run; the difference between the outcome and the real machine is the plan. This is what makes
/// the second `start` empty, for declared and for imperative policies alike.
pub struct Session {
    backend: Box<dyn Backend>,
    journal: Box<dyn Journal>,
    mode: Mode,
    owned: Owned,
    /// The machine: as read, and as changed by us since.
    actual: State,
    observed: Observed,
    /// `actual` without what is owned, as first read.
    base: State,
    /// What the script sees.
    view: State,
    read: Want,
    /// Whose counters are in `observed`.
    counted: Services,
    origins: BTreeMap<Thing, Origin>,
    /// Why things are changed, where that is known.
    reasons: BTreeMap<Thing, String>,
    /// What was sent at once, in order; for taking back.
    sent: Vec<Action>,
    /// Why effects are refused just now, if they are.
    sealed: Option<&'static str>,
    /// What the policy owns and a script still sees; `stop` gives it up.
    held: Owned,
    /// What the script asked to be as it was already: it is the policy's all the same.
    claimed: Owned,
    /// What to go back to when each running rehearsal ends, innermost last.
    rehearsals: Vec<Rehearsal>,
    /// What was sent and then taken back, in the order of its sending.
    taken_back: Vec<Action>,
    /// For the user, after the run.
    pub warnings: Vec<String>,
    /// What a script would have done outside of the machine, had this not been a rehearsal: each in words.
    pub not_simulated: Vec<String>,
}

impl Session {
    pub fn new(backend: Box<dyn Backend>, journal: Box<dyn Journal>, mode: Mode, owned: Owned) -> Session {
        Session {
            backend,
            journal,
            mode,
            owned,
            actual: State::default(),
            observed: Observed::default(),
            base: State::default(),
            view: State::default(),
            read: Want::default(),
            counted: Services::None,
            origins: BTreeMap::new(),
            reasons: BTreeMap::new(),
            sent: Vec::new(),
            sealed: None,
            held: Owned::default(),
            claimed: Owned::default(),
            rehearsals: Vec::new(),
            taken_back: Vec::new(),
            warnings: Vec::new(),
            not_simulated: Vec::new(),
        }
    }

    /// A session of `stop`: what the policy owns is still seen, and [`Session::release_held`] takes it away.
    #[must_use]
    pub fn holding(mut self, held: Owned) -> Session {
        self.held = held;
        self
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Refuses effects from here on, for the reason given; `None` allows them again.
    pub fn seal(&mut self, why: Option<&'static str>) {
        self.sealed = why;
    }

    /// Whether effects are allowed just now; else the error that says why not.
    pub fn may_change(&self) -> Result<()> {
        match self.sealed {
            None => Ok(()),
            Some(why) => Err(Error::new(Kind::Script, "no_effects", why).hint("put this in start()")),
        }
    }

    pub fn capabilities(&mut self) -> Result<Capabilities> {
        self.backend.capabilities()
    }

    /// The machine as the script sees it, with at least `want` read.
    pub fn see(&mut self, want: &Want) -> Result<&State> {
        self.ensure(want)?;
        Ok(&self.view)
    }

    /// As [`Session::see`], with the counters of its services.
    pub fn see_live(&mut self, want: &Want) -> Result<(&State, &Observed)> {
        self.ensure_live(want)?;
        Ok((&self.view, &self.observed))
    }

    /// What the script sees of what has been read so far.
    pub fn view(&self) -> &State {
        &self.view
    }

    /// The machine as it is, of what has been read so far.
    pub fn actual(&self) -> &State {
        &self.actual
    }

    /// Makes changes, all or none of them: at once in a live session, else in what the script sees.
    ///
    /// What the steps touch must have been seen before; [`Session::see`] does both.
    pub fn effect(&mut self, actions: Vec<Action>) -> Result<()> {
        self.change(actions, None)
    }

    /// As [`Session::effect`], for changes that were played on what is seen before: `after` is what came of it.
    pub fn effect_to(&mut self, actions: Vec<Action>, mut after: State) -> Result<()> {
        self.canonical(&mut after);
        self.change(actions, Some(after))
    }

    fn change(&mut self, mut actions: Vec<Action>, after: Option<State>) -> Result<()> {
        for action in &mut actions {
            if let Step::StartSync { role, daemon } = &mut action.step {
                *daemon = daemon.clone().canonical(*role, self.backend.mtu(&daemon.dev));
            }
        }
        self.may_change()
            .map_err(|error| error.at(actions.first().and_then(|action| action.origin.as_ref())))?;
        match self.mode {
            Mode::Live => self.send(actions, after),
            Mode::Staged => self.stage(&actions),
        }
    }

    /// Says the daemons of a state as this machine will report them, so that they can be compared.
    pub fn canonical(&mut self, state: &mut State) {
        for (role, daemon) in &mut state.syncs {
            *daemon = daemon.clone().canonical(*role, self.backend.mtu(&daemon.dev));
        }
    }

    fn send(&mut self, actions: Vec<Action>, after: Option<State>) -> Result<()> {
        let plan = Plan { actions };
        execute(self.backend.as_mut(), &plan, &mut Kept(self.journal.as_mut()))?;
        // Ten thousand changes are not played twice when the script sees just what there is.
        let alike = (after.is_some() || plan.len() > MANY) && self.view == self.actual;
        match after.filter(|_| alike) {
            Some(after) => self.actual = after,
            None => self.play(&plan, !alike)?,
        }
        if alike {
            self.view = self.actual.clone();
        }
        self.sent.extend(plan.actions);
        Ok(())
    }

    /// What was sent, on our picture of the machine, and on what the script sees of it.
    fn play(&mut self, plan: &Plan, seen: bool) -> Result<()> {
        let world = World::default();
        for step in plan.steps() {
            let stale = seen && advance(&mut self.view, step, &world).is_err();
            if advance(&mut self.actual, step, &world).is_err() || stale {
                // The kernel took it although our picture did not: someone else changed it. Look again.
                if let Some(key) = step.service().copied() {
                    self.refresh(&key)?;
                }
            }
        }
        Ok(())
    }

    fn stage(&mut self, actions: &[Action]) -> Result<()> {
        let before = if actions.len() > 1 { Some(self.view.clone()) } else { None };
        for action in actions {
            if let Err(errno) = advance(&mut self.view, &action.step, &World::default()) {
                if let Some(before) = before {
                    self.view = before;
                }
                return Err(refusal(&action.step, errno).at(action.origin.as_ref()));
            }
            if let Some(origin) = &action.origin {
                self.origins.insert(action.step.thing(), origin.clone());
            }
            if let Some(reason) = &action.reason {
                self.reasons.insert(action.step.thing(), reason.clone());
            }
        }
        Ok(())
    }

    /// Takes everything that the policy owns out of what is seen: the desired state of `stop`.
    pub fn release(&mut self, owned: &Owned) -> Result<()> {
        self.ensure(&want_of(owned))?;
        self.view = owned.without(&self.view);
        Ok(())
    }

    /// As [`Session::release`], for what the session holds or was made without.
    pub fn release_held(&mut self) -> Result<()> {
        self.may_change()?;
        self.see_owned()?;
        let held = std::mem::take(&mut self.held);
        let said = match self.mode {
            Mode::Staged => self.release(&held),
            Mode::Live => self.ensure(&want_of(&held)).and_then(|()| {
                let next = held.without(&self.view);
                let steps = diff(&self.view, &next);
                let plan = self.placed(steps);
                self.effect(plan.actions)
            }),
        };
        self.held = held;
        said
    }

    /// Reads what the policy owns, so that the plan also removes what the policy no longer names.
    pub fn see_owned(&mut self) -> Result<()> {
        let want = want_of(&self.owned);
        self.ensure(&want)
    }

    /// What a staged session would send: from the machine as it is to what the script sees.
    pub fn plan(&self) -> Plan {
        let steps = diff(&self.actual, &self.view);
        self.placed(steps)
    }

    /// A plan that says of each step where in the user's file it, or else its service, was asked for.
    fn placed(&self, steps: Vec<Step>) -> Plan {
        // Servers that were declared have no place of their own; ten thousand need not be looked for.
        let servers = self.origins.keys().any(|thing| matches!(thing, Thing::Server(..)));
        let mut last = None;
        let mut place = |step: &Step| -> Option<Origin> {
            use Step::{AddServer, DelServer, SetServer};
            let own = match step {
                AddServer { .. } | SetServer { .. } | DelServer { .. } if !servers => None,
                _ => self.origins.get(&step.thing()),
            };
            let Some(service) = step.service() else { return own.cloned() };
            let of_service = match last {
                Some((key, origin)) if key == *service => origin,
                _ => {
                    let origin = self.origins.get(&Thing::Service(*service));
                    last = Some((*service, origin));
                    origin
                }
            };
            own.or(of_service).cloned()
        };
        let why = |step: &Step| match self.reasons.is_empty() {
            true => None,
            false => self.reasons.get(&step.thing()).cloned(),
        };
        let actions = steps.into_iter().map(|step| Action { origin: place(&step), reason: why(&step), step });
        Plan { actions: actions.collect() }
    }

    /// Sends what is staged, as one plan.
    pub fn commit(&mut self, plan: &Plan) -> Result<Report> {
        let report = execute(self.backend.as_mut(), plan, self.journal.as_mut())?;
        self.actual = self.view.clone();
        Ok(report)
    }

    /// Takes a plan back that was carried out; the error is why, and then also says what became of it.
    pub fn take_back(&mut self, plan: &Plan, why: Error) -> Error {
        match roll_back(self.backend.as_mut(), plan) {
            Ok(said) => Error { aftermath: Some(said), ..why },
            Err(troubles) => rollback_failed(why, plan, troubles),
        }
    }

    /// What the policy owns if what is seen becomes true.
    pub fn owned_after(&self) -> Owned {
        let mut owned = Owned::between(&self.base, &self.view);
        for (name, before) in &self.claimed.sysctls {
            owned.sysctls.entry(name.clone()).or_insert_with(|| before.clone());
        }
        for (key, before) in &self.claimed.fous {
            owned.fous.entry(*key).or_insert(*before);
        }
        owned.add_timeouts(self.claimed.timeouts);
        owned
    }

    /// What was sent at once so far.
    pub fn sent(&self) -> &[Action] {
        &self.sent
    }

    /// What was sent, and taken back by [`Session::back_to`].
    pub fn taken_back(&self) -> &[Action] {
        &self.taken_back
    }

    /// Ends a live run well: its journal is no longer needed.
    pub fn close(&mut self) -> Result<()> {
        self.journal.end()
    }
}

/// A live run's journal stays until the whole run is over.
struct Kept<'a>(&'a mut dyn Journal);

impl Journal for Kept<'_> {
    fn begin(&mut self, plan: &Plan) -> Result<()> {
        self.0.begin(plan)
    }

    fn undone(&mut self, count: usize) -> Result<()> {
        self.0.undone(count)
    }

    fn end(&mut self) -> Result<()> {
        Ok(())
    }
}

fn want_of(owned: &Owned) -> Want {
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
