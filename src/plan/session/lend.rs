//! Changes for a moment: what a check needs to go through IPVS. Taken back by whoever made them, and after a kill by
//! the next run, which finds them in the journal.

use super::Session;
use crate::error::Result;
use crate::plan::{Action, Step};

/// What was made for a moment; to be given back.
#[derive(Debug)]
pub struct Lent {
    begun: usize,
}

impl Session {
    /// Makes changes that [`Session::give_back`] takes back.
    pub fn lend(&mut self, actions: Vec<Action>) -> Result<Lent> {
        let begun = self.sent.len();
        self.effect(actions)?;
        Ok(Lent { begun })
    }

    /// Takes back what was lent and still stands; others may have removed some of it.
    pub fn give_back(&mut self, lent: Lent) -> Result<()> {
        let steps: Vec<Step> = self
            .sent
            .get(lent.begun..)
            .unwrap_or_default()
            .iter()
            .map(|action| action.step.clone())
            .collect();
        let mut undo = Vec::new();
        for step in steps.into_iter().rev() {
            match step {
                Step::AddService { key, .. } => {
                    self.refresh(&key)?;
                    if let Some(entry) = self.actual.service(&key).cloned() {
                        undo.push(Step::DelService { key, entry });
                    }
                }
                Step::SetSysctl { name, from, to } => undo.push(Step::SetSysctl { name, from: to, to: from }),
                // Servers go with their service.
                _ => {}
            }
        }
        self.effect(undo.into_iter().map(Action::from).collect())?;
        self.forget_sent(lent.begun);
        Ok(())
    }
}
