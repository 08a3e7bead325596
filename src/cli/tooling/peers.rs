//! lvsh-from-keepalived(7) and lvsh-from-ldirectord(7): what other health checkers say, and how lvsh says it.
//!
//! The pages are texts beside this file. `= TITLE` begins a section; `- word, word` a row of the table, with what is set
//! in below it; three backquotes enclose code; what is in backquotes is a name that `lvsh help` knows, or a command
//! line. A test keeps names true and the tables whole.

use super::roff::Roff;

/// A page, and the program it is about.
pub struct Peer {
    pub name: &'static str,
    text: &'static str,
}

pub const PEERS: [Peer; 2] = [
    Peer { name: "keepalived", text: include_str!("peers/keepalived.txt") },
    Peer { name: "ldirectord", text: include_str!("peers/ldirectord.txt") },
];

/// What a text is made of.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    Section(&'static str),
    Paragraph(String),
    /// Directives, and what to say instead.
    Row(Vec<&'static str>, String),
    Code(String),
}

impl Peer {
    pub fn page(&self) -> String {
        let about = format!("coming from {}: its directives, and what lvsh has for them", self.name);
        let mut page = Roff::new(&format!("lvsh-from-{}", self.name), 7, &about);
        for part in self.parts() {
            match part {
                Part::Section(title) => page.section(title),
                Part::Paragraph(text) => page.marked_paragraph(&text),
                Part::Row(words, text) => page.marked_item(&words.join(", "), &text),
                Part::Code(text) => page.code(&text),
            }
        }
        page.section("SEE ALSO");
        page.text("lvsh(8), lvsh-check(8), lvsh-help(8), lvsh-lua(3)");
        page.finish()
    }

    pub fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let mut lines = self.text.lines();
        let mut open = false;
        while let Some(line) = lines.next() {
            if let Some(title) = line.strip_prefix("= ") {
                parts.push(Part::Section(title));
            } else if line.starts_with("```") {
                let code = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n"));
                parts.push(Part::Code(code.collect()));
            } else if let Some(words) = line.strip_prefix("- ") {
                parts.push(Part::Row(words.split(", ").collect(), String::new()));
            } else if let (Some(Part::Row(_, text) | Part::Paragraph(text)), true) = (parts.last_mut(), open)
                && !line.is_empty()
            {
                let space = if text.is_empty() { "" } else { " " };
                text.push_str(space);
                text.push_str(line.trim());
            } else if !line.is_empty() {
                parts.push(Part::Paragraph(line.to_string()));
            }
            open = !line.is_empty() && matches!(parts.last(), Some(Part::Row(..) | Part::Paragraph(_)));
        }
        parts
    }
}

#[cfg(test)]
mod tests;
