//! The seam between deciding and doing.

mod memory;

pub use memory::Memory;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::error::{Error, Result};
use crate::model::{Connection, IfName, Listed, ServiceKey, Snapshot, State, SysctlName};
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

    /// The connection table, read while it is walked: it may have a million entries, and nothing is kept. They come in
    /// no order; those that come or go meanwhile may be missed or seen twice. It is the table of the network namespace
    /// of the calling thread, wherever it is walked.
    ///
    /// # Errors
    /// Kind `Unable`: no IPVS, or a line that is not understood; kind `Io` when the table cannot be read.
    fn connection_table(&mut self) -> Result<Entries>;

    /// Gives the entries of the connection table to `each` until it breaks.
    fn connections(&mut self, each: &mut dyn FnMut(Connection) -> ControlFlow<()>) -> Result<()> {
        for entry in self.connection_table()? {
            if each(entry?).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Services with their servers and counters in the machine's own order, which a snapshot does not keep.
    ///
    /// A machine without an order of its own lists by key. Of [`Services::Only`], those that do not exist are absent.
    fn listing(&mut self, services: &Services) -> Result<Vec<Listed>> {
        let seen = self.snapshot(&Want { services: services.clone(), ..Want::default() })?;
        Ok(seen.listed())
    }

    /// The version of IPVS (`1.2.1`) and the slots of its connection table, as in [`Capabilities`] and without looking
    /// for anything else.
    fn version(&mut self) -> Result<(String, u32)> {
        let found = self.capabilities()?;
        Ok((found.version, found.conn_tab_size))
    }

    /// Sets the counters of a service and its servers to 0; `None` is all services. Live numbers of connections
    /// stay, and so do the totals of /proc/net/ip_vs_stats when it is one service. From Linux 7.2 on traffic of the last
    /// two seconds may be counted afterwards.
    ///
    /// # Errors
    /// ESRCH, kind `Refused`: there is no such service.
    fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()>;

    /// What is to be said beside the last answers; nearly always nothing. An address
    /// that could not be announced, an element of our nft table that somebody else wrote.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// A connection table that is being read. After an error there is no more.
pub type Entries = Box<dyn Iterator<Item = Result<Connection>> + Send>;

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

impl Services {
    /// Those of these keys. Of no keys it is none: a real server, which has no IPVS, is then not asked for it.
    pub fn of<'a>(keys: impl IntoIterator<Item = &'a ServiceKey>) -> Services {
        let keys: BTreeSet<ServiceKey> = keys.into_iter().copied().collect();
        if keys.is_empty() { Services::None } else { Services::Only(keys) }
    }
}

/// What a snapshot reads: reading less is faster, and a cron job on a big director reads only its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Want {
    pub services: Services,
    pub marks: bool,
    pub vips: bool,
    /// Rules for marks, and local routes.
    pub routes: bool,
    /// Tunnel devices, and UDP ports that unpack.
    pub tunnels: bool,
    /// Timeouts and sync daemons.
    pub host: bool,
    pub sysctls: BTreeSet<SysctlName>,
}

impl Want {
    /// Everything that can be read without being named (sysctls must be).
    pub fn all() -> Want {
        Want {
            services: Services::All,
            marks: true,
            vips: true,
            routes: true,
            tunnels: true,
            host: true,
            sysctls: BTreeSet::new(),
        }
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
