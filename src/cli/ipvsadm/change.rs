//! What a command changes, as steps.

use super::command::Command;
use crate::backend::{Services, Want};
use crate::error::Error;
use crate::model::{Server, ServerKey, Service, ServiceEntry, ServiceKey, State, SyncDaemon};
use crate::plan::Step;

/// What has to be known of the machine to say what the command changes.
pub fn needs(command: &Command) -> Want {
    use Command::*;
    let one = |key: &ServiceKey| Want { services: Services::Only([*key].into()), ..Want::default() };
    match command {
        EditService { key, .. } | DeleteService { key } => one(key),
        EditServer { service, .. } | DeleteServer { service, .. } => one(service),
        Clear => Want { services: Services::All, ..Want::default() },
        SetTimeouts(_) | StopDaemon { .. } => Want { host: true, ..Want::default() },
        _ => Want::default(),
    }
}

/// The steps of a command on a machine in this state; none for a command that changes nothing.
///
/// Of what is not there the step is made as if it were something plain: the kernel, or who plays it, refuses it.
pub fn steps(command: &Command, state: &State) -> Vec<Step> {
    let old_service =
        |key: &ServiceKey| state.service(key).map(|entry| entry.service.clone()).unwrap_or_default();
    let old_server =
        |service: &ServiceKey, key: &ServerKey| state.server(service, key).copied().unwrap_or_default();
    let gone = |key: &ServiceKey| {
        let entry = state.service(key).cloned();
        let entry =
            entry.unwrap_or(ServiceEntry { service: Service::default(), servers: Default::default() });
        Step::DelService { key: *key, entry }
    };
    let one = match command.clone() {
        Command::AddService { key, service } => Step::AddService { key, service },
        Command::EditService { key, service } => {
            Step::SetService { key, from: old_service(&key), to: service }
        }
        Command::DeleteService { key } => gone(&key),
        Command::Clear => return state.services.keys().map(gone).collect(),
        Command::AddServer { service, key, server } => Step::AddServer { service, key, server },
        Command::EditServer { service, key, server } => {
            let from: Server = old_server(&service, &key);
            Step::SetServer { service, key, from, to: server }
        }
        Command::DeleteServer { service, key } => {
            Step::DelServer { service, key, server: old_server(&service, &key) }
        }
        Command::SetTimeouts(to) => Step::SetTimeouts { from: state.timeouts, to: to.over(state.timeouts) },
        Command::StartDaemon { role, daemon } => Step::StartSync { role, daemon },
        Command::StopDaemon { role } => {
            let daemon = state.syncs.get(&role).cloned().or_else(|| {
                let dev = crate::model::IfName::new("eth0").ok()?;
                Some(SyncDaemon::new(dev, 0))
            });
            match daemon {
                Some(daemon) => Step::StopSync { role, daemon },
                None => return Vec::new(),
            }
        }
        Command::Help | Command::Version | Command::Restore => return Vec::new(),
        Command::List { .. } | Command::Save { .. } | Command::Zero { .. } => return Vec::new(),
    };
    vec![one]
}

/// A refusal with what helps, in ipvsadm's words.
pub fn remedy(step: &Step, error: Error) -> Error {
    let hint = match (error.errno, step) {
        _ if error.hint.is_some() => return error,
        (Some(libc::EEXIST), Step::AddService { .. }) => "-E changes it, -D removes it, -C empties the table",
        (Some(libc::EEXIST), Step::AddServer { .. }) => "-e changes it, -d removes it",
        (Some(libc::EEXIST), Step::StartSync { .. }) => "--stop-daemon stops it",
        (Some(libc::ESRCH), Step::SetService { .. } | Step::DelService { .. }) => {
            "-L -n lists the services; -A adds one"
        }
        (Some(libc::ESRCH), Step::AddServer { .. } | Step::SetServer { .. } | Step::DelServer { .. }) => {
            "-A adds the service, and comes before"
        }
        (Some(libc::ENOENT), Step::SetServer { .. } | Step::DelServer { .. }) => {
            "-L -n lists the servers; -a adds one"
        }
        (Some(libc::ESRCH), Step::StopSync { .. }) => "-L --daemon shows what runs",
        _ => return error,
    };
    error.hint(hint)
}
