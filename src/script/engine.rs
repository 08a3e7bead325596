//! The VM's thread, and waiting for it no longer than it may take.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cancel::Cancel;
use super::console::{Ask, Told};
use super::deciding::Deciding;
use super::host::{Host, LOAD_LIMIT, Shared, load_timeout};
use super::outside::Outside;
use super::sandbox::Stdlib;
use super::shown::Shown;
use super::sim::Simulate;
use super::vm::Vm;
use crate::error::{Error, Kind, Result};
use crate::plan::{Declared, Session};

/// What a script may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of Lua's own; what Rust holds for it is not counted.
    pub memory: usize,
    pub stdlib: Stdlib,
    /// Where `require` looks, after the policy's own directory.
    pub lib_dirs: Vec<PathBuf>,
    /// Refuses a module that may not be trusted, as the policy itself was checked before.
    pub trust: fn(&Path) -> Result<()>,
    /// What the last good run left under a name, for `lvs.state`.
    pub recall: Recall,
    pub outside: Outside,
    /// Who keeps what is said of servers; only for scripts and the prompt.
    pub deciding: Option<Deciding>,
    /// Who makes machines for tests; with it, tests can be declared.
    pub simulate: Option<Simulate>,
}

/// What was left under a name; `null` when there is nothing.
type Left = dyn Fn(&str) -> Result<serde_json::Value> + Send + Sync;

/// Reads what was left under a name.
#[derive(Clone)]
pub struct Recall(pub Arc<Left>);

impl std::fmt::Debug for Recall {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Recall")
    }
}

impl Default for Recall {
    fn default() -> Recall {
        Recall(Arc::new(|_| Ok(serde_json::Value::Null)))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 64 * 1024 * 1024,
            stdlib: Stdlib::Safe,
            lib_dirs: vec![PathBuf::from("/etc/lvsh/lib")],
            trust: |_| Ok(()),
            recall: Recall::default(),
            outside: Outside::default(),
            deciding: None,
            simulate: None,
        }
    }
}

/// What to run.
#[derive(Clone, Debug)]
pub enum Job {
    /// Loads a policy file. Effects are refused meanwhile.
    Load(PathBuf),
    /// Calls a method of the loaded policy. `args` becomes its argument: `{"adopt": true}` for `start`.
    Call { method: String, args: serde_json::Value },
    /// Runs a script for what it does.
    Run { path: PathBuf, args: Vec<String> },
    /// An expression, or statements. Globals may be made, and stay.
    Eval { code: String },
    /// Loads a file of tests.
    Tests(PathBuf),
    /// One of the tests that were loaded, by its place among them.
    Test(usize),
    /// What a prompt asks.
    Ask(Ask),
}

/// What a job brought.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// After `Load`.
    pub loaded: Option<Loaded>,
    /// What the chunk returned.
    pub values: Vec<Shown>,
    /// What the method returned, after `Call`.
    pub returned: Vec<serde_json::Value>,
    /// What `lvs.status` said last: a word, and why.
    pub status: Option<(String, String)>,
    /// What was logged at `warn` and above.
    pub warnings: Vec<String>,
    /// What `lvs.state` tables hold now, by name: to be kept if the run ends well.
    pub states: Vec<(String, serde_json::Value)>,
    /// After `Tests`: their names, and the lines of the file where they are.
    pub tests: Vec<(String, u32)>,
    /// After `Ask`.
    pub told: Option<Told>,
}

/// A policy file that was loaded.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub name: String,
    pub path: PathBuf,
    /// Made by `lvs.policy`; else a table with functions.
    pub declared: bool,
    pub methods: Vec<String>,
    /// What it declares, for lint without running it.
    pub desired: Option<Declared>,
}

/// How long a VM may take to notice that it has to stop, before it is given up.
const GRACE: Duration = Duration::from_secs(1);

/// A VM on a thread of its own.
///
/// The thread is made by [`Engine::new`] and works in that thread's network namespace.
pub struct Engine {
    jobs: Sender<Job>,
    answers: Receiver<Result<Answer>>,
    session: Shared,
    cancel: Cancel,
    given_up: bool,
    /// The VM's thread, by the kernel's number.
    thread: Arc<AtomicI32>,
}

