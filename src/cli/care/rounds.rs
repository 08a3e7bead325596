//! check: rounds for cron, or again and again in the foreground.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;

use super::round::{can_check, not_started, round};
use crate::cli::args::duration;
use crate::cli::context::{Context, Skipped, stopped};
use crate::cli::done::{Done, print};
use crate::cli::policy::{Goal, Target, skipped};
use crate::error::{Error, Kind, Result};
use crate::view::error_text;

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
    /// Go on, a round every so often, until SIGTERM
    #[arg(long = "loop", value_name = "TIME", value_parser = duration)]
    pub every: Option<Duration>,
}

/// One round, or one after the other.
pub fn check(context: &Context, args: &Check) -> Result<Done> {
    let Some(every) = args.every else { return once(context, args) };
    if every < Duration::from_millis(100) {
        return Err(Error::new(Kind::Usage, "usage", "--loop: a round every 100 ms is the most"));
    }
    notify("READY=1\nSTATUS=checking");
    let mut turn = 0u64;
    loop {
        let begun = Instant::now();
        match once(context, args) {
            Ok(done) => {
                let text = match context.common.json {
                    true => format!("{}\n", Value::Object(done.fields)),
                    false => done.text,
                };
                if !context.common.quiet && !print(&text) {
                    return Err(Error::new(Kind::Io, "io", "stdout cannot be written to"));
                }
            }
            Err(error) if matches!(error.kind, Kind::Interrupted | Kind::Timeout | Kind::RollbackFailed) => {
                return ended(error);
            }
            // The next round may do better: a policy being edited, a kernel that was busy.
            Err(error) => {
                eprint!("{}", error_text(&error, "the next round tries again", context.error_style()))
            }
        }
        notify("WATCHDOG=1");
        turn += 1;
        let until = begun + jittered(every, turn);
        while Instant::now() < until {
            if let Some(kind) = context.cancel.reason() {
                return ended(stopped(kind));
            }
            std::thread::sleep(
                Duration::from_millis(50).min(until.saturating_duration_since(Instant::now())),
            );
        }
    }
}

/// SIGTERM is how a service ends well.
fn ended(error: Error) -> Result<Done> {
    notify("STOPPING=1");
    match error.kind {
        Kind::Interrupted => Ok(Done::text(String::new())),
        _ => Err(error),
    }
}

/// Up to a tenth more or less, so that many directors do not ask the same servers in step.
fn jittered(every: Duration, turn: u64) -> Duration {
    let mixed = (u64::from(std::process::id()) ^ turn).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let share = mixed as f64 / f64::from(1u32 << 24);
    every.mul_f64(0.9 + 0.2 * share)
}

/// sd_notify(3); nothing where no service manager listens.
fn notify(state: &str) {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixDatagram};
    let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let text = name.to_string_lossy().into_owned();
    let addr = match text.strip_prefix('@') {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
        None => SocketAddr::from_pathname(&*text),
    };
    // Nobody to tell is no failure of a check.
    if let (Ok(socket), Ok(addr)) = (UnixDatagram::unbound(), addr) {
        let _ = socket.send_to_addr(state.as_bytes(), &addr);
    }
}

/// All named policies, each for itself: one that cannot be checked does not keep the others from it.
fn once(context: &Context, args: &Check) -> Result<Done> {
    let names = match (&context.store, args.all) {
        (Some(store), true) => {
            store.all().into_values().map(|saved| saved.path.display().to_string()).collect()
        }
        _ => args.policies.clone(),
    };
    if let [name] = names.as_slice() {
        return one(context, name);
    }
    let (mut whole, mut rounds, mut first) = (Done::default(), Vec::new(), None);
    for name in &names {
        match one(context, name) {
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

fn one(context: &Context, name: &str) -> Result<Done> {
    let Some(store) = &context.store else {
        let message = "check needs what is remembered between rounds; --backend memory keeps nothing";
        return Err(Error::new(Kind::Usage, "usage", message).hint("--memory FILE keeps a machine in a file"));
    };
    let mut target = Target::open(context, name, Goal::Start { adopt: false })?;
    can_check(&target)?;
    let dry = context.dry();
    let _lock = match target.lock(context, dry)? {
        Ok(lock) => lock,
        Err(Skipped) => return Ok(skipped(&target.name)),
    };
    let past = target.past(context, !dry)?;
    if past.saved.is_none() && !past.interrupted {
        return Ok(not_started(&target.name));
    }
    let done = round(context, store, &mut target, &past, true, dry)?;
    // A quiet round still says what it changed: cron mails it.
    if context.common.quiet && !context.common.json {
        for line in done.lines() {
            eprintln!("{}: {line}", target.name);
        }
        if let Some(why) = done.degraded() {
            eprintln!("{}: degraded: {why}", target.name);
        }
    }
    Ok(done.done(context, &target.name))
}
