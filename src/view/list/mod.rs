//! `lvsh list`: the machine as tables fitted to the width.

mod columns;
mod connections;

pub use columns::{Columns, SortKey, stats_text};
pub use connections::{ConnectionRows, connection_value};

use super::Style;
use super::marks::group;
use super::table::{count, least, table};
use crate::model::{Fou, Observed, ServerLive, ServiceKey, State, Timeouts};

/// What is listed.
pub struct ListView<'a> {
    pub state: &'a State,
    pub live: &'a Observed,
    /// The policy that made a service, when it is known.
    pub owner: &'a dyn Fn(&ServiceKey) -> Option<String>,
    pub columns: Columns,
    pub sort: SortKey,
    /// Services of checks that are left out.
    pub hidden: usize,
    /// Columns of the terminal; `None` where there is none to fit to.
    pub width: Option<u16>,
}

/// Services with their servers, marks, addresses, sync daemons, and a total line; of numbers that were asked for,
/// the services alone.
pub fn list_text(view: &ListView<'_>, style: Style) -> String {
    let parts = match view.columns.is_numbers() {
        true => vec![columns::services(view)],
        false => vec![columns::services(view), marks(view), host(view)],
    };
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let mut out = parts.join("\n");
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("{}\n", style.bold(&total(view))));
    if view.hidden > 0 {
        let what = count(view.hidden, "service");
        out.push_str(&format!("not shown: {what} that health checks go through (--json has them)\n"));
    }
    out
}

fn marks(view: &ListView<'_>) -> String {
    let mut owners: Vec<&str> = view.state.marks.values().map(|entry| entry.owner.as_str()).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut rows = Vec::new();
    for owner in owners {
        let of = view.state.marks.iter().filter(|(_, entry)| entry.owner == owner);
        for group in group(of.map(|(selector, entry)| (selector, entry.mark))) {
            rows.push((group.mark, vec![group.mark.to_string(), group.match_text(), owner.to_string()]));
        }
    }
    rows.sort();
    if rows.is_empty() {
        return String::new();
    }
    table(
        &["mark", "packets", "policy"],
        rows.into_iter().map(|(_, row)| row).collect(),
        &[],
        (1, least(view.width)),
        view.width,
    )
}

fn host(view: &ListView<'_>) -> String {
    let mut out = String::new();
    for (key, vip) in &view.state.vips {
        if vip.is_ours() {
            out.push_str(&format!(" vip {key}\n"));
        }
    }
    for (key, _) in view.state.rules.iter().filter(|(_, rule)| rule.is_ours()) {
        out.push_str(&format!(" rule {key}\n"));
    }
    for (key, _) in view.state.routes.iter().filter(|(_, route)| route.is_ours()) {
        out.push_str(&format!(" route {key}\n"));
    }
    for (dev, tunnel) in view.state.tunnels.iter().filter(|(_, tunnel)| tunnel.is_ours()) {
        out.push_str(&format!(" tunnel {dev}  {tunnel}\n"));
    }
    for (key, fou) in view.state.fous.iter().filter(|(_, fou)| **fou == Fou::Gue) {
        out.push_str(&format!(" gue port {key}  {fou}\n"));
    }
    for (role, daemon) in &view.state.syncs {
        out.push_str(&format!(" sync {role}  {daemon}\n"));
    }
    if view.state.timeouts != Timeouts::default() {
        out.push_str(&format!(" timeouts  {}\n", view.state.timeouts));
    }
    out
}

