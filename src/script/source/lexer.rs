//! Words of Lua source with their places; just enough to find a table's field again.

/// One word. `at` and `end` are byte offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    pub at: usize,
    /// Counted from 1.
    pub line: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Name,
    Number,
    String,
    Symbol,
}

impl Token<'_> {
    pub fn is(&self, text: &str) -> bool {
        self.text == text && self.kind != Kind::String
    }

    /// What a short string without escapes says.
    pub fn string(&self) -> Option<&str> {
        if self.kind == Kind::String { self.text.get(1..self.text.len().checked_sub(1)?) } else { None }
    }
}

/// All words of a source. Anything that is not Lua becomes symbols of one character.
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    Lexer { source, bytes: source.as_bytes(), at: 0, line: 1 }.collect()
}

struct Lexer<'a> {
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.blank();
        let (at, line) = (self.at, self.line);
        let first = *self.bytes.get(at)?;
        let kind = match first {
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.skip(|b| b == b'_' || b.is_ascii_alphanumeric());
                Kind::Name
            }
            b'0'..=b'9' => {
                self.skip(|b| b.is_ascii_alphanumeric() || b == b'.');
                Kind::Number
            }
            b'"' | b'\'' => {
                self.short_string(first);
                Kind::String
            }
            b'[' if self.long_open(at).is_some() => {
                self.long_string();
                Kind::String
            }
            _ => {
                self.symbol();
                Kind::Symbol
            }
        };
        let text = self.source.get(at..self.at).unwrap_or_default();
        Some(Token { kind, text, at, line })
    }
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    fn skip(&mut self, wanted: impl Fn(u8) -> bool) {
        while self.bytes.get(self.at).is_some_and(|b| wanted(*b)) {
            self.at += 1;
        }
    }

    /// Spaces and comments.
    fn blank(&mut self) {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.at += 1;
                }
                b if b.is_ascii_whitespace() => self.at += 1,
                b'-' if self.peek(1) == b'-' => {
                    self.at += 2;
                    if self.long_open(self.at).is_some() {
                        self.long_string();
                    } else {
                        self.skip(|b| b != b'\n');
                    }
                }
                _ => return,
            }
        }
    }

    /// The number of `=` of a long bracket that opens here.
    fn long_open(&self, at: usize) -> Option<usize> {
        if self.bytes.get(at) != Some(&b'[') {
            return None;
        }
        let level = self.bytes[at + 1..].iter().take_while(|b| **b == b'=').count();
        (self.bytes.get(at + 1 + level) == Some(&b'[')).then_some(level)
    }

    fn long_string(&mut self) {
        let level = self.long_open(self.at).unwrap_or(0);
        let close = format!("]{}]", "=".repeat(level));
        let rest = &self.source[self.at..];
        let end = rest.find(&close).map_or(self.source.len(), |found| self.at + found + close.len());
        self.line += self.source[self.at..end].bytes().filter(|b| *b == b'\n').count() as u32;
        self.at = end;
    }

    fn short_string(&mut self, quote: u8) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at).copied() {
            match byte {
                b'\\' => {
                    if self.peek(1) == b'\n' {
                        self.line += 1;
                    }
                    self.at += 2;
                }
                b'\n' => return,
                _ => {
                    self.at += 1;
                    if byte == quote {
                        return;
                    }
                }
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    fn symbol(&mut self) {
        const LONG: [&str; 12] = ["...", "..", "==", "~=", "<=", ">=", "//", "::", "<<", ">>", "->", "=>"];
        let rest = &self.source[self.at..];
        let found = LONG.iter().find(|symbol| rest.starts_with(**symbol));
        self.at += match found {
            Some(symbol) => symbol.len(),
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
}
