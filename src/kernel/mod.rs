//! The real machine.
//!
//! ```text
//! Kernel ──┬ ipvs      services, servers, timeouts, daemons   generic netlink, pipelined
//!          ├ nft       marks                                  nf_tables, one atomic batch
//!          ├ route     addresses, announced; rules, routes    rtnetlink
//!          │           and devices that unpack tunnels
//!          ├ fou       UDP ports that unpack tunnels          generic netlink
//!          ├ sysctl    /proc/sys
//!          ├ conns     connection table                       /proc/net
//!          └ netns     which namespace all of this is in
//! ```

pub mod announce;
mod capable;
mod conns;
pub mod fou;
pub mod ipvs;
pub mod netns;
pub mod nft;
mod promote;
pub mod route;
pub mod sysctl;

use crate::backend::{Backend, Capabilities, Entries, Outcome, Services, Want};
use crate::error::Result;
use crate::model::{IfName, Listed, Observed, ServiceKey, Snapshot, State, SyncDaemon};
use crate::plan::Step;

use ipvs::Ipvs;
use nft::Nft;
use route::Route;

/// The kernel, in the network namespace of the thread that makes it.
///
/// Each part is opened when it is first needed: a run that only looks at services has one socket.
#[derive(Default)]
pub struct Kernel {
    ipvs: Option<Ipvs>,
    nft: Nft,
    route: Route,
    fou: fou::Ports,
}

/// Which part of the kernel carries a step out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Ipvs,
    Nft,
    Route,
    /// Apart from `Route`, which looks at the devices once per group.
    Tunnel,
    Fou,
    Sysctl,
}

fn part(step: &Step) -> Part {
    use Step::*;
    match step {
        AddService { .. } | SetService { .. } | DelService { .. } => Part::Ipvs,
        AddServer { .. } | SetServer { .. } | DelServer { .. } => Part::Ipvs,
        SetTimeouts { .. } | StartSync { .. } | StopSync { .. } => Part::Ipvs,
        AddMark { .. } | SetMark { .. } | DelMark { .. } => Part::Nft,
        AddVip { .. } | SetVip { .. } | DelVip { .. } => Part::Route,
        AddRule { .. } | DelRule { .. } | AddRoute { .. } | DelRoute { .. } => Part::Route,
        AddTunnel { .. } | SetTunnel { .. } | DelTunnel { .. } => Part::Tunnel,
        AddFou { .. } | DelFou { .. } => Part::Fou,
        SetSysctl { .. } => Part::Sysctl,
    }
}

impl Kernel {
    /// Finds IPVS, loading it where it is missing, so that a kernel without it is told at once.
    ///
    /// # Errors
    /// Kind `Unable`: no IPVS in this kernel, or no permission.
    pub fn open() -> Result<Kernel> {
        let mut kernel = Kernel::default();
        kernel.ipvs()?;
        Ok(kernel)
    }

    fn ipvs(&mut self) -> Result<&mut Ipvs> {
        match &mut self.ipvs {
            Some(ipvs) => Ok(ipvs),
            none => Ok(none.insert(Ipvs::open()?)),
        }
    }

    /// `observed` takes the counters, if they are wanted.
    fn read(&mut self, want: &Want, observed: Option<&mut Observed>) -> Result<State> {
        let mut state = State::default();
        if want.services != Services::None {
            state.services = self.ipvs()?.services(&want.services, observed)?;
        }
        if want.host {
            state.timeouts = self.ipvs()?.timeouts()?;
            state.syncs = self.ipvs()?.syncs()?;
        }
        if want.marks {
            state.marks = self.nft.marks()?;
        }
        if want.vips {
            state.vips = self.route.vips()?;
        }
        if want.routes {
            (state.rules, state.routes) = self.route.paths()?;
        }
        if want.tunnels {
            state.tunnels = self.route.tunnels()?;
            state.fous = self.fou.all()?;
        }
        for name in &want.sysctls {
            if let Some(value) = sysctl::read(name)? {
                state.sysctls.insert(name.clone(), value);
            }
        }
        Ok(state)
    }

    fn group(&mut self, part: Part, steps: &[&Step]) -> Vec<Outcome> {
        match part {
            Part::Ipvs => match self.ipvs() {
                Ok(ipvs) => ipvs.apply(steps.iter().copied()),
                Err(error) => first_fails(error, steps.len()),
            },
            Part::Nft => self.nft.apply(steps),
            Part::Route | Part::Tunnel => self.route.apply(steps),
            Part::Fou => self.fou.apply(steps),
            Part::Sysctl => sysctl::apply(steps),
        }
    }
}

fn first_fails(error: crate::error::Error, steps: usize) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::NotSent; steps];
    if let Some(first) = outcomes.first_mut() {
        *first = Outcome::Failed(error);
    }
    outcomes
}

impl Backend for Kernel {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        let mut observed = Observed::default();
        let state = self.read(want, Some(&mut observed))?;
        Ok(Snapshot { state, observed })
    }

    fn state(&mut self, want: &Want) -> Result<State> {
        self.read(want, None)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(steps.len());
        let all: Vec<&Step> = steps.iter().collect();
        for group in all.chunk_by(|a, b| part(a) == part(b)) {
            if outcomes.iter().all(Outcome::is_done) {
                outcomes.extend(self.group(part(group[0]), group));
            } else {
                outcomes.extend(std::iter::repeat_n(Outcome::NotSent, group.len()));
            }
        }
        outcomes
    }

    fn capabilities(&mut self) -> Result<Capabilities> {
        let (version, conn_tab_size) = self.ipvs()?.info()?;
        let release = capable::release();
        let schedulers = capable::schedulers(&release);
        Ok(Capabilities { version, release, schedulers, conn_tab_size })
    }

    fn mtu(&mut self, dev: &IfName) -> u32 {
        self.ipvs().map_or(SyncDaemon::DEFAULT_MTU, |ipvs| ipvs.mtu(dev))
    }

    fn connection_table(&mut self) -> Result<Entries> {
        // The file is there once the module is.
        self.ipvs()?;
        Ok(Box::new(conns::Table::open()?))
    }

    fn listing(&mut self, services: &Services) -> Result<Vec<Listed>> {
        self.ipvs()?.listing(services)
    }

    fn version(&mut self) -> Result<(String, u32)> {
        self.ipvs()?.info()
    }

    fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        self.ipvs()?.zero(service)
    }

    fn take_notes(&mut self) -> Vec<String> {
        let mut notes: Vec<String> = self.ipvs.iter_mut().flat_map(Ipvs::take_notes).collect();
        notes.extend(self.nft.notes().iter().cloned());
        notes.extend(self.route.notes().iter().cloned());
        notes
    }
}