impl Engine {
    pub fn new(limits: Limits, cancel: Cancel) -> Result<Engine> {
        let (jobs, inbox) = channel::<Job>();
        let (outbox, answers) = channel();
        let session: Shared = Arc::new(Mutex::new(None));
        let (session2, cancel2) = (Arc::clone(&session), cancel.clone());
        let thread = Arc::new(AtomicI32::new(0));
        let number = Arc::clone(&thread);
        let work = move || {
            number.store(nix::unistd::gettid().as_raw(), Ordering::Relaxed);
            let host = Host::new(session2, cancel2, &limits);
            let mut vm = Vm::new(host, &limits);
            while let Ok(job) = inbox.recv() {
                let answer = match &mut vm {
                    Ok(vm) => vm.run(job),
                    Err(error) => Err(error.clone()),
                };
                if outbox.send(answer).is_err() {
                    break;
                }
            }
        };
        // Lua's C stack is 200 calls deep at most; debug builds need the room.
        let builder = std::thread::Builder::new().name("lua".to_string()).stack_size(4 << 20);
        builder.spawn(work).map_err(|error| {
            Error::new(Kind::Io, "io", format!("cannot start the thread of the VM: {error}"))
        })?;
        Ok(Engine { jobs, answers, session, cancel, given_up: false, thread })
    }

    /// Runs a job on the VM's thread against this session and gives both back, at the latest a second after the
    /// cancel. A VM that does not stop by then (it is inside a C function) is given up: what it asks for later
    /// fails, and so does every later job.
    pub fn run(&mut self, session: Session, job: Job) -> (Session, Result<Answer>) {
        if self.given_up {
            let error = Error::new(Kind::Script, "interrupted", "the VM was given up; it did not stop");
            return (session, Err(error));
        }
        let load_limit = matches!(job, Job::Load(_)).then(|| Instant::now() + LOAD_LIMIT);
        let mut session = Some(session);
        *self.slot() = session.take();
        let answer = match self.jobs.send(job) {
            Ok(()) => self.wait(load_limit),
            Err(_) => Err(crashed()),
        };
        // The lock is held only while a native works: kernel messages are never cut in the middle.
        loop {
            if let Some(mut session) = self.slot().take() {
                session.stop_rehearsing();
                session.seal(None);
                return (session, answer);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether the VM was given up, and every later job fails.
    pub fn given_up(&self) -> bool {
        self.given_up
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Session>> {
        // A panic on the VM's thread must not keep the session from being rolled back.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&mut self, load_limit: Option<Instant>) -> Result<Answer> {
        let mut stop_since = None;
        loop {
            match self.answers.recv_timeout(Duration::from_millis(20)) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => {
                    self.given_up = true;
                    return Err(crashed());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let late = load_limit.is_some_and(|limit| Instant::now() >= limit);
            if self.cancel.reason().is_none() && !late {
                continue;
            }
            if stop_since.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                self.given_up = true;
                let reason = self.cancel.reason();
                self.cancel.give_up();
                idle(self.thread.load(Ordering::Relaxed));
                let error = match reason {
                    Some(kind) => self.cancel.error(kind),
                    None => load_timeout(),
                };
                return Err(
                    error.note("it was inside one call of a C function, as string.find with a bad pattern")
                );
            }
        }
    }
}

/// A thread cannot be ended from outside. What is stuck in C goes on with what nobody else wants of the processor.
fn idle(thread: i32) {
    // SAFETY: a sched_param is numbers only, and 0 is the one that this policy takes.
    let param: libc::sched_param = unsafe { std::mem::zeroed() };
    if thread > 0 {
        // SAFETY: it reads one sched_param, which lives until after the call. A thread that is gone is an error, and
        // right.
        unsafe { libc::sched_setscheduler(thread, libc::SCHED_IDLE, &raw const param) };
    }
}

fn crashed() -> Error {
    Error::new(Kind::Script, "internal", "the VM's thread ended: this is a bug of lvsh")
}
