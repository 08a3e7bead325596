//! What would change, and making it so. Pure functions but for `execute`, which holds the one door to a backend.

mod beside;
mod buckets;
mod diff;
mod dump;
mod execute;
mod expect;
mod fold;
mod journal;
mod lint;
mod order;
mod owned;
mod refusal;
mod rules;
mod session;
mod step;

pub use beside::beside;
pub use buckets::buckets_moved;
pub use diff::diff;
pub use dump::{Dump, Says};
pub use execute::{Report, execute};
pub use fold::{before, fold};
pub use journal::{Journal, NoJournal};

pub use lint::{EXPIRE_QUIESCENT, Warning, lint, lint_drains, lint_plan, lint_ramps};
pub use order::{rank, sort};
pub use owned::Owned;
pub use refusal::{no_service, refusal};
pub use rules::{World, advance, check_mark};
pub use session::{Declared, Evicted, Evicting, Lent, Mode, Savepoint, Session};
pub use step::{Step, Thing};

use serde::{Deserialize, Serialize};

use crate::error::Origin;

/// A step, where in the user's file it was asked for, and why it is needed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub step: Step,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl From<Step> for Action {
    fn from(step: Step) -> Action {
        Action { step, origin: None, reason: None }
    }
}

/// Ordered changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan {
    pub actions: Vec<Action>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    pub fn len(&self) -> usize {
        self.actions.len()
    }

    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.actions.iter().map(|action| &action.step)
    }

    /// The plan that takes this one back: inverses, last first.
    pub fn inverse(&self) -> Plan {
        let undo = |action: &Action| {
            let origin = action.origin.clone();
            let steps = action.step.inverse().into_iter();
            steps.map(move |step| Action { step, origin: origin.clone(), reason: None })
        };
        Plan { actions: self.actions.iter().rev().flat_map(undo).collect() }
    }
}

impl FromIterator<Step> for Plan {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Plan {
        Plan { actions: steps.into_iter().map(Action::from).collect() }
    }
}
