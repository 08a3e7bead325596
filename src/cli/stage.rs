//! From a policy's name to a plan that could be sent.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::clock;
use super::context::Context;
use super::find;
use super::journal::{self, FileJournal};
use super::store::{Saved, Store, part};
use crate::backend::{Backend, Memory, Services, Want};
use crate::error::{Error, Kind, Result};
use crate::model::State;
use crate::plan::{Journal, Mode, NoJournal, Owned, Plan, Session, diff, lint, lint_plan};
use crate::script::{Engine, Job, Loaded};
use crate::view::{drift_words, sign};

/// A policy whose file was read.
pub struct Policy {
    pub engine: Engine,
    pub loaded: Loaded,
    /// As the user named it, for messages.
    pub path: PathBuf,
}

/// Reads a policy on an empty machine where effects raise: no kernel is needed to know what it says.
pub fn load(context: &Context, name: &str) -> Result<Policy> {
    let path = find::find(name, &context.common.config_dir)?;
    let mut engine = context.engine()?;
    let mut session =
        Session::new(Box::new(Memory::default()), Box::new(NoJournal), Mode::Staged, Owned::default());
    session.seal(Some("effects are not allowed while a policy loads"));
    let (_, answer) = engine.run(session, Job::Load(path.clone()));
    let loaded = answer?.loaded.ok_or_else(|| {
        Error::new(Kind::Script, "no_policy", "the file did not return a policy")
            .about(path.display().to_string())
    })?;
    let clean = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if loaded.name.is_empty() || loaded.name.starts_with('.') || !loaded.name.chars().all(clean) {
        let message =
            format!("bad value for 'name': '{}' is not letters, digits, '.', '_' or '-'", loaded.name);
        return Err(Error::bad_value(message));
    }
    Ok(Policy { engine, loaded, path })
}

/// What is known of a policy before it runs.
#[derive(Default)]
pub struct Past {
    pub saved: Option<Saved>,
    /// What it owns, with what an interrupted run may have made.
    pub owned: Owned,
    pub interrupted: bool,
}

/// Reads the state of a policy. With `write` (and so under its lock) a journal that was left is made part of the
/// state at once, so that nothing is forgotten if this run is killed as well.
pub fn past(
    context: &Context,
    store: &Store,
    name: &str,
    path: &std::path::Path,
    write: bool,
) -> Result<Past> {
    let found = store.load(name, write)?;
    if let Some(warning) = found.warning {
        context.warn(name, warning);
    }
    if let Some(note) = found.note {
        context.note(&note);
    }
    let mut past = Past { owned: Owned::default(), saved: found.saved, interrupted: false };
    if let Some(saved) = &past.saved {
        past.owned = saved.owned.clone();
        let real = std::fs::canonicalize(path).unwrap_or_default();
        if saved.path != real {
            context.warn(
                name,
                format!("it was started from {}, this is {}", saved.path.display(), path.display()),
            );
        }
    }
    let file = store.journal_file(name);
    if !write && let Some(holder) = super::lock::holder(&store.lock_file(name)) {
        context.warn(name, format!("{holder} is at work on it; what is shown may be over in a moment"));
        return Ok(past);
    }
    if let Some(left) = journal::leftover(&file, store.boot_id()) {
        let words = left.words(&format!("'{name}'"));
        context.warn("", format!("{words}; converging from what the kernel has"));
        past.owned.absorb(left.actions.iter().map(|action| &action.step));
        past.interrupted = true;
        if write {
            let (started, made) = match &past.saved {
                Some(saved) => (saved.started, saved.made.clone()),
                None => (clock::since_boot().as_secs_f64(), State::default()),
            };
            store.save(name, path, started, past.owned.clone(), made)?;
        }
    }
    if write {
        journal::discard(&file)?;
    }
    Ok(past)
}

/// A session that has run the policy and sent nothing.
pub struct Staged {
    pub session: Session,
    pub plan: Plan,
    /// What the policy will own.
    pub owned: Owned,
    /// What differs from what was left, by kind and subject of the step that repairs it.
    pub drift: BTreeMap<String, String>,
}

