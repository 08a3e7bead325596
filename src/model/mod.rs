//! What exists on a director: plain data, no kernel, no Lua.
//!
//! A reader learns the whole domain here. Configuration (what a person decides and a plan compares) and
//! observation (what the kernel counts) are different types, so that a diff can never trip over a counter.

mod addr;
mod choice;
mod connection;
mod host;
mod listed;
mod makers;
mod mark;
mod path;
mod persist;
mod server;
mod service;
mod stats;
mod sync;
mod sysctl;
mod unpack;
mod way;

pub use addr::{Family, Port, Protocol, parse_endpoint, show_endpoint};
pub use choice::{Choice, METHODS, SCHEDULERS};
pub use connection::{Connection, ConnectionState, PeData, Target};
pub use host::{IfName, SysctlName, Timeouts, Vip, VipKey};
pub use listed::Listed;
pub use makers::{ConnectionFilter, Makers};
pub use mark::{Fwmark, Hook, MarkKind, MarkSelector, PortRange};
pub use path::{Installed, RouteKey, RouteTable, RuleKey};
pub use persist::{MAX_PERSIST_SECONDS, Netmask, PeName, Persistence};
pub use server::{Forwarding, Server, ServerKey, Tunnel, TunnelKind, Weight};
pub use service::{Flags, Scheduler, Service, ServiceKey};
pub use stats::{ServerLive, Stats};
pub use sync::{SyncDaemon, SyncRole};
pub use sysctl::{SYSCTLS, Sysctl, Values};
pub use unpack::{DeviceKind, Fou, FouKey, TunnelDevice};
pub use way::WayMarks;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One virtual service with its real servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ServiceEntry {
    pub service: Service,
    #[serde(with = "pairs")]
    pub servers: BTreeMap<ServerKey, Server>,
}

/// A mark and who set it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MarkEntry {
    pub mark: Fwmark,
    /// The policy's name, kept in the kernel as the comment of the nft element or rule.
    pub owner: String,
}

impl MarkEntry {
    /// The longest comment that nft itself can write: `NFTNL_UDATA_COMMENT_MAXLEN` is 128 with the closing zero.
    pub const LONGEST_OWNER: usize = 127;

    /// Whether the owner can be a comment that nft prints and reads again.
    pub fn owner_fits(&self) -> bool {
        self.owner.len() <= Self::LONGEST_OWNER && !self.owner.chars().any(|c| c == '"' || c.is_control())
    }
}

/// The configuration of one network namespace, as far as this program can change it.
///
/// Everything is sorted by its key, so that two equal machines print and compare equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Shared between the pictures of a run: what did not change is not copied, and compares equal at a glance.
    #[serde(with = "pairs")]
    pub services: BTreeMap<ServiceKey, Arc<ServiceEntry>>,
    #[serde(with = "pairs")]
    pub marks: BTreeMap<MarkSelector, MarkEntry>,
    #[serde(with = "pairs")]
    pub vips: BTreeMap<VipKey, Vip>,
    #[serde(with = "pairs")]
    pub rules: BTreeMap<RuleKey, Installed>,
    #[serde(with = "pairs")]
    pub routes: BTreeMap<RouteKey, Installed>,
    /// Devices of the kinds that unpack, whoever made them.
    pub tunnels: BTreeMap<IfName, TunnelDevice>,
    #[serde(with = "pairs")]
    pub fous: BTreeMap<FouKey, Fou>,
    /// Only those that were asked for; a name that the kernel does not have is absent.
    pub sysctls: BTreeMap<SysctlName, String>,
    pub timeouts: Timeouts,
    pub syncs: BTreeMap<SyncRole, SyncDaemon>,
}

/// What the kernel counted, beside the configuration it belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Observed {
    #[serde(with = "pairs")]
    pub services: BTreeMap<ServiceKey, Stats>,
    #[serde(with = "pairs")]
    pub servers: BTreeMap<(ServiceKey, ServerKey), ServerLive>,
}

/// One reading of the machine: configuration and counters of the same moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    pub state: State,
    pub observed: Observed,
}

impl State {
    /// Takes out the services that only checks go through, and says how many these were.
    pub fn hide_ways(&mut self) -> usize {
        let all = self.services.len();
        self.services.retain(|key, entry| !entry.service.is_way(key));
        all - self.services.len()
    }

    /// The service and its servers, if it exists.
    pub fn service(&self, key: &ServiceKey) -> Option<&ServiceEntry> {
        self.services.get(key).map(Arc::as_ref)
    }

    /// One server of one service, if both exist.
    pub fn server(&self, service: &ServiceKey, server: &ServerKey) -> Option<&Server> {
        self.services.get(service)?.servers.get(server)
    }

    /// Whether `addr` is an address of this machine (IPVS then delivers locally, whatever the method says).
    pub fn is_local(&self, addr: std::net::IpAddr) -> bool {
        addr.is_loopback() || self.vips.keys().any(|vip| vip.addr.addr() == addr)
    }
}

/// Maps whose keys are structures, written as lists of `[key, value]`: JSON has only strings for keys.
pub(crate) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        out.collect_seq(map)
    }

    pub fn deserialize<'de, K, V, D>(input: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(input)?.into_iter().collect())
    }
}
