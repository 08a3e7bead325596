//! run and eval: scripts whose changes are made at once, and taken back if they fail.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::care;
use super::context::{Context, Skipped};
use super::done::Done;
use super::find;
use super::journal::{self, Keep, Leftover};
use super::stage::journal_of;
use crate::backend::{Backend, Services, Want};
use crate::error::{Error, Kind, Result};
use crate::model::{MarkEntry, State};
use crate::plan::{Action, Mode, NoJournal, Owned, Plan, Session, Step, World, advance, diff};
use crate::script::{Answer, Job};
use crate::view::{PlanView, changes, plan_text, step_text};

pub fn run(context: &Context, file: PathBuf, args: Vec<String>) -> Result<Done> {
    let stdin = file == Path::new("-");
    if !stdin {
        find::check(&file)?;
    }
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = if stdin { "stdin".to_string() } else { stem };
    go(context, &format!("run-{stem}"), Job::Run { path: file, args })
}

pub fn eval(context: &Context, code: String) -> Result<Done> {
    go(context, "run-eval", Job::Eval { code })
}

fn go(context: &Context, name: &str, job: Job) -> Result<Done> {
    let hand = care::Hand::new(context);
    let mut engine = context.engine_for_script(&context.cancel, hand.as_ref())?;
    let dry = context.common.dry_run;
    let _lock = match &context.store {
        Some(store) if !dry => match context.lock(store, name) {
            Ok(Ok(lock)) => Some(lock),
            Ok(Err(Skipped)) => {
                return Ok(Done::text(String::new()).with("changed", false).with("skipped", true));
            }
            // Who may not write there can still look; the journal refuses the first change.
            Err(error) if error.kind == Kind::Io => {
                context.note(&format!("{error}; running without a lock"));
                None
            }
            Err(error) => return Err(error),
        },
        _ => None,
    };
    if _lock.is_some() && !context.common.read_only {
        recover(context, name, || context.backend(false))?;
    }
    let mode = if dry { Mode::Staged } else { Mode::Live };
    let backend = context.backend(context.common.read_only)?;
    let session = Session::new(backend, journal_of(context, name, Keep::Steps), mode, Owned::default());
    let point = session.mark();
    let (mut session, answer) = engine.run(session, job);
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Err(take_back(context, name, &mut session, point, error)),
    };
    for warning in std::mem::take(&mut session.warnings) {
        context.warn("", warning);
    }
    let kept = || {
        care::retain(context.store.as_ref(), &answer.states)?;
        hand.as_ref().map_or(Ok(()), |hand| hand.keep(&session).map(drop))
    };
    if !dry && let Err(error) = kept() {
        return Err(take_back(context, name, &mut session, point, error));
    }
    session.close()?;
    forget(context, name)?;
    context.changed("", session.sent());
    Ok(told(context, &session, answer))
}

/// Takes back what a failed script did; the error then says what became of it.
pub fn take_back(
    context: &Context,
    name: &str,
    session: &mut Session,
    point: crate::plan::Savepoint,
    mut error: Error,
) -> Error {
    if error.kind == Kind::RollbackFailed {
        return error;
    }
    match session.back_to(point) {
        Ok(said) => {
            error.aftermath.get_or_insert(said);
            match forget(context, name) {
                Ok(()) => error,
                Err(trouble) => error.note(trouble.to_string()),
            }
        }
        Err(mut failed) => {
            failed.notes.insert(0, format!("after: {error}"));
            failed.aftermath = Some("ROLLBACK FAILED: look at the machine".to_string());
            failed.origin = error.origin;
            failed
        }
    }
}

fn forget(context: &Context, name: &str) -> Result<()> {
    context.store.as_ref().map_or(Ok(()), |store| journal::discard(&store.journal_file(name)))
}

fn told(context: &Context, session: &Session, answer: Answer) -> Done {
    let mut text = String::new();
    // As at a prompt: a call for its effect alone answers nil, which says nothing.
    let silent = matches!(answer.values.as_slice(), [only] if only.json.is_null());
    for shown in answer.values.iter().filter(|_| !silent) {
        text.push_str(&shown.lua);
        text.push('\n');
    }
    let plan = match session.mode() {
        Mode::Staged => session.plan(),
        Mode::Live => Plan { actions: session.sent().to_vec() },
    };
    let dry = session.mode() == Mode::Staged;
    if dry {
        let drift = Default::default();
        let view = PlanView { title: "", plan: &plan, actual: session.actual(), mine: None, drift: &drift };
        let (tree, counts) = plan_text(&view, context.style());
        let outside: String =
            session.not_simulated.iter().map(|what| format!("  . {what}   not simulated\n")).collect();
        text.push_str(&format!(
            "{}{outside}\n{}.  Nothing was sent.\n",
            tree.trim_start_matches('\n'),
            counts.text(false)
        ));
    } else if context.common.verbose && !context.common.json {
        for step in plan.steps() {
            eprintln!("{}", step_text(step));
        }
    }
    let values: Vec<Value> = answer.values.into_iter().map(|shown| shown.json).collect();
    let mut done = Done::text(text)
        .with("values", values)
        .with("changes", changes(&plan))
        .with("not_simulated", session.not_simulated.clone())
        .with("changed", !dry && !plan.is_empty());
    let mut code = if dry && !plan.is_empty() { 4 } else { 0 };
    if let Some((state, message)) = answer.status {
        if !context.common.json {
            let shown = if message.is_empty() { state.clone() } else { format!("{state}: {message}") };
            let good = state == "ok";
            if !good || !context.common.quiet {
                eprintln!("lvsh: {shown}");
            }
        }
        if state != "ok" {
            code = 5;
        }
        done = done.with("status", state).with("status_message", message);
    }
    done.code(context, code)
}

