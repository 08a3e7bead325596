//! Services and servers in columns: which there are, how their numbers are written, and in what order the rows stand.

use std::cmp::Reverse;

use super::ListView;
use crate::model::{Server, ServerKey, ServerLive, ServiceEntry, ServiceKey, Stats};
use crate::view::table::{NARROW, least, table};

/// Which columns. Without any of them: how servers are used and how busy they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    /// All of them, with every digit, however long the lines get.
    pub wide: bool,
    /// Totals since the service or server was added or zeroed.
    pub stats: bool,
    /// Per second.
    pub rate: bool,
    /// Limits of servers, beside what counts for them.
    pub thresholds: bool,
}

impl Columns {
    /// Whether numbers were asked for, and nothing else.
    pub fn is_numbers(self) -> bool {
        !self.wide && (self.stats || self.rate || self.thresholds)
    }
}

/// In what order services, and the servers of each, are listed: by their key, or the largest number first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    #[default]
    Name,
    Weight,
    Active,
    Inactive,
    Templates,
    /// Of these three the totals, or, where only rates are listed, the rates.
    Conns,
    Packets,
    Bytes,
}

/// One row: a service, or a server of it.
struct Row<'a> {
    key: &'a ServiceKey,
    entry: &'a ServiceEntry,
    server: Option<(&'a ServerKey, &'a Server)>,
    /// Of a service: the sum of its servers' live numbers, and its own counters.
    live: Live,
    policy: String,
}

#[derive(Clone, Copy, Default)]
struct Live {
    weight: u64,
    active: u64,
    inactive: u64,
    templates: u64,
    stats: Stats,
}

/// Below this, what is not needed at a glance is left out; --wide has it.
const SMALLEST: u16 = 76;

