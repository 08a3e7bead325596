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
    /// Columns that are left out, the first of them first, where all are too many
    pub spare: Vec<String>,
    /// Rows that are not here.
    pub more: usize,
    /// What a row is, for an empty table: `service`.
    pub noun: String,
}

impl Grid {
    /// Columns of the terminal that a column takes.
    fn wide(&self, at: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
        cells.chain([self.header[at].chars().count()]).max().unwrap_or(0)
    }

    /// What the column that wraps needs to be read.
    fn least(&self) -> usize {
        const LEAST: usize = 12;
        if self.header.is_empty() {
            0
        } else {
            self.wide(self.wraps).min(LEAST.max(self.header[self.wraps].len()))
        }
    }

    fn fitted(&self, width: usize) -> Grid {
        let mut grid = self.clone();
        for name in &self.spare {
            let wide = |at: usize| 2 + if at == grid.wraps { grid.least() } else { grid.wide(at) };
            if (0..grid.header.len()).map(wide).sum::<usize>() <= width {
                break;
            }
            if let Some(at) = grid.header.iter().position(|header| header == name) {
                grid.remove(at);
            }
        }
        grid
    }

    fn remove(&mut self, at: usize) {
        self.header.remove(at);
        self.rows.iter_mut().filter(|row| at < row.len()).for_each(|row| drop(row.remove(at)));
        self.right.retain(|column| *column != at);
        self.right
            .iter_mut()
            .chain([&mut self.wraps])
            .filter(|column| **column > at)
            .for_each(|column| *column -= 1);
    }
}

/// With a newline at its end.
pub fn printed_text(printed: &Printed, width: u16) -> String {
    match printed {
        Printed::Text(text) => format!("{text}\n"),
        Printed::Grid(grid) if grid.rows.is_empty() => format!("{}\n", count(0, &grid.noun)),
        Printed::Grid(grid) => {
            let grid = grid.fitted(usize::from(width));
            let header: Vec<&str> = grid.header.iter().map(String::as_str).collect();
            let least = grid.least().try_into().unwrap_or(u16::MAX);
            let mut out = table(&header, grid.rows.clone(), &grid.right, (grid.wraps, least), Some(width));
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
            spare: vec!["servers".to_string()],
            more: 7,
            noun: "service".to_string(),
        })
    }

    #[test]
    fn wide_narrow_and_empty() {
        let all = [
            printed_text(&grid(2), 80),
            printed_text(&grid(2), 40),
            printed_text(&grid(2), 24),
            printed_text(&grid(0), 80),
        ];
        insta::assert_snapshot!(all.join("---\n"));
    }
}
