//! What stands at the cursor of a line that is being typed: the word, what it is a field of, which call it is in.

use crate::script::source::{Kind, Token, tokens};

/// One part of a path of names: `web.servers[2]`, `get_service(…).flags`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seg {
    Name(String),
    /// After `.` or `:`.
    Field(String),
    Index(i64),
    /// What a call returns.
    Call,
}

/// Where the cursor is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Byte at which the word begins; within a string, after its quote.
    pub at: usize,
    /// What of it is typed.
    pub word: String,
    pub quote: Option<char>,
    /// What the word is a field of, which of `.` and `:` is between, and where that stands.
    pub base: Option<(Vec<Seg>, char, usize)>,
    pub inside: Option<Inside>,
    /// In a comment, or behind a string that is whole.
    pub nothing: bool,
}

/// The innermost call around the cursor, and the way into its tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    pub callee: Vec<Seg>,
    /// Counted from 0.
    pub arg: usize,
    /// The first argument, when it is a string that is whole: others may depend on it.
    pub first: Option<String>,
    /// Fields by name, elements of lists as `None`.
    pub path: Vec<Option<String>>,
    pub slot: Slot,
}

/// What may be written there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A key, or an element of a list; with the keys that are there already.
    Key(Vec<String>),
    /// A key of the user's choice, in brackets.
    Bracket,
    /// The value of the key, or of the argument when there is none.
    Value(Option<String>),
}

enum Frame {
    Call { callee: Vec<Seg>, arg: usize, first: Option<String>, bare: bool },
    Table { used: Vec<String>, key: Option<String> },
    Bracket,
    Group,
    Block,
}

/// Looks at a line up to `pos`.
pub fn cursor(line: &str, pos: usize) -> Cursor {
    let text = line.get(..pos).unwrap_or(line);
    let mut words = tokens(text);
    let end = words.last().map_or(0, |word| word.at + word.text.len());
    let mut found = Cursor { at: text.len(), ..Cursor::default() };
    if text[end..].contains("--") {
        found.nothing = true;
        return found;
    }
    if let Some(last) = words.last().copied().filter(|_| end == text.len()) {
        match last.kind {
            Kind::Name | Kind::Number => {
                (found.at, found.word) = (last.at, last.text.to_string());
                words.pop();
            }
            Kind::String if open(last.text) => {
                found.quote = last.text.chars().next();
                (found.at, found.word) = (last.at + 1, last.text[1..].to_string());
                words.pop();
            }
            Kind::String => found.nothing = true,
            Kind::Symbol => {}
        }
    }
    if let Some(last) = words.last()
        && found.quote.is_none()
        && (last.is(".") || last.is(":"))
    {
        let sep = last.text.chars().next().unwrap_or('.');
        found.base = Some((suffixed(&words[..words.len() - 1]), sep, last.at));
        words.pop();
    }
    found.inside = inside(&words, found.quote.is_some());
    found
}

/// A short string without its closing quote.
fn open(text: &str) -> bool {
    let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return false };
    let body = &text[1..];
    let slashes = body.strip_suffix(quote).map(|body| body.len() - body.trim_end_matches('\\').len());
    slashes.is_none_or(|slashes| slashes % 2 == 1)
}

fn is_name(word: &Token<'_>) -> bool {
    const KEYWORDS: [&str; 21] = [
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
        "local", "nil", "not", "or", "repeat", "return", "then", "true", "until",
    ];
    word.kind == Kind::Name && !KEYWORDS.contains(&word.text) && word.text != "while"
}

fn ends_expression(word: Option<&Token<'_>>) -> bool {
    word.is_some_and(|word| is_name(word) || word.is(")") || word.is("]"))
}

