//! `lvsh ipvsadm …`, and lvsh called by the name `ipvsadm`: the command line of ipvsadm 1.31.
//!
//! ```text
//! words ── options: cut as popt does ── parse: in ipvsadm's order ── whole ──▶ Command ──┬ change ──▶ Steps
//!             values, number, names        rules: what goes with what                    └ show: -L, -S
//!                                                                 run: sends, rehearses; restore, strict: -R
//! ```
//!
//! Facts about ipvsadm are from its source (1.31), from popt's (1.19), and from the tests that run both programs.

mod change;
mod command;
mod names;
mod number;
mod options;
mod parse;
pub mod restore;
mod rules;
mod run;
mod show;
mod strict;
mod told;
mod values;
mod whole;
mod wrong;

pub use command::Listing;
pub use show::list;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;

use super::args::Common;
use super::context::Context;
use super::done::{Done, Look, fail, finish};
use run::{Bad, Run};

/// What follows `ipvsadm`; clap looks at none of it.
#[derive(Clone, Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Words {
    /// As on ipvsadm's command line; --help shows what differs
    #[arg(value_name = "OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<OsString>,
}

const NAME: &str = "ipvsadm";

/// Whether the program was called by ipvsadm's name.
fn called_so(program: Option<&OsString>) -> bool {
    program.is_some_and(|program| Path::new(program).file_name().is_some_and(|name| name == NAME))
}

/// The command line for clap: what belongs to ipvsadm comes after `--`, so that its `-n` stays its own.
pub fn arguments(args: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut args: Vec<OsString> = args.collect();
    if called_so(args.first()) {
        args.splice(..1, ["lvsh", NAME, "--"].map(OsString::from));
        return args;
    }
    if let Some(place) = place_of_verb(&args) {
        args.insert(place + 1, OsString::from("--"));
    }
    args
}

/// Where `ipvsadm` is the verb, and not the value of an option before it.
fn place_of_verb(args: &[OsString]) -> Option<usize> {
    if !args.iter().any(|arg| arg == NAME) {
        return None;
    }
    let common = Common::augment_args(clap::Command::new("lvsh"));
    let takes_next = |word: &OsString| {
        let word = word.to_string_lossy();
        let named = |arg: &&clap::Arg| match word.strip_prefix("--") {
            Some(long) => arg.get_long() == Some(long),
            None => word.strip_prefix('-').is_some_and(|short| short.chars().last() == arg.get_short()),
        };
        common.get_arguments().find(named).is_some_and(|arg| arg.get_action().takes_values())
    };
    let mut place = 1;
    while let Some(word) = args.get(place) {
        if takes_next(word) {
            place += 2;
        } else if word.as_encoded_bytes().starts_with(b"-") {
            place += 1;
        } else {
            return (word == NAME).then_some(place);
        }
    }
    None
}

/// Acts and prints; the exit codes are ipvsadm's.
pub fn run(context: &Context, words: Words, look: &Look<'_>) -> ExitCode {
    let program = std::env::args_os().next().filter(|program| called_so(Some(program)));
    let program = program.map_or(NAME.to_string(), |program| program.to_string_lossy().into_owned());
    let mut words: Vec<String> = words.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut own = |name: &str| {
        let before = words.len();
        words.retain(|word| word != name);
        words.len() < before
    };
    let strict = own("--strict-compat");
    let dry = own("--dry-run") || context.common.dry_run;
    let run = Run { context, program, strict, dry };
    let mut text = String::new();
    let mut stdout = std::io::BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    let mut wrote = Ok(());
    let ended = run.words(&words, &mut |piece| {
        if context.common.json {
            text.push_str(piece);
        } else if !context.common.quiet && wrote.is_ok() {
            wrote = stdout.write_all(piece.as_bytes());
        }
        wrote.is_ok()
    });
    let wrote = wrote.and_then(|()| stdout.flush());
    drop(stdout);
    context.say_notes();
    match (ended, wrote) {
        (Ok(_), Err(error)) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("lvsh: cannot write to stdout: {error}");
            ExitCode::FAILURE
        }
        (Ok(code), _) if context.common.json => {
            finish(context, look.verb, look.start, Done { code, ..Done::default() }.with("output", text))
        }
        (Ok(code), _) => ExitCode::from(code),
        (Err(bad), _) => told(context, &run, look, bad),
    }
}

fn told(context: &Context, run: &Run<'_>, look: &Look<'_>, bad: Bad) -> ExitCode {
    if run.strict && !look.json {
        eprintln!("{}", bad.theirs);
    } else {
        let nothing = if run.dry { "" } else { look.nothing };
        fail(Some(context), &Look { nothing, ..*look }, bad.error);
    }
    ExitCode::from(bad.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verb_is_found_behind_options() {
        for (line, cut) in [
            ("lvsh ipvsadm -L -n", "lvsh ipvsadm -- -L -n"),
            ("lvsh -q --netns x ipvsadm -v", "lvsh -q --netns x ipvsadm -- -v"),
            ("lvsh --netns ipvsadm list", "lvsh --netns ipvsadm list"),
            ("lvsh --netns=x ipvsadm", "lvsh --netns=x ipvsadm --"),
            ("lvsh run ipvsadm", "lvsh run ipvsadm"),
            ("/sbin/ipvsadm -C", "lvsh ipvsadm -- -C"),
        ] {
            let args = line.split(' ').map(OsString::from);
            let got: Vec<String> =
                arguments(args).iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
            assert_eq!(got.join(" "), cut);
        }
    }
}
