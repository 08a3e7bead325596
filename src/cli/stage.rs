//! From a policy's name to a plan that could be sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::care;
use super::context::Context;
use super::find;
use super::handover::{Heir, spare};
use super::journal::{self, FileJournal, Keep};
use super::store::{Saved, Store};
use crate::backend::{Backend, Memory, Want};
use crate::error::{Error, Kind, Result};
use crate::model::{State, Timeouts};
use crate::plan::{
    Journal, Mode, NoJournal, Owned, Plan, Session, Thing, Warning, diff, lint, lint_drains, lint_ramps,
};
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
    let find::Found { path, recorded } = find::find(name, context)?;
    let (engine, loaded) = read(context, &path)?;
    let clean = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if loaded.name.is_empty() || loaded.name.starts_with('.') || !loaded.name.chars().all(clean) {
        let message =
            format!("bad value for 'name': '{}' is not letters, digits, '.', '_' or '-'", loaded.name);
        return Err(Error::bad_value(message));
    }
    if recorded && loaded.name != name {
        let message = format!("'{name}' was started from {}, which is now '{}'", path.display(), loaded.name);
        let hint =
            format!("lvsh stop {name} removes what it owns; lvsh start {} is the other", path.display());
        return Err(Error::new(Kind::Conflict, "renamed", message).about(name).hint(hint));
    }
    Ok(Policy { engine, loaded, path })
}

fn read(context: &Context, path: &Path) -> Result<(Engine, Loaded)> {
    let mut engine = context.engine()?;
    let mut session =
        Session::new(Box::new(Memory::default()), Box::new(NoJournal), Mode::Staged, Owned::default());
    session.seal(Some("effects are not allowed while a policy loads"));
    let (_, answer) = engine.run(session, Job::Load(path.to_path_buf()));
    let none = || Error::new(Kind::Script, "no_policy", "the file did not return a policy");
    let loaded = answer?.loaded.ok_or_else(|| none().about(path.display().to_string()))?;
    Ok((engine, loaded))
}