/// The path that ends with these words; empty when it is not one.
fn suffixed(words: &[Token<'_>]) -> Vec<Seg> {
    let mut out = Vec::new();
    let mut at = words.len();
    while let Some(last) = at.checked_sub(1).map(|last| &words[last]) {
        if is_name(last) {
            at -= 1;
            if at > 0 && (words[at - 1].is(".") || words[at - 1].is(":")) {
                out.push(Seg::Field(last.text.to_string()));
                at -= 1;
                continue;
            }
            out.push(Seg::Name(last.text.to_string()));
            out.reverse();
            return out;
        }
        if last.kind == Kind::String {
            out.push(Seg::Call);
            at -= 1;
        } else if last.is(")") || last.is("}") || last.is("]") {
            let Some(opened) = opener(&words[..at]) else { return Vec::new() };
            out.push(match last.text {
                // Elements are alike: which one it is need not be known.
                "]" => Seg::Index(words[opened + 1].text.parse().unwrap_or(1)),
                _ => Seg::Call,
            });
            at = opened;
        } else {
            return Vec::new();
        }
        if !ends_expression(at.checked_sub(1).map(|last| &words[last])) {
            return Vec::new();
        }
    }
    Vec::new()
}

/// Where the bracket opens that the last of these words closes.
fn opener(words: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0usize;
    for (at, word) in words.iter().enumerate().rev().filter(|(_, word)| word.kind != Kind::String) {
        match word.text {
            ")" | "}" | "]" => depth += 1,
            "(" | "{" | "[" => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn inside(words: &[Token<'_>], quoted: bool) -> Option<Inside> {
    let mut frames = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if word.kind != Kind::String {
            step(words, at, word.text, &mut frames);
        }
    }
    // f "…
    if quoted && words.last().is_some_and(is_name) {
        let callee = suffixed(words);
        return (!callee.is_empty()).then_some(Inside {
            callee,
            arg: 0,
            first: None,
            path: Vec::new(),
            slot: Slot::Value(None),
        });
    }
    let mut path = Vec::new();
    let mut slot = Slot::Value(None);
    for frame in frames.into_iter().rev() {
        match frame {
            Frame::Call { callee, arg, first, .. } => {
                path.reverse();
                return (!callee.is_empty()).then_some(Inside { callee, arg, first, path, slot });
            }
            Frame::Table { used, key } => match slot {
                Slot::Value(None) => {
                    slot = key.map_or_else(|| Slot::Key(used), |key| Slot::Value(Some(key)));
                }
                Slot::Bracket if path.is_empty() => path.push(Some("[".to_string())),
                _ => path.push(key),
            },
            Frame::Bracket if matches!(slot, Slot::Value(None)) => slot = Slot::Bracket,
            _ => return None,
        }
    }
    None
}

fn step(words: &[Token<'_>], at: usize, text: &str, frames: &mut Vec<Frame>) {
    let before = at.checked_sub(1).map(|before| &words[before]);
    let called = || if ends_expression(before) { suffixed(&words[..at]) } else { Vec::new() };
    match text {
        "(" if ends_expression(before) => {
            frames.push(Frame::Call { callee: called(), arg: 0, first: None, bare: false })
        }
        "(" => frames.push(Frame::Group),
        "{" => {
            if ends_expression(before) {
                frames.push(Frame::Call { callee: called(), arg: 0, first: None, bare: true });
            }
            frames.push(Frame::Table { used: Vec::new(), key: None });
        }
        "[" => frames.push(Frame::Bracket),
        ")" | "]" => {
            frames.pop();
        }
        "}" => {
            frames.pop();
            if matches!(frames.last(), Some(Frame::Call { bare: true, .. })) {
                frames.pop();
            }
        }
        "," | ";" => match frames.last_mut() {
            Some(Frame::Call { arg, first, .. }) => {
                if *arg == 0 && at >= 2 && words[at - 2].is("(") {
                    *first = before.and_then(|word| word.string()).map(str::to_string);
                }
                *arg += 1;
            }
            Some(Frame::Table { key, .. }) => *key = None,
            _ => {}
        },
        "=" => {
            let name = match before {
                Some(word) if is_name(word) => Some(word.text),
                Some(word) if word.is("]") && at >= 2 => words[at - 2].string(),
                _ => None,
            };
            if let (Some(Frame::Table { used, key }), Some(name)) = (frames.last_mut(), name) {
                used.push(name.to_string());
                *key = Some(name.to_string());
            }
        }
        "function" | "if" | "do" | "repeat" => frames.push(Frame::Block),
        "end" | "until" if matches!(frames.last(), Some(Frame::Block)) => {
            frames.pop();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str) -> Cursor {
        cursor(line, line.len())
    }

    #[test]
    fn words_and_what_they_belong_to() {
        assert_eq!(at("add_s").word, "add_s");
        assert_eq!(at("x = we").at, 4);
        let found = at("web.servers[2].we");
        assert_eq!(found.word, "we");
        let path = vec![Seg::Name("web".into()), Seg::Field("servers".into()), Seg::Index(2)];
        assert_eq!(found.base, Some((path, '.', 14)));
        let found = at("get_service { fwmark = 3 }:");
        assert_eq!(found.base, Some((vec![Seg::Name("get_service".into()), Seg::Call], ':', 26)));
        assert_eq!(at("a .. b").base, None);
        assert!(at("x = 1 -- web.").nothing);
        assert!(at("x = \"web\"").nothing);
        assert_eq!(at("f { a = 99").word, "99");
    }

    fn inside(line: &str) -> Inside {
        at(line).inside.unwrap_or_else(|| panic!("{line} is in no call"))
    }

    #[test]
    fn calls_and_the_way_into_their_tables() {
        let found = inside("web:set_server(\"192.168.1.1");
        assert_eq!((found.arg, found.slot), (0, Slot::Value(None)));
        let found = inside("web:set_server(\"192.168.1.109\", { method = \"dr\", wei");
        assert_eq!((found.arg, found.slot), (1, Slot::Key(vec!["method".into()])));
        let found = inside("add_service { fwmark = 3, servers = { { addr = \"a\" }, { me");
        assert_eq!(found.path, [Some("servers".to_string()), None]);
        assert_eq!(found.slot, Slot::Key(vec![]));
        let found = inside("add_service { scheduler = \"s");
        assert_eq!(found.slot, Slot::Value(Some("scheduler".into())));
        assert_eq!(inside("web:get_server \"19").slot, Slot::Value(None));
        assert_eq!(inside("web:set_weights { [\"19").slot, Slot::Bracket);
        assert_eq!(inside("f(g(1), ").arg, 1);
        assert_eq!(inside("sysctl(\"conntrack\", ").first.as_deref(), Some("conntrack"));
        assert_eq!(inside("f(\"a\" .. \"b\", ").first, None);
        assert_eq!(at("f(function() x").inside, None);
        assert_eq!(at("f(1) x").inside, None);
    }
}
