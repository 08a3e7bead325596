//! `.dry`: changes that are collected, shown and sent as one plan, or dropped.

use crate::backend::Want;
use crate::cli::run::{stands, want_of};
use crate::error::{Error, Kind, Result};
use crate::model::State;
use crate::plan::{Action, Plan, Savepoint, Session, Step, World, advance};
use crate::view::{PlanView, Style, plan_text};

/// A dry run: one session for all of its lines, whose picture of the machine does not move.
pub struct Stage {
    /// Away while a line runs.
    session: Option<Session>,
    /// Where each line that changed something began, for `.undo`.
    points: Vec<Savepoint>,
    /// What was staged before the line that runs.
    known: Vec<Action>,
}

impl Stage {
    pub fn new(session: Session) -> Stage {
        Stage { session: Some(session), points: Vec::new(), known: Vec::new() }
    }

    /// What would be sent.
    pub fn plan(&self) -> Plan {
        self.session.as_ref().map(Session::plan).unwrap_or_default()
    }

    pub fn actual(&self) -> &State {
        static NONE: std::sync::LazyLock<State> = std::sync::LazyLock::new(State::default);
        self.session.as_ref().map_or(&*NONE, Session::actual)
    }

    pub fn see(&mut self, want: &Want) -> Result<&State> {
        match &mut self.session {
            Some(session) => session.see(want),
            None => Err(Error::new(Kind::Script, "error", "the dry run is busy")),
        }
    }

    pub fn begin(&mut self) -> Option<Savepoint> {
        self.known = self.plan().actions;
        self.session.as_ref().map(Session::mark)
    }

    /// The session, for one run.
    pub fn give(&mut self) -> Session {
        let none = || {
            let machine = Box::new(crate::backend::Memory::default());
            let journal = Box::new(crate::plan::NoJournal);
            Session::new(machine, journal, crate::plan::Mode::Staged, Default::default())
        };
        self.session.take().unwrap_or_else(none)
    }

    pub fn put(&mut self, session: Session) {
        self.session = Some(session);
    }

    /// The session after a line: what it staged anew. A line that failed staged nothing.
    pub fn back(
        &mut self,
        mut session: Session,
        point: Option<Savepoint>,
        failed: bool,
    ) -> Result<Vec<Action>> {
        if failed {
            let said = point.map_or(Ok(String::new()), |point| session.back_to(point));
            self.session = Some(session);
            return said.map(|_| Vec::new());
        }
        let plan = session.plan();
        self.session = Some(session);
        let news: Vec<Action> = plan
            .actions
            .iter()
            .filter(|action| !self.known.iter().any(|old| old.step == action.step))
            .cloned()
            .collect();
        let differs = plan.len() != self.known.len() || !news.is_empty();
        self.points.extend(point.filter(|_| differs));
        Ok(news)
    }

    /// Drops what the last `count` lines staged.
    pub fn undo(&mut self, count: usize) -> Result<String> {
        if self.points.len() < count {
            let text = format!("this dry run has only {} to undo", self.points.len());
            return Err(Error::new(Kind::Usage, "bad_value", text).hint(".diff shows what is staged"));
        }
        let mut point = None;
        for _ in 0..count {
            point = self.points.pop();
        }
        if let (Some(session), Some(point)) = (&mut self.session, point) {
            session.back_to(point)?;
        }
        Ok(format!("{} staged\n", changes(self.plan().len())))
    }

    pub fn diff(&self, style: Style) -> String {
        let plan = self.plan();
        if plan.is_empty() {
            return "nothing is staged\n".to_string();
        }
        let drift = Default::default();
        let view = PlanView { title: "", plan: &plan, actual: self.actual(), mine: None, drift: &drift };
        let (tree, _) = plan_text(&view, style);
        format!("{}\n", tree.trim_matches('\n'))
    }
}

/// Sends a plan that was staged on an older picture of the machine; refuses when that is no longer true.
pub fn send(plan: &Plan, session: &mut Session) -> Result<()> {
    let mut state = session.see(&want_of(&plan.actions))?.clone();
    let world = World::default();
    for action in &plan.actions {
        let step = &action.step;
        let as_before = step.inverse().iter().all(|inverse| stands(&state, inverse));
        if !as_before || advance(&mut state, step, &world).is_err() {
            return Err(moved(step));
        }
    }
    session.effect(plan.actions.clone())
}

fn moved(step: &Step) -> Error {
    let text = format!("{} was changed by others since it was staged; nothing was sent", step.thing());
    Error::new(Kind::Conflict, "conflict", text)
        .hint(".discard drops what is staged; then do it again on what is there")
}

/// `1 change`, `2 changes`
pub fn changes(count: usize) -> String {
    if count == 1 { "1 change".to_string() } else { format!("{count} changes") }
}
