//! What the natives of one VM share.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cancel::{Cancel, brief};
use super::deciding::Deciding;
use super::engine::{Limits, Recall};
use super::outside::Outside;
use super::sim::{Simulate, Test};
use super::source::Sources;
use crate::error::{Error, Kind, Result};
use crate::plan::Session;
use crate::view::Topic;

/// The session while a job runs; taken out when the job is over, or when the VM is given up.
pub(super) type Shared = Arc<Mutex<Option<Session>>>;

/// How long a policy file may take to load. Loading is for describing, so a loop in it is a mistake.
pub(super) const LOAD_LIMIT: Duration = Duration::from_secs(5);

pub(super) struct Host {
    pub session: Shared,
    pub cancel: Cancel,
    pub sources: Sources,
    /// Bytes the VM may use, for the message.
    pub memory: usize,
    /// Bytes that were left by the last collection that was asked for.
    pub kept: Cell<usize>,
    /// Refuses what others could have written.
    pub trust: fn(&Path) -> Result<()>,
    /// Where `require` looks.
    pub dirs: RefCell<Vec<PathBuf>>,
    /// Whose marks are added: the policy's or script's name.
    pub owner: RefCell<String>,
    /// The running job's method, which Lua itself cannot name.
    pub entry: RefCell<String>,
    pub status: RefCell<Option<(String, String)>>,
    pub warnings: RefCell<Vec<String>>,
    /// End of loading.
    pub deadline: Cell<Option<Instant>>,
    /// The stop as the hook met it first, with the place where Lua was.
    pub stopped: RefCell<Option<Error>>,
    /// Tables of `lvs.state`, by name.
    pub states: RefCell<BTreeMap<String, mlua::Table>>,
    pub recall: Recall,
    pub outside: Outside,
    /// Where `policy:drain` and its like go.
    pub deciding: Option<Deciding>,
    /// Makes machines for tests, and only for them.
    pub simulate: Option<Simulate>,
    /// What the file declared with `lvs.test`.
    pub tests: RefCell<Vec<Test>>,
    /// Whether globals may be made: in `eval` and the REPL.
    pub loose: Cell<bool>,
    /// Whether a line of a prompt runs: what a policy owns is remembered by the verbs of the command line only.
    pub prompt: Cell<bool>,
    /// The page that a line of a prompt asked for.
    pub help: RefCell<Option<Topic>>,
}

impl Host {
    pub fn new(session: Shared, cancel: Cancel, limits: &Limits) -> Host {
        Host {
            session,
            cancel,
            sources: Sources::default(),
            memory: limits.memory,
            kept: Cell::default(),
            trust: limits.trust,
            dirs: RefCell::new(limits.lib_dirs.clone()),
            owner: RefCell::default(),
            entry: RefCell::default(),
            status: RefCell::default(),
            warnings: RefCell::default(),
            deadline: Cell::new(None),
            stopped: RefCell::default(),
            states: RefCell::default(),
            recall: limits.recall.clone(),
            outside: limits.outside.clone(),
            deciding: limits.deciding.clone(),
            simulate: limits.simulate.clone(),
            tests: RefCell::default(),
            loose: Cell::new(false),
            prompt: Cell::new(false),
            help: RefCell::default(),
        }
    }

    /// Works with the session. No Lua may run within `work`: the session is locked.
    pub fn with<T>(&self, work: impl FnOnce(&mut Session) -> Result<T>) -> Result<T> {
        if self.cancel.reason().is_some()
            && let Some(stop) = self.stop()
        {
            return Err(stop);
        }
        // A panic elsewhere must not keep the session from being rolled back.
        let mut guard = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match guard.as_mut() {
            Some(session) => work(session),
            None => Err(Error::new(Kind::Interrupted, "interrupted", "this run was given up")),
        }
    }

    /// Why Lua has to stop now, if it has to.
    pub fn stop(&self) -> Option<Error> {
        if let Some(stop) = &*self.stopped.borrow() {
            return Some(stop.clone());
        }
        if let Some(kind) = self.cancel.reason() {
            return Some(self.cancel.error(kind));
        }
        let late = self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline);
        late.then(load_timeout)
    }
}

pub(super) fn load_timeout() -> Error {
    let message = format!("the file did not finish loading within {}", brief(LOAD_LIMIT));
    Error::new(Kind::Script, "timeout", message)
        .hint("a policy file only describes; put what takes time in start()")
}
