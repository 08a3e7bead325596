//! `lvsh repl`: a prompt on the live machine.

mod changes;
mod commands;
mod complete;
mod core;
mod helper;
mod history;
mod keys;
mod line;
mod live;
mod names;
mod piped;
mod stage;
mod terminal;
mod words;

use std::io::IsTerminal;

use clap::Args;

use self::core::Repl;
use super::context::Context;
use super::done::Done;
use crate::error::{Error, Kind, Result};

#[derive(Clone, Debug, Default, Args)]
pub struct Prompt {
    /// A policy to load first
    pub file: Option<String>,
}

/// Whether someone sits before stdin and stdout.
pub fn on_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// On a terminal until Ctrl-D; else what stdin says, until it is wrong.
pub fn repl(context: &Context, prompt: &Prompt) -> Result<Done> {
    if context.common.json {
        let error = Error::new(Kind::Usage, "usage", "repl prints no document");
        return Err(error.hint("lvsh eval --json CODE does; .json prints a value in a prompt"));
    }
    let mut repl = Repl::new(context)?;
    let loaded = prompt.file.as_deref().map(|file| repl.load(file)).transpose()?;
    if on_terminal() {
        context.outlive_interrupts();
        terminal::run(context, repl, &loaded.unwrap_or_default())
    } else {
        piped::run(repl)
    }
}
