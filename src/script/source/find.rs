//! From the way into a table (`service.servers[2].wieght`) to its words in the source.

use super::lexer::{Kind, Token, tokens};
use crate::script::fault::Part;

/// Where something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Counted from 1.
    pub line: u32,
    /// Byte offset in the source.
    pub at: usize,
    /// Bytes.
    pub len: usize,
}

impl From<&Token<'_>> for Spot {
    fn from(token: &Token<'_>) -> Spot {
        Spot { line: token.line, at: token.at, len: token.text.len() }
    }
}

/// What is looked for: an argument of a call, and a way into it.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// The function's last word: `add_server`.
    pub call: &'a str,
    /// Where the call begins, as Lua says it.
    pub line: u32,
    /// Counted from 0; `None` is the call itself.
    pub arg: Option<usize>,
    pub path: &'a [Part],
    /// The key is meant, not its value.
    pub key: bool,
}

/// The source as words, for several look-ups.
pub struct Words<'a> {
    words: Vec<Token<'a>>,
}

impl<'a> Words<'a> {
    pub fn new(source: &'a str) -> Words<'a> {
        Words { words: tokens(source) }
    }

    /// Names in the source, each once: what a typo may have meant.
    pub fn names(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> =
            self.words.iter().filter(|token| token.kind == Kind::Name).map(|token| token.text).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A word on exactly this line; where it is used (`t.x`, `f()`) rather than named, if there is a choice.
    pub fn word_on(&self, text: &str, line: u32) -> Option<Spot> {
        let here = |at: &usize| self.words[*at].line == line && self.words[*at].text == text;
        let used = |at: &usize| matches!(self.text(at + 1), "." | ":" | "[" | "(" | "{");
        let found = (0..self.words.len()).find(|at| here(at) && used(at));
        let found = found.or_else(|| (0..self.words.len()).find(here));
        found.map(|at| self.spot(at))
    }

    /// The call, the argument or the field; when a part is not written there (a variable stands for it), the
    /// field's name anywhere after the call, or else before it; at last the call.
    pub fn find(&self, target: Target<'_>) -> Option<Spot> {
        let call = self.call(target.call, target.line);
        let walked = call.and_then(|call| self.walk(call, target));
        let by_name = || {
            let Part::Field(name) = target.path.last()? else { return None };
            let is_key = |at: &usize| self.words[*at].text == *name && self.text(at + 1) == "=";
            let from = call.unwrap_or(0);
            let found = (from..self.words.len()).find(is_key).or_else(|| (0..from).rev().find(is_key))?;
            let at = if target.key { found } else { (found + 2).min(self.words.len() - 1) };
            Some(self.spot(at))
        };
        walked.or_else(by_name).or_else(|| call.map(|at| self.callee(at)))
    }

    /// Only what is written in the call itself.
    pub fn walked(&self, target: Target<'_>) -> Option<Spot> {
        self.walk(self.call(target.call, target.line)?, target)
    }

    /// The function with what it is called on: `lvs.add_service`.
    fn callee(&self, at: usize) -> Spot {
        let mut first = at;
        while first >= 2
            && matches!(self.text(first - 1), "." | ":")
            && self.words[first - 2].kind == Kind::Name
            && self.words[first - 2].line == self.words[at].line
        {
            first -= 2;
        }
        let end = self.words[at].at + self.words[at].text.len();
        Spot { len: end - self.words[first].at, ..self.spot(first) }
    }

    fn spot(&self, at: usize) -> Spot {
        Spot::from(&self.words[at])
    }

    fn text(&self, at: usize) -> &'a str {
        self.words.get(at).map_or("", |token| token.text)
    }

    /// The function's name in front of its arguments. Lua gives the line of the opening bracket or string, so the
    /// name may stand one line before.
    fn call(&self, name: &str, line: u32) -> Option<usize> {
        let opens = |at: usize| {
            let next = self.words.get(at)?;
            (matches!(next.text, "(" | "{") || next.kind == Kind::String).then_some(next.line)
        };
        let fits =
            |at: &usize| self.words[*at].text == name && opens(at + 1).is_some_and(|found| found >= line);
        (0..self.words.len()).find(fits)
    }

    fn walk(&self, call: usize, target: Target<'_>) -> Option<Spot> {
        let mut at = match (target.arg?, self.text(call + 1)) {
            (0, open) if open != "(" => call + 1,
            (_, open) if open != "(" => return None,
            (arg, _) => {
                let mut at = call + 2;
                for _ in 0..arg {
                    at = self.after(at);
                    if self.text(at) != "," {
                        return None;
                    }
                    at += 1;
                }
                at
            }
        };
        let mut key = at;
        for part in target.path {
            if self.text(at) != "{" {
                return None;
            }
            (key, at) = match (self.entry(at, part), part) {
                (Some(found), _) => found,
                // One table may be written as a list of one.
                (None, Part::Field(_)) if self.text(at + 1) == "{" => self.entry(at + 1, part)?,
                (None, _) => return None,
            };
        }
        let named = matches!(target.path.last(), Some(Part::Field(_)));
        Some(self.spot(if target.key && named { key } else { at }))
    }

    /// An entry of the table that opens at `open`: the places of its key and of its value.
    fn entry(&self, open: usize, part: &Part) -> Option<(usize, usize)> {
        let mut at = open + 1;
        let mut item = 0;
        while !matches!(self.text(at), "}" | "") {
            let (key, value) = match self.key(at) {
                Some((name, value)) => {
                    if *part == Part::Field(name.to_string()) {
                        return Some((at, value));
                    }
                    (at, value)
                }
                None => {
                    item += 1;
                    (at, at)
                }
            };
            if key == value && *part == Part::Item(item) {
                return Some((at, at));
            }
            at = self.after(value);
            if matches!(self.text(at), "," | ";") {
                at += 1;
            }
        }
        None
    }

    /// `name =` or `["name"] =` at this place: the name, and where its value begins.
    fn key(&self, at: usize) -> Option<(&str, usize)> {
        let token = self.words.get(at)?;
        if token.kind == Kind::Name && self.text(at + 1) == "=" {
            return Some((token.text, at + 2));
        }
        if token.is("[") && self.text(at + 2) == "]" && self.text(at + 3) == "=" {
            let inner = self.words.get(at + 1)?;
            return Some((inner.string().unwrap_or(inner.text), at + 4));
        }
        None
    }

    /// The place after an expression: its comma or closing bracket. Functions inside it are walked over.
    fn after(&self, from: usize) -> usize {
        let (mut at, mut depth) = (from, 0usize);
        while let Some(token) = self.words.get(at) {
            if token.kind != Kind::String {
                match token.text {
                    "," | ";" if depth == 0 => return at,
                    "(" | "{" | "[" | "function" | "if" | "do" | "repeat" => depth += 1,
                    ")" | "}" | "]" | "end" | "until" => {
                        if depth == 0 {
                            return at;
                        }
                        depth -= 1;
                    }
                    _ => {}
                }
            }
            at += 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word<'a>(source: &'a str, call: &str, line: u32, path: &[Part], key: bool) -> Option<(u32, &'a str)> {
        let target = Target { call, line, arg: Some(0), path, key };
        let spot = Words::new(source).find(target)?;
        Some((spot.line, &source[spot.at..spot.at + spot.len]))
    }

    fn field(name: &str) -> Part {
        Part::Field(name.to_string())
    }

    #[test]
    fn fields_are_found_behind_functions_comments_and_strings() {
        let source = "-- policy { service = 1 }\nreturn lvs.policy {\n  on_start = function(x) if x then return { a = 1 } end end,\n  note = [[ service = { ]],\n  service = {\n    { fwmark = 3, servers = { { addr = 'a' },\n      { addr = 'b', wieght = 1 } } },\n  },\n}";
        let path = [field("service"), Part::Item(1), field("servers"), Part::Item(2), field("wieght")];
        assert_eq!(word(source, "policy", 2, &path, true), Some((7, "wieght")));
        assert_eq!(word(source, "policy", 2, &path, false), Some((7, "1")));
        // The index may be missing: one table, or a list of one.
        let path = [field("service"), field("fwmark")];
        assert_eq!(word(source, "policy", 2, &path, false), Some((5 + 1, "3")));
    }

    #[test]
    fn what_is_written_elsewhere_is_found_by_its_name() {
        let source =
            "local rs = {\n  { addr = 'a', wieght = 1 },\n}\nlvs.add_service { fwmark = 3, servers = rs }";
        let path = [field("servers"), Part::Item(1), field("wieght")];
        assert_eq!(word(source, "add_service", 4, &path, true), Some((2, "wieght")));
        assert_eq!(word(source, "add_service", 4, &[Part::Item(9)], false), Some((4, "lvs.add_service")));
    }

    #[test]
    fn arguments_are_counted() {
        let source = "web:set_server(f(1, 2), { weight = 2.5 })";
        let path = [field("weight")];
        let target = Target { call: "set_server", line: 1, arg: Some(1), path: &path, key: false };
        let spot = Words::new(source).find(target).expect("a place");
        assert_eq!(&source[spot.at..spot.at + spot.len], "2.5");
    }
}
