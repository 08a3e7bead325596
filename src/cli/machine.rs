//! The machine a run works on.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use super::store::write_whole;
use crate::backend::{Backend, Capabilities, Memory, Outcome, Want};
use crate::error::{Error, Kind, Result};
use crate::kernel::Kernel;
use crate::model::{IfName, Snapshot, State, SyncDaemon};
use crate::plan::Step;

/// Which machine.
#[derive(Clone, Debug)]
pub enum Machine {
    Kernel,
    /// One in memory, kept in a file if there is one.
    Memory(Option<PathBuf>),
}

impl Machine {
    /// A kernel is opened at the first look, so that what needs none works without rights.
    pub fn open(&self, read_only: bool, notes: &Notes) -> Result<Box<dyn Backend>> {
        let backend: Box<dyn Backend> = match self {
            Machine::Kernel => Box::new(Late { kernel: None, notes: notes.clone() }),
            Machine::Memory(None) => Box::new(Memory::default()),
            Machine::Memory(Some(path)) => Box::new(Kept::read(path)?),
        };
        Ok(if read_only { Box::new(ReadOnly(backend)) } else { backend })
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
            none => none.insert(Kernel::open()?),
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
}

fn refused(steps: &[Step], error: Error) -> Vec<Outcome> {
    let mut first = Some(error);
    steps.iter().map(|_| first.take().map_or(Outcome::NotSent, Outcome::Failed)).collect()
}

/// Answers questions and refuses changes (`--read-only`).
struct ReadOnly(Box<dyn Backend>);

impl Backend for ReadOnly {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        self.0.snapshot(want)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let what = steps.first().map_or(String::new(), |step| {
            format!("cannot {} {} {}: ", step.verb(), step.kind(), step.subject())
        });
        let error = Error::new(Kind::Refused, "read_only", format!("{what}this run is read-only"));
        refused(steps, error.hint("without --read-only it would be sent; -n shows the plan"))
    }

    fn capabilities(&mut self) -> Result<Capabilities> {
        self.0.capabilities()
    }

    fn mtu(&mut self, dev: &IfName) -> u32 {
        self.0.mtu(dev)
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
}

impl Kept {
    fn read(path: &Path) -> Result<Kept> {
        let state = match std::fs::read(path) {
            Ok(bytes) => {
                let file: File = serde_json::from_slice(&bytes).map_err(|error| {
                    let message = format!("cannot read machine {}: {error}", path.display());
                    Error::new(Kind::Io, "bad_file", message)
                        .hint("remove the file to start with an empty machine")
                })?;
                file.state
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(Error::io("read machine", path, &error)),
        };
        Ok(Kept { memory: Memory::new(state), path: path.to_path_buf() })
    }

    fn write(&self) -> Result<()> {
        let file = File { format_version: "1.0".to_string(), state: self.memory.state.clone() };
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
}
