//! Errors and warnings as people read them.

use super::Style;
use crate::error::{Error, Excerpt, Kind, Origin};

/// An error in full: place and reason first, so that the subject of a cron mail is enough; then the lines of the
/// file with a caret, facts, a hint, and last what became of the changes.
///
/// `nothing`: what to say of the changes when the error does not know; empty for commands that make none.
pub fn error_text(error: &Error, nothing: &str, style: Style) -> String {
    let place = match &error.origin {
        Some(origin) => origin.to_string(),
        None => "lvsh".to_string(),
    };
    error_at(&place, error, nothing, true, style)
}

/// An error of a line that was typed a moment ago under the name `line`: its place is before the user's eyes, and
/// what the caret says is not said again.
pub fn prompt_error(error: &Error, line: &str, style: Style) -> String {
    let mut error = error.clone();
    let place = match &error.origin {
        Some(origin) if *origin.file != *line => format!("error: {origin}"),
        _ => "error".to_string(),
    };
    if let (Some(excerpt), Some(hint)) = (&mut error.excerpt, &error.hint) {
        if excerpt.label.is_empty() && !hint.contains('\n') {
            excerpt.label = hint.clone();
        }
        if let Some(short) = error.message.strip_suffix(hint.as_str()) {
            error.message = short.trim_end_matches([' ', ';']).to_string();
        }
    }
    if error.excerpt.as_ref().is_some_and(|excerpt| excerpt.label.starts_with("did you mean")) {
        error.notes.retain(|note| !note.starts_with("fields: ") && !note.starts_with("methods: "));
    }
    error_at(&place, &error, "", false, style)
}

fn error_at(place: &str, error: &Error, nothing: &str, closed: bool, style: Style) -> String {
    let mut out = String::new();
    out.push_str(&format!("{}: {}\n", style.bold(place), style.bad(&error.message)));
    let boxed = error.excerpt.as_deref().filter(|excerpt| !excerpt.lines.is_empty());
    if let Some(excerpt) = boxed {
        out.push_str(&excerpt_text(excerpt, closed, style));
    }
    let margin = match boxed {
        Some(excerpt) => number_width(excerpt),
        None => 2,
    };
    let margin = " ".repeat(margin + 1);
    for note in &error.notes {
        out.push_str(&bullet(&margin, "", note));
    }
    // Not twice: the caret or the message may say it already.
    let said = |hint: &str| error.message.contains(hint) || boxed.is_some_and(|boxed| boxed.label == hint);
    if let Some(hint) = error.hint.as_ref().filter(|hint| !said(hint)) {
        out.push_str(&bullet(&margin, "hint: ", hint));
    }
    match error.aftermath.as_deref() {
        Some(aftermath) if error.kind == Kind::RollbackFailed => {
            out.push_str(&format!("{}\n", style.bad(aftermath)));
        }
        Some(aftermath) => out.push_str(&format!("{aftermath}\n")),
        None if nothing.is_empty() => {}
        None => out.push_str(&format!("{nothing}\n")),
    }
    out
}

fn number_width(excerpt: &Excerpt) -> usize {
    excerpt.lines.iter().map(|(number, _)| number.to_string().len()).max().unwrap_or(0).max(2)
}

fn excerpt_text(excerpt: &Excerpt, closed: bool, style: Style) -> String {
    let width = number_width(excerpt);
    let bar = style.dim(&format!("{:width$} |", ""));
    let mut out = format!("{bar}\n");
    for (number, text) in &excerpt.lines {
        // A tab would move the caret: one column per character.
        let text = text.replace('\t', " ");
        out.push_str(format!("{} {text}", style.dim(&format!("{number:width$} |"))).trim_end());
        out.push('\n');
    }
    let carets = style.bad(&"^".repeat(excerpt.width.max(1)));
    let label = if excerpt.label.is_empty() { String::new() } else { format!(" {}", excerpt.label) };
    out.push_str(&format!("{bar} {}{carets}{label}\n", " ".repeat(excerpt.column)));
    if closed {
        out.push_str(&format!("{bar}\n"));
    }
    out
}

/// `   = hint: text`, later lines under the first word of the text.
fn bullet(margin: &str, title: &str, text: &str) -> String {
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        if index == 0 {
            out.push_str(&format!("{margin}= {title}{line}\n"));
        } else {
            out.push_str(&format!("{margin}  {:1$}{line}\n", "", title.len()));
        }
    }
    out
}

/// `/etc/lvsh/web.lua:7: warning: fwm:3: …`
pub fn warning_text(origin: Option<&Origin>, subject: &str, message: &str, style: Style) -> String {
    let place = origin.map_or("lvsh".to_string(), Origin::to_string);
    let subject = if subject.is_empty() { String::new() } else { format!("{subject}: ") };
    format!("{place}: {} {subject}{message}\n", style.signed('~', "warning:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong_field() -> Error {
        let lines = vec![
            (10, "    web:add_server {".to_string()),
            (11, "      addr   = \"192.168.1.107\",".to_string()),
            (12, "      wieght = 1,".to_string()),
        ];
        let mut error = Error::new(Kind::Script, "unknown_field", "unknown field 'wieght' in a server");
        error.origin = Some(Origin { file: "/etc/lvsh/web.lua".into(), line: 12 });
        error.excerpt = Some(Box::new(Excerpt {
            lines,
            column: 6,
            width: 6,
            label: "did you mean 'weight'?".to_string(),
        }));
        error.note("fields: addr, method, weight, upper, lower").note("called from start(), line 31")
    }

    #[test]
    fn with_excerpt() {
        insta::assert_snapshot!(error_text(&wrong_field(), "nothing was changed", Style::plain()));
    }

    #[test]
    fn with_a_hint_of_two_lines_and_an_aftermath() {
        let mut error = Error::new(Kind::Refused, "EEXIST", "cannot add service fwm:3: it exists (EEXIST)")
            .note("it has 2 servers")
            .hint("lvsh apply web    changes it in place\nlvsh stop web     removes it");
        error.aftermath = Some("rolled back: nothing (this was the first change)".to_string());
        insta::assert_snapshot!(error_text(&error, "nothing was changed", Style::plain()));
    }

    #[test]
    fn colours_are_codes_around_the_same_text() {
        let colored = error_text(&wrong_field(), "", Style::new(true));
        assert!(colored.contains("\x1b[1;31munknown field 'wieght' in a server\x1b[0m"));
        let mut bare = colored;
        for code in ["\x1b[1;31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, error_text(&wrong_field(), "", Style::plain()));
    }
}
