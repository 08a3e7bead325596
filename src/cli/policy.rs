//! start, apply, stop, restart, plan.

use super::args::Spelling;
use super::care;
use super::context::{Context, Skipped};
use super::done::Done;
use super::handover::{hand_over, inherit};
use super::journal::{self, Keep};
use super::stage::{Past, Policy, Staged, advise, journal_of, load, past, stage_start, stage_stop};
use super::store::{Draft, Saved, Store, Text};
use crate::backend::Backend;
use crate::error::{Error, Kind, Result};
use crate::plan::{Owned, Plan, beside};
use crate::view::{Counts, PlanView, Script, changes, lua_script, nft_only, plan_text, shell_script};

/// What a verb wants of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    Start { adopt: bool },
    Stop,
}

/// Starts, applies or stops; with `-n` shows what that would do.
pub fn act(context: &Context, name: &str, goal: Goal, dry: bool, spelling: Option<Spelling>) -> Result<Done> {
    let mut target = Target::open(context, name, goal)?;
    let _lock = match target.lock(context, dry)? {
        Ok(lock) => lock,
        Err(Skipped) => return Ok(skipped(&target.name)),
    };
    let past = target.past(context, !dry)?;
    let (said, name) = (name, target.name.clone());
    let open = || Ok((context.backend(false)? as Box<dyn Backend>, journal_of(context, &name, Keep::Claims)));
    let mut staged = match (goal, &mut target.policy) {
        (Goal::Start { adopt }, Some(policy)) => stage_start(context, policy, &open, &past, adopt)
            .map_err(|error| in_the_way(context, &name, said, error))?,
        (_, policy) => {
            let (backend, journal) = open()?;
            stage_stop(context, policy.as_mut(), &name, backend, journal, &past)?
        }
    };
    if goal != Goal::Stop {
        advise(context, &mut staged);
    }
    if let Some(spelling) = spelling {
        return Ok(spelled(&target.name, &staged, spelling));
    }
    if !dry {
        send(context, &target, &mut staged, &past, goal)?;
    }
    let done = report(context, &target, &staged, &past, goal, dry);
    // The process ends now, and its memory with it: taking ten thousand tables and records apart first is a tenth of
    // the run. Nothing in them has an end of its own; the lock is not among them.
    if !context.is_inside() {
        std::mem::forget((staged, target));
    }
    Ok(done)
}

/// Says whose the thing is that a start was refused for, and what helps. `said`: how the user calls the policy.
fn in_the_way(context: &Context, name: &str, said: &str, error: Error) -> Error {
    if error.kind != Kind::Conflict {
        return error;
    }
    let owners = context.store.as_ref().map(|store| store.owners()).unwrap_or_default();
    let owner = owners.iter().find(|(key, owner)| key.to_string() == error.subject && *owner != name);
    let error = match owner {
        Some((_, owner)) => error.note(format!("policy '{owner}' made it; lvsh stop {owner} removes it")),
        None => error,
    };
    // The script's own hint is about the call; this one is about the command.
    let apply = format!("lvsh apply {said}    takes it over and changes it in place");
    match &error.hint {
        Some(hint) if !hint.contains("lvsh apply") => {
            let both = format!("{apply}\n{hint}");
            error.hint(both)
        }
        Some(_) => error,
        None => error.hint(apply),
    }
}

/// What a verb works on.
pub struct Target {
    pub name: String,
    /// How the user calls it: its path, as long as lvsh does not know it by its name.
    pub said: String,
    pub path: std::path::PathBuf,
    /// `None` when the file is gone or wrong and only the state is left to stop by.
    pub policy: Option<Policy>,
}

impl Target {
    pub fn open(context: &Context, name: &str, goal: Goal) -> Result<Target> {
        let said = name.to_string();
        match load(context, name) {
            Ok(policy) => {
                let (name, path) = (policy.loaded.name.clone(), policy.path.clone());
                Ok(Target { name, said, path, policy: Some(policy) })
            }
            // A broken file must not keep a policy from being stopped.
            Err(error) if goal == Goal::Stop && error.kind != Kind::Interrupted => {
                let bare = name.rsplit('/').next().unwrap_or(name).trim_end_matches(".lua").to_string();
                let store = context.store.as_ref();
                let named = store.and_then(|store| store.load(&bare, false).ok()?.saved);
                // A file need not be called as its policy is.
                let path = std::path::absolute(name).unwrap_or_default();
                let here = |saved: &Saved| {
                    (name.contains('/') || name.ends_with(".lua")) && same_file(&saved.path, &path)
                };
                let started = || store?.all().into_values().find(here);
                let Some(saved) = started().or(named) else { return Err(error) };
                let name = saved.policy.clone();
                context.warn(&name, format!("{error}; stopping by what was recorded when it was started"));
                Ok(Target { name, said, path: saved.path, policy: None })
            }
            Err(error) => Err(error),
        }
    }

