//! Colours: one place, so that `--color never` and a pipe mean none anywhere.

/// How to colour; `plain` never does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    colored: bool,
}

impl Style {
    pub fn new(colored: bool) -> Style {
        Style { colored }
    }

    pub fn plain() -> Style {
        Style::new(false)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colored && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    pub fn bad(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// A line of a plan in the colour of its sign.
    pub fn signed(self, sign: char, text: &str) -> String {
        match sign {
            '+' => self.wrap("32", text),
            '-' => self.wrap("31", text),
            '~' => self.wrap("33", text),
            '!' => self.wrap("35", text),
            _ => text.to_string(),
        }
    }
}
