//! The machine a run works on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::whole::write_whole;
use crate::backend::{Backend, Capabilities, Entries, Memory, Outcome, Services, Want};
use crate::error::{Error, Kind, Result};
use crate::kernel::Kernel;
use crate::model::{Connection, IfName, Listed, Observed, ServiceKey, Snapshot, State, SyncDaemon};
use crate::plan::Step;

/// Which machine.
#[derive(Clone, Debug)]
pub enum Machine {
    Kernel,
    /// One in memory, kept in a file if there is one.
    Memory(Option<PathBuf>),
    /// As it was when `lvsh export --as json` wrote this file (`--against`).
    Dump(PathBuf),
    /// One in memory that a test has, from run to run.
    Shared(Arc<Mutex<Memory>>),
}

impl Machine {
    /// A kernel is opened at the first look, so that what needs none works without rights.
    pub fn open(&self, read_only: bool, notes: &Notes) -> Result<Box<dyn Backend>> {
        let backend: Box<dyn Backend> = match self {
            Machine::Kernel => Box::new(Late { kernel: None, notes: notes.clone() }),
            Machine::Memory(None) => Box::new(Memory::default()),
            Machine::Memory(Some(path)) => Box::new(Kept::read(path)?),
            Machine::Shared(memory) => Box::new(Shared(Arc::clone(memory))),
            Machine::Dump(path) => {
                return Ok(Box::new(ReadOnly { machine: dump(path)?, dump: Some(path.clone()) }));
            }
        };
        Ok(if read_only { Box::new(ReadOnly { machine: backend, dump: None }) } else { backend })
    }
}

/// What the kernel room had to say beside its answers.
pub type Notes = Arc<Mutex<Vec<String>>>;

/// The kernel, opened when it is needed.
struct Late {
    kernel: Option<Kernel>,
    notes: Notes,
}

impl Late {
    fn with<T>(&mut self, ask: impl FnOnce(&mut Kernel) -> T) -> Result<T> {
        let kernel = match &mut self.kernel {
            Some(kernel) => kernel,
            none => none.insert(Kernel::default()),
        };
        let answer = ask(kernel);
        if let Ok(mut notes) = self.notes.lock() {
            notes.extend(kernel.take_notes());
        }
        Ok(answer)
    }
}

impl Backend for Late {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        self.with(|kernel| kernel.snapshot(want))?
    }

    fn state(&mut self, want: &Want) -> Result<State> {
        self.with(|kernel| kernel.state(want))?
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        self.with(|kernel| kernel.apply(steps)).unwrap_or_else(|error| refused(steps, error))
    }

    fn capabilities(&mut self) -> Result<Capabilities> {
        self.with(|kernel| kernel.capabilities())?
    }

    fn mtu(&mut self, dev: &IfName) -> u32 {
        self.with(|kernel| kernel.mtu(dev)).unwrap_or(SyncDaemon::DEFAULT_MTU)
    }

    fn connection_table(&mut self) -> Result<Entries> {
        self.with(|kernel| kernel.connection_table())?
    }

    fn listing(&mut self, services: &Services) -> Result<Vec<Listed>> {
        self.with(|kernel| kernel.listing(services))?
    }

    fn version(&mut self) -> Result<(String, u32)> {
        self.with(|kernel| kernel.version())?
    }

    fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        self.with(|kernel| kernel.zero(service))?
    }
}

fn refused(steps: &[Step], error: Error) -> Vec<Outcome> {
    let mut first = Some(error);
    steps.iter().map(|_| first.take().map_or(Outcome::NotSent, Outcome::Failed)).collect()
}

/// The machine as it was written down; what the file does not say is as on a fresh one.
fn dump(path: &Path) -> Result<Box<dyn Backend>> {
    Ok(Box::new(Memory::new(read_dump(path)?)))
}

pub fn read_dump(path: &Path) -> Result<State> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io("read", path, &error))?;
    let dump = super::import::read_json(&text, &path.display().to_string())?;
    let timeouts = dump.state.timeouts.over(Default::default());
    Ok(State { timeouts, ..dump.state })
}

/// Answers questions and refuses changes (`--read-only`, `--against`).
struct ReadOnly {
    machine: Box<dyn Backend>,
    dump: Option<PathBuf>,
}

