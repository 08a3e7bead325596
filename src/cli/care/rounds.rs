//! check: rounds for cron, or again and again in the foreground.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::again::{Known, again};
use super::round::{not_started, round};
use crate::cli::args::duration;
use crate::cli::context::{Context, Skipped};
use crate::cli::done::Done;
use crate::cli::metrics;
use crate::cli::policy::{Target, skipped};
use crate::cli::store::Store;
use crate::error::{Error, Kind, Result};

/// Arguments of check.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub struct Check {
    /// Names or paths of policies
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub policies: Vec<String>,
    /// Every policy that is started
    #[arg(long)]
    pub all: bool,
    /// Go on, a round every so often, until SIGTERM; SIGHUP begins one at once. Each round reads the files anew
    #[arg(long = "loop", value_name = "TIME", value_parser = duration)]
    pub every: Option<Duration>,
    /// Write metrics to this file after each round, for the textfile collector of Prometheus's node exporter
    #[arg(long, value_name = "FILE")]
    pub metrics: Option<PathBuf>,
}

/// One round, or one after the other.
pub fn check(context: &Context, args: &Check) -> Result<Done> {
    match args.every {
        None => whole(context, args, &mut Known::default()),
        Some(every) => again(context, args, every),
    }
}

/// One round of all, and what others are shown of it.
pub fn whole(context: &Context, args: &Check, known: &mut Known) -> Result<Done> {
    let done = once(context, args, known);
    if let Some(path) = args.metrics.as_ref().filter(|_| !context.dry()) {
        metrics::write(context, path, &args.policies);
    }
    done
}

/// All named policies, each for itself: one that cannot be checked does not keep the others from it.
fn once(context: &Context, args: &Check, known: &mut Known) -> Result<Done> {
    let names = match (&context.store, args.all) {
        (Some(store), true) => {
            store.all().into_values().map(|saved| saved.path.display().to_string()).collect()
        }
        _ => args.policies.clone(),
    };
    if let [name] = names.as_slice() {
        return one(context, name, known);
    }
    let (mut whole, mut rounds, mut first) = (Done::default(), Vec::new(), None);
    for name in &names {
        match one(context, name, known) {
            Ok(done) => {
                whole.text.push_str(&done.text);
                whole.code = whole.code.max(done.code);
                rounds.push(Value::Object(done.fields));
            }
            Err(error) if matches!(error.kind, Kind::Interrupted | Kind::Timeout) => return Err(error),
            Err(error) if first.is_none() => first = Some(error),
            Err(error) => context.warn(name, error.to_string()),
        }
    }
    if names.is_empty() {
        whole.text = "no policy is started; nothing to check\n".to_string();
    }
    match first {
        Some(error) => Err(error),
        None => Ok(whole.with("policies", rounds)),
    }
}

fn one(context: &Context, name: &str, known: &mut Known) -> Result<Done> {
    let Some(store) = &context.store else {
        let message = "check needs what is remembered between rounds; --backend memory keeps nothing";
        return Err(Error::new(Kind::Usage, "usage", message).hint("--memory FILE keeps a machine in a file"));
    };
    let mut target = known.open(context, name)?;
    let done = of(context, store, &mut target);
    known.keep(name, target);
    done
}

/// One round of one policy.
fn of(context: &Context, store: &Store, target: &mut Target) -> Result<Done> {
    let dry = context.dry();
    let _lock = match target.lock(context, dry)? {
        Ok(lock) => lock,
        Err(Skipped) => return Ok(skipped(&target.name)),
    };
    let past = target.past(context, !dry)?;
    if past.saved.is_none() && !past.interrupted {
        return Ok(not_started(&target.name));
    }
    let done = round(context, store, target, &past, true, dry)?;
    // A quiet round still says what changed: cron mails it.
    if context.common.quiet && !context.common.json && !context.log.elsewhere() {
        for line in done.lines() {
            eprintln!("{}: {line}", target.name);
        }
        for news in done.news() {
            eprintln!("{}: {news}", target.name);
        }
    }
    Ok(done.done(context, &target.name))
}
