//! The user's source: kept while it runs, searched only when something is wrong.

mod find;
mod lexer;

pub(super) use find::{Spot, Target, Words};
pub(super) use lexer::{Kind, Token, tokens};

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::error::Excerpt;

/// Loaded chunks by name, as Lua reports it: `@/etc/lvsh/web.lua`, `=eval`.
#[derive(Debug, Default)]
pub(super) struct Sources {
    texts: RefCell<HashMap<String, Rc<str>>>,
}

impl Sources {
    /// Keeps a source, with a `#!` line blanked (Lua's own loader of text does not skip it); gives it back.
    pub fn keep(&self, name: &str, text: &str) -> Rc<str> {
        let text = if text.starts_with("#!") {
            let end = text.find('\n').unwrap_or(text.len());
            Rc::from(text[end..].to_string())
        } else {
            Rc::from(text)
        };
        self.texts.borrow_mut().insert(name.to_string(), Rc::clone(&text));
        text
    }

    /// A chunk that will not be asked for again.
    pub fn forget(&self, name: &str) {
        self.texts.borrow_mut().remove(name);
    }

    pub fn get(&self, name: &str) -> Option<Rc<str>> {
        self.texts.borrow().get(name).cloned()
    }
}

/// `/etc/lvsh/web.lua` of `@/etc/lvsh/web.lua`.
pub(super) fn file_of(chunk: &str) -> &str {
    chunk.strip_prefix(['@', '=']).unwrap_or(chunk)
}

/// The lines before a place and its own, with the caret.
pub(super) fn excerpt(source: &str, spot: Spot, label: &str) -> Excerpt {
    const BEFORE: u32 = 2;
    let first = spot.line.saturating_sub(BEFORE).max(1);
    let mut lines: Vec<(u32, String)> = Vec::new();
    for (number, line) in (1..).zip(source.lines()) {
        if (first..=spot.line).contains(&number) {
            lines.push((number, line.trim_end().to_string()));
        }
        if number >= spot.line {
            break;
        }
    }
    // Blank lines at the head say nothing.
    while lines.len() > 1 && lines[0].1.is_empty() {
        lines.remove(0);
    }
    let begin = source[..spot.at.min(source.len())].rfind('\n').map_or(0, |at| at + 1);
    let column = source.get(begin..spot.at).map_or(0, |text| text.chars().count());
    let word = source.get(spot.at..spot.at + spot.len).unwrap_or_default();
    let width = word.lines().next().map_or(1, |text| text.chars().count()).max(1);
    Excerpt { lines, column, width, label: label.to_string() }
}

/// A line as a whole, without its indent.
pub(super) fn whole_line(source: &str, line: u32) -> Option<Spot> {
    let mut at = 0;
    for (number, text) in (1..).zip(source.split('\n')) {
        if number == line {
            let indent = text.len() - text.trim_start().len();
            let len = text.trim().len();
            return Some(Spot { line, at: at + indent, len });
        }
        at += text.len() + 1;
    }
    None
}

/// The lines of a file around a place, for an error that was found after the script had run.
pub fn excerpt_of(origin: &crate::error::Origin) -> Option<Excerpt> {
    let text = std::fs::read_to_string(&*origin.file).ok()?;
    whole_line(&text, origin.line).map(|spot| excerpt(&text, spot, ""))
}
