//! Deciding and doing, without a kernel: differences, order, all or nothing, ownership, traps.

#[path = "../conformance/table.rs"]
#[allow(dead_code, reason = "only its notation is used here")]
mod table;

mod diff;
mod evict;
mod execute;
mod lint;
mod paths;
mod random;
mod session;

use lvsh::backend::{Backend, Memory, Outcome};
use lvsh::model::State;

/// The state that these steps make on an empty machine.
fn state(text: &str) -> State {
    let mut memory = Memory::default();
    let steps = table::steps(text);
    for (step, outcome) in steps.iter().zip(memory.apply(&steps)) {
        assert!(matches!(outcome, Outcome::Done), "{step:?}: {outcome:?}");
    }
    memory.state
}

/// Each step as one line: `add server fwm:3 10.0.0.2`.
fn lines<'a>(steps: impl IntoIterator<Item = &'a lvsh::plan::Step>) -> Vec<String> {
    steps.into_iter().map(|step| format!("{} {} {}", step.verb(), step.kind(), step.subject())).collect()
}
