//! What must be true after a plan, so that it can be read back and compared.

use std::collections::BTreeMap;

use super::Step;
use crate::backend::{Services, Want};
use crate::model::{
    Fou, FouKey, IfName, MarkEntry, MarkSelector, RouteKey, RuleKey, Server, ServerKey, Service, ServiceKey,
    State, SyncDaemon, SyncRole, SysctlName, Timeouts, TunnelDevice, Vip, VipKey,
};

/// The last value of everything a row of steps touches; `None` is "not there".
#[derive(Debug, Default)]
pub struct Expect<'a> {
    services: BTreeMap<ServiceKey, Touched<'a>>,
    marks: BTreeMap<&'a MarkSelector, Option<&'a MarkEntry>>,
    vips: BTreeMap<&'a VipKey, Option<Vip>>,
    rules: BTreeMap<RuleKey, bool>,
    routes: BTreeMap<RouteKey, bool>,
    tunnels: BTreeMap<&'a IfName, Option<&'a TunnelDevice>>,
    fous: BTreeMap<FouKey, Option<Fou>>,
    sysctls: BTreeMap<&'a SysctlName, &'a str>,
    timeouts: Option<Timeouts>,
    syncs: BTreeMap<SyncRole, Option<&'a SyncDaemon>>,
}

/// What of a service is touched.
#[derive(Debug, Default)]
struct Touched<'a> {
    settings: Option<Option<&'a Service>>,
    servers: BTreeMap<ServerKey, Option<&'a Server>>,
}

impl<'a> Touched<'a> {
    fn note(&mut self, step: &'a Step) {
        use Step::*;
        match step {
            AddService { service, .. } | SetService { to: service, .. } => {
                self.settings = Some(Some(service))
            }
            DelService { .. } => *self = Touched { settings: Some(None), servers: BTreeMap::new() },
            AddServer { key, server, .. } | SetServer { key, to: server, .. } => {
                self.servers.insert(*key, Some(server));
            }
            DelServer { key, .. } => {
                self.servers.insert(*key, None);
            }
            _ => {}
        }
    }
}

