//! import --apply: what was saved, onto the machine; all or nothing, without a policy and without owning it.

use super::super::context::{Context, Skipped};
use super::super::done::Done;
use super::super::journal;
use super::super::journal::Keep;
use super::super::policy::skipped;
use super::super::run::recover;
use super::super::stage::journal_of;
use crate::error::{Error, Kind, Result};
use crate::plan::{Action, Dump, Mode, Owned, Plan, Session, Step, diff};
use crate::view::{Counts, PlanView, changes, plan_text, sign};

/// Lock and journal, as a script's.
const NAME: &str = "run-import";

pub fn apply(context: &Context, dump: &Dump, replace: bool) -> Result<Done> {
    let dry = context.dry();
    let _lock = match &context.store {
        Some(store) if !dry => match context.lock(store, NAME)? {
            Ok(lock) => Some(lock),
            Err(Skipped) => return Ok(skipped("import")),
        },
        _ => None,
    };
    if !dry {
        recover(context, NAME, || context.backend(false))?;
    }
    let mode = if dry { Mode::Staged } else { Mode::Live };
    let backend = context.backend(context.common.read_only)?;
    let mut session = Session::new(backend, journal_of(context, NAME, Keep::Steps), mode, Owned::default());
    let now = session.see(&dump.want_for(replace))?.clone();
    for name in dump.state.sysctls.keys().filter(|name| !now.sysctls.contains_key(name)) {
        context.warn(name.name(), "this kernel has no such sysctl; left out");
    }
    if let Some((what, there)) = dump.in_the_way(&now) {
        let message = format!("cannot add {what}: there is one that lvsh did not make (conflict)");
        let error = Error::new(Kind::Conflict, "conflict", message).about(what);
        return Err(error
            .note(format!("there is: {there}"))
            .hint("remove it if nobody needs it, or take it out of the file"));
    }
    let mut next = dump.over(&now, replace);
    session.canonical(&mut next);
    let plan: Plan = diff(&now, &next).into_iter().collect();
    context.check_cancel()?;
    own(context, &plan);
    let actions: Vec<Action> = plan.actions.clone();
    let sent = session.effect(actions).and_then(|()| session.close());
    if sent.as_ref().map_or_else(|error| error.kind != Kind::RollbackFailed, |()| true)
        && let Some(store) = context.store.as_ref().filter(|_| !dry)
    {
        journal::discard(&store.journal_file(NAME))?;
    }
    sent?;
    if !dry {
        context.changed("", &plan.actions);
    }
    Ok(told(context, &plan, &now, dry))
}

/// A policy that owns what is changed here sets it back at its next run.
fn own(context: &Context, plan: &Plan) {
    if plan.is_empty() {
        return;
    }
    let owners = context.store.as_ref().map(|store| store.owners()).unwrap_or_default();
    if owners.is_empty() {
        return;
    }
    let mut told = std::collections::BTreeSet::new();
    for key in plan.steps().filter_map(Step::service) {
        if let Some(owner) = owners.get(key)
            && told.insert(key)
        {
            context.warn(&key.to_string(), format!("policy '{owner}' made it; its next apply sets it back"));
        }
    }
}

fn told(context: &Context, plan: &Plan, before: &crate::model::State, dry: bool) -> Done {
    let mut counts = Counts::default();
    for step in plan.steps() {
        *match sign(step) {
            '+' => &mut counts.add,
            '-' => &mut counts.remove,
            _ => &mut counts.change,
        } += 1;
    }
    // Ten thousand lines that say what the file says are for those who ask.
    let tree = if dry || context.common.verbose {
        let drift = Default::default();
        let view = PlanView { title: "", plan, actual: before, mine: None, drift: &drift };
        let (tree, _) = plan_text(&view, context.style());
        format!("{}\n", tree.trim_start_matches('\n'))
    } else {
        String::new()
    };
    let text = match (plan.is_empty(), dry) {
        (true, _) => "All of it is there already; nothing to do.\n".to_string(),
        (false, true) => format!("{tree}{}.  Nothing was sent.\n", counts.text(false)),
        (false, false) => format!("{tree}{}.  Sent and verified.\n", counts.text(true)),
    };
    let done = Done::text(text).with("changed", !dry && !plan.is_empty());
    let done = if context.common.json { done.with("changes", changes(plan)) } else { done };
    done.code(context, if dry && !plan.is_empty() { 4 } else { 0 })
}
