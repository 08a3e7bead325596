//! Manual pages: the few requests of man(7) that they need, with everything escaped.

/// A page that grows.
pub struct Roff {
    text: String,
}

impl Roff {
    /// `name` in lower case: `lvsh-start`.
    pub fn new(name: &str, section: u8, about: &str) -> Roff {
        let version = env!("CARGO_PKG_VERSION");
        let upper = escape(&name.to_uppercase());
        let mut page = Roff { text: format!(".TH {upper} {section} \"\" \"lvsh {version}\" \"lvsh\"\n") };
        page.section("NAME");
        page.line(&format!("{} \\- {}", escape(name), escape(about)));
        page
    }

    /// `.SH`
    pub fn section(&mut self, name: &str) {
        self.line(&format!(".SH \"{}\"", escape(name)));
    }

    /// `.SS`
    pub fn subsection(&mut self, name: &str) {
        self.line(&format!(".SS \"{}\"", escape(name)));
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) {
        self.line(".PP");
        self.text(text);
    }

    /// Text that goes on.
    pub fn text(&mut self, text: &str) {
        self.line(&escape(text));
    }

    /// A word or signature, and below it, set in, what it is.
    pub fn item(&mut self, head: &str, text: &str) {
        self.line(".TP");
        self.line(&format!("\\fB{}\\fR", escape(head)));
        self.text(text);
    }

    /// A paragraph with `names` in it.
    pub fn marked_paragraph(&mut self, text: &str) {
        self.line(".PP");
        self.marked(text);
    }

    /// Text with `names` in it, which become bold.
    fn marked(&mut self, text: &str) {
        let parts = text.split('`').enumerate();
        let bold = |(index, part)| match index % 2 {
            0 => spelled(part),
            _ => format!("\\fB{}\\fR", spelled(part)),
        };
        self.line(&no_request(parts.map(bold).collect()));
    }

    /// A word, and below it, set in, text with `names` in it.
    pub fn marked_item(&mut self, head: &str, text: &str) {
        self.line(".TP");
        self.line(&format!("\\fB{}\\fR", escape(head)));
        self.marked(text);
    }

    /// A command or code, as it is typed.
    pub fn code(&mut self, lines: &str) {
        self.line(".PP\n.nf\n.RS 4");
        for line in lines.lines() {
            self.line(&escape(line));
        }
        self.line(".RE\n.fi");
    }

    /// `.RS`: what follows belongs to the item before.
    pub fn within(&mut self, fill: impl FnOnce(&mut Roff)) {
        self.line(".RS");
        fill(self);
        self.line(".RE");
    }

    pub fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }
}

/// Text in which nothing is a request, an escape or a hyphen that may be broken.
fn escape(text: &str) -> String {
    no_request(spelled(text))
}

/// A line that is text although it begins with a dot.
fn no_request(line: String) -> String {
    if line.starts_with('.') { format!("\\&{line}") } else { line }
}

/// Characters as they are to be seen.
fn spelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            // groff turns these into typographic signs, and they would not be Lua or shell any more.
            '\'' => out.push_str("\\(aq"),
            '"' => out.push_str("\\(dq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            '\n' => out.push(' '),
            c if c.is_ascii() => out.push(c),
            c => out.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_text_is_a_request() {
        assert_eq!(escape(".TH x"), "\\&.TH x");
        assert_eq!(escape("'x' \\fB -n \"…\""), "\\(aqx\\(aq \\efB \\-n \\(dq\\[u2026]\\(dq");
        let mut page = Roff::new("lvsh-x", 8, "does x");
        page.item("-n", "dry\nrun");
        let text = page.finish();
        assert!(text.starts_with(".TH LVSH\\-X 8 "), "{text}");
        assert!(text.ends_with(".TP\n\\fB\\-n\\fR\ndry run\n"), "{text}");
    }
}
