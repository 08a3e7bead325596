//! All or nothing, on a kernel that has no transactions.

use super::expect::Expect;
use super::{Journal, Plan, Step, beside};
use crate::backend::{Backend, Outcome};
use crate::error::{Error, Kind, Result, counted};

/// What a successful run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Steps sent and verified.
    pub done: usize,
}

/// Carries a plan out: journal, send, read back, compare; or takes back what was done, last first.
///
/// An empty plan sends nothing, writes nothing and reads nothing.
///
/// # Errors
/// The refusal of the first step that failed, with its place in the user's file and what became of the others in
/// [`Error::aftermath`]; [`Kind::RollbackFailed`] when taking back failed or did not verify.
pub fn execute(backend: &mut dyn Backend, plan: &Plan, journal: &mut dyn Journal) -> Result<Report> {
    if plan.is_empty() {
        return Ok(Report::default());
    }
    journal.begin(plan)?;
    let steps: Vec<Step> = plan.steps().cloned().collect();
    let (outcomes, expect) = beside(steps.len(), || backend.apply(&steps), || Expect::after(&steps));
    let failure = first_failure(plan, &outcomes).or_else(|| verify(backend, &expect));
    let Some(mut error) = failure else {
        journal.end()?;
        return Ok(Report { done: steps.len() });
    };
    let done = plan.actions.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_done());
    let done = Plan { actions: done.map(|(action, _)| action.clone()).collect() };
    match roll_back(backend, &done) {
        Ok(aftermath) => {
            error.aftermath = Some(aftermath);
            if let Err(trouble) = journal.undone(plan.len()).and_then(|()| journal.end()) {
                error.notes.push(trouble.to_string());
            }
            Err(error)
        }
        Err(troubles) => Err(rollback_failed(error, &done, troubles)),
    }
}

fn first_failure(plan: &Plan, outcomes: &[Outcome]) -> Option<Error> {
    plan.actions.iter().zip(outcomes).find_map(|(action, outcome)| match outcome {
        Outcome::Failed(error) => Some(error.clone().at(action.origin.as_ref())),
        _ => None,
    })
}

/// Reads back what the steps touched and compares.
fn verify(backend: &mut dyn Backend, expect: &Expect<'_>) -> Option<Error> {
    let misses = match backend.state(&expect.want()) {
        Ok(seen) => expect.misses(&seen),
        Err(error) => return Some(error),
    };
    let first = misses.first()?;
    let message = format!("the kernel took every change, but {first} when read back");
    let mut error = Error::new(Kind::Refused, "not_verified", message);
    error.notes = misses[1..].to_vec();
    Some(error.hint(
        "another program changes this table at the same time; look for keepalived, ldirectord or a cron job",
    ))
}

/// Takes back what was done. `Ok` says it in words for the user; `Err` lists what is not as it was.
pub fn roll_back(backend: &mut dyn Backend, done: &Plan) -> Result<String, Vec<String>> {
    if done.is_empty() {
        return Ok("nothing was changed".to_string());
    }
    let undo: Vec<Step> = done.inverse().steps().cloned().collect();
    let outcomes = backend.apply(&undo);
    let mut troubles: Vec<String> = Vec::new();
    for outcome in &outcomes {
        if let Outcome::Failed(error) = outcome {
            troubles.push(error.to_string());
        }
    }
    // The first refusal stops a backend; on the way back the rest must still be tried, one by one.
    for (step, outcome) in undo.iter().zip(&outcomes) {
        if let Outcome::NotSent = outcome
            && let Some(Outcome::Failed(error)) = backend.apply(std::slice::from_ref(step)).pop()
        {
            troubles.push(error.to_string());
        }
    }
    let expect = Expect::after(&undo);
    let misses = match backend.state(&expect.want()) {
        Ok(seen) => expect.misses(&seen),
        Err(error) => vec![error.to_string()],
    };
    if misses.is_empty() {
        return Ok(format!("rolled back: {}; the system is as before", counted(done.len(), "change")));
    }
    troubles.extend(misses);
    Err(troubles)
}

/// An error whose changes could not be taken back.
pub fn rollback_failed(cause: Error, done: &Plan, troubles: Vec<String>) -> Error {
    let mut error = cause;
    error.kind = Kind::RollbackFailed;
    error.aftermath = Some(format!(
        "ROLLBACK FAILED: {} of {} could not be taken back; look at the machine",
        troubles.len(),
        counted(done.len(), "change")
    ));
    error.notes.extend(troubles);
    error
}
