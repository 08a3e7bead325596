//! Waiting for a drain to end: what is left is shown, and at the end what was told is done.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use serde_json::Value;

use super::round::round;
use crate::backend::{Services, Want};
use crate::cli::context::{Context, stopped};
use crate::cli::policy::Target;
use crate::cli::store::Store;
use crate::error::Result;
use crate::model::ServerLive;

/// What a server still has, over all services of the policy.
pub fn left(context: &Context, target: &Target, server: &str) -> Result<ServerLive> {
    let declared = target.policy.as_ref().and_then(|policy| policy.loaded.desired.as_ref());
    let services = declared.into_iter().flat_map(|declared| declared.services.keys().copied()).collect();
    let want = Want { services: Services::Only(services), ..Want::default() };
    let seen = context.backend(true)?.snapshot(&want)?;
    let mut sum = ServerLive::default();
    for ((_, key), live) in &seen.observed.servers {
        if key.addr.to_string() == server || key.to_string() == server {
            sum.active += live.active;
            sum.inactive += live.inactive;
            sum.persist += live.persist;
        }
    }
    Ok(sum)
}

pub fn words_of(live: &ServerLive) -> String {
    format!("{} active, {} inactive, {} templates", live.active, live.inactive, live.persist)
}

/// How waiting ended, and with what left.
pub struct End {
    pub empty: bool,
    pub left: ServerLive,
    took: Duration,
    /// What the end of the drain did.
    pub lines: Vec<String>,
}

impl End {
    pub fn words(&self) -> String {
        let took = self.took.as_secs();
        match self.empty {
            true => format!("is empty after {took} s"),
            false => format!("still has {} after {took} s", words_of(&self.left)),
        }
    }
}

/// How often the numbers are read.
const LOOK: Duration = Duration::from_secs(1);
/// How often they are told where they cannot be written over: in a file or a mail.
const TELL: Duration = Duration::from_secs(30);

/// Where progress is told: one line that is written over on a terminal, now and then a line elsewhere.
struct Progress {
    quiet: bool,
    terminal: bool,
    told: Option<(Duration, ServerLive)>,
}

impl Progress {
    fn new(context: &Context) -> Progress {
        let quiet = context.common.quiet || context.common.json;
        Progress { quiet, terminal: std::io::stderr().is_terminal(), told: None }
    }

    fn tell(&mut self, server: &str, left: &ServerLive, took: Duration, limit: Option<Duration>) {
        if self.quiet {
            return;
        }
        let of = limit.map_or(String::new(), |limit| format!(" of {}", limit.as_secs()));
        let text = format!("{server}: {}, {}{of} s", words_of(left), took.as_secs());
        if self.terminal {
            eprint!("\r\x1b[K{text}");
            // The line is only for the eye.
            let _ = std::io::stderr().flush();
            return;
        }
        let due = self.told.as_ref().is_none_or(|(at, last)| took >= *at + TELL && last != left);
        if due {
            eprintln!("{text}");
            self.told = Some((took, *left));
        }
    }

    fn end(&self) {
        if self.terminal && !self.quiet {
            eprintln!();
        }
    }
}

/// Waits until nothing is left, or until `limit` has passed since the drain began. Templates end with the persistence of
/// their clients, which may be long. The policy's lock is free meanwhile: checks go on.
pub fn wait(context: &Context, target: &Target, server: &str, limit: Option<Duration>) -> Result<End> {
    let clock = &context.outside.clock;
    let begun = clock.since_boot();
    let mut progress = Progress::new(context);
    loop {
        let left = left(context, target, server)?;
        let empty = left.active == 0 && left.persist == 0;
        let took = clock.since_boot() - begun;
        progress.tell(server, &left, took, limit);
        if empty || limit.is_some_and(|limit| took >= limit) {
            progress.end();
            return Ok(End { empty, left, took, lines: Vec::new() });
        }
        let rest = limit.map_or(LOOK, |limit| LOOK.min(limit - took));
        clock.sleep(rest, Duration::from_millis(100), &|| context.cancel.reason().is_some());
        if let Some(kind) = context.cancel.reason() {
            progress.end();
            return Err(stopped(kind).note(format!("{server} stays drained; lvsh undrain takes it back")));
        }
    }
}

/// Does at once what the next checks would: removes, or evicts and removes, as the policy and the operator told.
pub fn finish(
    context: &Context,
    store: &Store,
    target: &mut Target,
    server: &str,
    end: &mut End,
) -> Result<()> {
    // Evicted in one round, removed in the next.
    for _ in 0..2 {
        let Ok(_lock) = target.lock(context, false)? else { return Ok(()) };
        let past = target.past(context, true)?;
        let found = round(context, store, target, &past, false, false)?;
        let lines = found.lines();
        if lines.is_empty() {
            break;
        }
        end.lines.extend(lines);
    }
    end.left = left(context, target, server)?;
    end.empty = end.left.active == 0 && end.left.persist == 0;
    Ok(())
}

/// The policy's own time for a drain, as a round returned it.
pub fn time_of(found: &Value) -> Option<Duration> {
    let seconds = found.get("drain")?.get("timeout")?.as_f64()?;
    Duration::try_from_secs_f64(seconds).ok()
}
