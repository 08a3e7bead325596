//! What a run meets beside its machine: time, what servers answer, and who hears its log. Real, or scripted by a test.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use super::natives::Level;
use crate::error::Result;
use crate::probe::{self, Answer, Check};

/// All of it; real when nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    pub clock: Clock,
    /// Who answers instead of the servers.
    pub asked: Option<Asked>,
    /// Who answers for programs, URLs and names.
    pub world: Option<World>,
    /// Who hears the log instead of stderr.
    pub heard: Option<Heard>,
    /// Where the log goes when it does not go to stderr.
    pub logged: Option<Logged>,
    /// Nothing outside of the machine is touched: programs and webhooks are only listed.
    pub dry: bool,
}

/// The boot clock and the wall clock, or two that only move when they are told to.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Mutex<Simulated>>>);

#[derive(Clone, Copy, Debug)]
struct Simulated {
    since_boot: Duration,
    since_1970: Duration,
}

/// How long a simulated machine has been up when a test begins, and after a reboot of it.
const UP: Duration = Duration::from_secs(60);
/// When that was; which day it is may not matter to a test.
const DAY_ONE: Duration = Duration::from_secs(1_700_000_000);

impl Clock {
    pub fn simulated() -> Clock {
        Clock(Some(Arc::new(Mutex::new(Simulated { since_boot: UP, since_1970: DAY_ONE }))))
    }

    fn told(&self) -> Option<std::sync::MutexGuard<'_, Simulated>> {
        self.0.as_ref().map(|told| told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Since the machine was started, sleep included; wall clocks jump, this does not.
    pub fn since_boot(&self) -> Duration {
        match self.told() {
            Some(told) => told.since_boot,
            None => match clock_gettime(ClockId::CLOCK_BOOTTIME) {
                Ok(time) => Duration::new(
                    u64::try_from(time.tv_sec()).unwrap_or_default(),
                    u32::try_from(time.tv_nsec()).unwrap_or_default(),
                ),
                Err(_) => Duration::ZERO,
            },
        }
    }

    /// Seconds since 1970.
    pub fn since_1970(&self) -> u64 {
        match self.told() {
            Some(told) => told.since_1970.as_secs(),
            None => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |now| now.as_secs()),
        }
    }

    /// Lets time pass; looks every `look` whether to stop, and says whether it was not stopped.
    pub fn sleep(&self, time: Duration, look: Duration, stopped: &dyn Fn() -> bool) -> bool {
        if self.advance(time) {
            return !stopped();
        }
        let until = Instant::now() + time;
        loop {
            if stopped() {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            std::thread::sleep(left.min(look));
        }
    }

    /// Moves a simulated clock; false if this is the machine's own.
    pub fn advance(&self, by: Duration) -> bool {
        let Some(mut told) = self.told() else { return false };
        told.since_boot += by;
        told.since_1970 += by;
        true
    }

    /// Begins the boot clock of a simulated machine anew.
    pub fn reboot(&self) {
        if let Some(mut told) = self.told() {
            told.since_boot = UP;
        }
    }
}

/// One probe of one server, for whoever answers instead.
#[derive(Clone, Debug)]
pub struct Question {
    /// As the script or the policy names the server.
    pub name: String,
    pub addr: IpAddr,
    pub port: u16,
    /// `http`
    pub kind: &'static str,
    pub check: Check,
}

type Answers = dyn Fn(Vec<Question>) -> Result<Vec<Answer>> + Send + Sync;

/// Answers all questions of a round, in their order.
#[derive(Clone)]
pub struct Asked(pub Arc<Answers>);

impl std::fmt::Debug for Asked {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Asked")
    }
}

type Tells = dyn Fn(&probe::Question) -> Result<probe::Heard> + Send + Sync;

/// Answers what is asked of the world outside: programs, URLs, names.
#[derive(Clone)]
pub struct World(pub Arc<Tells>);

impl std::fmt::Debug for World {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("World")
    }
}

type Takes = dyn Fn(Level, &str) -> bool + Send + Sync;

/// Takes a line of the log; false when it could not.
#[derive(Clone)]
pub struct Logged(pub Arc<Takes>);

impl std::fmt::Debug for Logged {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Logged")
    }
}

/// What was logged.
#[derive(Clone, Debug)]
pub struct Line {
    /// `notice`
    pub level: &'static str,
    pub text: String,
    /// On the clock of the run.
    pub at: Duration,
}

/// Collects the log.
#[derive(Clone, Debug, Default)]
pub struct Heard(pub Arc<Mutex<Vec<Line>>>);

impl Heard {
    pub fn hear(&self, line: Line) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    pub fn take(&self) -> Vec<Line> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
