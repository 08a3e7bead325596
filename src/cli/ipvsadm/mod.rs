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

use clap::{Args, FromArgMatches};

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

/// The words for ipvsadm, and lvsh's own options before them; `None` when the verb is another one, and when clap has
/// something to say of the options.
///
/// clap does not see the words: ipvsadm's `-n` is its own, and one command of a script must not wait until all verbs of
/// lvsh are set up.
pub fn words(args: &[OsString]) -> Option<(Common, Words)> {
    let (own, words) = match place_of_verb(args) {
        _ if called_so(args.first()) => (&args[..1], &args[1..]),
        Some(place) => (&args[..place], &args[place + 1..]),
        None => return None,
    };
    let common = Common::augment_args(clap::Command::new("lvsh")).try_get_matches_from(own).ok()?;
    Some((Common::from_arg_matches(&common).ok()?, Words { words: words.to_vec() }))
}

/// Where `ipvsadm` is the verb, and not the value of an option before it.
fn place_of_verb(args: &[OsString]) -> Option<usize> {
    let first = args.iter().position(|arg| arg == NAME)?;
    if first == 1 {
        return Some(1);
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
        // Who only looked knows that nothing was changed.
        let nothing = if run.dry || bad.code != wrong::MINUS_ONE { "" } else { look.nothing };
        fail(Some(context), &Look { nothing, ..*look }, *bad.error);
    }
    ExitCode::from(bad.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verb_is_found_behind_options() {
        for (line, left) in [
            ("lvsh ipvsadm -L -n", Some("-L -n")),
            ("lvsh -q --netns x ipvsadm -v", Some("-v")),
            ("lvsh --netns ipvsadm list", None),
            ("lvsh --netns ipvsadm ipvsadm -h", Some("-h")),
            ("lvsh --netns=x ipvsadm -- -q", Some("-- -q")),
            ("lvsh --nets x ipvsadm", None),
            ("lvsh run ipvsadm", None),
            ("/sbin/ipvsadm -C", Some("-C")),
            ("lvsh", None),
        ] {
            let args: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let got = words(&args).map(|(_, words)| words.words.join(&OsString::from(" ")));
            assert_eq!(got, left.map(OsString::from), "{line}");
        }
        let args = ["lvsh", "-q", "--netns", "x", "ipvsadm"].map(OsString::from);
        let common = words(&args).map(|(common, _)| (common.quiet, common.netns));
        assert_eq!(common, Some((true, Some("x".to_string()))));
    }
}
