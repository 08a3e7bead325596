//! A reading in the machine's own order.

use super::{Server, ServerKey, ServerLive, Service, ServiceKey, Snapshot, Stats};

/// One service as the machine lists it: its servers are in the order in which the kernel has them, which decides between
/// equal ones (the newest is first), and which `ipvsadm -L --nosort` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub key: ServiceKey,
    pub service: Service,
    pub stats: Stats,
    pub servers: Vec<(ServerKey, Server, ServerLive)>,
}

impl Snapshot {
    /// The services of this reading as a list, by key.
    pub fn listed(&self) -> Vec<Listed> {
        let live =
            |service, server| self.observed.servers.get(&(service, server)).copied().unwrap_or_default();
        let one = |(key, entry): (&ServiceKey, &std::sync::Arc<super::ServiceEntry>)| {
            let servers = entry.servers.iter().map(|(id, server)| (*id, *server, live(*key, *id)));
            Listed {
                key: *key,
                service: entry.service.clone(),
                stats: self.observed.services.get(key).copied().unwrap_or_default(),
                servers: servers.collect(),
            }
        };
        self.state.services.iter().map(one).collect()
    }
}
