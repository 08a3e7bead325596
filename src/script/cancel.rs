//! Ending a run from outside: Ctrl-C, SIGTERM, `--timeout`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, Kind};

/// Shared between the signal handlers, the thread that waits, and the VM's hook. Setting it ends what runs.
#[derive(Clone, Debug)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    /// The VM was given up: whatever it does when it comes back, it has to end.
    given_up: Arc<AtomicBool>,
    made: Instant,
    /// Microseconds after `made` at which the present run began.
    began: Arc<AtomicU64>,
    limit: Option<Duration>,
}

impl Cancel {
    pub fn new(deadline: Option<Instant>) -> Cancel {
        let made = Instant::now();
        let limit = deadline.map(|deadline| deadline.saturating_duration_since(made));
        Cancel { flag: Arc::default(), given_up: Arc::default(), made, began: Arc::default(), limit }
    }

    /// For `signal_hook::flag::register`: true ends the run.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }

    /// From here on the time counts anew, and what was asked of the run before is forgotten.
    pub fn begin(&self) {
        self.began.store(self.made.elapsed().as_micros() as u64, Ordering::Relaxed);
        self.flag.store(false, Ordering::Relaxed);
    }

    /// From here on the time counts anew; who asked for an end is still heard.
    pub fn renew(&self) {
        self.began.store(self.made.elapsed().as_micros() as u64, Ordering::Relaxed);
    }

    /// The same for another VM, when this one was given up.
    #[must_use]
    pub fn successor(&self) -> Cancel {
        Cancel { given_up: Arc::default(), ..self.clone() }
    }

    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    fn passed(&self) -> Duration {
        self.made.elapsed().saturating_sub(Duration::from_micros(self.began.load(Ordering::Relaxed)))
    }

    /// Why the run has to end, if it has to: `Interrupted` or `Timeout`.
    pub fn reason(&self) -> Option<Kind> {
        if self.flag.load(Ordering::Relaxed) || self.given_up.load(Ordering::Relaxed) {
            return Some(Kind::Interrupted);
        }
        self.limit.filter(|limit| self.passed() >= *limit).map(|_| Kind::Timeout)
    }

    /// The error of a run that was ended.
    pub(super) fn error(&self, kind: Kind) -> Error {
        let passed = self.passed();
        match kind {
            Kind::Timeout => {
                let limit = self.limit.unwrap_or(passed);
                Error::new(kind, "timeout", format!("the time limit of {} passed", brief(limit)))
            }
            _ => Error::new(Kind::Interrupted, "interrupted", format!("interrupted after {}", brief(passed))),
        }
    }
}

/// `50 s`, `1.2 s`
pub(super) fn brief(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if (seconds - seconds.round()).abs() < 0.05 {
        format!("{seconds:.0} s")
    } else {
        format!("{seconds:.1} s")
    }
}
