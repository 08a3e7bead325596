//! What sort of word each part of a line is, for colours.

use std::ops::Range;

use crate::script::source::{Kind, tokens};

/// A sort of word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Keyword,
    /// `true`, `false`, `nil`, and numbers.
    Literal,
    String,
    Comment,
    /// A name that is called.
    Call,
}

const KEYWORDS: [&str; 19] = [
    "and", "break", "do", "else", "elseif", "end", "for", "function", "goto", "if", "in", "local", "not",
    "or", "repeat", "return", "then", "until", "while",
];

/// The parts of a line that have a colour, in order, as byte ranges.
pub fn classes(code: &str) -> Vec<(Range<usize>, Class)> {
    let words = tokens(code);
    let mut out = Vec::new();
    let mut end = 0;
    for (index, word) in words.iter().enumerate() {
        comment(code, end..word.at, &mut out);
        end = word.at + word.text.len();
        let called = || {
            words.get(index + 1).is_some_and(|next| next.is("(") || next.is("{") || next.kind == Kind::String)
        };
        let class = match word.kind {
            Kind::String => Class::String,
            Kind::Number => Class::Literal,
            Kind::Name if KEYWORDS.contains(&word.text) => Class::Keyword,
            Kind::Name if matches!(word.text, "true" | "false" | "nil") => Class::Literal,
            Kind::Name if called() => Class::Call,
            _ => continue,
        };
        out.push((word.at..end, class));
    }
    comment(code, end..code.len(), &mut out);
    out
}

/// What the lexer skips is space and comments.
fn comment(code: &str, gap: Range<usize>, out: &mut Vec<(Range<usize>, Class)>) {
    let text = code.get(gap.clone()).unwrap_or_default();
    if let Some(at) = text.find("--") {
        out.push((gap.start + at..gap.start + text.trim_end().len(), Class::Comment));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_their_class() {
        let code = "local x = f(\"a\", 1) -- why";
        let seen: Vec<(&str, Class)> =
            classes(code).into_iter().map(|(at, class)| (&code[at], class)).collect();
        assert_eq!(
            seen,
            [
                ("local", Class::Keyword),
                ("f", Class::Call),
                ("\"a\"", Class::String),
                ("1", Class::Literal),
                ("-- why", Class::Comment),
            ]
        );
    }
}
