//! The seam between deciding and doing.

mod memory;

pub use memory::Memory;

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::model::{IfName, ServiceKey, Snapshot, State, SysctlName};
use crate::plan::Step;

/// The machine a policy works on.
///
/// Two implementations: `kernel::Kernel` and [`Memory`]. Both obey the same contract and the same conformance
/// table (`tests/conformance`); where they differ, `Memory` is wrong.
///
/// `Send`, because a session works on the thread of the VM.
pub trait Backend: Send {
    /// Reads what is asked for. An empty machine is an empty state, not an error.
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot>;

    /// The configuration without the counters, for comparing.
    fn state(&mut self, want: &Want) -> Result<State> {
        Ok(self.snapshot(want)?.state)
    }

    /// Makes the changes in the order given and says what became of each: one [`Outcome`] per step.
    ///
    /// Changes are sent in groups (IPVS messages are pipelined, all marks are one nf_tables batch). After a step
    /// failed no further group is sent, but steps of the same group that follow it may be done: IPVS has no
    /// transactions. Who wants all or nothing uses `plan::execute`.
    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome>;

    /// What this machine can do.
    fn capabilities(&mut self) -> Result<Capabilities>;

    /// The MTU of a device, which decides what the kernel takes for a sync daemon's maxlen;
    /// [`crate::model::SyncDaemon::DEFAULT_MTU`] of one that is not there.
    fn mtu(&mut self, dev: &IfName) -> u32;

    /// What is to be said beside the last answers; nearly always nothing. An address
    /// that could not be announced, an element of our nft table that somebody else wrote.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// What became of one step.
#[derive(Clone, Debug)]
pub enum Outcome {
    Done,
    Failed(Error),
    /// An earlier step failed, and this one was not sent.
    NotSent,
}

impl Outcome {
    pub fn is_done(&self) -> bool {
        matches!(self, Outcome::Done)
    }
}

/// Which services a snapshot reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Services {
    #[default]
    None,
    Only(BTreeSet<ServiceKey>),
    All,
}

/// What a snapshot reads: reading less is faster, and a cron job on a big director reads only its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    pub services: Services,
    pub marks: bool,
    pub vips: bool,
    /// Timeouts and sync daemons.
    pub host: bool,
    pub sysctls: BTreeSet<SysctlName>,
}

impl Want {
    /// Everything that can be read without being named (sysctls must be).
    pub fn all() -> Want {
        Want { services: Services::All, marks: true, vips: true, host: true, sysctls: BTreeSet::new() }
    }
}

/// What a machine can do, for messages and for plans made without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Of IPVS: `1.2.1`.
    pub version: String,
    /// Of the kernel: `6.1.0-40-amd64`.
    pub release: String,
    /// Schedulers that are loaded or can be; `None` when the machine cannot say.
    pub schedulers: Option<BTreeSet<String>>,
    /// Slots of the connection table; 0 before the first service on kernels that size it later (7.x).
    pub conn_tab_size: u32,
}
