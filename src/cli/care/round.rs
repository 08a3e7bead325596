//! One round over one started policy: ask, judge, set the weights, remember.

use std::time::Instant;

use serde_json::{Value, json};

use super::{decided, evict, known, memory};
use crate::cli::context::Context;
use crate::cli::done::Done;
use crate::cli::journal;
use crate::cli::log::{Entry, Priority};
use crate::cli::policy::Target;
use crate::cli::stage::{Past, journal_of};
use crate::cli::store::{Saved, Store};
use crate::error::{Error, Kind, Result, counted};
use crate::plan::{Mode, Owned, Plan, Session, lint_drains};
use crate::script::Job;
use crate::view::{changes, step_text};

/// What a round found and did.
pub struct Round {
    pub plan: Plan,
    /// As `lua/round.lua` returned it.
    pub found: Value,
    /// What drained servers lost at the end of their time.
    pub evicted: Vec<String>,
    pub dry: bool,
}

/// Makes one round. Without `ask` nobody is probed: the weights follow what the operator decided.
pub fn round(
    context: &Context,
    store: &Store,
    target: &mut Target,
    past: &Past,
    ask: bool,
    dry: bool,
) -> Result<Round> {
    let name = target.name.clone();
    let Some(policy) = &mut target.policy else { return Err(crate::cli::policy::gone(&name)) };
    if let Some(warning) = memory::load(store, &name, memory::Of::Health).warning {
        context.warn(&name, warning);
    }
    let health = known(store, &name)?;
    let journal = journal_of(context, &name, journal::Keep::Claims);
    let session = Session::new(context.backend(false)?, journal, Mode::Staged, Owned::default());
    let args = json!({ "health": &health, "ask": ask });
    let begun = Instant::now();
    let (mut session, answer) = policy.engine.run(session, Job::Call { method: "check".to_string(), args });
    let found = answer?.returned.into_iter().next().unwrap_or_default();
    for text in strings(&found, "warnings") {
        context.warn(&name, text);
    }
    let plan = session.plan();
    match lint_drains(&plan, &mut session) {
        Ok(warnings) => warnings.into_iter().for_each(|warning| context.advise(warning)),
        Err(error) => context.note(&error.to_string()),
    }
    if dry {
        return Ok(Round { plan, found, evicted: Vec::new(), dry });
    }
    context.check_cancel()?;
    let file = store.journal_file(&name);
    if let Err(error) = session.commit(&plan) {
        if error.kind != Kind::RollbackFailed {
            journal::discard(&file)?;
        }
        return Err(error);
    }
    // A policy with a check of its own may return what it likes; then nothing is remembered for it.
    let remembered = match found.get("memory") {
        Some(learnt) => {
            let mut learnt = learnt.clone();
            // Of a round that asked; what an operator decides in between takes no time.
            let took =
                if ask { json!(begun.elapsed().as_secs_f64()) } else { health["memory"]["took"].clone() };
            learnt["took"] = took;
            memory::save(store, &name, memory::Of::Health, &learnt)
        }
        None => Ok(()),
    };
    let left = past.saved.as_ref().filter(|_| !plan.is_empty());
    let left = |()| left.map_or(Ok(()), |saved| remember(store, saved, &past.owned, &plan, &session));
    let said = remembered.and_then(left);
    if let Err(error) = said {
        let error = session.take_back(&plan, error);
        if error.kind != Kind::RollbackFailed {
            // The error says enough; the next round finds that nothing of it stands.
            let _ = journal::discard(&file);
        }
        return Err(error);
    }
    journal::discard(&file)?;
    context.changed(&name, &plan.actions);
    let evicted = evict::evict(context, store, &name, &found)?;
    tell(context, target, &found);
    Ok(Round { plan, found, evicted, dry })
}

/// What the policy left is now with these weights: they are no drift. It owns what it did, and what an interrupted run
/// may have made.
fn remember(store: &Store, saved: &Saved, owned: &Owned, plan: &Plan, session: &Session) -> Result<()> {
    let mut made = saved.made();
    for key in plan.steps().filter_map(|step| step.service()) {
        if let Some(entry) = session.view().services.get(key) {
            made.services.insert(*key, entry.clone());
        }
    }
    store.save(&saved.policy, &saved.path, saved.started, owned.clone(), made)
}

