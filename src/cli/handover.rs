//! What one policy takes over from another leaves the other's state, so that stopping that one does not remove it.

use super::context::Context;
use super::store::{Saved, Store};
use crate::error::Result;
use crate::plan::Owned;

/// Takes what `name` owns now out of the state of every other policy. Called under the lock of `name`, after its
/// changes were verified; a state that cannot be changed is warned of, because the machine is right already.
pub fn hand_over(context: &Context, store: &Store, name: &str, owned: &Owned) {
    for (other, saved) in store.others(name) {
        let taken = overlap(&saved, owned);
        if taken.is_empty() {
            continue;
        }
        let what = taken.join(", ");
        match forget(context, store, &other, owned) {
            Ok(()) => context.warn(&other, format!("'{name}' has {what} now")),
            Err(error) => {
                context.warn(
                    &other,
                    format!("'{name}' has {what} now, but stop {other} still removes it: {error}"),
                );
            }
        }
    }
}

fn overlap(saved: &Saved, owned: &Owned) -> Vec<String> {
    let services = saved.owned.services.keys().filter(|key| owned.services.contains_key(key));
    let marks = saved.owned.marks.keys().filter(|key| owned.marks.contains_key(key));
    let vips = saved.owned.vips.keys().filter(|key| owned.vips.contains_key(key));
    let mut all: Vec<String> = services.map(|key| format!("service {key}")).collect();
    all.extend(marks.map(|key| format!("the mark for {key}")));
    all.extend(vips.map(|key| format!("address {key}")));
    all
}

fn forget(context: &Context, store: &Store, other: &str, owned: &Owned) -> Result<()> {
    let Ok(_lock) = context.lock(store, other)? else { return Ok(()) };
    // Read again: it may have changed before the lock was ours.
    let Some(mut saved) = store.load(other, false)?.saved else { return Ok(()) };
    saved.owned.services.retain(|key, _| !owned.services.contains_key(key));
    saved.owned.marks.retain(|key, _| !owned.marks.contains_key(key));
    saved.owned.vips.retain(|key, _| !owned.vips.contains_key(key));
    saved.made.services.retain(|key, _| !owned.services.contains_key(key));
    saved.made.marks.retain(|key, _| !owned.marks.contains_key(key));
    saved.made.vips.retain(|key, _| !owned.vips.contains_key(key));
    if saved.owned.is_empty() {
        return store.remove(other);
    }
    store.save(other, &saved.path, saved.started, saved.owned, saved.made)
}
