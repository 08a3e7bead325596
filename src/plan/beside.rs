//! What needs no kernel, done while the kernel works.

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
    std::thread::scope(|scope| {
        let other = scope.spawn(other);
        let done = this();
        let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (done, other)
    })
}
