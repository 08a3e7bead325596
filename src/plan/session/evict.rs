//! Ending the connections of one server, for which the kernel has no call.
//!
//! With `net.ipv4.vs.expire_nodest_conn` at 1, removing a server makes the kernel drop its connections and templates
//! (`ip_vs_expire_nodest_conn_flush`, ip_vs_conn.c). So: set it, remove the server, wait, add the server, set it back.
//!
//! Whether all are gone is asked of the server itself: added again while any are left, it is the same one for the
//! kernel and still counts them. That is exact, where the connection table does not say which service an entry
//! belongs to, and costs nothing, where reading a long table takes minutes. Meanwhile its weight is 0, so that
//! what is counted is old.

use std::time::{Duration, Instant};

use super::{Mode, Session};
use crate::backend::Want;
use crate::error::{Error, Kind, Origin, Result};
use crate::model::{Server, ServerKey, ServerLive, ServiceKey, SysctlName, Weight};
use crate::plan::{Action, Step, refusal};

/// What an eviction ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Evicted {
    pub connections: u64,
    pub templates: u64,
    /// How long the server took no connections.
    pub away: Duration,
}

/// How an eviction is carried out.
pub struct Evicting<'a> {
    /// How long to wait for the last entry.
    pub limit: Duration,
    /// Why to give up now, if there is a reason.
    pub stop: &'a dyn Fn() -> Option<Error>,
    pub origin: Option<Origin>,
}

/// The kernel needs some milliseconds for a small table; each later wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_millis(800);
/// How often a waiting run looks whether it has to stop.
const LOOK: Duration = Duration::from_millis(10);
const EXPIRE_NODEST: &str = "expire_nodest_conn";

impl Session {
    /// Ends all connections of a server and drops its templates. The server is back afterwards as it was, and so is
    /// the sysctl; also when it fails, is stopped, or, by the journal, killed.
    ///
    /// Nothing of it can be planned: a staged session says so and changes nothing.
    ///
    /// # Errors
    /// ESRCH no such service, ENOENT no such server; `timeout`, kind `Refused`, when entries are left at the end.
    pub fn evict(&mut self, service: &ServiceKey, server: &ServerKey, how: &Evicting<'_>) -> Result<Evicted> {
        self.may_change()?;
        if self.mode == Mode::Staged {
            self.warnings.push(format!("evict {service} {server}: not simulated, nothing is ended"));
            return Ok(Evicted::default());
        }
        let name = SysctlName::new(EXPIRE_NODEST).map_err(Error::bad_value)?;
        self.ensure(&Want { sysctls: [name.clone()].into(), ..Want::default() })?;
        let (old, live) = self.server_now(service, server)?;
        let Some(setting) = self.actual.sysctls.get(&name).cloned() else {
            let error = Error::new(Kind::Unable, "unsupported", format!("this kernel has no {name}"));
            return Err(error.hint("without it connections cannot be ended; set the weight to 0 and wait"));
        };
        let begun = self.sent.len();
        let task = Task { service: *service, server: *server, old, name, setting };
        let away = Instant::now();
        let said = self.drop_entries(&task, how).and_then(|()| self.put_back(&task));
        if let Err(error) = said {
            return Err(match self.put_back(&task) {
                Ok(()) => {
                    self.forget_sent(begun);
                    Error { aftermath: Some("the server and the sysctl are as before".to_string()), ..error }
                }
                Err(trouble) => failed(&task, error, &trouble),
            });
        }
        self.forget_sent(begun);
        Ok(Evicted {
            connections: u64::from(live.active) + u64::from(live.inactive),
            templates: u64::from(live.persist),
            away: away.elapsed(),
        })
    }