impl Policy {
    /// As loaded for the first time: what a run left in its variables is gone.
    fn reload(&mut self, context: &Context) -> Result<()> {
        (self.engine, self.loaded) = read(context, &self.path)?;
        Ok(())
    }
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
        // One that is gone is known by the path that was recorded.
        let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
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
    care::mend(context, store, name, write)?;
    if write && let Some(warning) = journal::put_aside(&file)? {
        context.warn(name, warning);
    }
    if let Some(left) = journal::leftover(&file, store.boot_id()) {
        let words = left.words(&format!("'{name}'"));
        context.warn("", format!("{words}; converging from what the kernel has"));
        past.owned = past.owned.clone().and(left.owned.beyond(&past.owned));
        past.interrupted = true;
        if write {
            let (started, made) = match &past.saved {
                Some(saved) => (saved.started, saved.made()),
                None => (store.now(), State::default()),
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
    /// Who has to bring back what this policy gives up and others still want.
    pub heirs: Vec<Heir>,
    /// What differs from what was left.
    pub drift: BTreeMap<Thing, String>,
    /// What lint knows of the policy itself, beside what it makes of the machine.
    pub advice: Vec<Warning>,
}

impl Staged {
    /// The part of the machine that is the policy's when the plan is sent.
    pub fn mine(&self) -> State {
        self.owned.part_of(self.session.view())
    }
}

/// The journal of a run: of a policy's with what it claims, of a script's with every step.
pub fn journal_of(context: &Context, name: &str, keep: Keep) -> Box<dyn Journal> {
    match &context.store {
        Some(store) => {
            let path = store.journal_file(name);
            Box::new(FileJournal::new(path, store.boot_id(), &context.command, keep))
        }
        None => Box::new(NoJournal),
    }
}

/// How a machine is opened; a start that takes over needs it more than once.
pub type Open<'a> = &'a dyn Fn() -> Result<(Box<dyn Backend>, Box<dyn Journal>)>;

/// Runs `start` on the machine as if the policy had never run. With `adopt` what is in the way becomes its own.
pub fn stage_start(
    context: &Context,
    policy: &mut Policy,
    open: Open<'_>,
    past: &Past,
    adopt: bool,
) -> Result<Staged> {
    let mut owned = past.owned.clone();
    let mut taken = Vec::new();
    let known = |store: &Store| care::known(store, &policy.loaded.name);
    let health = context.store.as_ref().map(known).transpose()?;
    let mut session = loop {
        let (backend, journal) = open()?;
        let session = Session::new(backend, journal, Mode::Staged, owned.clone());
        let job =
            Job::Call { method: "start".to_string(), args: json!({ "adopt": adopt, "health": health }) };
        let (session, answer) = policy.engine.run(session, job);
        match answer {
            Ok(_) => break session,
            // A start written by hand cannot be told to adopt: it runs again on a machine without what was there.
            Err(mut error) if error.code == "EEXIST" => {
                // What the script itself added a moment ago is in its view only.
                let there = take_over(&mut owned, session.actual(), &error);
                match there {
                    Some(what) if adopt => taken.push(what),
                    Some(_) => {
                        error.kind = Kind::Conflict;
                        return Err(error);
                    }
                    None => return Err(error),
                }
                policy.reload(context)?;
            }
            Err(error) => return Err(error),
        }
    };
    session
        .warnings
        .extend(taken.iter().map(|what| format!("{what} was here before: taken over, stop removes it")));
    session.see_owned()?;
    let owned = session.owned_after();
    let heirs = spare(context, &policy.loaded.name, past, &past.owned.beyond(&owned), &mut session);
    let plan = session.plan();
    // Only what has to be mended can have drifted.
    let saved = past.saved.as_ref().filter(|_| !plan.is_empty());
    let drift = drift(saved, session.actual());
    let advice = policy.loaded.desired.as_ref().map(lint_ramps).unwrap_or_default();
    Ok(Staged { session, plan, owned, heirs, drift, advice })
}

/// Makes the thing that an `add` was refused for the policy's own; `None` if it is its own already, or not there.
fn take_over(owned: &mut Owned, seen: &State, error: &Error) -> Option<String> {
    let subject = &error.subject;
    if let Some(key) = seen.services.keys().find(|key| key.to_string() == *subject) {
        return owned.services.insert(*key, None).is_none().then(|| format!("service {key}"));
    }
    if let Some(key) = seen.vips.keys().find(|key| key.to_string() == *subject) {
        return owned.vips.insert(key.clone(), None).is_none().then(|| format!("address {key}"));
    }
    if let Some(key) = seen.rules.keys().find(|key| key.to_string() == *subject) {
        return owned.rules.insert(*key, None).is_none().then(|| format!("rule {key}"));
    }
    if let Some(key) = seen.routes.keys().find(|key| key.to_string() == *subject) {
        return owned.routes.insert(*key, None).is_none().then(|| format!("route {key}"));
    }
    let (_, packets) = subject.split_once(" for ")?;
    let selector = seen.marks.keys().find(|selector| selector.to_string() == packets)?;
    owned.marks.insert(selector.clone(), None).is_none().then(|| format!("mark for {selector}"))
}

/// Runs the policy's own `stop`, if it wrote one, on the machine as it is; then what it owns goes.
pub fn stage_stop(
    context: &Context,
    policy: Option<&mut Policy>,
    name: &str,
    backend: Box<dyn Backend>,
    journal: Box<dyn Journal>,
    past: &Past,
) -> Result<Staged> {
    let mut session = Session::new(backend, journal, Mode::Staged, Owned::default());
    // What carries our tag is ours even if the state was lost.
    let mut owned = past.owned.clone();
    let wanted = policy.as_ref().and_then(|policy| policy.loaded.desired.clone()).unwrap_or_default();
    let seen = session.see(&Want {
        marks: true,
        vips: true,
        routes: !wanted.rules.is_empty() || !wanted.routes.is_empty(),
        tunnels: !wanted.tunnels.is_empty(),
        ..Want::default()
    })?;
    for (selector, _) in seen.marks.iter().filter(|(_, entry)| entry.owner == name) {
        owned.marks.entry(selector.clone()).or_insert(None);
    }
    // These carry no name; whether others want them too is asked below.
    for key in wanted.vips {
        if seen.vips.get(&key).is_some_and(|vip| vip.is_ours()) {
            owned.vips.entry(key).or_insert(None);
        }
    }
    for key in wanted.rules {
        if seen.rules.get(&key).is_some_and(|rule| rule.is_ours()) {
            owned.rules.entry(key).or_insert(None);
        }
    }
    for key in wanted.routes {
        if seen.routes.get(&key).is_some_and(|route| route.is_ours()) {
            owned.routes.entry(key).or_insert(None);
        }
    }
    for dev in wanted.tunnels.into_keys() {
        if seen.tunnels.get(&dev).is_some_and(|tunnel| tunnel.is_ours()) {
            owned.tunnels.entry(dev).or_insert(None);
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
    let heirs = spare(context, name, past, &owned, &mut session);
    let plan = session.plan();
    let (owned, drift, advice) = Default::default();
    Ok(Staged { session, plan, owned, heirs, drift, advice })
}

/// What a policy left, beside what is there now; what it does not own of the two is equal.
pub fn left(saved: &Saved, now: &State) -> State {
    let owned = saved.owned.timeouts.unwrap_or(Timeouts::NONE);
    let made = saved.made();
    let timeouts = made.timeouts.only(owned).over(now.timeouts);
    State { timeouts, ..made }
}

/// What the kernel lost or changed since the policy was started.
pub fn drift(saved: Option<&Saved>, actual: &State) -> BTreeMap<Thing, String> {
    let Some(saved) = saved else { return BTreeMap::new() };
    let now = saved.owned.part_of(actual);
    let steps = diff(&now, &left(saved, &now));
    steps.iter().map(|step| (step.thing(), drift_words(sign(step)).to_string())).collect()
}

/// Says what lint knows of what a policy will have.
pub fn advise(context: &Context, staged: &mut Staged) {
    if !context.common.quiet || context.common.json {
        lint_all(context, staged);
    }
    for warning in std::mem::take(&mut staged.session.warnings) {
        context.warn("", warning);
    }
}

fn lint_all(context: &Context, staged: &mut Staged) {
    let mine = staged.mine();
    // A machine that cannot say what it has is linted by what is known without it; a plan needs it not. A real server
    // is not asked: what it can do with services is nobody's question, and asking would load IPVS.
    let asked = !mine.services.is_empty();
    let machine = if asked { staged.session.capabilities().ok() } else { None };
    for warning in lint(&mine, staged.session.view(), machine.as_ref()) {
        context.advise(warning);
    }
    for warning in &staged.advice {
        context.advise(warning.clone());
    }
    match lint_drains(&staged.plan, &mut staged.session) {
        Ok(warnings) => warnings.into_iter().for_each(|warning| context.advise(warning)),
        Err(error) => context.note(&error.to_string()),
    }
}
