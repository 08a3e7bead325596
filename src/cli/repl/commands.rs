//! Lines that begin with a dot.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::changes::Spelling;
use super::core::Repl;
use super::stage::{changes, send};
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::view::document;

/// One command.
pub struct Command {
    pub name: &'static str,
    pub args: &'static str,
    pub doc: &'static str,
    /// What its argument is completed from.
    pub takes: Takes,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    Policy,
    File,
    Words(&'static [&'static str]),
    Lua,
}

const fn command(name: &'static str, args: &'static str, takes: Takes, doc: &'static str) -> Command {
    Command { name, args, doc, takes }
}

/// All of them, as `.help` lists them.
pub const COMMANDS: &[Command] = &[
    command(".help", "", Takes::Nothing, "This list. help lists the functions, help(x) and x? explain one."),
    command(
        ".dry",
        "[off]",
        Takes::Words(&["off"]),
        "Collects changes from here on instead of sending them.",
    ),
    command(".diff", "", Takes::Nothing, "What is collected."),
    command(
        ".apply",
        "",
        Takes::Nothing,
        "Sends what is collected as one plan, all or nothing, and ends the dry run.",
    ),
    command(".discard", "", Takes::Nothing, "Drops what is collected; the dry run goes on."),
    command(
        ".undo",
        "[N]",
        Takes::Nothing,
        "Takes back the last line that changed something, or the last N, all or none.",
    ),
    command(
        ".history",
        "",
        Takes::Nothing,
        "The lines of this session that changed something; .undo counts as they are numbered.",
    ),
    command(
        ".delta",
        "[ipvsadm|nft|lua]",
        Takes::Words(&["ipvsadm", "nft", "lua"]),
        "What this session changed and did not undo, also as commands.",
    ),
    command(".save", "FILE", Takes::File, "Writes it as Lua, for lvsh run."),
    command(".load", "NAME", Takes::Policy, "Loads a policy and binds it to its name."),
    command(".json", "", Takes::Nothing, "The last value as JSON."),
    command(
        ".time",
        "[EXPR]",
        Takes::Lua,
        "How long it takes; without EXPR, for every line from here on, or no longer.",
    ),
    command(".edit", "", Takes::Nothing, "The last line in $EDITOR; what is saved comes back to the prompt."),
    command(
        ".watch",
        "EXPR [SECONDS]",
        Takes::Lua,
        "Shows EXPR again every 2 s, or every SECONDS, until a key is pressed.",
    ),
    command(".quit", "", Takes::Nothing, "Leaves, as Ctrl-D."),
];

/// What is to be done after a command.
#[derive(Debug)]
pub enum Next {
    Print(String),
    Leave,
    /// Only a terminal can do these.
    Edit,
    Watch {
        code: String,
        every: Duration,
    },
}

pub fn run(repl: &mut Repl<'_>, line: &str) -> Result<Next> {
    let (name, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let rest = rest.trim();
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        return Err(unknown(name));
    };
    if command.args.is_empty() && !rest.is_empty() {
        return Err(wrong(command, &format!("{name} takes nothing; got '{rest}'")));
    }
    let text = match name {
        ".help" => repl.fit(&help()),
        ".dry" => dry(repl, command, rest)?,
        ".diff" => match &repl.stage {
            Some(stage) => stage.diff(repl.style),
            None => "changes are sent at once; .dry collects them, .delta shows what this session changed\n"
                .to_string(),
        },
        ".apply" => apply(repl)?,
        ".discard" => discard(repl)?,
        ".undo" => {
            let said = undo(repl, command, rest)?;
            repl.fit(&said)
        }
        ".history" => repl.changes.history(repl.style),
        ".delta" => {
            let spelling = match rest {
                "" => Spelling::Plan,
                "ipvsadm" => Spelling::Ipvsadm,
                "nft" => Spelling::Nft,
                "lua" => Spelling::Lua,
                other => return Err(wrong(command, &format!("'{other}' is no spelling"))),
            };
            repl.changes.delta(spelling)
        }
        ".save" if rest.is_empty() => return Err(wrong(command, "a file's name is missing")),
        ".save" => repl.changes.save(Path::new(&home(rest)))?,
        ".load" if rest.is_empty() => return Err(wrong(command, "a policy's name is missing")),
        ".load" => {
            let said = repl.load(&home(rest).to_string_lossy())?;
            repl.fit(&said)
        }
        ".json" => document(serde_json::json!({ "value": repl.last()?.json })),
        ".time" if rest.is_empty() => {
            repl.timed = !repl.timed;
            let how = if repl.timed {
                "each line says how long it takes"
            } else {
                "lines no longer say how long they take"
            };
            format!("{how}\n")
        }
        ".time" => {
            let (was, name) = (std::mem::replace(&mut repl.timed, true), repl.next_name());
            let ran = repl.evaluate(rest, &name);
            repl.timed = was;
            ran?.text
        }
        ".edit" => return Ok(Next::Edit),
        ".watch" => return watch(command, rest),
        _ => return Ok(Next::Leave),
    };
    Ok(Next::Print(text))
}

