//! A reading in the machine's own order.

use super::{Server, ServerKey, ServerLive, Service, ServiceKey, Stats};

/// One service as the machine lists it: its servers are in the order in which the kernel has them, which decides between
/// equal ones (the newest is first), and which `ipvsadm -L --nosort` shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub key: ServiceKey,
    pub service: Service,
    pub stats: Stats,
    pub servers: Vec<(ServerKey, Server, ServerLive)>,
}
