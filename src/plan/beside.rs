//! What needs no kernel, done while the kernel works.

use std::sync::{Mutex, PoisonError};

/// So many changes take the kernel longer than a second thread costs.
const WORTH: usize = 1000;

/// Does `this`, and `other` on a thread of its own meanwhile, when there are so many changes that it pays; else one
/// after the other. A panic of either is the caller's.
pub fn beside<A, B: Send>(
    changes: usize,
    this: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    if changes < WORTH {
        return (this(), other());
    }
    // Where there may be no more threads, it is taken from here.
    let other = Mutex::new(Some(other));
    let take = || other.lock().unwrap_or_else(PoisonError::into_inner).take();
    let run = || take().map(|other| other());
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, run);
        let done = this();
        let other = match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => run(),
        };
        (done, other.expect("run once"))
    })
}
