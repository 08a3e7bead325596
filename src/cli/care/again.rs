//! check --loop: a round every so often, as a service in the foreground.
//!
//! Each round reads its policies anew. SIGHUP begins one at once; a file that can no longer be used is told, and what
//! was read before goes on. SIGTERM ends a round in the middle of its probes; nothing is half done then.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::round::can_check;
use super::rounds::{Check, whole};
use crate::cli::context::{Context, stopped};
use crate::cli::done::{Done, print};
use crate::cli::policy::{Goal, Target};
use crate::cli::service::Manager;
use crate::error::{Error, Kind, Result};

/// How often the loop looks up between two rounds.
const LOOK: Duration = Duration::from_millis(50);
/// No round takes longer, the longest probes of many servers included; one that does hangs.
const ROUND_MOST: Duration = Duration::from_secs(120);

pub fn again(context: &Context, args: &Check, every: Duration) -> Result<Done> {
    if every < Duration::from_millis(100) {
        return Err(Error::new(Kind::Usage, "usage", "--loop: a round every 100 ms is the most"));
    }
    let (manager, hangup) = (Manager::new(), context.hangup_is_no_end());
    let heart = manager.heart();
    let mut known = Known::default();
    let (mut turn, mut ready) = (0u64, false);
    loop {
        context.cancel.renew();
        heart.promise(ROUND_MOST.max(every * 2));
        let begun = Instant::now();
        let said = match whole(context, args, &mut known) {
            Ok(done) => {
                let status = status(&done);
                let text = match context.common.json {
                    true => format!("{}\n", Value::Object(done.fields)),
                    false => done.text,
                };
                if !context.common.quiet && !print(&text) {
                    return Err(Error::new(Kind::Io, "io", "stdout cannot be written to"));
                }
                status
            }
            Err(error) if matches!(error.kind, Kind::Interrupted | Kind::RollbackFailed) => {
                return ended(&manager, error);
            }
            // The next round may do better: a policy being edited, a kernel that was busy.
            Err(error) => {
                context.trouble(&error, "the next round tries again");
                format!("trouble: {}", error.message)
            }
        };
        turn += 1;
        let state = if std::mem::replace(&mut ready, true) { "" } else { "READY=1\n" };
        manager.say(&format!("{state}STATUS=round {turn}: {said}"));
        let until = begun + jittered(every, turn);
        while Instant::now() < until {
            heart.promise(LOOK * 100);
            if let Some(kind) = context.cancel.reason() {
                return ended(&manager, stopped(kind));
            }
            if hangup.swap(false, Ordering::Relaxed) {
                manager.reloading();
                ready = false;
                break;
            }
            std::thread::sleep(LOOK.min(until.saturating_duration_since(Instant::now())));
        }
    }
}

/// One line for `systemctl status`.
fn status(done: &Done) -> String {
    let degraded = done.fields.get("degraded").and_then(Value::as_str);
    match (degraded, done.fields.get("changed")) {
        (Some(why), _) => format!("degraded: {why}"),
        (None, Some(Value::Bool(true))) => "weights were changed".to_string(),
        _ => "nothing to change".to_string(),
    }
}

/// SIGTERM is how a service ends well.
fn ended(manager: &Manager, error: Error) -> Result<Done> {
    manager.say("STOPPING=1");
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

/// The policies of the round before.
#[derive(Default)]
pub struct Known {
    last: BTreeMap<String, Target>,
    /// What was said of files that cannot be used: once for each trouble.
    told: BTreeMap<String, String>,
}

impl Known {
    /// The policy as its file is now; as it was when that cannot be used.
    pub fn open(&mut self, context: &Context, name: &str) -> Result<Target> {
        let opened = Target::open(context, name, Goal::Start { adopt: false });
        let opened = opened.and_then(|target| can_check(&target).map(|()| target));
        let error = match opened {
            Ok(target) => {
                self.told.remove(name);
                return Ok(target);
            }
            Err(error) if matches!(error.kind, Kind::Interrupted | Kind::Timeout) => return Err(error),
            Err(error) => error,
        };
        let Some(last) = self.last.remove(name) else { return Err(error) };
        let text = error.to_string();
        if self.told.get(name) != Some(&text) {
            context.trouble(&error, "the policy goes on as it was before");
            self.told.insert(name.to_string(), text);
        }
        Ok(last)
    }

    /// For a later round; a VM that was given up is of no use.
    pub fn keep(&mut self, name: &str, target: Target) {
        if target.policy.as_ref().is_some_and(|policy| !policy.engine.given_up()) {
            self.last.insert(name.to_string(), target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_many_directors_do_not_go_in_step() {
        let every = Duration::from_secs(10);
        let waits: Vec<f64> = (1..1000).map(|turn| jittered(every, turn).as_secs_f64()).collect();
        assert!(waits.iter().all(|wait| (9.0..=11.0).contains(wait)));
        let mean = waits.iter().sum::<f64>() / waits.len() as f64;
        assert!((9.9..10.1).contains(&mean), "{mean}");
        assert!(waits.iter().any(|wait| *wait < 9.2) && waits.iter().any(|wait| *wait > 10.8));
    }
}
