//! A director in memory: the kernel's refusals without the kernel.

use std::collections::{BTreeMap, BTreeSet};

use super::{Backend, Capabilities, Entries, Outcome, Services, Want};
use crate::error::Result;
use crate::model::{
    Connection, IfName, Makers, Observed, Port, Scheduler, ServerKey, ServerLive, ServiceKey, Snapshot,
    State, Stats, SyncDaemon, Sysctl, SysctlName,
};
use crate::plan::{Step, World, advance, no_service, refusal};

/// A state that takes steps as strictly as the kernel does. For plans, tests, and machines without IPVS; always
/// by the user's word (`--backend memory`), never instead of a kernel that failed.
#[derive(Clone, Debug)]
pub struct Memory {
    pub state: State,
    pub observed: Observed,
    /// The connection table. Nothing makes entries but whoever fills the list; removing a server ends its own, as the
    /// kernel does with `expire_nodest_conn` at 1. While it is not empty, live numbers are counted from it.
    pub connections: Vec<Connection>,
    world: World,
    /// How many steps it was asked to make; a test of "sends nothing" counts these.
    pub sent: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Memory::new(State::default())
    }
}

impl Memory {
    /// A machine in this state, with every scheduler of current kernels and any device.
    pub fn new(state: State) -> Memory {
        let world = World {
            schedulers: Some(Scheduler::KNOWN.iter().map(|name| name.to_string()).collect()),
            engines: Some(BTreeSet::from(["sip".to_string()])),
            devices: None,
        };
        Memory { state, observed: Observed::default(), connections: Vec::new(), world, sent: 0 }
    }

    /// The same, knowing exactly what can be loaded and named.
    pub fn with_world(mut self, world: World) -> Memory {
        self.world = world;
        self
    }

    /// The server that an entry belongs to.
    fn owner(&self, makers: &Makers, entry: &Connection) -> Option<(ServiceKey, ServerKey)> {
        let service = makers.maker(entry)?;
        let any_port = ServerKey { port: Port(0), ..entry.server };
        let servers = &self.state.service(&service)?.servers;
        let key = [entry.server, any_port].into_iter().find(|key| servers.contains_key(key))?;
        Some((service, key))
    }

    fn count(&self) -> BTreeMap<(ServiceKey, ServerKey), ServerLive> {
        let (makers, mut out) = (Makers::of(&self.state), BTreeMap::<_, ServerLive>::new());
        for entry in &self.connections {
            let Some(owner) = self.owner(&makers, entry) else { continue };
            let live = out.entry(owner).or_default();
            let number = match (entry.is_template(), entry.is_active()) {
                (true, _) => &mut live.persist,
                (false, true) => &mut live.active,
                (false, false) => &mut live.inactive,
            };
            *number += 1;
        }
        out
    }

    fn end_connections(&mut self, service: &ServiceKey, server: &ServerKey) {
        let expires = SysctlName::new("expire_nodest_conn")
            .is_ok_and(|name| self.sysctl(&name).as_deref() == Some("1"));
        if expires && !self.connections.is_empty() {
            let makers = Makers::of(&self.state);
            let mut all = std::mem::take(&mut self.connections);
            all.retain(|entry| self.owner(&makers, entry) != Some((*service, *server)));
            self.connections = all;
            if let Some(live) = self.observed.servers.get_mut(&(*service, *server)) {
                *live = ServerLive { stats: live.stats, ..ServerLive::default() };
            }
        }
    }

    /// The value of a sysctl that nobody has set yet. A namespace starts from defaults, not from the host's values.
    fn sysctl(&self, name: &SysctlName) -> Option<String> {
        if let Some(value) = self.state.sysctls.get(name) {
            return Some(value.clone());
        }
        // As on Linux 6.1: what came later is not there.
        match Sysctl::of(name) {
            Some(known) if known.since.is_empty() && known.default.is_empty() => Some("0".to_string()),
            Some(known) => known.since.is_empty().then(|| known.default.to_string()),
            None => (!name.name().starts_with(SysctlName::VS)).then(|| "0".to_string()),
        }
    }
}