    pub fn lock(&self, context: &Context, dry: bool) -> Result<Result<Option<super::lock::Lock>, Skipped>> {
        match &context.store {
            Some(store) if !dry => Ok(context.lock(store, &self.name)?.map(Some)),
            _ => Ok(Ok(None)),
        }
    }

    pub fn past(&self, context: &Context, write: bool) -> Result<Past> {
        match &context.store {
            Some(store) => past(context, store, &self.name, &self.path, write),
            None => Ok(Past::default()),
        }
    }

    fn title(&self) -> String {
        format!("{}  {}", self.name, self.path.display())
    }
}

/// Whether a file that may be gone is the one that was recorded by its real path.
fn same_file(recorded: &std::path::Path, path: &std::path::Path) -> bool {
    let folder = path.parent().and_then(|folder| std::fs::canonicalize(folder).ok());
    recorded == path
        || folder.zip(path.file_name()).is_some_and(|(folder, name)| recorded == folder.join(name))
}

pub fn gone(name: &str) -> Error {
    Error::new(Kind::Usage, "unknown_name", format!("there is no policy '{name}'"))
}

pub fn skipped(name: &str) -> Done {
    Done::text(format!("another run is at work on '{name}'; left to it\n"))
        .with("changed", false)
        .with("skipped", true)
}

/// Sends the plan, saves the state, and only then forgets the journal.
pub fn send(context: &Context, target: &Target, staged: &mut Staged, past: &Past, goal: Goal) -> Result<()> {
    context.check_cancel()?;
    let Some(store) = &context.store else {
        let Staged { session, plan, .. } = staged;
        session.commit(plan)?;
        context.changed(&target.name, &plan.actions);
        return Ok(());
    };
    let journal = store.journal_file(&target.name);
    let draft = (goal != Goal::Stop && !written_already(target, staged, past))
        .then(|| draft(store, target, staged, past, staged.owned.clone()));
    let Staged { session, plan, heirs, .. } = staged;
    let (sent, text) = beside(plan.len(), || session.commit(plan), || draft.map(Draft::text).transpose());
    if let Err(error) = sent {
        if error.kind != Kind::RollbackFailed {
            journal::discard(&journal)?;
        }
        return Err(error);
    }
    inherit(context, store, heirs);
    let remembered = text.and_then(|text| remember(context, store, target, staged, past, goal, text));
    if let Err(error) = remembered {
        let error = staged.session.take_back(&staged.plan, error);
        if error.kind != Kind::RollbackFailed {
            // It may be what could not be removed; the next run finds that nothing of it stands.
            let _ = journal::discard(&journal);
        }
        return Err(error);
    }
    context.changed(&target.name, &staged.plan.actions);
    Ok(())
}

/// Whether the state file says already what is so. After an interrupted run it also says what that may have made.
fn written_already(target: &Target, staged: &Staged, past: &Past) -> bool {
    let same = |saved: &Saved| {
        // A file that was moved is known by its new place.
        std::fs::canonicalize(&target.path).is_ok_and(|real| real == saved.path)
            && saved.owned == staged.owned
            && saved.left_as(&staged.owned.part_of(staged.session.view()))
    };
    staged.plan.is_empty() && !past.interrupted && past.saved.as_ref().is_some_and(same)
}

/// The policy's state file when it owns this and the plan is carried out.
fn draft(store: &Store, target: &Target, staged: &Staged, past: &Past, owned: Owned) -> Draft {
    let started = past.saved.as_ref().map_or_else(|| store.now(), |saved| saved.started);
    let made = owned.part_of(staged.session.view());
    store.draft(&target.name, &target.path, started, owned, made)
}

/// Writes down what the policy owns now, and then forgets the journal. At no moment a kill leaves a journal beside
/// a state that no longer names what the journal's changes gave back: it would be taken for the policy's own.
///
/// `text` is the state file, if it has to be written.
fn remember(
    context: &Context,
    store: &Store,
    target: &Target,
    staged: &Staged,
    past: &Past,
    goal: Goal,
    text: Option<Text>,
) -> Result<()> {
    let (name, owned, journal) = (&target.name, &staged.owned, store.journal_file(&target.name));
    let Goal::Start { adopt } = goal else {
        journal::discard(&journal)?;
        care::forget(store, name)?;
        return store.remove(name);
    };
    let given_up = past.owned.beyond(owned);
    if !given_up.is_empty() {
        let both = draft(store, target, staged, past, owned.clone().and(given_up));
        store.write(name, both.text()?)?;
        journal::discard(&journal)?;
    }
    if let Some(text) = text {
        store.write(name, text)?;
    }
    journal::discard(&journal)?;
    if adopt {
        hand_over(context, store, name, owned);
    }
    Ok(())
}