    /// As the kernel has it at this moment.
    fn server_now(&mut self, service: &ServiceKey, server: &ServerKey) -> Result<(Server, ServerLive)> {
        self.refresh(service)?;
        let found = self.actual.server(service, server).copied();
        let live = self.observed.servers.get(&(*service, *server)).copied().unwrap_or_default();
        found.map(|found| (found, live)).ok_or_else(|| {
            let there = self.actual.service(service).is_some();
            let step = Step::DelServer { service: *service, key: *server, server: Server::default() };
            let mut error = refusal(&step, if there { libc::ENOENT } else { libc::ESRCH });
            error.op = "evict server".to_string();
            error.message = error.message.replacen("cannot delete server", "cannot evict", 1);
            error
        })
    }

    fn drop_entries(&mut self, task: &Task, how: &Evicting<'_>) -> Result<()> {
        let send = |session: &mut Session, step: Step| {
            session.effect(vec![Action { step, origin: how.origin.clone(), reason: None }])
        };
        let Task { service, server: key, old, name, setting } = task;
        let (service, key) = (*service, *key);
        if setting != "1" {
            let (from, to) = (setting.clone(), "1".to_string());
            send(self, Step::SetSysctl { name: name.clone(), from, to })?;
        }
        let resting = Server { weight: Weight::NONE, ..*old };
        let (begun, mut wait, mut now) = (Instant::now(), FIRST_WAIT, *old);
        loop {
            send(self, Step::DelServer { service, key, server: now })?;
            let until = Instant::now() + wait;
            while Instant::now() < until {
                if let Some(error) = (how.stop)() {
                    return Err(error);
                }
                std::thread::sleep(LOOK);
            }
            send(self, Step::AddServer { service, key, server: resting })?;
            now = resting;
            let (_, live) = self.server_now(&service, &key)?;
            let left = u64::from(live.active) + u64::from(live.inactive) + u64::from(live.persist);
            if left == 0 {
                return Ok(());
            }
            if begun.elapsed() + wait > how.limit {
                let seconds = how.limit.as_secs_f64();
                let message =
                    format!("cannot evict {service} {key}: {left} entries are left after {seconds} s");
                return Err(Error::new(Kind::Refused, "timeout", message).about(format!("{service} {key}")));
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Makes server and sysctl what they were, whatever they are now.
    fn put_back(&mut self, task: &Task) -> Result<()> {
        self.refresh(&task.service)?;
        let mut steps = Vec::new();
        let (service, key) = (task.service, task.server);
        match self.actual.server(&service, &key).copied() {
            Some(now) if now == task.old => {}
            Some(from) => steps.push(Step::SetServer { service, key, from, to: task.old }),
            None => steps.push(Step::AddServer { service, key, server: task.old }),
        }
        if let Some(from) = self.actual.sysctls.get(&task.name).filter(|now| **now != task.setting).cloned() {
            steps.push(Step::SetSysctl { name: task.name.clone(), from, to: task.setting.clone() });
        }
        if steps.is_empty() {
            return Ok(());
        }
        self.effect(steps.into_iter().map(Action::from).collect())
    }

    /// What was sent since `begun` comes to nothing: there is nothing to take back, now or after a kill.
    pub(super) fn forget_sent(&mut self, begun: usize) {
        let count = self.sent.len().saturating_sub(begun);
        self.sent.truncate(begun);
        if count > 0
            && let Err(error) = self.journal.undone(count)
        {
            self.warnings.push(error.to_string());
        }
    }
}

/// Whose entries go, and what is to be put back.
struct Task {
    service: ServiceKey,
    server: ServerKey,
    old: Server,
    name: SysctlName,
    setting: String,
}

fn failed(task: &Task, cause: Error, trouble: &Error) -> Error {
    let Task { service, server, old, name, setting } = task;
    let mut error = cause;
    error.kind = Kind::RollbackFailed;
    error.aftermath = Some("ROLLBACK FAILED: look at the machine".to_string());
    error
        .note(trouble.to_string())
        .note(format!("it should be: server {service} {server} {old}; {name} {setting}"))
}
