//! One error for the whole program: what was tried, on what, what the kernel said, and what helps.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

/// What sort of failure; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The kernel (or nf_tables) refused a change.
    Refused,
    /// Something that is not ours is in the way.
    Conflict,
    /// The policy or script is wrong.
    Script,
    /// The command line is wrong.
    Usage,
    /// Another run holds the lock.
    Locked,
    /// Undoing failed or did not verify: the machine needs a look.
    RollbackFailed,
    /// Not permitted, or this kernel cannot do it.
    Unable,
    /// `--timeout` passed.
    Timeout,
    /// Ctrl-C or SIGTERM.
    Interrupted,
    /// A file or device could not be read or written.
    Io,
}

impl Kind {
    /// The exit code promised by the manual.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Refused | Kind::Conflict | Kind::Io => 1,
            Kind::Usage => 2,
            Kind::Script => 3,
            Kind::Locked => 6,
            Kind::RollbackFailed => 7,
            Kind::Unable => 8,
            Kind::Timeout => 124,
            Kind::Interrupted => 130,
        }
    }
}

/// A line of a user's file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
pub struct Origin {
    /// Shared by all that the file says.
    pub file: Arc<str>,
    /// Counted from 1.
    pub line: u32,
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.file, self.line)
    }
}

/// Lines of a user's file around a fault, and where to put the caret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// Line numbers (from 1) with their text, in order; the last one has the fault.
    pub lines: Vec<(u32, String)>,
    /// Characters before the fault, from 0.
    pub column: usize,
    /// Characters to underline, at least 1.
    pub width: usize,
    /// Said beside the caret: `did you mean 'weight'?`; may be empty.
    pub label: String,
}

/// A failure with its facts as fields, so that every surface (terminal, JSON, Lua) can say it its own way.
///
/// `Display` is one line: `cannot add service fwm:3: it exists (EEXIST)`.
#[derive(Clone, Debug, thiserror::Error, Serialize)]
pub struct Error {
    pub kind: Kind,
    /// The kernel's name (`EEXIST`) where there is one, else ours in lower case (`unknown_field`).
    pub code: String,
    /// The whole sentence, without file and line.
    pub message: String,
    /// What was tried: `add service`; empty when it was not a change.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub op: String,
    /// On what: `fwm:3`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errno: Option<i32>,
    /// Facts, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the user's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Box<Excerpt>>,
    /// What became of earlier changes of the same run; `None` when nothing had been tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aftermath: Option<String>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: Kind, code: &str, message: impl Into<String>) -> Error {
        Error {
            kind,
            code: code.to_string(),
            message: message.into(),
            op: String::new(),
            subject: String::new(),
            errno: None,
            notes: Vec::new(),
            hint: None,
            origin: None,
            excerpt: None,
            aftermath: None,
        }
    }

    /// A value of the user that cannot be.
    pub fn bad_value(message: impl Into<String>) -> Error {
        Error::new(Kind::Script, "bad_value", message)
    }

    /// A failed system call outside the change vocabulary: `cannot OP SUBJECT: why (ERRNO)`.
    pub fn system(kind: Kind, op: &str, subject: impl Into<String>, errno: i32) -> Error {
        let subject = subject.into();
        let name = errno_name(errno);
        let text = std::io::Error::from_raw_os_error(errno).to_string();
        let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
        let space = if subject.is_empty() { "" } else { " " };
        Error {
            errno: Some(errno),
            op: op.to_string(),
            ..Error::new(kind, &name, format!("cannot {op}{space}{subject}: {text} ({name})"))
        }
        .about(subject)
    }

    /// A failed file operation.
    pub fn io(op: &str, path: &std::path::Path, error: &std::io::Error) -> Error {
        let subject = path.display().to_string();
        match error.raw_os_error() {
            Some(errno) => Error::system(Kind::Io, op, subject, errno),
            None => Error::new(Kind::Io, "io", format!("cannot {op} {subject}: {error}")).about(subject),
        }
    }

    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Error {
        self.subject = subject.into();
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Error {
        self.notes.push(note.into());
        self
    }

    /// Adds the place, unless a nearer one is known already.
    #[must_use]
    pub fn at(mut self, origin: Option<&Origin>) -> Error {
        if self.origin.is_none() {
            self.origin = origin.cloned();
        }
        self
    }

    pub fn exit_code(&self) -> u8 {
        self.kind.exit_code()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(out)
    }
}

/// `EEXIST` for 17; the number alone where it has no common name.
pub fn errno_name(errno: i32) -> String {
    let name = format!("{:?}", nix::errno::Errno::from_raw(errno));
    if name == "UnknownErrno" { format!("errno {errno}") } else { name }
}

/// `1 server`, `2 servers`.
pub fn counted<N: fmt::Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let one = count == N::from(1);
    format!("{count} {noun}{}", if one { "" } else { "s" })
}

/// The nearest of `known` to what was typed, if it is near enough to be meant.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = match typed.len() {
        0..=2 => 1,
        3..=5 => 2,
        _ => 3,
    };
    // An abbreviation, or a word spelled out: dev for device.
    let starts = |word: &str| {
        word.len() >= 3 && typed.len() >= 3 && (typed.starts_with(word) || word.starts_with(typed))
    };
    known
        .into_iter()
        .map(|word| (if starts(word) { 1 } else { edit_distance(typed, word) }, word))
        .filter(|(distance, word)| *distance <= limit && *distance < word.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(rows[i][j - 1] + 1).min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["addr", "method", "weight", "upper", "lower"];
        assert_eq!(did_you_mean("wieght", known), Some("weight"));
        assert_eq!(did_you_mean("adr", known), Some("addr"));
        assert_eq!(did_you_mean("colour", known), None);
        assert_eq!(did_you_mean("device", ["addr", "dev"]), Some("dev"));
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "server")), ["0 servers", "1 server", "2 servers"]);
    }

    #[test]
    fn system_errors_name_operation_subject_and_errno() {
        let error = Error::system(Kind::Io, "read", "/etc/lvsh/web.lua", 13);
        assert_eq!(error.to_string(), "cannot read /etc/lvsh/web.lua: permission denied (EACCES)");
        assert_eq!(error.exit_code(), 1);
    }
}