fn wrong(command: &Command, text: &str) -> Error {
    let usage = format!("{} {}", command.name, command.args);
    Error::new(Kind::Usage, "bad_value", text).hint(format!("{}  {}", usage.trim_end(), command.doc))
}

fn unknown(name: &str) -> Error {
    let error = Error::new(Kind::Usage, "unknown_name", format!("there is no command '{name}'"));
    match did_you_mean(name, COMMANDS.iter().map(|command| command.name)) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint(".help lists them"),
    }
}

fn help() -> String {
    let wide = COMMANDS.iter().map(|command| command.name.len() + 1 + command.args.len()).max().unwrap_or(0);
    let line = |command: &Command| {
        let head = format!("{} {}", command.name, command.args);
        format!("{head:wide$}  {}\n", command.doc)
    };
    COMMANDS.iter().map(line).collect()
}

fn dry(repl: &mut Repl<'_>, command: &Command, rest: &str) -> Result<String> {
    match (rest, &repl.stage) {
        ("off", _) if repl.context.common.dry_run => {
            Err(wrong(command, "lvsh was started with --dry-run: nothing is sent"))
        }
        ("off", Some(stage)) if !stage.plan().is_empty() => {
            let text = format!("{} staged", changes(stage.plan().len()));
            Err(Error::new(Kind::Usage, "bad_value", text).hint(".apply sends, .discard drops"))
        }
        ("off", Some(_)) => {
            repl.stage = None;
            Ok("changes are sent at once from here on\n".to_string())
        }
        ("off", None) => Ok("changes are sent at once\n".to_string()),
        ("", Some(_)) => Ok("this is a dry run already; .diff shows what is collected\n".to_string()),
        ("", None) => {
            repl.stage = Some(repl.new_stage()?);
            Ok("dry run from here on: changes are collected\n".to_string())
        }
        (other, _) => Err(wrong(command, &format!("'{other}' is neither nothing nor off"))),
    }
}

fn staged(repl: &Repl<'_>) -> Result<crate::plan::Plan> {
    let none = || {
        Error::new(Kind::Usage, "bad_value", "this is no dry run: changes were sent at once")
            .hint(".dry begins one")
    };
    repl.stage.as_ref().map(|stage| stage.plan()).ok_or_else(none)
}

fn apply(repl: &mut Repl<'_>) -> Result<String> {
    let plan = staged(repl)?;
    if repl.context.common.dry_run {
        return Err(Error::new(Kind::Usage, "bad_value", "lvsh was started with --dry-run: nothing is sent"));
    }
    if plan.is_empty() {
        repl.stage = None;
        return Ok("nothing was staged; changes are sent at once from here on\n".to_string());
    }
    let text = repl.live(|_, session| {
        send(&plan, session)?;
        Ok(format!("{} sent and verified\n", changes(plan.len())))
    })?;
    repl.changes.add(".apply", plan.actions, Vec::new());
    repl.stage = None;
    Ok(text)
}

fn discard(repl: &mut Repl<'_>) -> Result<String> {
    let count = staged(repl)?.len();
    repl.stage = Some(repl.new_stage()?);
    Ok(format!("{} dropped; still a dry run, .dry off ends it\n", changes(count)))
}

fn undo(repl: &mut Repl<'_>, command: &Command, rest: &str) -> Result<String> {
    let count = match rest {
        "" => 1,
        number => match number.parse() {
            Ok(count) if count > 0 => count,
            _ => return Err(wrong(command, &format!("'{number}' is no number of lines"))),
        },
    };
    if let Some(stage) = &mut repl.stage {
        return stage.undo(count);
    }
    let mut all = std::mem::take(&mut repl.changes);
    let style = repl.style;
    let hand = repl.hand.clone();
    let done = repl.live(|_, session| all.undo(count, session, hand.as_deref(), style));
    repl.changes = all;
    done
}

fn watch(command: &Command, rest: &str) -> Result<Next> {
    const EVERY: f64 = 2.0;
    let (code, seconds) = match rest.rsplit_once(char::is_whitespace) {
        Some((code, last)) if last.trim_end_matches('s').parse::<f64>().is_ok() => {
            (code, last.trim_end_matches('s').parse().unwrap_or(EVERY))
        }
        _ => (rest, EVERY),
    };
    if code.is_empty() {
        return Err(wrong(command, "what to watch is missing"));
    }
    if !(0.1..=3600.0).contains(&seconds) {
        return Err(wrong(command, &format!("{seconds} is not between 0.1 and 3600 seconds")));
    }
    Ok(Next::Watch { code: code.trim().to_string(), every: Duration::from_secs_f64(seconds) })
}

/// `~/today.lua`
pub fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}
