//! `lvsh status`: one policy, what it made, and how that is.

use std::time::Duration;

use super::Style;
use super::marks::group;
use super::table::{apart_from_weight, table};
use crate::model::{Observed, ServerKey, ServiceEntry, ServiceKey, State, Timeouts};

/// What is shown of a policy.
pub struct StatusView<'a> {
    pub name: &'a str,
    /// How long ago it was started; `None` when it is not.
    pub up: Option<Duration>,
    /// What it owns, as the machine has it now.
    pub mine: &'a State,
    pub live: &'a Observed,
    /// The machine's timeouts, when they are among what it owns.
    pub timeouts: Option<Timeouts>,
    /// What is not as it left it, one line each.
    pub drift: &'a [String],
    /// What is known of the servers' health; `None` for a policy that is not cared for.
    pub care: Option<Care<'a>>,
}

/// Health, as status tells it.
pub struct Care<'a> {
    /// What is wrong, if it is.
    pub degraded: Option<&'a str>,
    /// Since the last round.
    pub age: Option<Duration>,
    /// A server's row, from service, server and the weight it has in the table.
    pub row: &'a dyn Fn(&ServiceKey, &str, Option<u32>) -> ServerCare,
    /// Servers that were taken out of a service's table.
    pub gone: &'a dyn Fn(&ServiceKey) -> Vec<String>,
}

/// One server's health in words; empty where nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerCare {
    /// `8`, `3/8` in a slow start, `-` when it is not in the table.
    pub weight: String,
    pub admin: String,
    pub health: String,
    pub probe: String,
    /// By whom and why, or what else spoke.
    pub note: String,
}

/// `1 service of its own`, `3 services of their own`
fn counted(ways: usize) -> String {
    match ways {
        1 => "1 service of its own".to_string(),
        many => format!("{many} services of their own"),
    }
}

pub fn status_text(view: &StatusView<'_>, style: Style) -> String {
    let name = style.bold(view.name);
    let Some(up) = view.up else { return format!("{name}   not started\n") };
    let degraded = view.care.as_ref().and_then(|care| care.degraded);
    let health = match (degraded, view.drift.is_empty()) {
        (Some(_), _) => style.bad("degraded"),
        (None, false) => style.bad("drifted"),
        (None, true) => "ok".to_string(),
    };
    let mut out = format!("{name}   up {}   {health}", span(up));
    if let Some(age) = view.care.as_ref().and_then(|care| care.age) {
        out.push_str(&format!("   last check {} ago", span(age)));
    }
    out.push('\n');
    if let Some(why) = degraded {
        out.push_str(&format!("{}\n", style.signed('!', &format!("! {why}"))));
    }
    let (ways, services): (Vec<_>, Vec<_>) =
        view.mine.services.iter().partition(|(key, entry)| entry.service.is_way(key));
    for (key, entry) in services {
        let mut line = format!("service {key}  {}", entry.service);
        let fed = fed_by(key, view.mine);
        if !fed.is_empty() {
            line.push_str(&format!("  <- {fed}"));
        }
        out.push_str(&format!("{}\n", line));
        let servers = match &view.care {
            Some(care) => cared_rows(view, key, entry, care),
            None => plain_rows(view, key, entry),
        };
        if !servers.is_empty() {
            out.push_str(&format!("\n{servers}\n"));
        }
    }
    if !ways.is_empty() {
        out.push_str(&format!("checks go through IPVS, by {}\n", counted(ways.len())));
    }
    for key in view.mine.vips.keys() {
        out.push_str(&format!("vip {key}\n"));
    }
    for key in view.mine.rules.keys() {
        out.push_str(&format!("rule {key}\n"));
    }
    for key in view.mine.routes.keys() {
        out.push_str(&format!("route {key}\n"));
    }
    for (dev, tunnel) in &view.mine.tunnels {
        out.push_str(&format!("tunnel {dev}  {tunnel}\n"));
    }
    for (key, fou) in &view.mine.fous {
        out.push_str(&format!("gue port {key}  {fou}\n"));
    }
    for (role, daemon) in &view.mine.syncs {
        out.push_str(&format!("sync {role}  {daemon}\n"));
    }
    if let Some(timeouts) = view.timeouts {
        out.push_str(&format!("timeouts  {timeouts}\n"));
    }
    for (name, value) in &view.mine.sysctls {
        out.push_str(&format!("sysctl {name}  {value}\n"));
    }
    for line in view.drift {
        out.push_str(&format!("{}\n", style.signed('!', &format!("! {line}"))));
    }
    out
}

