//! What a prompt prints of a value: a table fitted to the width, or text.

use super::table::{count, table};

/// A value as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Printed {
    Grid(Grid),
    /// Without a newline at its end.
    Text(String),
}

/// Rows under a header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Columns of numbers.
    pub right: Vec<usize>,
    /// The column that wraps when the width is too small.
    pub wraps: usize,
    /// Rows that are not here.
    pub more: usize,
    /// What a row is, for an empty table: `service`.
    pub noun: String,
}

/// With a newline at its end.
pub fn printed_text(printed: &Printed, width: u16) -> String {
    match printed {
        Printed::Text(text) => format!("{text}\n"),
        Printed::Grid(grid) if grid.rows.is_empty() => format!("{}\n", count(0, &grid.noun)),
        Printed::Grid(grid) => {
            let header: Vec<&str> = grid.header.iter().map(String::as_str).collect();
            let mut out = table(&header, grid.rows.clone(), &grid.right, grid.wraps, Some(width));
            if grid.more > 0 {
                out.push_str(&format!(" … {} more\n", grid.more));
            }
            out
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(rows: usize) -> Printed {
        let row = |n: usize| {
            vec![format!("fwm:{n}"), "sh sh-fallback persistent engine".to_string(), n.to_string()]
        };
        Printed::Grid(Grid {
            header: ["service", "scheduler", "servers"].map(str::to_string).into(),
            rows: (0..rows).map(row).collect(),
            right: vec![2],
            wraps: 1,
            more: 7,
            noun: "service".to_string(),
        })
    }

    #[test]
    fn wide_narrow_and_empty() {
        let all = [printed_text(&grid(2), 80), printed_text(&grid(2), 40), printed_text(&grid(0), 80)];
        insta::assert_snapshot!(all.join("---\n"));
    }
}