/// The plan, what became of it, and the same for programs.
pub fn report(
    context: &Context,
    target: &Target,
    staged: &Staged,
    past: &Past,
    goal: Goal,
    dry: bool,
) -> Done {
    let name = &target.name;
    let started = past.saved.is_some() || past.interrupted;
    let none = staged.plan.is_empty();
    // Nobody reads the tree of a quiet run; on a big director it is most of the work.
    let mine = (context.common.verbose && goal != Goal::Stop).then(|| staged.mine());
    let (tree, counts) = match context.common.quiet && !context.common.json {
        true => Default::default(),
        false => {
            let (title, before) = (target.title(), before(staged));
            let (plan, drift) = (&staged.plan, &staged.drift);
            let view = PlanView { title: &title, plan, actual: &before, mine: mine.as_ref(), drift };
            plan_text(&view, context.style())
        }
    };
    let last = match (goal, none, dry) {
        (Goal::Stop, true, _) if !started => format!("{name} is not started; nothing to do"),
        (Goal::Stop, true, _) => format!("{name}: what it owned is gone already; nothing to do"),
        (_, true, true) => format!("No changes: the machine is as {name} says."),
        (_, true, false) if started => format!("{name} is started already; nothing to do"),
        (_, true, false) => format!("{name}: all of it is there already; nothing to do"),
        (_, false, true) => {
            let stop = if goal == Goal::Stop { " --stop" } else { "" };
            format!(
                "{}.  Nothing was sent.  (lvsh plan{stop} {} --as ipvsadm)",
                counts.text(false),
                target.said
            )
        }
        (_, false, false) => format!("{}.  Sent and verified.", counts.text(true)),
    };
    let outside: String =
        staged.session.not_simulated.iter().map(|what| format!("  . {what}   not simulated\n")).collect();
    let text = match none && mine.is_none() {
        true => format!("{outside}{last}\n"),
        false => format!("{tree}{outside}\n{last}\n"),
    };
    let status = match goal {
        Goal::Stop => "stopped",
        Goal::Start { .. } => "started",
    };
    let code = if dry && !none { 4 } else { 0 };
    if !context.common.json {
        return Done::text(text).code(context, code);
    }
    let done = Done::text(text)
        .with("policy", name.clone())
        .with("path", target.path.display().to_string())
        .with("changes", changes(&staged.plan))
        .with("changed", !none && !dry)
        .with("counts", counts_value(&counts))
        .with("not_simulated", staged.session.not_simulated.clone())
        .with("drift", staged.drift.iter().map(|(what, how)| format!("{what}: {how}")).collect::<Vec<_>>());
    let done = if dry { done } else { done.with("status", status) };
    done.code(context, code)
}

fn counts_value(counts: &Counts) -> serde_json::Value {
    serde_json::json!({
        "add": counts.add, "change": counts.change, "remove": counts.remove, "drifted": counts.drifted,
    })
}

/// The machine before the plan; after a commit the session's own picture is the new one.
fn before(staged: &Staged) -> crate::model::State {
    let mut state = staged.session.view().clone();
    let undo = staged.plan.inverse();
    for step in undo.steps() {
        // A picture for printing: what does not fit is left as it is.
        let _ = crate::plan::advance(&mut state, step, &crate::plan::World::default());
    }
    state
}

fn spelled(name: &str, staged: &Staged, spelling: Spelling) -> Done {
    let steps = staged.plan.len();
    let title = format!("{name}: {steps} step{}, by lvsh plan", if steps == 1 { "" } else { "s" });
    let (before, after) = (staged.session.actual(), staged.session.view());
    let text = spell(&title, &staged.plan, before, after, spelling);
    Done::text(text.clone()).with("policy", name).with("script", text).with("changes", changes(&staged.plan))
}

/// A plan in the words of other tools.
pub fn spell(
    title: &str,
    plan: &Plan,
    before: &crate::model::State,
    after: &crate::model::State,
    spelling: Spelling,
) -> String {
    let script = Script { title, plan, before, after };
    match spelling {
        Spelling::Ipvsadm => shell_script(&script),
        Spelling::Nft => nft_only(&script),
        Spelling::Lua => lua_script(plan, title),
    }
}
