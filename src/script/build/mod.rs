//! Checked values to the model: what a row of fields means, and what it must not say.

mod desired;
mod host;
mod mark;
mod path;
mod probe;
mod server;
mod service;

pub(super) use desired::desired;
pub(super) use host::{device, sync, sync_role, sysctl_value, timeouts, vip};
pub(super) use mark::{Marks, marks};
pub(super) use path::{gue_port, local_route, tunnel_device};
pub(super) use probe::{Probe, Via, probe};
pub(super) use server::{change_server, find_server, server};
pub(super) use service::{change_service, key, service};