fn counters(view: &StatusView<'_>, service: &ServiceKey, server: &ServerKey) -> [String; 3] {
    let live = view.live.servers.get(&(*service, *server)).copied().unwrap_or_default();
    [live.active, live.inactive, live.persist].map(|number| number.to_string())
}

fn plain_rows(view: &StatusView<'_>, key: &ServiceKey, entry: &ServiceEntry) -> String {
    let rows = entry.servers.iter().map(|(id, server)| {
        let mut row = vec![format!(" {id}"), server.weight.to_string(), apart_from_weight(server)];
        row.extend(counters(view, key, id));
        row
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    table(&[" server", "weight", "method", "active", "inact", "templates"], rows, &[1, 3, 4, 5], (2, 0), None)
}

fn cared_rows(view: &StatusView<'_>, key: &ServiceKey, entry: &ServiceEntry, care: &Care<'_>) -> String {
    let row = |name: String, weight: Option<u32>, counters: [String; 3]| {
        let said = (care.row)(key, &name, weight);
        let mut row = vec![format!(" {name}"), said.weight, said.admin, said.health];
        row.extend(counters);
        row.extend([said.probe, said.note]);
        row
    };
    let there = entry
        .servers
        .iter()
        .map(|(id, server)| row(id.to_string(), Some(server.weight.get()), counters(view, key, id)));
    let known: Vec<String> = entry.servers.keys().map(ToString::to_string).collect();
    let gone = (care.gone)(key).into_iter().filter(|name| !known.contains(name));
    let rows: Vec<_> = there.chain(gone.map(|name| row(name, None, Default::default()))).collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = [" server", "weight", "admin", "health", "active", "inact", "templates", "last probe", ""];
    table(&header, rows, &[1, 4, 5, 6], (7, 0), None)
}

/// `mark 3: 192.168.1.99 tcp { 80, 443 }`
fn fed_by(key: &ServiceKey, mine: &State) -> String {
    let ServiceKey::Mark { mark, family } = key else { return String::new() };
    let of = mine.marks.iter().filter(|(selector, entry)| entry.mark == *mark && selector.family == *family);
    let groups = group(of.map(|(selector, entry)| (selector, entry.mark)));
    if groups.is_empty() {
        return String::new();
    }
    let all: Vec<String> = groups.iter().map(|group| group.short_text()).collect();
    format!("mark {mark}: {}", all.join("; "))
}

/// `12 s`, `4 m 12 s`, `4 h 2 m`, `3 d 4 h`: two units are enough.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} m {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} m"),
        _ => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ServerLive, ServiceEntry, Vip};
    use crate::view::samples;

    #[test]
    fn spans() {
        let text = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(
            [text(12), text(252), text(14520), text(273600)],
            ["12 s", "4 m 12 s", "4 h 2 m", "3 d 4 h"]
        );
    }

    fn machine() -> (State, Observed) {
        let (mut state, mut live) = (State::default(), Observed::default());
        let ids = [samples::id("192.168.1.107"), samples::id("192.168.1.109")];
        let servers = ids.map(|id| (id, samples::server(8))).into();
        state
            .services
            .insert(samples::fwm(3), ServiceEntry { service: samples::persistent(), servers }.into());
        state.marks.extend([80, 443].map(|port| (samples::web_mark(port), samples::entry(3))));
        state.vips.insert(samples::vip(), Vip::ours());
        let seen = ServerLive { active: 212, inactive: 880, persist: 40, ..ServerLive::default() };
        live.servers.insert((samples::fwm(3), ids[0]), seen);
        (state, live)
    }

    #[test]
    fn a_status() {
        let (state, live) = machine();
        let drift = ["- mark 3  ip daddr 192.168.1.99 tcp dport 22  by others".to_string()];
        let up = Some(std::time::Duration::from_secs(273_600));
        let view = StatusView {
            name: "web",
            up,
            mine: &state,
            live: &live,
            timeouts: None,
            drift: &drift,
            care: None,
        };
        insta::assert_snapshot!(status_text(&view, Style::plain()));
    }
}