/// A script that was killed is taken back before it runs again: as far as what it made still stands.
///
/// Its journal stays until that is done, and taking back writes none of its own: whoever is killed here leaves the next
/// one what he found, and what is taken back already no longer stands.
pub(super) fn recover(
    context: &Context,
    name: &str,
    open: impl FnOnce() -> Result<Box<dyn Backend>>,
) -> Result<()> {
    let Some(store) = &context.store else { return Ok(()) };
    let file = store.journal_file(name);
    if let Some(warning) = journal::put_aside(&file)? {
        context.warn("", warning);
    }
    let Some(left) = journal::leftover(&file, store.boot_id()) else { return Ok(()) };
    let mut session = Session::new(open()?, Box::new(NoJournal), Mode::Live, Owned::default());
    let undo = still_standing(&left, &mut session)?;
    let words = left.words(&format!("'{}'", name.trim_start_matches("run-")));
    match undo.len() {
        0 => context.warn("", format!("{words}; nothing of it stands")),
        count => {
            let plural = if count == 1 { "" } else { "s" };
            context.warn("", format!("{words}; {count} change{plural} taken back"));
            session.effect(undo)?;
        }
    }
    session.close()?;
    journal::discard(&file)
}

/// What brings back what was before those changes whose outcome is what the machine has. Only the difference: what was
/// removed and added again, as an eviction does, is not done once more.
fn still_standing(left: &Leftover, session: &mut Session) -> Result<Vec<Action>> {
    let want = want_of(&left.actions);
    let now = session.see(&want)?.clone();
    let mut state = now.clone();
    for action in left.actions.iter().rev() {
        if !stands(&state, &action.step) {
            continue;
        }
        for step in action.step.inverse() {
            // What cannot be taken back here was changed by others since.
            let _ = advance(&mut state, &step, &World::default());
        }
    }
    Ok(diff(&now, &state).into_iter().map(Action::from).collect())
}

/// What must be read to know what became of these.
pub(super) fn want_of(actions: &[Action]) -> Want {
    let services = actions.iter().filter_map(|action| action.step.service().copied()).collect();
    let sysctls = actions.iter().filter_map(|action| match &action.step {
        Step::SetSysctl { name, .. } => Some(name.clone()),
        _ => None,
    });
    Want {
        services: Services::Only(services),
        marks: true,
        vips: true,
        routes: true,
        tunnels: true,
        host: true,
        sysctls: sysctls.collect(),
    }
}

/// Whether the machine is as this step left it.
pub(super) fn stands(state: &State, step: &Step) -> bool {
    let entry = |key| state.services.get(key);
    let marked = |selector, entry: &MarkEntry| state.marks.get(selector) == Some(entry);
    match step {
        Step::AddService { key, service } | Step::SetService { key, to: service, .. } => {
            entry(key).is_some_and(|entry| entry.service == *service)
        }
        Step::DelService { key, .. } => entry(key).is_none(),
        Step::AddServer { service, key, server } | Step::SetServer { service, key, to: server, .. } => {
            state.server(service, key) == Some(server)
        }
        Step::DelServer { service, key, .. } => {
            entry(service).is_some() && state.server(service, key).is_none()
        }
        Step::AddMark { selector, entry } | Step::SetMark { selector, to: entry, .. } => {
            marked(selector, entry)
        }
        Step::DelMark { selector, .. } => !state.marks.contains_key(selector),
        Step::AddVip { key, vip } | Step::SetVip { key, to: vip, .. } => state.vips.get(key) == Some(vip),
        Step::DelVip { key, .. } => !state.vips.contains_key(key),
        Step::AddRule { key, rule } => state.rules.get(key) == Some(rule),
        Step::DelRule { key, .. } => !state.rules.contains_key(key),
        Step::AddRoute { key, route } => state.routes.get(key) == Some(route),
        Step::DelRoute { key, .. } => !state.routes.contains_key(key),
        Step::AddTunnel { dev, tunnel } | Step::SetTunnel { dev, to: tunnel, .. } => {
            state.tunnels.get(dev) == Some(tunnel)
        }
        Step::DelTunnel { dev, .. } => !state.tunnels.contains_key(dev),
        Step::AddFou { key, fou } => state.fous.get(key) == Some(fou),
        Step::DelFou { key, .. } => !state.fous.contains_key(key),
        Step::SetSysctl { name, to, .. } => state.sysctls.get(name) == Some(to),
        Step::SetTimeouts { to, .. } => state.timeouts == *to,
        Step::StartSync { role, daemon } => state.syncs.get(role) == Some(daemon),
        Step::StopSync { role, .. } => !state.syncs.contains_key(role),
    }
}
