//! A command line that ipvsadm refuses: its exit code, its words, and better ones.

use super::options::{Trouble, long_names};
use crate::error::{Error, Kind, did_you_mean};

/// What `exit(-1)` is for who waits.
pub const MINUS_ONE: u8 = 255;

/// A refusal.
#[derive(Clone, Debug)]
pub struct Wrong {
    /// ipvsadm's exit code: 2 for most, 255 for what popt refuses and for a command line without command.
    pub code: u8,
    /// Whether ipvsadm ends at once, also in the middle of `-R`.
    pub ends: bool,
    /// The word it is about, counted from 0.
    pub word: Option<usize>,
    /// What ipvsadm prints.
    pub theirs: String,
    pub error: Box<Error>,
}

impl Wrong {
    /// As ipvsadm's `fail(2, …)`.
    pub fn new(theirs: impl Into<String>, message: impl Into<String>) -> Wrong {
        let error = Box::new(Error::new(Kind::Usage, "usage", message));
        Wrong { code: 2, ends: true, word: None, theirs: theirs.into(), error }
    }

    /// Without a command as the first option ipvsadm points to its help.
    pub fn no_command(program: &str, message: impl Into<String>) -> Wrong {
        let theirs = format!("Try `{program} -h' or '{program} --help' for more information.");
        Wrong { code: MINUS_ONE, ..Wrong::new(theirs, message) }
    }

    /// What popt cannot read; a restore goes on after it.
    pub fn popt(trouble: Trouble, word: usize, text: &str) -> Wrong {
        let wrong = Wrong::new(format!("{text}: {}", trouble.popt()), unreadable(trouble, text));
        let wrong = Wrong { code: MINUS_ONE, ends: false, ..wrong }.at(word);
        match (trouble, near(text)) {
            (Trouble::Unknown, Some(hint)) => wrong.hint(hint),
            (Trouble::Unknown, None) => wrong.hint("lvsh ipvsadm --help lists the options"),
            _ => wrong,
        }
    }

    /// What the kernel would refuse without being asked: a name that it cannot have.
    pub fn refused(theirs: &str, message: impl Into<String>) -> Wrong {
        Wrong { code: MINUS_ONE, ends: false, ..Wrong::new(theirs, message) }
    }

    #[must_use]
    pub fn at(mut self, word: usize) -> Wrong {
        self.word = Some(word);
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Wrong {
        self.error.hint = Some(hint.into());
        self
    }
}

fn unreadable(trouble: Trouble, text: &str) -> String {
    match trouble {
        Trouble::Unknown => format!("unknown option '{text}'"),
        Trouble::NoValue => format!("option '{text}' needs a value"),
        Trouble::HasValue => format!("option '{text}' takes no value"),
    }
}

/// ipvsadm has no abbreviations, and people write some options of other programs.
pub fn near(text: &str) -> Option<String> {
    let name = text.strip_prefix("--")?;
    let name = name.split('=').next().unwrap_or(name);
    let known = did_you_mean(name, long_names())?;
    Some(format!("did you mean --{known}?"))
}
