//! Ending a run from outside: Ctrl-C, SIGTERM, `--timeout`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Kind};

/// Shared between the signal handlers, the thread that waits, and the VM's hook. Setting it ends what runs.
#[derive(Clone, Debug)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    started: Instant,
    deadline: Option<Instant>,
}

impl Cancel {
    pub fn new(deadline: Option<Instant>) -> Cancel {
        Cancel { flag: Arc::new(AtomicBool::new(false)), started: Instant::now(), deadline }
    }

    /// For `signal_hook::flag::register`: true ends the run.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// Why the run has to end, if it has to: `Interrupted` or `Timeout`.
    pub fn reason(&self) -> Option<Kind> {
        if self.flag.load(Ordering::Relaxed) {
            return Some(Kind::Interrupted);
        }
        self.deadline.filter(|deadline| Instant::now() >= *deadline).map(|_| Kind::Timeout)
    }

    /// The error of a run that was ended.
    pub(super) fn error(&self, kind: Kind) -> Error {
        let passed = self.started.elapsed();
        match kind {
            Kind::Timeout => {
                let limit = self.deadline.map_or(passed, |deadline| deadline.duration_since(self.started));
                Error::new(kind, "timeout", format!("the time limit of {} passed", brief(limit)))
            }
            _ => Error::new(Kind::Interrupted, "interrupted", format!("interrupted after {}", brief(passed))),
        }
    }
}

/// `50 s`, `1.2 s`
pub(super) fn brief(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds.fract() < 0.05 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
}