/// How a cell is written, and its numbers.
type Write = fn(&Row<'_>, Show) -> String;
type Show = fn(u64) -> String;

struct Column {
    name: &'static str,
    right: bool,
    cell: Write,
}

const fn number(name: &'static str, cell: Write) -> Column {
    Column { name, right: true, cell }
}

const fn word(name: &'static str, cell: Write) -> Column {
    Column { name, right: false, cell }
}

const NAME: Column = word("service", |row, _| match row.server {
    Some((id, _)) => format!("  {id}"),
    None => row.key.to_string(),
});
const HOW: Column = word("scheduler, method", |row, _| match row.server {
    // The weight has a column of its own.
    Some((_, server)) => server.to_string().replacen(&format!(" weight {}", server.weight), "", 1),
    None => row.entry.service.to_string(),
});
const POLICY: Column = word("policy", |row, _| row.policy.clone());

/// Empty for a service, whose servers say it.
fn of_server(row: &Row<'_>, show: Show, number: impl Fn(&Server, &Live) -> u64) -> String {
    row.server.map_or(String::new(), |(_, server)| show(number(server, &row.live)))
}

const WEIGHT: Column =
    number("weight", |row, _| of_server(row, exact, |server, _| u64::from(server.weight.get())));
const ACTIVE: Column = number("active", |row, show| of_server(row, show, |_, live| live.active));
const INACTIVE: Column = number("inact", |row, show| of_server(row, show, |_, live| live.inactive));
const TEMPLATES: Column = number("templates", |row, show| of_server(row, show, |_, live| live.templates));
const UPPER: Column = number("upper", |row, _| of_server(row, limit, |server, _| u64::from(server.upper)));
const LOWER: Column = number("lower", |row, _| of_server(row, limit, |server, _| u64::from(server.lower)));

const STATS: [Column; 5] = [
    number("conns", |row, show| show(row.live.stats.conns)),
    number("in pkts", |row, show| show(row.live.stats.in_packets)),
    number("out pkts", |row, show| show(row.live.stats.out_packets)),
    number("in bytes", |row, show| show(row.live.stats.in_bytes)),
    number("out bytes", |row, show| show(row.live.stats.out_bytes)),
];
const RATE: [Column; 5] = [
    number("conns/s", |row, show| show(row.live.stats.conns_per_s)),
    number("in pkts/s", |row, show| show(row.live.stats.in_packets_per_s)),
    number("out pkts/s", |row, show| show(row.live.stats.out_packets_per_s)),
    number("in bytes/s", |row, show| show(row.live.stats.in_bytes_per_s)),
    number("out bytes/s", |row, show| show(row.live.stats.out_bytes_per_s)),
];

/// `width`: of the terminal, where the lines have to fit it.
fn chosen(columns: Columns, width: Option<u16>) -> Vec<Column> {
    let mut out = vec![NAME];
    let width = if columns.wide { None } else { width };
    let [narrow, smallest] = [NARROW, SMALLEST].map(|least| width.is_some_and(|width| width < least));
    if columns.wide || !columns.is_numbers() {
        let how = if narrow { Column { name: "sched, method", ..HOW } } else { HOW };
        let templates = if narrow { Column { name: "tmpl", ..TEMPLATES } } else { TEMPLATES };
        out.extend([how, WEIGHT, ACTIVE, INACTIVE]);
        out.extend((!smallest).then_some(templates));
    }
    match (columns.wide, columns.thresholds) {
        (true, _) => out.extend([UPPER, LOWER]),
        (false, true) => out.extend([UPPER, LOWER, ACTIVE, INACTIVE]),
        (false, false) => {}
    }
    if columns.wide || columns.stats {
        out.extend(STATS);
    }
    if columns.wide || columns.rate {
        out.extend(RATE);
    }
    if columns.wide || !columns.is_numbers() && !smallest {
        out.push(POLICY);
    }
    out
}

/// The table of services and servers; of totals and rates one below the other where both do not fit side by side.
pub(super) fn services(view: &ListView<'_>) -> String {
    let (columns, narrow) = (view.columns, view.width.is_some_and(|width| width < 130));
    if columns.is_numbers() && columns.stats && columns.rate && narrow {
        let stats = grid(view, Columns { rate: false, ..columns });
        return [stats, grid(view, Columns { stats: false, thresholds: false, ..columns })].join("\n");
    }
    grid(view, columns)
}

/// Totals and rates of every service and server, with a line of their sums.
pub fn stats_text(view: &ListView<'_>) -> String {
    services(view)
}

fn grid(view: &ListView<'_>, columns: Columns) -> String {
    let mut rows = rows(view, columns);
    if rows.is_empty() {
        return String::new();
    }
    let numbers = columns.is_numbers() && (columns.stats || columns.rate);
    let all = numbers.then(|| sum(rows.iter().filter(|row| row.server.is_none())));
    let chosen = chosen(columns, view.width);
    let show: Show = if columns.wide { exact } else { short };
    let cells = |row: &Row<'_>| chosen.iter().map(|column| (column.cell)(row, show)).collect::<Vec<_>>();
    let mut lines: Vec<Vec<String>> = rows.iter().map(cells).collect();
    if let (Some(live), Some(mut row)) = (all, rows.pop()) {
        (row.live, row.server) = (live, None);
        let mut line = cells(&row);
        if let Some(name) = line.first_mut() {
            *name = "total".to_string();
        }
        lines.push(line);
    }
    let right: Vec<usize> =
        (0..chosen.len()).filter(|at| chosen.get(*at).is_some_and(|column| column.right)).collect();
    let header: Vec<&str> = chosen.iter().map(|column| column.name).collect();
    let wraps = if columns.is_numbers() { usize::MAX } else { 1 };
    let wraps = (wraps, least(view.width));
    table(&header, lines, &right, wraps, if columns.wide { None } else { view.width })
}

fn rows<'a>(view: &'a ListView<'_>, columns: Columns) -> Vec<Row<'a>> {
    let rates = columns.rate && !columns.stats && !columns.wide;
    let largest = |row: &Row<'_>| Reverse(measure(view.sort, &row.live, rates));
    let mut blocks = Vec::new();
    for (key, entry) in &view.state.services {
        let mut servers = Vec::new();
        for (id, server) in &entry.servers {
            let live = view.live.servers.get(&(*key, *id)).copied().unwrap_or_default();
            let live = live_of(server, &live);
            servers.push(Row { key, entry, server: Some((id, server)), live, policy: String::new() });
        }
        servers.sort_by_key(largest);
        let mut live = sum(servers.iter());
        live.stats = view.live.services.get(key).copied().unwrap_or_default();
        let policy = (view.owner)(key).unwrap_or_default();
        blocks.push((Row { key, entry, server: None, live, policy }, servers));
    }
    // Stable: what is equal stays in the order of its key.
    blocks.sort_by_key(|(row, _)| largest(row));
    blocks.into_iter().flat_map(|(row, servers)| std::iter::once(row).chain(servers)).collect()
}

fn live_of(server: &Server, live: &ServerLive) -> Live {
    Live {
        weight: server.weight.get().into(),
        active: live.active.into(),
        inactive: live.inactive.into(),
        templates: live.persist.into(),
        stats: live.stats,
    }
}

fn sum<'a, 'b: 'a>(rows: impl Iterator<Item = &'a Row<'b>>) -> Live {
    rows.fold(Live::default(), |all, row| Live {
        weight: all.weight + row.live.weight,
        active: all.active + row.live.active,
        inactive: all.inactive + row.live.inactive,
        templates: all.templates + row.live.templates,
        stats: all.stats.zip(&row.live.stats, u64::saturating_add),
    })
}

fn measure(key: SortKey, live: &Live, rates: bool) -> u64 {
    let Live { stats, .. } = live;
    match (key, rates) {
        (SortKey::Name, _) => 0,
        (SortKey::Weight, _) => live.weight,
        (SortKey::Active, _) => live.active,
        (SortKey::Inactive, _) => live.inactive,
        (SortKey::Templates, _) => live.templates,
        (SortKey::Conns, false) => stats.conns,
        (SortKey::Conns, true) => stats.conns_per_s,
        (SortKey::Packets, false) => stats.in_packets.saturating_add(stats.out_packets),
        (SortKey::Packets, true) => stats.in_packets_per_s.saturating_add(stats.out_packets_per_s),
        (SortKey::Bytes, false) => stats.in_bytes.saturating_add(stats.out_bytes),
        (SortKey::Bytes, true) => stats.in_bytes_per_s.saturating_add(stats.out_bytes_per_s),
    }
}

/// Every digit.
fn exact(number: u64) -> String {
    number.to_string()
}

/// A threshold, which is none at 0.
fn limit(number: u64) -> String {
    if number == 0 { "-".to_string() } else { number.to_string() }
}

/// Seven digits, or with a unit of thousands: `98765M`. Cut, never rounded up.
fn short(number: u64) -> String {
    const UNITS: [&str; 6] = ["k", "M", "G", "T", "P", "E"];
    let mut rest = number;
    let mut unit = "";
    for next in UNITS {
        if rest < 10_000_000 && unit.is_empty() || rest < 100_000 {
            break;
        }
        (rest, unit) = (rest / 1000, next);
    }
    format!("{rest}{unit}")
}