impl Backend for Memory {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        let mut seen = Snapshot::default();
        let wanted = |key: &_| match &want.services {
            Services::None => false,
            Services::Only(keys) => keys.contains(key),
            Services::All => true,
        };
        let counted = (!self.connections.is_empty()).then(|| self.count());
        for (key, entry) in self.state.services.iter().filter(|(key, _)| wanted(key)) {
            seen.state.services.insert(*key, entry.clone());
            let stats = self.observed.services.get(key).copied().unwrap_or(Stats::default());
            seen.observed.services.insert(*key, stats);
            for server in entry.servers.keys() {
                let id = (*key, *server);
                let mut live = self.observed.servers.get(&id).copied().unwrap_or(ServerLive::default());
                if let Some(counted) =
                    counted.as_ref().map(|counted| counted.get(&id).copied().unwrap_or_default())
                {
                    live = ServerLive { stats: live.stats, ..counted };
                }
                seen.observed.servers.insert(id, live);
            }
        }
        if want.marks {
            seen.state.marks = self.state.marks.clone();
        }
        if want.vips {
            seen.state.vips = self.state.vips.clone();
        }
        if want.routes {
            seen.state.rules = self.state.rules.clone();
            seen.state.routes = self.state.routes.clone();
        }
        if want.tunnels {
            seen.state.tunnels = self.state.tunnels.clone();
            seen.state.fous = self.state.fous.clone();
        }
        if want.host {
            seen.state.timeouts = self.state.timeouts;
            let syncs = self.state.syncs.iter();
            let canonical =
                |role, daemon: &SyncDaemon| daemon.clone().canonical(role, SyncDaemon::DEFAULT_MTU);
            seen.state.syncs = syncs.map(|(role, daemon)| (*role, canonical(*role, daemon))).collect();
        }
        for name in &want.sysctls {
            if let Some(value) = self.sysctl(name) {
                seen.state.sysctls.insert(name.clone(), value);
            }
        }
        Ok(seen)
    }

    fn apply(&mut self, steps: &[Step]) -> Vec<Outcome> {
        let mut failed = false;
        let mut take = |step: &Step| {
            if failed {
                return Outcome::NotSent;
            }
            self.sent += 1;
            if let Step::SetSysctl { name, .. } = step
                && let Some(value) = self.sysctl(name)
            {
                self.state.sysctls.entry(name.clone()).or_insert(value);
            }
            if let Step::DelServer { service, key, .. } = step {
                self.end_connections(service, key);
            }
            match advance(&mut self.state, step, &self.world) {
                Ok(()) => Outcome::Done,
                Err(errno) => {
                    failed = true;
                    Outcome::Failed(refusal(step, errno))
                }
            }
        };
        steps.iter().map(&mut take).collect()
    }

    fn capabilities(&mut self) -> Result<Capabilities> {
        Ok(Capabilities {
            version: "1.2.1".to_string(),
            release: "memory".to_string(),
            schedulers: self.world.schedulers.clone(),
            conn_tab_size: 4096,
        })
    }

    fn mtu(&mut self, _dev: &IfName) -> u32 {
        SyncDaemon::DEFAULT_MTU
    }

    fn connection_table(&mut self) -> Result<Entries> {
        Ok(Box::new(self.connections.clone().into_iter().map(Ok)))
    }

    fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        if let Some(key) = service
            && !self.state.services.contains_key(key)
        {
            return Err(no_service("zero", key));
        }
        let meant = |key: &ServiceKey| service.is_none_or(|service| service == key);
        for (_, stats) in self.observed.services.iter_mut().filter(|(key, _)| meant(key)) {
            *stats = Stats::default();
        }
        for (_, live) in self.observed.servers.iter_mut().filter(|((key, _), _)| meant(key)) {
            live.stats = Stats::default();
        }
        Ok(())
    }
}
