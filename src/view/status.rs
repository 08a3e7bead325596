//! `lvsh status`: one policy, what it made, and how that is.

use std::time::Duration;

use super::Style;
use super::marks::group;
use super::table::table;
use crate::model::{Observed, ServiceKey, State};

/// What is shown of a policy.
pub struct StatusView<'a> {
    pub name: &'a str,
    /// How long ago it was started; `None` when it is not.
    pub up: Option<Duration>,
    /// What it owns, as the machine has it now.
    pub mine: &'a State,
    pub live: &'a Observed,
    /// What is not as it left it, one line each.
    pub drift: &'a [String],
}

pub fn status_text(view: &StatusView<'_>, style: Style) -> String {
    let name = style.bold(view.name);
    let Some(up) = view.up else { return format!("{name}   not started\n") };
    let health = if view.drift.is_empty() { "ok".to_string() } else { style.bad("drifted") };
    let mut out = format!("{name}   up {}   {health}\n", span(up));
    for (key, entry) in &view.mine.services {
        let mut line = format!("service {key}  {}", entry.service);
        let fed = fed_by(key, view.mine);
        if !fed.is_empty() {
            line.push_str(&format!("  <- {fed}"));
        }
        out.push_str(&format!("{}\n", line));
        let rows = entry.servers.iter().map(|(id, server)| {
            let live = view.live.servers.get(&(*key, *id)).copied().unwrap_or_default();
            let counters = [live.active, live.inactive, live.persist].map(|number| number.to_string());
            let mut row = vec![format!(" {id}"), server.weight.to_string(), server.method.to_string()];
            row.extend(counters);
            row
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            let header = [" server", "weight", "method", "active", "inact", "templates"];
            out.push_str(&format!("\n{}\n", table(&header, rows, &[1, 3, 4, 5], (2, 0), None)));
        }
    }
    for key in view.mine.vips.keys() {
        out.push_str(&format!("vip {key}\n"));
    }
    for (role, daemon) in &view.mine.syncs {
        out.push_str(&format!("sync {role}  {daemon}\n"));
    }
    for (name, value) in &view.mine.sysctls {
        out.push_str(&format!("sysctl {name}  {value}\n"));
    }
    for line in view.drift {
        out.push_str(&format!("{}\n", style.signed('!', &format!("! {line}"))));
    }
    out
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

    #[test]
    fn spans() {
        let text = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(
            [text(12), text(252), text(14520), text(273600)],
            ["12 s", "4 m 12 s", "4 h 2 m", "3 d 4 h"]
        );
    }
}
