//! Locals that live from line to line.
//!
//! Each line is a chunk of its own, and a local ends with its chunk. So `local` at the top level of a line is blanked
//! out: what it names becomes a global of the prompt, which functions made in one line share with the next.

use crate::script::source::{Kind, Token, tokens};

/// A line as statements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statement {
    /// Lines and columns before an inserted `= nil` are as in the source.
    pub text: String,
    /// What was a local, or is assigned.
    pub names: Vec<String>,
}

pub(super) fn promote(code: &str) -> Statement {
    let words = tokens(code);
    let text =
        |at: usize| words.get(at).filter(|word| word.kind != Kind::String).map_or("", |word| word.text);
    let mut out = Statement { text: code.to_string(), names: Vec::new() };
    // From the end, so that places before stay right.
    let mut edits: Vec<(usize, usize, &str)> = Vec::new();
    let mut depth = 0usize;
    for at in 0..words.len() {
        match text(at) {
            "function" | "if" | "do" | "repeat" | "(" | "{" | "[" => depth += 1,
            "end" | "until" | ")" | "}" | "]" => depth = depth.saturating_sub(1),
            "local" if depth == 0 => local(&words, at, &text, &mut edits, &mut out.names),
            name if depth == 0 && words[at].kind == Kind::Name && text(at + 1) == "=" => {
                out.names.push(name.to_string());
            }
            _ => {}
        }
    }
    for (begin, end, with) in edits.into_iter().rev() {
        out.text.replace_range(begin..end, with);
    }
    out
}

fn local<'a>(
    words: &[Token<'_>],
    at: usize,
    text: &dyn Fn(usize) -> &'a str,
    edits: &mut Vec<(usize, usize, &'static str)>,
    names: &mut Vec<String>,
) {
    const BLANK: &str = "     ";
    let here = words[at].at;
    if text(at + 1) == "function" {
        names.push(text(at + 2).to_string());
        edits.push((here, here + BLANK.len(), BLANK));
        return;
    }
    let (mut next, mut attributes, mut found) = (at + 1, Vec::new(), Vec::new());
    let end = loop {
        let Some(name) = words.get(next).filter(|word| word.kind == Kind::Name) else { return };
        found.push(name.text.to_string());
        let mut end = name.at + name.text.len();
        next += 1;
        if text(next) == "<" {
            // What is closed at the end of its block stays in it.
            if text(next + 1) == "close" {
                return;
            }
            let Some(close) = words.get(next + 2) else { return };
            attributes.push((words[next].at, close.at + close.text.len()));
            end = close.at + close.text.len();
            next += 3;
        }
        if text(next) != "," {
            break end;
        }
        next += 1;
    };
    edits.push((here, here + BLANK.len(), BLANK));
    edits.extend(attributes.into_iter().map(|(begin, end)| (begin, end, "")));
    if text(next) != "=" {
        edits.push((end, end, " = nil"));
    }
    names.extend(found);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(code: &str) -> String {
        promote(code).text
    }

    #[test]
    fn locals_of_the_line_are_promoted_and_inner_ones_are_not() {
        assert_eq!(text("local x = 1"), "      x = 1");
        assert_eq!(text("local a, b"), "      a, b = nil");
        assert_eq!(text("local n <const> = 2"), "      n  = 2");
        assert_eq!(text("local f <close> = g()"), "local f <close> = g()");
        assert_eq!(text("local function f() local y = 1 end"), "      function f() local y = 1 end");
        assert_eq!(text("do local x = 1 end local z"), "do local x = 1 end       z = nil");
        assert_eq!(
            text("t = { f = function() local a end } local b = t"),
            "t = { f = function() local a end }       b = t"
        );
        assert_eq!(text("for i = 1, 2 do local q = i end"), "for i = 1, 2 do local q = i end");
        assert_eq!(text("local s = 'local x'"), "      s = 'local x'");
        assert_eq!(text("local"), "local");
    }

    #[test]
    fn names_are_known_even_when_nil() {
        assert_eq!(promote("local a, b\nc = nil").names, ["a", "b", "c"]);
        assert_eq!(promote("local function f() end").names, ["f"]);
    }
}
