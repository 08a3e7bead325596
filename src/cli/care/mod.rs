//! Care for the servers of a started policy: rounds of health, and what an operator decides.

mod again;
mod decided;
mod evict;
mod hand;
mod memory;
mod round;
mod rounds;
mod shown;
mod waiting;
mod words;

pub use evict::mend;
pub use hand::{Decided, Hand};
pub use rounds::{Check, check};
pub use shown::{Cared, cared};
pub use words::{What, Word, decide};

use std::sync::Arc;

use serde_json::{Value, json};

use super::store::Store;
use crate::error::{Error, Kind, Result};
use crate::script::Recall;

/// What a policy's start or check gets to know of health: the last round and the operator's decisions; `null` when
/// there is neither, which spares a director of ten thousand servers the question.
pub fn known(store: &Store, name: &str) -> Result<Value> {
    let memory = memory::load(store, name, memory::Of::Health).memory;
    let admin = decided::load(store, name)?;
    if memory.is_null() && admin.servers.is_empty() {
        return Ok(Value::Null);
    }
    Ok(json!({
        "memory": memory,
        "admin": admin.for_lua(store.clock()),
        "now": store.now(),
    }))
}

/// What a stopped policy no longer needs; what the operator decided stays.
pub fn forget(store: &Store, name: &str) -> Result<()> {
    memory::forget(store, name)
}

/// What scripts find again with `lvs.state`.
pub fn recall(store: Option<&Store>) -> Recall {
    let store = store.cloned();
    Recall(Arc::new(move |name| match &store {
        None => Ok(Value::Null),
        Some(store) => {
            let found = memory::load(store, name, memory::Of::Script);
            match found.warning {
                Some(warning) => Err(Error::new(Kind::Io, "state", warning)),
                None => Ok(found.memory),
            }
        }
    }))
}

/// Keeps what a script that ended well left in its tables.
pub fn retain(store: Option<&Store>, states: &[(String, Value)]) -> Result<()> {
    let Some(store) = store else { return Ok(()) };
    states.iter().try_for_each(|(name, value)| memory::save(store, name, memory::Of::Script, value))
}
