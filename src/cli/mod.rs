//! The program: verbs, locks, state files, output and exit codes.

mod args;
mod care;
mod clock;
mod connections;
mod context;
mod done;
mod duration;
mod export;
mod find;
mod handover;
mod heap;
mod import;
pub mod ipvsadm;
mod journal;
mod list;
mod lock;
mod log;
mod look;
mod machine;
mod metrics;
mod policy;
mod repl;
mod restart;
mod run;
mod service;
mod stage;
mod stats;
mod store;
mod test;
mod tooling;
mod whole;
mod zero;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Arguments, Verb};
use care::What;
use context::Context;
use done::{Done, Look, fail, finish};
use policy::{Goal, act};

use crate::error::{Error, Kind, Result};
use crate::view::Style;

/// Parses, acts, prints; a panic is one line and exit code 1, after everything was unwound and so rolled back.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        let payload = info.payload();
        let owned = payload.downcast_ref::<String>().map(String::as_str);
        let text = owned.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("unknown");
        let place = info.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
        eprintln!("lvsh: internal error: {text}{}; please report it", place.unwrap_or_default());
    }));
    std::panic::catch_unwind(whole).unwrap_or(ExitCode::FAILURE)
}

fn whole() -> ExitCode {
    let start = Instant::now();
    heap::prepare();
    let args: Vec<OsString> = std::env::args_os().collect();
    let (common, verb) = match ipvsadm::words(&args) {
        Some((common, words)) => (common, Verb::Ipvsadm(words)),
        None => match Arguments::try_parse_from(args) {
            Ok(Arguments { common, verb: Some(verb) }) => (common, verb),
            Ok(Arguments { common, verb: None }) if repl::on_terminal() => {
                (common, Verb::Repl(repl::Prompt::default()))
            }
            Ok(Arguments { verb: None, .. }) => return no_verb(),
            Err(error) => return usage(&error, start),
        },
    };
    let mut common = common;
    // A round that comes late is of no use: the one at work is doing the same.
    if matches!(verb, Verb::Check { .. }) {
        common.lock.get_or_insert(args::LockMode::Skip);
    }
    // What only looks must not touch the world outside either.
    common.dry_run |= matches!(verb, Verb::Plan { .. } | Verb::Lint { .. });
    let name = verb.name();
    let command = command_line();
    let nothing = if verb.changes() && !common.dry_run { "nothing was changed" } else { "" };
    let mut look = Look { verb: name, json: common.json, nothing, style: Style::plain(), start };
    let context = match Context::new(common, command, start) {
        Ok(context) => context,
        Err(error) => return fail(None, &look, error),
    };
    look.style = context.error_style();
    if let Verb::Ipvsadm(words) = verb {
        return ipvsadm::run(&context, words, &look);
    }
    let end = dispatch(&context, verb);
    context.say_notes();
    match end {
        Ok(done) => finish(&context, name, start, done),
        Err(error) => fail(Some(&context), &look, error),
    }
}

fn dispatch(context: &Context, verb: Verb) -> Result<Done> {
    let dry = context.dry();
    match verb {
        Verb::Start { policy, adopt } => act(context, &policy.policy, Goal::Start { adopt }, dry, None),
        Verb::Apply { policy } => act(context, &policy.policy, Goal::Start { adopt: true }, dry, None),
        Verb::Stop { policy } => act(context, &policy.policy, Goal::Stop, dry, None),
        Verb::Restart { policy, yes } => restart::restart(context, &policy.policy, yes),
        Verb::Plan { policy, stop, spelling } => {
            let goal = if stop { Goal::Stop } else { Goal::Start { adopt: true } };
            act(context, &policy.policy, goal, true, spelling)
        }
        Verb::Status { policy } => look::status(context, &policy.policy),
        Verb::List(args) => list::list(context, args),
        Verb::Stats(args) => stats::stats(context, &args),
        Verb::Zero(args) => zero::zero(context, &args),
        Verb::Metrics(args) => metrics::metrics(context, &args),
        Verb::Run { file, args } => run::run(context, file, args),
        Verb::Eval { code } => run::eval(context, code),
        Verb::Export(arguments) => export::export(context, &arguments),
        Verb::Import(arguments) => import::import(context, &arguments),
        Verb::Check { args } => care::check(context, &args),
        Verb::Drain { word } => care::decide(context, &word, What::Drain),
        Verb::Undrain { word } | Verb::Ready { word } => care::decide(context, &word, What::Ready),
        Verb::Maint { word } => care::decide(context, &word, What::Maint),
        Verb::Weight { word, weight } => care::decide(context, &word, What::Weight(weight)),
        Verb::Lint { policy } => look::lint(context, &policy.policy),
        Verb::Test(args) => test::test(context, &args),
        Verb::Help(asked) => tooling::help(context, &asked),
        Verb::Types(asked) => tooling::types(context, &asked),
        Verb::Schema(asked) => tooling::schema(&asked),
        Verb::Man(asked) => tooling::man(context, &asked),
        Verb::Completions(asked) => Ok(tooling::completions(&asked)),
        // It has exit codes of its own.
        Verb::Ipvsadm(_) => Ok(Done::default()),
        Verb::Repl(prompt) => repl::repl(context, &prompt),
    }
}

/// `lvsh start web`, for who finds a lock or a journal.
fn command_line() -> String {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().replace(char::is_control, " "));
    let mut text = std::iter::once("lvsh".to_string()).chain(words).collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = text.char_indices().nth(200) {
        text.truncate(end);
    }
    text
}

/// Without a command and without a terminal there is nothing to do but to say what there is.
fn no_verb() -> ExitCode {
    use clap::CommandFactory;
    eprint!("{}", Arguments::command().render_help());
    ExitCode::from(2)
}

/// Help and version are answers; everything else that clap says is wrong usage, as a document if one was asked for.
fn usage(error: &clap::Error, start: Instant) -> ExitCode {
    let json = std::env::args_os().any(|word| word == "--json");
    if !error.use_stderr() || !json || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        // A closed pipe is no failure.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or("wrong usage").trim_start_matches("error: ").to_string();
    let mut wrong = Error::new(Kind::Usage, "usage", message);
    wrong.notes = lines.map(str::to_string).collect();
    fail(None, &Look { verb: "", json, nothing: "", style: Style::plain(), start }, wrong)
}
