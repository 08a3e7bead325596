//! Prose on a narrow terminal: broken between words, with a margin. Source lines and values are left as they are.

/// The text with its long lines broken, so that none is wider than `width` where words allow it.
pub fn fitted(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        line_into(&mut out, line, width);
        out.push('\n');
    }
    if !text.ends_with('\n') {
        out.pop();
    }
    out
}

/// Columns, colours aside.
fn columns(text: &str) -> usize {
    let mut count = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\x1b' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            count += 1;
        }
    }
    count
}

/// ` 1 | web:set_server(…`, also in colours.
fn is_source(line: &str) -> bool {
    let bare = line.trim_start_matches("\x1b[2m").trim_start();
    let rest = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < bare.len() && rest.starts_with(" |")
}

/// The bar that a line under source begins with: `   |`.
fn bar(line: &str) -> Option<&str> {
    let end = line.find('|').filter(|at| line[..*at].trim_start_matches("\x1b[2m").trim().is_empty())? + 1;
    let end = end + if line[end..].starts_with("\x1b[0m") { "\x1b[0m".len() } else { 0 };
    Some(&line[..end])
}

fn line_into(out: &mut String, line: &str, width: usize) {
    if columns(line) <= width || is_source(line) {
        out.push_str(line);
        return;
    }
    let margin = match bar(line) {
        Some(bar) => format!("{bar}   "),
        None => " ".repeat(indent(line, width)),
    };
    let mut rest = line;
    let mut room = width;
    while columns(rest) > room {
        let Some(at) = break_at(rest, room) else { break };
        out.push_str(rest[..at].trim_end());
        out.push('\n');
        out.push_str(&margin);
        rest = rest[at..].trim_start();
        room = width.saturating_sub(columns(&margin)).max(1);
    }
    out.push_str(rest);
}

/// Under the last column of a line that has some, else a little further in than its first word.
fn indent(line: &str, width: usize) -> usize {
    let words = line.trim_start_matches([' ', '=', '~', '+', '-']);
    let first = line.len() - words.len();
    let column = words.rfind("  ").map(|at| first + at + 2).filter(|at| line.is_char_boundary(*at));
    let column = column.map(|at| columns(&line[..at])).filter(|at| *at < width / 2);
    column.unwrap_or(first + 2)
}

/// Where to break: behind carets, in a wide gap, or before the last word that fits.
fn break_at(line: &str, room: usize) -> Option<usize> {
    let caret = bar(line).and_then(|_| {
        let at = line.rfind("^ ").or_else(|| line.rfind("^\x1b[0m "))?;
        Some(at + line[at..].find(' ')?)
    });
    let start = line.len() - line.trim_start().len();
    let fits = |at: &usize| *at > start && columns(&line[..*at]) <= room;
    // Not the one between two columns of text.
    let far = |at: &usize| columns(&line[..*at]) >= room / 2;
    let gap = || line.rfind("   ").map(|at| line[..at].trim_end().len()).filter(fits).filter(far);
    let word = || line.rmatch_indices(' ').map(|(at, _)| at).find(fits);
    caret.filter(fits).or_else(gap).or_else(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_whole_and_source_as_it_is() {
        let text = "error: cannot set server fwm:3 192.168.1.17: it does not exist\n   |\n \
            1 | web:set_server(\"192.168.1.17\", { weight = 7 })\n   |                ^^^^^ did you mean \"192.168.1.107\"?\n   \
            = servers: 192.168.1.107, 192.168.1.109\n";
        assert_eq!(
            fitted(text, 40),
            "error: cannot set server fwm:3\n  192.168.1.17: it does not exist\n   |\n \
             1 | web:set_server(\"192.168.1.17\", { weight = 7 })\n   |                ^^^^^\n   \
             |   did you mean \"192.168.1.107\"?\n   = servers: 192.168.1.107,\n       192.168.1.109\n"
        );
        assert_eq!(fitted(text, 100), text);
        let colored = "\x1b[2m   |\x1b[0m      \x1b[1;31m^^^\x1b[0m did you mean 'services'?";
        assert_eq!(
            fitted(colored, 32),
            "\x1b[2m   |\x1b[0m      \x1b[1;31m^^^\x1b[0m\n\x1b[2m   |\x1b[0m   did you mean 'services'?"
        );
    }

    #[test]
    fn gaps_and_columns_are_where_lines_break() {
        assert_eq!(
            fitted(" ~ fwm:3 192.168.1.107  weight 1 -> 7          moves 38 % of client buckets (sh)\n", 60),
            " ~ fwm:3 192.168.1.107  weight 1 -> 7\n     moves 38 % of client buckets (sh)\n"
        );
        assert_eq!(
            fitted(".undo [N]   Takes back the last line, or the last N.", 40),
            ".undo [N]   Takes back the last line, or\n            the last N."
        );
        assert_eq!(fitted(&"x".repeat(50), 40), "x".repeat(50), "what has no spaces cannot be broken");
    }
}
