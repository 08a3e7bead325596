//! What a session can do beside changes: walk the connection table, set counters back.

use super::{Mode, Session};
use crate::backend::{Entries, Services, Want};
use crate::error::Result;
use crate::model::{Makers, ServiceKey, Stats};

impl Session {
    /// The connection table of the machine as it is now; a plan does not change it.
    pub fn connection_table(&mut self) -> Result<Entries> {
        self.backend.connection_table()
    }

    /// What tells which service made an entry: of the machine as it is, not as it would be.
    pub fn makers(&mut self) -> Result<Makers> {
        self.ensure(&Want { services: Services::All, marks: true, ..Want::default() })?;
        Ok(Makers::of(&self.actual))
    }

    /// Sets the counters of a service and its servers to 0; `None` is all. They cannot be taken back, so a staged
    /// session only says that it would.
    ///
    /// # Errors
    /// ESRCH: there is no such service.
    pub fn zero(&mut self, service: Option<&ServiceKey>) -> Result<()> {
        self.may_change()?;
        if self.mode == Mode::Staged {
            let what = service.map_or_else(|| "all services".to_string(), |key| format!("service {key}"));
            self.warnings.push(format!("zero {what}: not simulated, the counters stay"));
            return Ok(());
        }
        self.backend.zero(service)?;
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
