//! status and lint: verbs that change nothing.

use std::time::Duration;

use serde_json::{Value, json};

use super::care;
use super::context::Context;
use super::done::Done;
use super::machine::Machine;
use super::stage::{Open, Past, Policy, advise, drift, left, load, past, stage_start};
use crate::backend::{Backend, Memory, Services, Want};
use crate::error::{Kind, Result};
use crate::model::{ServiceKey, State};
use crate::plan::{Journal, NoJournal, diff};
use crate::view::{Care, StatusView, state_value, status_text, step_text};

/// How a policy is: what it owns, as the kernel has it now.
pub fn status(context: &Context, name: &str) -> Result<Done> {
    // A policy that no longer loads can still be looked at.
    let (name, path) = match load(context, name) {
        Ok(policy) => (policy.loaded.name, policy.path),
        Err(error) => {
            let known = context.store.as_ref().and_then(|store| store.all().remove(name));
            match known {
                Some(saved) => {
                    context.warn(name, error.to_string());
                    (saved.policy, saved.path)
                }
                None => return Err(error),
            }
        }
    };
    let past = match &context.store {
        Some(store) => past(context, store, &name, &path, false)?,
        None => Past::default(),
    };
    let Some(saved) = &past.saved else {
        let view = StatusView {
            name: &name,
            up: None,
            mine: &State::default(),
            live: &Default::default(),
            timeouts: None,
            drift: &[],
            care: None,
        };
        let done = Done::answer(status_text(&view, context.style()));
        return Ok(done.with("policy", name.clone()).with("status", "not started").code(context, 5));
    };
    let owned = &past.owned;
    let want = Want {
        services: Services::of(owned.services.keys()),
        marks: true,
        vips: true,
        routes: true,
        tunnels: true,
        // A real server has no IPVS to be asked.
        host: owned.timeouts.is_some() || !owned.syncs.is_empty(),
        sysctls: owned.sysctls.keys().cloned().collect(),
    };
    let seen = context.backend(true)?.snapshot(&want)?;
    let mine = owned.part_of(&seen.state);
    let changed = diff(&left(saved, &mine), &mine);
    let words = drift(Some(saved), &seen.state);
    let lines: Vec<String> = changed.iter().map(|step| format!("{}  by others", step_text(step))).collect();
    let up =
        context.outside.clock.since_boot().saturating_sub(Duration::from_secs_f64(saved.started.max(0.0)));
    let timeouts = owned.timeouts.map(|_| mine.timeouts);
    let cared =
        context.store.as_ref().map(|store| care::cared(store, &name)).transpose()?.unwrap_or_default();
    let (row, gone) = (
        |service: &ServiceKey, server: &str, weight| cared.row(service, server, weight),
        |service: &ServiceKey| cared.gone(service),
    );
    let care = cared.known().then(|| Care {
        degraded: cared.degraded(),
        age: cared.age().map(Duration::from_secs_f64),
        row: &row,
        gone: &gone,
    });
    let view = StatusView {
        name: &name,
        up: Some(up),
        mine: &mine,
        live: &seen.observed,
        timeouts,
        drift: &lines,
        care,
    };
    let state = match (cared.degraded(), words.is_empty()) {
        (Some(_), _) => "degraded",
        (None, false) => "drifted",
        (None, true) => "ok",
    };
    let done = Done::text(status_text(&view, context.style()))
        .with("policy", name.clone())
        .with("path", path.display().to_string())
        .with("status", state)
        .with("up_s", up.as_secs())
        .with("started_boot_s", saved.started as u64)
        .with("drift", lines.clone());
    let done = with_state(done, state_value(&mine, &seen.observed, |_| Some(name.clone())));
    let services = mine.services.iter().filter(|(key, entry)| !entry.service.is_way(key));
    let servers = services.flat_map(|(key, entry)| {
        entry.servers.iter().map(|(id, server)| cared.value(key, id, Some(server.weight.get())))
    });
    let health: Vec<Value> = servers.filter(|_| cared.known()).collect();
    let done = if cared.known() { done.with("health", health) } else { done };
    // Trouble is told to cron too.
    let done = Done { asked: state != "ok", ..done };
    Ok(done.code(context, if state == "ok" { 0 } else { 5 }))
}

pub fn with_state(mut done: Done, state: Value) -> Done {
    if let Value::Object(map) = state {
        done.fields.extend(map);
    }
    done
}

/// Loads a policy, runs its start without sending anything, and says what is known to go wrong with it. On the
/// kernel's state where that may be read, else on an empty machine.
pub fn lint(context: &Context, name: &str) -> Result<Done> {
    let mut policy = load(context, name)?;
    let store = context.store.as_ref();
    let found = store.map(|store| past(context, store, &policy.loaded.name, &policy.path, false)).transpose();
    let past = match found {
        Ok(past) => past.unwrap_or_default(),
        Err(error) => {
            context.note(&format!("{error}; checked as if it were not started"));
            Past::default()
        }
    };
    let open: Open<'_> =
        &|| Ok((context.backend(true)? as Box<dyn Backend>, Box::new(NoJournal) as Box<dyn Journal>));
    let mut staged = match stage_start(context, &mut policy, open, &past, true) {
        Ok(staged) => staged,
        Err(error) if alone(&error.kind, &context.machine) => {
            context.note(&format!("{error}; checked without the kernel"));
            on_memory(context, &mut policy)?
        }
        Err(error) => return Err(error),
    };
    advise(context, &mut staged);
    let warnings = context.warnings().len();
    let name = policy.loaded.name.clone();
    let text = match warnings {
        0 => format!("{name}: no warnings\n"),
        1 => format!("{name}: 1 warning\n"),
        many => format!("{name}: {many} warnings\n"),
    };
    let done = Done::text(text).with("policy", name).with("path", policy.path.display().to_string());
    let done = done.with("steps", json!(staged.plan.len()));
    Ok(done.code(context, if warnings > 0 { 5 } else { 0 }))
}

/// What is in the way on this machine, or that it may not be read, says nothing about the policy.
fn alone(kind: &Kind, machine: &Machine) -> bool {
    matches!(kind, Kind::Unable | Kind::Conflict | Kind::Refused)
        && matches!(machine, Machine::Kernel | Machine::Memory(Some(_)))
}

fn on_memory(context: &Context, policy: &mut Policy) -> Result<super::stage::Staged> {
    let open: Open<'_> =
        &|| Ok((Box::new(Memory::default()) as Box<dyn Backend>, Box::new(NoJournal) as Box<dyn Journal>));
    stage_start(context, policy, open, &Past::default(), true)
}
