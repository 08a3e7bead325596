//! Lines of a plan: what is counted, and how they are aligned.

use super::Style;

/// How many lines of each sort a plan has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub add: usize,
    pub change: usize,
    pub remove: usize,
    pub drifted: usize,
}

impl Counts {
    /// `2 to add, 1 to change, 0 to remove, 1 drifted`, or in the past `2 added, …`.
    pub fn text(&self, done: bool) -> String {
        let Counts { add, change, remove, drifted } = self;
        let mut out = match done {
            false => format!("{add} to add, {change} to change, {remove} to remove"),
            true => format!("{add} added, {change} changed, {remove} removed"),
        };
        if *drifted > 0 {
            out.push_str(&format!(", {drifted} drifted"));
        }
        out
    }
}

/// One line of a plan before it is aligned.
pub(super) struct Line {
    pub sign: char,
    pub depth: usize,
    pub head: String,
    pub words: String,
    pub note: String,
}

/// Lines with what follows the names aligned among neighbours of one depth, and notes in one column.
pub(super) fn render(lines: &[Line], style: Style) -> String {
    let widest = |depth: usize, of: &dyn Fn(&Line) -> usize| {
        let all = lines.iter().filter(|line| line.depth == depth && !line.words.is_empty());
        all.map(of).max().unwrap_or(0)
    };
    let heads = [widest(0, &|line| line.head.len()), widest(1, &|line| line.head.len())];
    let body = |line: &Line| {
        let indent = " ".repeat(2 + 4 * line.depth);
        let text = match line.words.is_empty() {
            true => line.head.clone(),
            false => format!("{:1$}   {2}", line.head, heads[line.depth], line.words),
        };
        format!("{indent}{} {text}", line.sign)
    };
    let column = lines.iter().filter(|line| !line.note.is_empty()).map(|line| body(line).len()).max();
    let column = column.unwrap_or(0);
    let mut out = String::new();
    for line in lines {
        let text = match line.note.is_empty() {
            true => body(line),
            false => format!("{:column$}   {}", body(line), line.note),
        };
        out.push_str(&style.signed(line.sign, text.trim_end()));
        out.push('\n');
    }
    out.pop();
    out
}
