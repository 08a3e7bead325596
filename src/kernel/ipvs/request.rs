//! What can be asked of the kernel, in the words of the model.

use std::borrow::Cow;

use super::attr::put_nested;
use super::consts::{IPVS_CMD_ATTR_DAEMON, IPVS_CMD_ATTR_DEST, IPVS_CMD_ATTR_SERVICE};
use super::convert;
use super::message::{Command, Message};
use crate::model::{Server, ServerKey, Service, ServiceKey, SyncDaemon, SyncRole, Timeouts};
use crate::plan::Step;

/// One request: every command but `SET_INFO`, which is only an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    NewService(&'a ServiceKey, &'a Service),
    SetService(&'a ServiceKey, &'a Service),
    DelService(&'a ServiceKey),
    /// One; `None` is a dump of all.
    GetService(Option<&'a ServiceKey>),
    NewDest(&'a ServiceKey, &'a ServerKey, &'a Server),
    SetDest(&'a ServiceKey, &'a ServerKey, &'a Server),
    DelDest(&'a ServiceKey, &'a ServerKey),
    /// A dump. Of a service that does not exist it is empty.
    GetDest(&'a ServiceKey),
    NewDaemon(SyncRole, &'a SyncDaemon),
    DelDaemon(SyncRole),
    /// A dump.
    GetDaemon,
    SetConfig(&'a Timeouts),
    GetConfig,
    GetInfo,
    /// Counters of one service and its servers; `None` is all.
    Zero(Option<&'a ServiceKey>),
    Flush,
}

impl<'a> Request<'a> {
    /// The request that does a step; `None` when the step is not about IPVS.
    pub fn of(step: &'a Step) -> Option<Request<'a>> {
        Some(match step {
            Step::AddService { key, service } => Request::NewService(key, service),
            Step::SetService { key, to, .. } => Request::SetService(key, to),
            Step::DelService { key, .. } => Request::DelService(key),
            Step::AddServer { service, key, server } => Request::NewDest(service, key, server),
            Step::SetServer { service, key, to, .. } => Request::SetDest(service, key, to),
            Step::DelServer { service, key, .. } => Request::DelDest(service, key),
            Step::SetTimeouts { to, .. } => Request::SetConfig(to),
            Step::StartSync { role, daemon } => Request::NewDaemon(*role, daemon),
            Step::StopSync { role, .. } => Request::DelDaemon(*role),
            Step::AddMark { .. }
            | Step::SetMark { .. }
            | Step::DelMark { .. }
            | Step::AddVip { .. }
            | Step::SetVip { .. }
            | Step::DelVip { .. }
            | Step::AddRule { .. }
            | Step::DelRule { .. }
            | Step::AddRoute { .. }
            | Step::DelRoute { .. }
            | Step::AddTunnel { .. }
            | Step::SetTunnel { .. }
            | Step::DelTunnel { .. }
            | Step::AddFou { .. }
            | Step::DelFou { .. }
            | Step::SetSysctl { .. } => return None,
        })
    }

    pub fn command(&self) -> Command {
        match self {
            Request::NewService(..) => Command::NewService,
            Request::SetService(..) => Command::SetService,
            Request::DelService(_) => Command::DelService,
            Request::GetService(_) => Command::GetService,
            Request::NewDest(..) => Command::NewDest,
            Request::SetDest(..) => Command::SetDest,
            Request::DelDest(..) => Command::DelDest,
            Request::GetDest(_) => Command::GetDest,
            Request::NewDaemon(..) => Command::NewDaemon,
            Request::DelDaemon(_) => Command::DelDaemon,
            Request::GetDaemon => Command::GetDaemon,
            Request::SetConfig(_) => Command::SetConfig,
            Request::GetConfig => Command::GetConfig,
            Request::GetInfo => Command::GetInfo,
            Request::Zero(_) => Command::Zero,
            Request::Flush => Command::Flush,
        }
    }

    /// Whether the kernel answers with a dump (and must be asked with `NLM_F_DUMP`).
    pub fn is_dump(&self) -> bool {
        matches!(self, Request::GetService(None) | Request::GetDest(_) | Request::GetDaemon)
    }

    /// Whether doing it twice is the same as doing it once, so that it may be sent again when the answer was lost.
    pub fn is_repeatable(&self) -> bool {
        matches!(
            self,
            Request::SetService(..)
                | Request::SetDest(..)
                | Request::SetConfig(_)
                | Request::Zero(_)
                | Request::Flush
        )
    }

    /// Appends the attributes.
    pub fn put_attrs(&self, out: &mut Vec<u8>) {
        match *self {
            Request::NewService(key, service) | Request::SetService(key, service) => {
                put_nested(out, IPVS_CMD_ATTR_SERVICE, |out| convert::put_service(out, key, service));
            }
            Request::DelService(key)
            | Request::GetService(Some(key))
            | Request::GetDest(key)
            | Request::Zero(Some(key)) => put_key(out, key),
            Request::NewDest(service, key, server) | Request::SetDest(service, key, server) => {
                put_key(out, service);
                put_nested(out, IPVS_CMD_ATTR_DEST, |out| convert::put_server(out, key, server));
            }
            Request::DelDest(service, key) => {
                put_key(out, service);
                put_nested(out, IPVS_CMD_ATTR_DEST, |out| convert::put_server_key(out, key));
            }
            Request::NewDaemon(role, daemon) => {
                put_nested(out, IPVS_CMD_ATTR_DAEMON, |out| convert::put_daemon(out, role, daemon));
            }
            Request::DelDaemon(role) => {
                put_nested(out, IPVS_CMD_ATTR_DAEMON, |out| convert::put_role(out, role));
            }
            Request::SetConfig(timeouts) => convert::put_config(out, timeouts),
            Request::GetService(None)
            | Request::GetDaemon
            | Request::GetConfig
            | Request::GetInfo
            | Request::Zero(None)
            | Request::Flush => {}
        }
    }

    /// The message, its attributes built in `scratch`.
    pub fn message<'s>(&self, scratch: &'s mut Vec<u8>) -> Message<'s> {
        scratch.clear();
        self.put_attrs(scratch);
        Message { command: self.command(), attrs: Cow::Borrowed(scratch) }
    }
}

fn put_key(out: &mut Vec<u8>, key: &ServiceKey) {
    put_nested(out, IPVS_CMD_ATTR_SERVICE, |out| convert::put_service_key(out, key));
}
