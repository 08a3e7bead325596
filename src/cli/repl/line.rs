//! What one line works with: the machine, which outlives it, and a lock and a journal, which do not.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::backend::{Backend, Capabilities, Entries, Outcome, Services, Want};
use crate::cli::args::LockMode;
use crate::cli::context::Context;
use crate::cli::journal::{self, FileJournal, Keep};
use crate::cli::lock::Lock;
use crate::cli::machine::Machine;
use crate::cli::store::Store;
use crate::error::{Error, Kind, Result};
use crate::model::{IfName, Listed, ServiceKey, Snapshot, State};
use crate::plan::{Journal, Mode, NoJournal, Owned, Plan, Session, Step};
use crate::script::Cancel;

/// Under which changes of prompts are locked and written down.
pub const NAME: &str = "repl";

/// The machine of a prompt, opened once. One in a file is opened again when others wrote it.
pub struct Machines {
    backend: Shared,
    stamp: Option<(u64, i64, i64)>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Box<dyn Backend>>>);

impl Shared {
    fn get(&self) -> MutexGuard<'_, Box<dyn Backend>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Shared {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        self.get().snapshot(want)
    }

    fn state(&mut self, want: &Want) -> Result<State> {
        self.get().state(want)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        self.get().apply(steps)
    }

    fn connection_table(&mut self) -> Result<Entries> {
        self.get().connection_table()
    }

    fn listing(&mut self, services: &Services) -> Result<Vec<Listed>> {
        self.get().listing(services)
    }

    fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        self.get().zero(service)
    }

    fn capabilities(&mut self) -> Result<Capabilities> {
        self.get().capabilities()
    }

    fn mtu(&mut self, dev: &IfName) -> u32 {
        self.get().mtu(dev)
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.get().take_notes()
    }
}

/// Which file it is, and since when: a file is written whole, under a new number.
fn stamp(context: &Context) -> Option<(u64, i64, i64)> {
    let Machine::Memory(Some(path)) = &context.machine else { return None };
    let data = std::fs::metadata(path).ok()?;
    Some((data.ino(), data.mtime(), data.mtime_nsec()))
}

impl Machines {
    pub fn open(context: &Context) -> Result<Machines> {
        let backend = context.backend(context.common.read_only)?;
        Ok(Machines { backend: Shared(Arc::new(Mutex::new(backend))), stamp: stamp(context) })
    }

    /// A session of its own for each line: it reads anew, and its lock is taken with its first change.
    pub fn session(&mut self, context: &Context, mode: Mode) -> Result<Session> {
        let now = stamp(context);
        if now != self.stamp {
            *self = Machines::open(context)?;
        }
        let journal: Box<dyn Journal> = match &context.store {
            Some(store) if mode == Mode::Live => Box::new(LineJournal::new(context, store)),
            _ => Box::new(NoJournal),
        };
        Ok(Session::new(Box::new(self.backend.clone()), journal, mode, Owned::default()))
    }

    /// Our own changes to a machine in a file are no reason to read it again.
    pub fn wrote(&mut self, context: &Context) {
        self.stamp = stamp(context);
    }
}

/// A journal that takes the lock when there is something to write, and gives it back when that is over: what is only
/// looked at stands in nobody's way.
struct LineJournal {
    store: Store,
    how: LockMode,
    command: String,
    cancel: Cancel,
    file: FileJournal,
    path: PathBuf,
    lock: Option<Lock>,
}

impl LineJournal {
    fn new(context: &Context, store: &Store) -> LineJournal {
        let path = store.journal_file(NAME);
        LineJournal {
            file: FileJournal::new(path.clone(), store.boot_id(), &context.command, Keep::Steps),
            store: store.clone(),
            // To skip a change silently is no way to be told.
            how: match context.common.lock {
                None | Some(LockMode::Wait) => LockMode::Wait,
                Some(_) => LockMode::Fail,
            },
            command: context.command.clone(),
            cancel: context.cancel.clone(),
            path,
            lock: None,
        }
    }

    fn take(&mut self) -> Result<()> {
        self.store.prepare()?;
        let path = self.store.lock_file(NAME);
        let lock = Lock::take(&path, NAME, self.how, &self.command, &self.cancel)?;
        if let Some(left) = journal::leftover(&self.path, self.store.boot_id()) {
            return Err(Error::new(Kind::Conflict, "conflict", left.words("a prompt"))
                .hint("leave and start lvsh repl again: it takes back what stands of it"));
        }
        self.lock = lock;
        Ok(())
    }
}

impl Journal for LineJournal {
    fn begin(&mut self, plan: &Plan) -> Result<()> {
        if self.lock.is_none() {
            self.take()?;
        }
        self.file.begin(plan)
    }

    fn undone(&mut self, count: usize) -> Result<()> {
        self.file.undone(count)
    }

    fn end(&mut self) -> Result<()> {
        // Without the lock nothing was written, and what is there is another prompt's.
        if self.lock.is_none() {
            return Ok(());
        }
        journal::discard(&self.path)?;
        self.lock = None;
        Ok(())
    }
}

/// At the start: takes back what a prompt that was killed in the middle of a line left behind.
pub fn recover(context: &Context, machines: &mut Machines) -> Result<()> {
    let Some(store) = &context.store else { return Ok(()) };
    let path = store.journal_file(NAME);
    if !exists(&path) || context.common.read_only {
        return Ok(());
    }
    let lock = Lock::take(&store.lock_file(NAME), NAME, LockMode::Fail, &context.command, &context.cancel);
    let _lock = match lock {
        // It is being written just now.
        Err(error) if error.kind == Kind::Locked => return Ok(()),
        other => other?,
    };
    crate::cli::run::recover(context, NAME, || Ok(Box::new(machines.backend.clone())))
}

fn exists(path: &Path) -> bool {
    std::fs::metadata(path).is_ok()
}