impl Staged {
    /// The part of the machine that is the policy's when the plan is sent.
    pub fn mine(&self) -> State {
        part(self.session.view(), &self.owned)
    }
}

/// The journal of a policy's run.
pub fn journal_of(context: &Context, name: &str) -> Box<dyn Journal + Send> {
    match &context.store {
        Some(store) => {
            Box::new(FileJournal::new(store.journal_file(name), store.boot_id(), &context.command))
        }
        None => Box::new(NoJournal),
    }
}

/// Runs `start` on the machine as if the policy had never run.
pub fn stage_start(
    policy: &mut Policy,
    backend: Box<dyn Backend + Send>,
    journal: Box<dyn Journal + Send>,
    past: &Past,
    adopt: bool,
) -> Result<Staged> {
    let session = Session::new(backend, journal, Mode::Staged, past.owned.clone());
    let job = Job::Call { method: "start".to_string(), args: json!({ "adopt": adopt }) };
    let (mut session, answer) = policy.engine.run(session, job);
    answer?;
    session.see_owned()?;
    let owned = session.owned_after();
    let plan = session.plan();
    let drift = drift(past.saved.as_ref(), session.actual());
    Ok(Staged { session, plan, owned, drift })
}

/// Runs the policy's own `stop`, if it wrote one, on the machine as it is; then what it owns goes.
pub fn stage_stop(
    policy: Option<&mut Policy>,
    name: &str,
    backend: Box<dyn Backend + Send>,
    journal: Box<dyn Journal + Send>,
    past: &Past,
) -> Result<Staged> {
    let mut session = Session::new(backend, journal, Mode::Staged, Owned::default());
    // What carries our tag is ours even if the state was lost.
    let mut owned = past.owned.clone();
    let desired = policy.iter().filter_map(|policy| policy.loaded.desired.as_ref());
    let wanted: Vec<_> = desired.flat_map(|desired| desired.vips.iter().cloned()).collect();
    let seen = session.see(&Want { marks: true, vips: true, services: Services::None, ..Want::default() })?;
    for (selector, _) in seen.marks.iter().filter(|(_, entry)| entry.owner == name) {
        owned.marks.entry(selector.clone()).or_insert(None);
    }
    for key in wanted {
        if seen.vips.get(&key).is_some_and(|vip| vip.is_ours()) {
            owned.vips.entry(key).or_insert(None);
        }
    }
    let mut session = session.holding(owned.clone());
    let started = past.saved.is_some() || past.interrupted;
    if let Some(policy) = policy
        && started
    {
        let job = Job::Call { method: "stop".to_string(), args: json!({}) };
        let (back, answer) = policy.engine.run(session, job);
        session = back;
        answer?;
    }
    session.release(&owned)?;
    let plan = session.plan();
    Ok(Staged { session, plan, owned: Owned::default(), drift: BTreeMap::new() })
}

/// What the kernel lost or changed since the policy was started.
pub fn drift(saved: Option<&Saved>, actual: &State) -> BTreeMap<String, String> {
    let Some(saved) = saved else { return BTreeMap::new() };
    let now = part(actual, &saved.owned);
    let steps = diff(&now, &State { timeouts: now.timeouts, ..saved.made.clone() });
    steps
        .iter()
        .map(|step| (format!("{} {}", step.kind(), step.subject()), drift_words(sign(step)).to_string()))
        .collect()
}

/// Says what lint knows of what a policy will have.
pub fn advise(context: &Context, staged: &mut Staged) {
    let machine = staged.session.capabilities().ok();
    let mine = staged.mine();
    for warning in lint(&mine, staged.session.view(), machine.as_ref()) {
        context.advise(warning);
    }
    if let Ok((_, observed)) = staged.session.see_live(&Want::default()) {
        let observed = observed.clone();
        for warning in lint_plan(&staged.plan, staged.session.actual(), &observed) {
            context.advise(warning);
        }
    }
    for warning in std::mem::take(&mut staged.session.warnings) {
        context.warn("", warning);
    }
}
