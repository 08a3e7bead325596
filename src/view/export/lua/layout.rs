//! Lines of Lua: tables in braces, columns, comments.

/// Columns of a line; a table that does not fit gets several lines.
const WIDTH: usize = 100;

/// Two more spaces in front of each line that has something on it.
pub fn indent(lines: Vec<String>) -> Vec<String> {
    lines.into_iter().map(|line| if line.is_empty() { line } else { format!("  {line}") }).collect()
}

/// `{ a = 1, b = 2 }`
pub fn inline(cells: &[String]) -> String {
    if cells.is_empty() { "{}".to_string() } else { format!("{{ {} }}", cells.join(", ")) }
}

/// Whether a line stands well, with room for the depth it will have.
pub fn fits(line: &str) -> bool {
    line.chars().count() + 8 <= WIDTH
}

/// `name  = value,` with the `=` in one column. A value of several lines begins behind its `=`.
pub fn fields(fields: &[(String, Vec<String>)]) -> Vec<String> {
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut out = Vec::new();
    for (name, value) in fields {
        let last = value.len().saturating_sub(1);
        for (at, line) in value.iter().enumerate() {
            let head = if at == 0 { format!("{name:width$} = ") } else { String::new() };
            let tail = if at == last { "," } else { "" };
            out.push(format!("{head}{line}{tail}"));
        }
    }
    out
}

/// Columns after which even a row is broken, before its last cell.
const LONGEST: usize = 140;

/// Tables of one line each, the first `columns` cells under each other.
pub fn rows(rows: &[Vec<String>], columns: usize) -> Vec<String> {
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > column + 1).map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let one = |row: &Vec<String>| -> Vec<String> {
        let mut line = "{ ".to_string();
        let mut last = 0;
        for (at, cell) in row.iter().enumerate() {
            let more = at + 1 < row.len();
            last = line.len();
            let text = if more { format!("{cell},") } else { cell.clone() };
            let pad = widths.get(at).filter(|_| more).map_or(0, |width| width + 1);
            line.push_str(&format!("{text:pad$} "));
        }
        line.push_str("},");
        if line.chars().count() <= LONGEST {
            return vec![line];
        }
        let (head, tail) = line.split_at(last);
        vec![head.trim_end().to_string(), format!("  {tail}")]
    };
    rows.iter().flat_map(one).collect()
}

/// A comment, broken between words; of an item that is indented, the lines after the first are so once more.
pub fn comment(text: &str) -> Vec<String> {
    let depth = text.len() - text.trim_start().len();
    let next = if depth == 0 { 0 } else { depth + 2 };
    let mut lines = Vec::new();
    let mut line = " ".repeat(depth);
    for word in text.split_whitespace() {
        if line.trim().is_empty() {
            line.push_str(word);
        } else if line.chars().count() + word.chars().count() + 10 > WIDTH {
            lines.push(std::mem::replace(&mut line, format!("{}{word}", " ".repeat(next))));
        } else {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.push(line);
    lines.into_iter().map(|line| format!("-- {line}").trim_end().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str) -> Vec<String> {
        text.split(", ").map(str::to_string).collect()
    }

    #[test]
    fn columns_stand_under_each_other() {
        let lines = rows(&[cells("addr = 1, weight = 10, upper = 5"), cells("addr = 100, weight = 1")], 2);
        assert_eq!(lines, ["{ addr = 1,   weight = 10, upper = 5 },", "{ addr = 100, weight = 1 },"]);
    }

    #[test]
    fn names_stand_under_each_other() {
        let lines = fields(&[("a".into(), vec!["1".into()]), ("bcd".into(), vec!["{".into(), "}".into()])]);
        assert_eq!(lines, ["a   = 1,", "bcd = {", "},"]);
    }

    #[test]
    fn comments_are_broken_between_words() {
        let lines = comment(&format!("  {}", "word ".repeat(30)));
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("--   word") && lines[1].starts_with("--     word"), "{lines:?}");
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:?}");
    }
}
