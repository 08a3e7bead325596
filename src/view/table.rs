//! Tables without lines, fitted to the width.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, Width};

use crate::model::Server;

/// Terminals with fewer columns get shorter headings, and some columns less.
pub(super) const NARROW: u16 = 100;

/// Columns of the column that wraps, at least, in a table for so many.
pub(super) fn least(width: Option<u16>) -> u16 {
    if width.is_some_and(|width| width < NARROW) { 13 } else { 20 }
}

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

/// `1 server`, `2 servers`
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `tun upper 100 lower 50 gue port 6080`: all of a server but the weight, which has a column of its own.
pub(super) fn apart_from_weight(server: &Server) -> String {
    server.to_string().replacen(&format!(" weight {}", server.weight), "", 1)
}
