//! A director in memory: the kernel's refusals without the kernel.

use std::collections::BTreeSet;

use super::{Backend, Capabilities, Entries, Outcome, Services, Want};
use crate::error::Result;
use crate::model::{
    Connection, IfName, Observed, Scheduler, ServerLive, ServiceKey, Snapshot, State, Stats, SyncDaemon,
    SysctlName,
};
use crate::plan::{Step, World, advance, no_service, refusal};

/// A state that takes steps as strictly as the kernel does. For plans, tests, and machines without IPVS; always
/// by the user's word (`--backend memory`), never instead of a kernel that failed.
#[derive(Clone, Debug)]
pub struct Memory {
    pub state: State,
    pub observed: Observed,
    /// What a listing finds; nothing makes them but whoever fills the list.
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

    /// The value of a sysctl that nobody has set yet. A namespace starts from defaults, not from the host's values.
    fn sysctl(&self, name: &SysctlName) -> Option<String> {
        if let Some(value) = self.state.sysctls.get(name) {
            return Some(value.clone());
        }
        match name.name().strip_prefix(SysctlName::VS) {
            Some(short) => {
                let found = VS_DEFAULTS.iter().find(|(known, _)| *known == short)?;
                Some(found.1.to_string())
            }
            None => Some("0".to_string()),
        }
    }
}

/// `net.ipv4.vs.*` of Linux 6.1 (`vs_vars`, ip_vs_ctl.c) with the defaults of a fresh namespace.
const VS_DEFAULTS: [(&str, &str); 28] = [
    ("am_droprate", "10"),
    ("amemthresh", "1024"),
    ("backup_only", "0"),
    ("cache_bypass", "0"),
    ("conn_reuse_mode", "1"),
    ("conntrack", "0"),
    ("drop_entry", "0"),
    ("drop_packet", "0"),
    ("expire_nodest_conn", "0"),
    ("expire_quiescent_template", "0"),
    ("ignore_tunneled", "0"),
    ("nat_icmp_send", "0"),
    ("pmtu_disc", "1"),
    ("run_estimation", "1"),
    ("schedule_icmp", "0"),
    ("secure_tcp", "0"),
    ("sloppy_sctp", "0"),
    ("sloppy_tcp", "0"),
    ("snat_reroute", "1"),
    ("sync_persist_mode", "0"),
    ("sync_ports", "1"),
    ("sync_qlen_max", "0"),
    ("sync_refresh_period", "0"),
    ("sync_retries", "0"),
    ("sync_sock_size", "0"),
    ("sync_threshold", "3 50"),
    ("sync_version", "1"),
    ("est_nice", "0"),
];

impl Backend for Memory {
    fn snapshot(&mut self, want: &Want) -> Result<Snapshot> {
        let mut seen = Snapshot::default();
        let wanted = |key: &_| match &want.services {
            Services::None => false,
            Services::Only(keys) => keys.contains(key),
            Services::All => true,
        };
        for (key, entry) in self.state.services.iter().filter(|(key, _)| wanted(key)) {
            seen.state.services.insert(*key, entry.clone());
            let stats = self.observed.services.get(key).copied().unwrap_or(Stats::default());
            seen.observed.services.insert(*key, stats);
            for server in entry.servers.keys() {
                let id = (*key, *server);
                let live = self.observed.servers.get(&id).copied().unwrap_or(ServerLive::default());
                seen.observed.servers.insert(id, live);
            }
        }
        if want.marks {
            seen.state.marks = self.state.marks.clone();
        }
        if want.vips {
            seen.state.vips = self.state.vips.clone();
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
