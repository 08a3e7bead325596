//! drain, undrain, maint, ready, weight: what an operator says of one server.

use std::time::Duration;

use clap::Args;

use super::decided::Decisions;
use super::round::{Change, can_check, round};
use super::waiting::{finish, left, time_of, wait, words_of};
use crate::cli::args::duration;
use crate::cli::context::{Context, Skipped};
use crate::cli::done::Done;
use crate::cli::policy::{Goal, Target, skipped};
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::model::{ServerKey, parse_endpoint};

/// Arguments of drain and its like.
#[derive(Clone, Debug, Default, Args)]
#[group(skip)]
pub struct Word {
    /// A name (web: /etc/lvsh/web.lua) or a path
    pub policy: String,
    /// Address of the server, as the policy has it
    pub server: String,
    /// Why; shown by status
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Wait until the server has nothing left or its time is over, and end the drain then
    #[arg(long)]
    pub wait: bool,
    /// How long the drain may take; the policy's own otherwise
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub limit: Option<Duration>,
    /// End what is left when the time is over; the policy says it otherwise
    #[arg(long)]
    pub evict: bool,
}

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Drain,
    Maint,
    /// Ends drain and maint.
    Ready,
    Weight(Option<u32>),
}

/// Records a decision and makes it so at once, if the policy is started.
pub fn decide(context: &Context, word: &Word, what: What) -> Result<Done> {
    let Some(store) = &context.store else {
        let message = "a decision has to be kept; --backend memory keeps nothing";
        return Err(Error::new(Kind::Usage, "usage", message).hint("--memory FILE keeps a machine in a file"));
    };
    let mut target = Target::open(context, &word.policy, Goal::Start { adopt: false })?;
    can_check(&target)?;
    let server = known_server(&target, &word.server)?;
    let dry = context.dry();
    if what != What::Drain && (word.evict || word.wait || word.limit.is_some()) {
        let message = "--wait, --for and --evict go with drain alone";
        return Err(Error::new(Kind::Usage, "usage", message));
    }
    let lock = match target.lock(context, dry)? {
        Ok(lock) => lock,
        Err(Skipped) => return Ok(skipped(&target.name)),
    };
    let past = target.past(context, !dry)?;
    let name = target.name.clone();
    let change = match dry {
        true => None,
        false => Some(Change::make(store, &name, |decisions| {
            edit(decisions, &server, word, what, store.clock().since_1970())
        })?),
    };
    let started = past.saved.is_some() || past.interrupted;
    let verb = said(what);
    if dry || !started {
        let text = match dry {
            true => format!("{name}: {server} would be {verb}.  Nothing was changed.\n"),
            false => format!("{}\n", told(&name, &server, what, started)),
        };
        return Ok(Done::text(text).with("policy", name).with("changed", !dry));
    }
    let (mut done, policys) = match round(context, store, &mut target, &past, false, false) {
        Ok(round) => (round.done(context, &name), time_of(&round.found)),
        Err(error) => return Err(change.map_or_else(|| error.clone(), |change| change.undo(error.clone()))),
    };
    let mut text = format!("{}\n", told(&name, &server, what, started));
    if !done.text.contains("nothing to change") {
        text.push_str(&done.text);
    }
    // Rounds of checks must go on while this one waits.
    drop(lock);
    let mut left = left(context, &target, &server)?;
    if what == What::Drain {
        text.push_str(&format!("{name}: {server} has {}\n", words_of(&left)));
    }
    if word.wait && what == What::Drain {
        let mut end = wait(context, &target, &server, word.limit.or(policys))?;
        text.push_str(&format!("{name}: {server} {}\n", end.words()));
        finish(context, store, &mut target, &server, &mut end)?;
        for line in &end.lines {
            text.push_str(&format!("{name}: {line}\n"));
        }
        left = end.left;
        done = done.with("empty", end.empty).with("ended", end.lines.clone());
        if !end.empty {
            done = done.code(context, 5);
        }
    }
    done.text = text;
    Ok(done.with("server", server).with("active", left.active).with("persist", left.persist))
}

/// That it is so from now on, or from the start of the policy on.
pub fn told(name: &str, server: &str, what: What, started: bool) -> String {
    let later = if started { String::new() } else { format!("; it counts when {name} is started") };
    format!("{name}: {server} is {}{later}", said(what))
}

fn said(what: What) -> String {
    match what {
        What::Drain => "drained".to_string(),
        What::Maint => "in maintenance".to_string(),
        What::Ready => "ready".to_string(),
        What::Weight(Some(weight)) => format!("weighed {weight}"),
        What::Weight(None) => "weighed as the policy says".to_string(),
    }
}

pub fn edit(decisions: &mut Decisions, server: &str, word: &Word, what: What, now: u64) {
    let mut decision = decisions.servers.get(server).cloned().unwrap_or_default();
    match what {
        What::Drain => decision.state = Some("drain".to_string()),
        What::Maint => decision.state = Some("maint".to_string()),
        What::Ready => decision.state = None,
        What::Weight(weight) => decision.weight = weight,
    }
    if decision.state.is_none() && decision.weight.is_none() {
        decisions.servers.remove(server);
        return;
    }
    decision.since = now;
    decision.by = who();
    decision.reason.clone_from(&word.reason);
    decision.timeout = word.limit.map(|limit| limit.as_secs());
    decision.evict = word.evict;
    decisions.servers.insert(server.to_string(), decision);
}

/// Who is at the keyboard, behind sudo too.
fn who() -> String {
    let name = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let fallback = || format!("uid {}", nix::unistd::getuid());
    name("SUDO_USER").or_else(|| name("LOGNAME")).or_else(|| name("USER")).unwrap_or_else(fallback)
}

/// The server as the policy names it, or which ones there are.
fn known_server(target: &Target, text: &str) -> Result<String> {
    let wrong = |message: String| Error::new(Kind::Usage, "unknown_name", message).about(text);
    let (addr, port) = parse_endpoint(text).map_err(wrong)?;
    let declared = target.policy.as_ref().and_then(|policy| policy.loaded.desired.as_ref());
    let keys = || declared.into_iter().flat_map(|declared| declared.services.values());
    let mut names: Vec<String> =
        keys().flat_map(|entry| entry.servers.keys()).map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    let fits = |key: &&ServerKey| key.addr == addr && port.is_none_or(|port| key.port == port);
    match keys().flat_map(|entry| entry.servers.keys()).find(fits) {
        // Without a port it is about every port of that address.
        Some(_) if port.is_none() => Ok(addr.to_string()),
        Some(key) => Ok(key.to_string()),
        None => {
            let error = wrong(format!("policy '{}' has no server {text}", target.name));
            let near = did_you_mean(text, names.iter().map(String::as_str));
            let error = match near {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error,
            };
            Err(error.note(format!("servers: {}", names.join(", "))))
        }
    }
}
