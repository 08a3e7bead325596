//! The contract of a backend on `Memory`; `tests/kernel/conformance.rs` runs the same table on the kernel.

mod reading;
mod table;

use std::collections::BTreeSet;

use lvsh::backend::Memory;
use lvsh::model::{IfName, Scheduler, State};
use lvsh::plan::World;

/// The machine of the table: every scheduler, engine sip, devices lo and d0.
fn machine() -> Memory {
    let device = |name: &str| IfName::new(name).expect("a device");
    Memory::new(State::default()).with_world(World {
        schedulers: Some(Scheduler::KNOWN.iter().map(|name| name.to_string()).collect()),
        engines: Some(BTreeSet::from(["sip".to_string()])),
        devices: Some(BTreeSet::from([device("lo"), device("d0")])),
    })
}

#[test]
fn memory_answers_as_the_table_says() {
    table::check_all(|row| table::check(row, &mut machine()));
}

/// Every step that was taken can be taken back, and leaves what was.
#[test]
fn inverses_restore() {
    table::check_all(|row| {
        let mut memory = machine();
        use lvsh::backend::Backend;
        memory.apply(&row.given);
        let before = memory.state.clone();
        if row.answer != "ok"
            || row.step.verb() == "set"
            || row.step.verb() == "del"
            || row.step.verb() == "stop"
        {
            // The table's steps do not say what they replace, so only additions can be taken back here.
            return Ok(());
        }
        memory.apply(std::slice::from_ref(&row.step));
        memory.apply(&row.step.inverse());
        if memory.state == before { Ok(()) } else { Err(format!("inverse left {:?}", memory.state)) }
    });
}

#[test]
fn memory_answers_what_is_read() {
    reading::check(&mut machine());
}
