//! How a session reads the machine: only what is asked for, and once.

use std::collections::BTreeSet;

use super::{Mode, Session};
use crate::backend::{Services, Want};
use crate::error::Result;
use crate::model::{Observed, ServiceKey, State};

/// Whether counters are read with a configuration: they are most of the time of a reading, and a plan needs none.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counters {
    Not,
    Too,
}

impl Session {
    /// Forgets what was read of this service, so that the next look reads what others did.
    pub fn refresh(&mut self, key: &ServiceKey) -> Result<()> {
        if self.mode == Mode::Staged {
            // The picture of a plan must not move under it.
            return Ok(());
        }
        let want = Want { services: Services::Only(BTreeSet::from([*key])), ..Want::default() };
        self.forget(key);
        self.load(&want, Counters::Too)
    }

    fn forget(&mut self, key: &ServiceKey) {
        for state in [&mut self.actual, &mut self.base, &mut self.view] {
            state.services.remove(key);
        }
        self.observed.services.remove(key);
        self.observed.servers.retain(|(service, _), _| service != key);
    }

    /// Reads what is wanted and was not read before.
    pub(super) fn ensure(&mut self, want: &Want) -> Result<()> {
        let missing = missing(&self.read, want);
        if missing == Want::default() { Ok(()) } else { self.load(&missing, Counters::Not) }
    }

    /// As [`Session::ensure`], with the counters of the same moment; of what was read without them, of this moment.
    pub(super) fn ensure_live(&mut self, want: &Want) -> Result<()> {
        let missing = missing(&self.read, want);
        if missing != Want::default() {
            self.load(&missing, Counters::Too)?;
        }
        let services = beyond(&self.counted, &want.services);
        if services != Services::None {
            let mut seen = self.backend.snapshot(&Want { services: services.clone(), ..Want::default() })?;
            self.take_counters(&mut seen.observed, &services);
        }
        Ok(())
    }

    fn take_counters(&mut self, observed: &mut Observed, of: &Services) {
        self.observed.services.append(&mut observed.services);
        self.observed.servers.append(&mut observed.servers);
        self.counted = joined(std::mem::take(&mut self.counted), of);
    }

    /// What a picture that was taken when only `then` had been read lacks of what is known now.
    pub(super) fn complete(&self, picture: &mut State, then: &Want) {
        let news = missing(then, &self.read);
        let mut state = self.owned.without(&self.actual);
        state.services.retain(|key, _| match (&news.services, &then.services) {
            (Services::None, _) => false,
            (Services::Only(keys), _) => keys.contains(key),
            (Services::All, Services::Only(old)) => !old.contains(key),
            (Services::All, _) => true,
        });
        state.sysctls.retain(|name, _| news.sysctls.contains(name));
        merge(picture, &state, &news);
    }

    fn load(&mut self, want: &Want, counters: Counters) -> Result<()> {
        let mut news = match counters {
            Counters::Not => self.backend.state(want)?,
            Counters::Too => {
                let mut seen = self.backend.snapshot(want)?;
                self.take_counters(&mut seen.observed, &want.services);
                seen.state
            }
        };
        let known = &self.read.services;
        // Reading all after some: what was changed since the first look must not be seen old again.
        if let (Services::All, Services::Only(keys)) = (&want.services, known) {
            news.services.retain(|key, _| !keys.contains(key));
        }
        let base = self.owned.without(&news);
        merge(&mut self.actual, &news, want);
        merge(&mut self.base, &base, want);
        merge(&mut self.view, &base, want);
        for before in &mut self.rehearsals {
            // What is only read is no change.
            merge(&mut before.view, &base, want);
            merge(&mut before.base, &base, want);
        }
        self.read.services = joined(std::mem::take(&mut self.read.services), &want.services);
        self.read.marks |= want.marks;
        self.read.vips |= want.vips;
        self.read.routes |= want.routes;
        self.read.tunnels |= want.tunnels;
        self.read.host |= want.host;
        self.read.sysctls.extend(want.sysctls.iter().cloned());
        Ok(())
    }
}

/// What of `want` is not in `read`.
fn missing(read: &Want, want: &Want) -> Want {
    Want {
        services: beyond(&read.services, &want.services),
        marks: want.marks && !read.marks,
        vips: want.vips && !read.vips,
        routes: want.routes && !read.routes,
        tunnels: want.tunnels && !read.tunnels,
        host: want.host && !read.host,
        sysctls: want.sysctls.difference(&read.sysctls).cloned().collect(),
    }
}

/// Those of `want` that are not in `read`.
fn beyond(read: &Services, want: &Services) -> Services {
    match (read, want) {
        (Services::All, _) | (_, Services::None) => Services::None,
        (_, Services::All) => Services::All,
        (Services::None, Services::Only(keys)) => Services::Only(keys.clone()),
        (Services::Only(old), Services::Only(keys)) => Services::of(keys.difference(old)),
    }
}

fn joined(old: Services, new: &Services) -> Services {
    match (old, new) {
        (Services::All, _) | (_, Services::All) => Services::All,
        (old, Services::None) => old,
        (Services::None, new) => new.clone(),
        (Services::Only(mut old), Services::Only(new)) => {
            old.extend(new.iter().copied());
            Services::Only(old)
        }
    }
}

/// Puts what was read into `into`, and nothing else.
fn merge(into: &mut State, news: &State, want: &Want) {
    into.services.append(&mut news.services.clone());
    if want.marks {
        into.marks.clone_from(&news.marks);
    }
    if want.vips {
        into.vips.clone_from(&news.vips);
    }
    if want.routes {
        into.rules.clone_from(&news.rules);
        into.routes.clone_from(&news.routes);
    }
    if want.tunnels {
        into.tunnels.clone_from(&news.tunnels);
        into.fous.clone_from(&news.fous);
    }
    if want.host {
        into.timeouts = news.timeouts;
        into.syncs.clone_from(&news.syncs);
    }
    into.sysctls.extend(news.sysctls.iter().map(|(name, value)| (name.clone(), value.clone())));
}
