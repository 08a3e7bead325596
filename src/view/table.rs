//! `lvsh list`: the machine as tables fitted to the width.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};

use super::Style;
use super::marks::group;
use crate::model::{Observed, ServiceKey, State};

/// What is listed.
pub struct ListView<'a> {
    pub state: &'a State,
    pub live: &'a Observed,
    /// The policy that made a service, when it is known.
    pub owner: &'a dyn Fn(&ServiceKey) -> Option<String>,
    /// Columns of the terminal; `None` where there is none to fit to.
    pub width: Option<u16>,
}

/// Services with their servers, marks, addresses, sync daemons, and a total line.
pub fn list_text(view: &ListView<'_>, style: Style) -> String {
    let parts: Vec<String> =
        [services(view), marks(view), host(view)].into_iter().filter(|part| !part.is_empty()).collect();
    let mut out = parts.join("\n");
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&format!("{}\n", style.bold(&total(view))));
    out
}

/// Columns of the column that wraps.
const LEAST: u16 = 20;

/// A table without lines: columns two spaces apart, those in `right` aligned to the right, and one that wraps when
/// the width is too small, but to no less than so many columns.
pub(super) fn table(
    header: &[&str],
    rows: Vec<Vec<String>>,
    right: &[usize],
    (wraps, least): (usize, u16),
    width: Option<u16>,
) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    if let Some(width) = width {
        table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(header.iter().map(Cell::new));
    for row in rows {
        table.add_row(row);
    }
    // Names and numbers stay whole; one column gives way.
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_constraint(match index == wraps && width.is_some() {
            // Narrower than its header it could not be read; a line that is too long still can.
            true => ColumnConstraint::LowerBoundary(Width::Fixed(least)),
            false => ColumnConstraint::ContentWidth,
        });
    }
    for index in right {
        if let Some(column) = table.column_mut(*index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn services(view: &ListView<'_>) -> String {
    let mut rows = Vec::new();
    for (key, entry) in &view.state.services {
        let owner = (view.owner)(key).unwrap_or_default();
        let blank = String::new;
        rows.push(vec![
            key.to_string(),
            entry.service.to_string(),
            blank(),
            blank(),
            blank(),
            blank(),
            owner,
        ]);
        for (id, server) in &entry.servers {
            let live = view.live.servers.get(&(*key, *id)).copied().unwrap_or_default();
            let text = server.to_string();
            // The weight has a column of its own.
            let method = text.replacen(&format!(" weight {}", server.weight), "", 1);
            rows.push(vec![
                format!("  {id}"),
                method,
                server.weight.to_string(),
                live.active.to_string(),
                live.inactive.to_string(),
                live.persist.to_string(),
                blank(),
            ]);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let header = ["service", "scheduler, method", "weight", "active", "inact", "templates", "policy"];
    table(&header, rows, &[2, 3, 4, 5], (1, LEAST), view.width)
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
        (1, LEAST),
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
    for (role, daemon) in &view.state.syncs {
        out.push_str(&format!(" sync {role}  {daemon}\n"));
    }
    out
}

fn total(view: &ListView<'_>) -> String {
    let servers: usize = view.state.services.values().map(|entry| entry.servers.len()).sum();
    let sum = |of: &dyn Fn(&crate::model::ServerLive) -> u32| {
        view.live.servers.values().map(|live| u64::from(of(live))).sum::<u64>()
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

/// `1 server`, `2 servers`
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ServerLive, ServiceEntry, Vip};
    use crate::view::samples;
    use crate::view::{StatusView, status_text};

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
    fn a_list_wide_and_narrow() {
        let (state, live) = machine();
        let owner = |_: &ServiceKey| Some("web".to_string());
        let text =
            |width| list_text(&ListView { state: &state, live: &live, owner: &owner, width }, Style::plain());
        insta::assert_snapshot!(format!("{}\n{}", text(None), text(Some(60))));
        let (state, live) = Default::default();
        let empty = ListView { state: &state, live: &live, owner: &owner, width: None };
        assert_eq!(
            list_text(&empty, Style::plain()),
            "0 services, 0 servers, 0 mark elements; 0 active, 0 inactive, 0 templates\n"
        );
    }

    #[test]
    fn a_status() {
        let (state, live) = machine();
        let drift = ["- mark 3  ip daddr 192.168.1.99 tcp dport 22  by others".to_string()];
        let up = Some(std::time::Duration::from_secs(273_600));
        let view = StatusView { name: "web", up, mine: &state, live: &live, drift: &drift };
        insta::assert_snapshot!(status_text(&view, Style::plain()));
    }
}
