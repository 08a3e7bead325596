//! Lines from a pipe: no prompt, no banner, and the first error ends it.

use std::io::BufRead;

use super::commands::{self, Next};
use super::core::Repl;
use super::helper::{asks, is_lua};
use super::keys::print;
use crate::cli::done::Done;
use crate::error::{Error, Kind, Origin, Result};
use crate::script::{Syntax, check_syntax};

const NAME: &str = "stdin";

pub fn run(mut repl: Repl<'_>) -> Result<Done> {
    let mut code = String::new();
    let (mut number, mut first) = (0, 1);
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|error| Error::new(Kind::Io, "io", format!("cannot read stdin: {error}")))?;
        number += 1;
        if code.is_empty() {
            first = number;
        } else {
            code.push('\n');
        }
        code.push_str(&line);
        if is_lua(&code) && check_syntax(&code) == Syntax::Incomplete {
            continue;
        }
        let whole = std::mem::take(&mut code);
        if one(&mut repl, &whole, first).map_err(|error| placed(&repl, error, first))? {
            break;
        }
    }
    if !code.trim().is_empty() {
        // What is missing is said by the parser.
        one(&mut repl, &code, first).map_err(|error| placed(&repl, error, first))?;
    }
    Ok(Done { code: repl.worst, ..Done::default() })
}

/// True when it was the last.
fn one(repl: &mut Repl<'_>, code: &str, first: u32) -> Result<bool> {
    let line = code.trim();
    if line.is_empty() || line.starts_with("#!") {
        return Ok(false);
    }
    if line.starts_with('.') {
        return match commands::run(repl, line)? {
            Next::Print(text) => {
                print(&text);
                Ok(false)
            }
            Next::Leave => Ok(true),
            Next::Edit | Next::Watch { .. } => {
                let name = line.split_whitespace().next().unwrap_or_default();
                Err(Error::new(Kind::Usage, "usage", format!("{name} needs a terminal")))
            }
        };
    }
    // Lines are numbered as in the file they came from.
    let above = "\n".repeat(first.saturating_sub(1) as usize);
    let code = match asks(line) {
        Some(name) => format!("{above}help({})", super::words::quoted(name)),
        None => format!("{above}{code}"),
    };
    print(&repl.evaluate(&code, NAME)?.text);
    Ok(false)
}

fn placed(repl: &Repl<'_>, error: Error, first: u32) -> Error {
    let mut error = error.at(Some(&Origin { file: NAME.into(), line: first }));
    let count = repl.changes.standing().len();
    if count > 0 && error.kind != Kind::RollbackFailed {
        let earlier = format!("{} of earlier lines stay", super::stage::changes(count));
        error.aftermath = Some(match error.aftermath {
            Some(said) => format!("{said}\n{earlier}"),
            None => earlier,
        });
    }
    error
}