/// The log, the policy's hooks and who gets mail hear of what was done. What goes wrong here undoes nothing.
fn tell(context: &Context, target: &mut Target, found: &Value) {
    let list = |field: &str| found.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let (events, news) = (list("events"), list("news"));
    for one in &news {
        say_news(context, &target.name, one);
    }
    let Some(policy) = &mut target.policy else { return };
    if !policy.loaded.declared || (events.is_empty() && news.is_empty()) {
        return;
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let args = json!({ "events": events, "news": news, "servers": list("servers"), "host": host.trim() });
    let heard = || -> Result<Vec<Value>> {
        let none = Box::new(crate::plan::NoJournal);
        let session = Session::new(context.backend(true)?, none, Mode::Staged, Owned::default());
        let job = Job::Call { method: "changed".to_string(), args };
        let returned = policy.engine.run(session, job).1?.returned;
        Ok(returned.into_iter().flat_map(|list| list.as_array().cloned().unwrap_or_default()).collect())
    };
    let troubles = match heard() {
        Ok(troubles) => troubles.iter().filter_map(|text| text.as_str().map(str::to_string)).collect(),
        Err(error) => vec![format!("on_change failed: {error}")],
    };
    for trouble in troubles {
        context.warn(&target.name, format!("{trouble}; the changes stand"));
    }
}

/// What is about no single server, for the log. On stderr a round says it itself.
fn say_news(context: &Context, name: &str, news: &Value) {
    let text = |field: &str| news.get(field).and_then(Value::as_str).unwrap_or_default();
    let (kind, service, detail) = (text("kind"), text("service"), text("detail"));
    let good = matches!(kind, "quorum gained" | "recovered");
    let about = if service.is_empty() { String::new() } else { format!("{service}: ") };
    let behind = if detail.is_empty() { String::new() } else { format!(": {detail}") };
    let priority = if good { Priority::Notice } else { Priority::Warning };
    let entry = Entry::new(priority, format!("{name}: {about}{kind}{behind}"));
    let entry =
        entry.with("POLICY", name).with("EVENT", kind).with("SERVICE", service).with("REASON", detail);
    if !context.log.tell(&entry) && context.log.elsewhere() {
        eprintln!("{}", entry.message);
    }
}

fn strings(found: &Value, field: &str) -> Vec<String> {
    let list = found.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|value| value.as_str().map(str::to_string)).collect()
}

impl Round {
    /// Why it is not as it should be.
    pub fn degraded(&self) -> Option<&str> {
        self.found.get("degraded").and_then(Value::as_str)
    }

    /// That it became so, or is so no more.
    pub fn news(&self) -> Vec<String> {
        let list = self.found.get("news").and_then(Value::as_array).into_iter().flatten();
        let text = |one: &Value, field: &str| {
            one.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_string)
        };
        let whole = list.filter(|one| text(one, "service").is_none());
        let line = |one: &Value| match text(one, "detail") {
            Some(detail) => Some(format!("{}: {detail}", text(one, "kind")?)),
            None => text(one, "kind"),
        };
        whole.filter_map(line).collect()
    }

    /// One line per change, with its reason.
    pub fn lines(&self) -> Vec<String> {
        let line = |action: &crate::plan::Action| match &action.reason {
            Some(reason) => format!("{}   {reason}", step_text(&action.step)),
            None => step_text(&action.step),
        };
        self.plan.actions.iter().map(line).chain(self.evicted.iter().cloned()).collect()
    }

    pub fn done(&self, context: &Context, name: &str) -> Done {
        let mut text = String::new();
        for line in self.lines() {
            text.push_str(&format!("{name}: {line}\n"));
        }
        if let Some(why) = self.degraded() {
            text.push_str(&format!("{name}: degraded: {why}\n"));
        }
        if text.is_empty() {
            let servers = self.found.get("servers").and_then(Value::as_array).map_or(0, Vec::len);
            text = format!("{name}: {}, nothing to change\n", counted(servers, "server"));
        } else if self.dry && !self.plan.is_empty() {
            text.push_str("Nothing was sent.\n");
        }
        let status = if self.degraded().is_some() { "degraded" } else { "ok" };
        let changed = !self.plan.is_empty() || !self.evicted.is_empty();
        let done = Done::text(text)
            .with("policy", name)
            .with("status", status)
            .with("changed", !self.dry && changed)
            .with("evicted", self.evicted.clone())
            .with("changes", changes(&self.plan))
            .with("servers", self.found.get("servers").cloned().unwrap_or_default());
        let done = match self.degraded() {
            Some(why) => done.with("degraded", why),
            None => done,
        };
        let code = if self.degraded().is_some() { 5 } else { 0 };
        done.code(context, code)
    }
}

/// A policy that is not started has nothing to care for.
pub fn not_started(name: &str) -> Done {
    Done::text(format!("{name} is not started; nothing to check\n"))
        .with("policy", name)
        .with("changed", false)
}

/// Whether the policy can be checked at all.
pub fn can_check(target: &Target) -> Result<()> {
    let methods = target.policy.as_ref().map(|policy| &policy.loaded.methods);
    if methods.is_some_and(|methods| methods.iter().any(|method| method == "check")) {
        return Ok(());
    }
    let message = format!("policy '{}' has no check", target.name);
    Err(Error::new(Kind::Script, "unknown_field", message)
        .hint("declare it with lvs.policy and health = { … }, or write a function check"))
}

/// Decisions of the operator, changed and put back if what follows fails.
pub struct Change<'a> {
    pub store: &'a Store,
    pub name: String,
    before: decided::Decisions,
}

impl<'a> Change<'a> {
    pub fn make(
        store: &'a Store,
        name: &str,
        edit: impl FnOnce(&mut decided::Decisions),
    ) -> Result<Change<'a>> {
        let before = decided::load(store, name)?;
        let mut after = before.clone();
        edit(&mut after);
        decided::save(store, name, &after)?;
        Ok(Change { store, name: name.to_string(), before })
    }

    /// As it was; the error then says whether that worked.
    pub fn undo(self, error: Error) -> Error {
        match decided::save(self.store, &self.name, &self.before) {
            Ok(()) => error,
            Err(trouble) => error.note(format!("what was decided could not be taken back: {trouble}")),
        }
    }
}