fn total(view: &ListView<'_>) -> String {
    let servers: usize = view.state.services.values().map(|entry| entry.servers.len()).sum();
    let sum = |of: &dyn Fn(&ServerLive) -> u32| {
        let servers = view
            .state
            .services
            .iter()
            .flat_map(|(key, entry)| entry.servers.keys().map(move |id| (*key, *id)));
        servers.filter_map(|id| view.live.servers.get(&id)).map(|live| u64::from(of(live))).sum::<u64>()
    };
    format!(
        "{}, {}, {}; {} active, {} inactive, {}",
        count(view.state.services.len(), "service"),
        count(servers, "server"),
        count(view.state.marks.len(), "mark element"),
        sum(&|live| live.active),
        sum(&|live| live.inactive),
        count(sum(&|live| live.persist) as usize, "template"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ServiceEntry, Stats, Vip};
    use crate::view::samples;

    fn machine() -> (State, Observed) {
        let (mut state, mut live) = (State::default(), Observed::default());
        let ids = [samples::id("192.168.1.107"), samples::id("192.168.1.109")];
        let servers = [(ids[0], samples::server(8)), (ids[1], samples::tunnel())].into();
        state
            .services
            .insert(samples::fwm(3), ServiceEntry { service: samples::persistent(), servers }.into());
        let other = ServiceEntry { service: samples::service("wlc"), servers: Default::default() };
        state.services.insert(samples::fwm(4), other.into());
        state.marks.extend([80, 443].map(|port| (samples::web_mark(port), samples::entry(3))));
        state.vips.insert(samples::vip(), Vip::ours());
        let stats = Stats {
            conns: 1_234_567,
            in_packets: 98_765_432_101,
            out_packets: 7,
            in_bytes: u64::MAX,
            out_bytes: 12_345_678,
            conns_per_s: 12,
            in_packets_per_s: 3_400,
            out_packets_per_s: 0,
            in_bytes_per_s: 123_456_789,
            out_bytes_per_s: 1,
        };
        live.services.insert(samples::fwm(3), stats);
        let busy = ServerLive { active: 212, inactive: 880, persist: 40, stats };
        let idle = ServerLive { active: 3, inactive: 900, persist: 2, stats: Stats::default() };
        live.servers.extend([((samples::fwm(3), ids[0]), busy), ((samples::fwm(3), ids[1]), idle)]);
        (state, live)
    }

    fn text(columns: Columns, sort: SortKey, width: Option<u16>) -> String {
        let (state, live) = machine();
        let owner = |key: &ServiceKey| (*key == samples::fwm(3)).then(|| "web".to_string());
        list_text(
            &ListView { state: &state, live: &live, owner: &owner, columns, sort, hidden: 0, width },
            Style::plain(),
        )
    }

    #[test]
    fn fitted_to_the_width() {
        let plain = |width| text(Columns::default(), SortKey::Name, width);
        insta::assert_snapshot!([None, Some(120), Some(80), Some(60)].map(plain).join("\n"));
    }

    #[test]
    fn numbers() {
        let some = [
            Columns { thresholds: true, ..Columns::default() },
            Columns { stats: true, ..Columns::default() },
            Columns { rate: true, ..Columns::default() },
            Columns { stats: true, rate: true, ..Columns::default() },
            Columns { wide: true, ..Columns::default() },
        ];
        insta::assert_snapshot!(some.map(|columns| text(columns, SortKey::Name, Some(80))).join("\n"));
    }

    #[test]
    fn sorted_with_the_largest_first() {
        let firsts = |sort| {
            let text = text(Columns::default(), sort, None);
            let lines = text.lines().filter(|line| line.starts_with("   192") || line.starts_with(" fwm"));
            lines
                .map(|line| line.split_whitespace().next().unwrap_or_default().to_string())
                .collect::<Vec<_>>()
        };
        let in_order = ["fwm:3", "192.168.1.107", "192.168.1.109", "fwm:4"];
        let turned = ["fwm:3", "192.168.1.109", "192.168.1.107", "fwm:4"];
        assert_eq!(firsts(SortKey::Name), in_order);
        assert_eq!(firsts(SortKey::Weight), in_order);
        assert_eq!(firsts(SortKey::Active), in_order);
        assert_eq!(firsts(SortKey::Inactive), turned);
        assert_eq!(firsts(SortKey::Conns), in_order);
    }

    #[test]
    fn an_empty_machine() {
        let (state, live) = Default::default();
        let owner = |_: &ServiceKey| None;
        let (columns, sort) = Default::default();
        let empty =
            ListView { state: &state, live: &live, owner: &owner, columns, sort, hidden: 0, width: None };
        assert_eq!(
            list_text(&empty, Style::plain()),
            "0 services, 0 servers, 0 mark elements; 0 active, 0 inactive, 0 templates\n"
        );
    }
}