impl ReadOnly {
    /// `what`: what was tried, with a colon behind it.
    fn refuses(&self, what: &str) -> Error {
        let (why, hint) = match &self.dump {
            Some(path) => (format!("{} is a dump, not a machine", path.display()), "-n shows the plan"),
            None => (
                "this run is read-only".to_string(),
                "without --read-only it would be sent; -n shows the plan",
            ),
        };
        Error::new(Kind::Refused, "read_only", format!("{what}{why}")).hint(hint)
    }
}

impl Backend for ReadOnly {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        self.machine.snapshot(want)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let what = steps
            .first()
            .map_or(String::new(), |step| format!("cannot {} {}: ", step.words(), step.subject()));
        refused(steps, self.refuses(&what))
    }

    fn capabilities(&mut self) -> Result<Capabilities> {
        self.machine.capabilities()
    }

    fn mtu(&mut self, dev: &IfName) -> u32 {
        self.machine.mtu(dev)
    }

    fn connection_table(&mut self) -> Result<Entries> {
        self.machine.connection_table()
    }

    fn listing(&mut self, services: &Services) -> Result<Vec<Listed>> {
        self.machine.listing(services)
    }

    fn version(&mut self) -> Result<(String, u32)> {
        self.machine.version()
    }

    fn zero(&mut self, _service: Option<&ServiceKey>) -> Result<()> {
        Err(self.refuses("cannot zero counters: "))
    }
}

/// A run's hand on a machine that others see too.
struct Shared(Arc<Mutex<Memory>>);

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Shared {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        self.memory().snapshot(want)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        self.memory().apply(steps)
    }

    fn capabilities(&mut self) -> Result<Capabilities> {
        self.memory().capabilities()
    }

    fn mtu(&mut self, dev: &IfName) -> u32 {
        self.memory().mtu(dev)
    }

    fn connection_table(&mut self) -> Result<Entries> {
        self.memory().connection_table()
    }

    fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        self.memory().zero(service)
    }
}

/// A machine in a file: the playground. Written whole after every change.
struct Kept {
    memory: Memory,
    path: PathBuf,
}

#[derive(Serialize, Deserialize)]
struct File {
    format_version: String,
    state: State,
    /// Written by hand: nothing counts here.
    #[serde(default)]
    observed: Observed,
    #[serde(default)]
    connections: Vec<Connection>,
}

impl Kept {
    fn read(path: &Path) -> Result<Kept> {
        let memory = match std::fs::read(path) {
            Ok(bytes) => {
                let file: File = serde_json::from_slice(&bytes).map_err(|error| {
                    let message = format!("cannot read machine {}: {error}", path.display());
                    Error::new(Kind::Io, "bad_file", message)
                        .hint("remove the file to start with an empty machine")
                })?;
                let File { state, observed, connections, .. } = file;
                let mut memory = Memory::new(state);
                (memory.observed, memory.connections) = (observed, connections);
                memory
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Memory::default(),
            Err(error) => return Err(Error::io("read machine", path, &error)),
        };
        Ok(Kept { memory, path: path.to_path_buf() })
    }

    fn write(&self) -> Result<()> {
        let Memory { state, observed, connections, .. } = self.memory.clone();
        let file = File { format_version: "1.0".to_string(), state, observed, connections };
        let text = serde_json::to_string_pretty(&file)
            .map_err(|error| Error::new(Kind::Io, "bad_file", format!("cannot write machine: {error}")))?;
        write_whole(&self.path, text.as_bytes())
    }
}

impl Backend for Kept {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        self.memory.snapshot(want)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let mut outcomes = self.memory.apply(steps);
        if outcomes.iter().any(Outcome::is_done)
            && let Err(error) = self.write()
            && let Some(last) = outcomes.last_mut()
        {
            *last = Outcome::Failed(error);
        }
        outcomes
    }

    fn capabilities(&mut self) -> Result<Capabilities> {
        self.memory.capabilities()
    }

    fn mtu(&mut self, dev: &IfName) -> u32 {
        self.memory.mtu(dev)
    }

    fn connection_table(&mut self) -> Result<Entries> {
        self.memory.connection_table()
    }

    fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        self.memory.zero(service)?;
        self.write()
    }
}
