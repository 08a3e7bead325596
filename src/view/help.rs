//! One page of help: as data, which `script` makes of its registry, and as text fitted to a width.

use serde::Serialize;

use super::Style;

/// What is known of one name: a function, a table, a record, a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Topic {
    /// As it is asked for: `service:set_weights`.
    pub name: String,
    /// The first line: `service:set_weights(weights)`.
    pub title: String,
    /// A few sentences.
    pub doc: String,
    /// Rows of one part are aligned with each other: the parameters, the errors, ….
    pub parts: Vec<Vec<Row>>,
    /// Lua that can be run where its names exist; several are several ways.
    pub examples: Vec<String>,
}

/// `weights   table<string, integer>    server address -> weight`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Empty when the row above says it.
    pub label: String,
    /// The middle column: a type, a code. Often empty.
    pub head: String,
    pub text: String,
}

impl Row {
    pub fn new(label: impl Into<String>, head: impl Into<String>, text: impl Into<String>) -> Row {
        Row { label: label.into(), head: head.into(), text: text.into() }
    }
}

/// Narrower than this, text goes below what it belongs to.
const NARROW: usize = 24;
/// Wider than this, a middle column would push all text to the right; its text goes below.
const WIDE_HEAD: usize = 24;

/// The page as text of at most `width` columns, where words allow it.
pub fn help_text(topic: &Topic, width: u16, style: Style) -> String {
    let width = usize::from(width.max(40));
    let labels = topic.parts.iter().flatten().map(|row| row.label.chars().count());
    let label = labels.max().unwrap_or(0).clamp("example".len(), 16);
    let mut out = String::new();
    for line in wrap(&topic.title, width, false) {
        out.push_str(&format!("{}\n", style.bold(&line)));
    }
    for line in wrap(&topic.doc, width - 2, false) {
        out.push_str(&format!("  {line}\n"));
    }
    for part in &topic.parts {
        let heads = part.iter().map(|row| row.head.chars().count()).filter(|head| *head <= WIDE_HEAD);
        let head = heads.max().unwrap_or(0);
        for row in part {
            line(&mut out, row, label, head, width, style);
        }
    }
    let column = 2 + label + 3;
    for (at, example) in topic.examples.iter().enumerate() {
        let name = if at == 0 { "example" } else { "" };
        for (at, code) in example.lines().flat_map(|line| wrap(line, width - column, true)).enumerate() {
            let name = if at == 0 { name } else { "" };
            out.push_str(&format!("  {}   {code}\n", padded(name, label, style)));
        }
    }
    out
}

fn line(out: &mut String, row: &Row, label: usize, head: usize, width: usize, style: Style) {
    let mut text = format!("  {}", padded(&row.label, label, style));
    // Too long a label stands alone.
    if row.label.chars().count() > label {
        out.push_str(&format!("{}\n", text.trim_end()));
        text = " ".repeat(2 + label);
    }
    let mut column = 2 + label + 3;
    if head > 0 || !row.head.is_empty() {
        text.push_str(&format!("   {:head$}", row.head));
        column += head + 3;
    } else {
        column -= 3;
    }
    let below = row.head.chars().count() > head || width.saturating_sub(column) < NARROW;
    let mut lines = if below {
        if !row.head.is_empty() {
            out.push_str(&format!("{}\n", text.trim_end()));
            text = " ".repeat(2 + label);
        }
        column = 2 + label + 3;
        wrap(&row.text, width.saturating_sub(column), false)
    } else {
        if head == 0 {
            column += 3;
        }
        wrap(&row.text, width - column, false)
    }
    .into_iter();
    match lines.next() {
        Some(first) => out.push_str(&format!("{text}   {first}\n")),
        None if text.trim().is_empty() => {}
        None => out.push_str(&format!("{}\n", text.trim_end())),
    }
    for line in lines {
        out.push_str(&format!("{:column$}{line}\n", ""));
    }
}

/// The name is styled, the spaces after it are not.
fn padded(name: &str, width: usize, style: Style) -> String {
    let spaces = width.saturating_sub(name.chars().count());
    format!("{}{}", style.dim(name), " ".repeat(spaces))
}

/// Lines of at most `width` columns. Code is cut only between words that are not inside quotes: to Lua it is the
/// same then.
fn wrap(text: &str, width: usize, code: bool) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(text, code) {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            // What goes on is set in.
            lines.push(if code { format!("  {word}") } else { word.to_string() });
        }
    }
    lines.retain(|line| !line.is_empty());
    lines
}

fn words(text: &str, code: bool) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut start, mut quote) = (0, None);
    for (at, c) in text.char_indices() {
        match (c, quote) {
            ('"' | '\'', None) if code => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (' ', None) => {
                out.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    out.push(&text[start..]);
    out.retain(|word| !word.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights() -> Topic {
        Topic {
            name: "service:set_weights".into(),
            title: "service:set_weights(weights)".into(),
            doc: "Sets many weights; sends only those that differ. All or nothing.".into(),
            parts: vec![
                vec![Row::new("weights", "table<string, integer>", "server address -> weight, 0..65535")],
                vec![Row::new("raises", "ENOENT", "a server is not there"), Row::new("", "bad_value", "")],
                vec![Row::new("ipvsadm", "", "-e … -w")],
            ],
            examples: vec!["web:set_weights { [\"192.168.1.107\"] = 8, [\"192.168.1.109\"] = 0 }".into()],
        }
    }

    #[test]
    fn a_page_at_80_and_at_44() {
        assert_eq!(
            help_text(&weights(), 80, Style::plain()),
            r#"service:set_weights(weights)
  Sets many weights; sends only those that differ. All or nothing.
  weights   table<string, integer>   server address -> weight, 0..65535
  raises    ENOENT      a server is not there
            bad_value
  ipvsadm   -e … -w
  example   web:set_weights { ["192.168.1.107"] = 8, ["192.168.1.109"] = 0 }
"#
        );
        let narrow = help_text(&weights(), 44, Style::plain());
        assert!(narrow.lines().all(|line| line.chars().count() <= 44), "{narrow}");
        assert!(
            narrow.contains("  weights   table<string, integer>\n            server address -> weight,\n"),
            "{narrow}"
        );
    }

    #[test]
    fn code_is_not_cut_inside_quotes() {
        let lines = wrap("f(\"a b c d\") g('e f g h')", 8, true);
        assert_eq!(lines, ["f(\"a b c d\")", "  g('e f g h')"]);
    }
}
