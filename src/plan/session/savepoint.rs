//! Places in a run to go back to.

use super::{Mode, Session};
use crate::backend::Want;
use crate::error::{Error, Kind, Result, counted};
use crate::model::State;
use crate::plan::execute::roll_back;
use crate::plan::{Owned, Plan, World, advance};

/// A place in a run to go back to.
pub struct Savepoint {
    sent: usize,
    staged: Option<Picture>,
}

/// What a staged session knew at a savepoint.
struct Picture {
    view: State,
    base: State,
    read: Want,
    claimed: Owned,
    warnings: usize,
}

impl Session {
    /// How much was sent so far; a place to go back to.
    pub fn mark(&self) -> Savepoint {
        let picture = || Picture {
            view: self.view.clone(),
            base: self.base.clone(),
            claimed: self.claimed.clone(),
            read: self.read.clone(),
            warnings: self.warnings.len(),
        };
        Savepoint { sent: self.sent.len(), staged: (self.mode == Mode::Staged).then(picture) }
    }

    /// Takes back what was done since `point`; says it in words.
    pub fn back_to(&mut self, point: Savepoint) -> Result<String> {
        if let Some(Picture { mut view, mut base, read, claimed, warnings }) = point.staged {
            // What was only read meanwhile is no change, and must not look like one.
            self.complete(&mut view, &read);
            self.complete(&mut base, &read);
            (self.view, self.base, self.claimed) = (view, base, claimed);
            self.warnings.truncate(warnings);
            return Ok("nothing was changed".to_string());
        }
        let undo = Plan { actions: self.sent.split_off(point.sent.min(self.sent.len())) };
        let said = roll_back(self.backend.as_mut(), &undo).map_err(|troubles| {
            let message =
                format!("rollback failed: {} could not be taken back", counted(troubles.len(), "change"));
            let mut error = Error::new(Kind::RollbackFailed, "rollback_failed", message);
            error.notes = troubles;
            error
        })?;
        if !undo.is_empty()
            && let Err(error) = self.journal.undone(undo.len())
        {
            self.warnings.push(error.to_string());
        }
        self.taken_back.extend(undo.actions.iter().cloned());
        for step in undo.inverse().steps() {
            for state in [&mut self.view, &mut self.actual] {
                // Our picture may be behind the kernel; the kernel's answer was checked above.
                if advance(state, step, &World::default()).is_err() {
                    continue;
                }
            }
        }
        Ok(said)
    }
}