impl<'a> Expect<'a> {
    pub fn after(steps: &'a [Step]) -> Expect<'a> {
        let mut expect = Expect::default();
        // The servers of one service stand together in a plan: it is looked up once for all of them.
        for group in steps.chunk_by(|a, b| a.service() == b.service()) {
            match group.first().and_then(Step::service) {
                Some(key) => {
                    let touched = expect.services.entry(*key).or_default();
                    group.iter().for_each(|step| touched.note(step));
                }
                None => group.iter().for_each(|step| expect.note(step)),
            }
        }
        expect
    }

    fn note(&mut self, step: &'a Step) {
        use Step::*;
        match step {
            AddService { .. } | SetService { .. } | DelService { .. } => {}
            AddServer { .. } | SetServer { .. } | DelServer { .. } => {}
            AddMark { selector, entry } | SetMark { selector, to: entry, .. } => {
                self.marks.insert(selector, Some(entry));
            }
            DelMark { selector, .. } => {
                self.marks.insert(selector, None);
            }
            AddVip { key, vip } | SetVip { key, to: vip, .. } => {
                self.vips.insert(key, Some(*vip));
            }
            DelVip { key, .. } => {
                self.vips.insert(key, None);
            }
            AddRule { key, .. } => {
                self.rules.insert(*key, true);
            }
            DelRule { key, .. } => {
                self.rules.insert(*key, false);
            }
            AddRoute { key, .. } => {
                self.routes.insert(*key, true);
            }
            DelRoute { key, .. } => {
                self.routes.insert(*key, false);
            }
            AddTunnel { dev, tunnel } | SetTunnel { dev, to: tunnel, .. } => {
                self.tunnels.insert(dev, Some(tunnel));
            }
            DelTunnel { dev, .. } => {
                self.tunnels.insert(dev, None);
            }
            AddFou { key, fou } => {
                self.fous.insert(*key, Some(*fou));
            }
            DelFou { key, .. } => {
                self.fous.insert(*key, None);
            }
            SetSysctl { name, to, .. } => {
                self.sysctls.insert(name, to);
            }
            SetTimeouts { to, .. } => self.timeouts = Some(*to),
            StartSync { role, daemon } => {
                self.syncs.insert(*role, Some(daemon));
            }
            StopSync { role, .. } => {
                self.syncs.insert(*role, None);
            }
        }
    }

    /// What has to be read to compare.
    pub fn want(&self) -> Want {
        let keys: std::collections::BTreeSet<_> = self.services.keys().copied().collect();
        Want {
            services: if keys.is_empty() { Services::None } else { Services::Only(keys) },
            marks: !self.marks.is_empty(),
            vips: !self.vips.is_empty(),
            routes: !self.rules.is_empty() || !self.routes.is_empty(),
            tunnels: !self.tunnels.is_empty() || !self.fous.is_empty(),
            host: self.timeouts.is_some() || !self.syncs.is_empty(),
            sysctls: self.sysctls.keys().map(|name| (*name).clone()).collect(),
        }
    }

    /// What is not as it should be, one line each; empty when all is well.
    pub fn misses(&self, state: &State) -> Vec<String> {
        let mut out = Vec::new();
        for (service, touched) in &self.services {
            let entry = state.services.get(service);
            if let Some(want) = touched.settings {
                compare(&mut out, format_args!("service {service}"), want, entry.map(|entry| &entry.service));
            }
            for (key, want) in &touched.servers {
                let have = entry.and_then(|entry| entry.servers.get(key));
                // A long reading does not tell the rest.
                let (want, have) = (want.map(Server::used), have.map(Server::used));
                compare(&mut out, format_args!("server {service} {key}"), want, have);
            }
        }
        for (selector, want) in &self.marks {
            let want = want.map(|entry| entry.mark);
            let have = state.marks.get(selector).map(|entry| entry.mark);
            compare(&mut out, format_args!("mark for {selector}"), want, have);
        }
        for (key, want) in &self.vips {
            // Kernels before 5.18 do not keep the tag, so only presence counts.
            let want = want.map(|_| "there");
            compare(&mut out, format_args!("vip {key}"), want, state.vips.get(key).map(|_| "there"));
        }
        let there = |present: bool| present.then_some("there");
        for (key, want) in &self.rules {
            let have = state.rules.contains_key(key);
            compare(&mut out, format_args!("rule {key}"), there(*want), there(have));
        }
        for (key, want) in &self.routes {
            let have = state.routes.contains_key(key);
            compare(&mut out, format_args!("route {key}"), there(*want), there(have));
        }
        for (dev, want) in &self.tunnels {
            compare(&mut out, format_args!("tunnel {dev}"), *want, state.tunnels.get(dev));
        }
        for (key, want) in &self.fous {
            compare(&mut out, format_args!("gue port {key}"), *want, state.fous.get(key).copied());
        }
        for (name, want) in &self.sysctls {
            let have = state.sysctls.get(name).map(String::as_str);
            compare(&mut out, format_args!("sysctl {name}"), Some(*want), have);
        }
        if let Some(want) = self.timeouts {
            compare(&mut out, format_args!("timeouts"), Some(want), Some(state.timeouts));
        }
        for (role, want) in &self.syncs {
            compare(&mut out, format_args!("sync {role}"), *want, state.syncs.get(role));
        }
        out
    }
}

fn compare<T: PartialEq + std::fmt::Display>(
    out: &mut Vec<String>,
    what: std::fmt::Arguments<'_>,
    want: Option<T>,
    have: Option<T>,
) {
    if want == have {
        return;
    }
    out.push(match (want, have) {
        (Some(want), Some(have)) => format!("{what} is {have}, not {want}"),
        (Some(want), None) => format!("{what} is missing, not {want}"),
        (None, Some(have)) => format!("{what} is still there: {have}"),
        (None, None) => return,
    });
}
