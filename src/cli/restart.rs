//! restart: stop, then start.

use std::io::{BufRead, IsTerminal};

use super::context::{Context, Skipped};
use super::done::Done;
use super::journal::{self, Keep};
use super::policy::{Goal, Target, gone, report, send, skipped};
use super::stage::{Open, Past, advise, journal_of, stage_start, stage_stop};
use crate::backend::{Backend, Memory, Services, Want};
use crate::error::{Error, Kind, Result};
use crate::plan::{Journal, Mode, NoJournal, Owned, Plan, Session};

/// Stop, then start, as two plans: what is between them is dropped.
pub fn restart(context: &Context, name: &str, yes: bool) -> Result<Done> {
    let goal = Goal::Start { adopt: false };
    let mut target = Target::open(context, name, goal)?;
    let dry = context.dry();
    if !dry {
        ask(context, &target.name, yes)?;
    }
    let _lock = match target.lock(context, dry)? {
        Ok(lock) => lock,
        Err(Skipped) => return Ok(skipped(&target.name)),
    };
    let before = target.past(context, !dry)?;
    let journal = journal_of(context, &target.name, Keep::Claims);
    let Some(policy) = &mut target.policy else { return Err(gone(name)) };
    let backend = context.backend(false)?;
    let mut down = stage_stop(context, Some(policy), &target.name, backend, journal, &before)?;
    // Start is tried on a copy first: a policy that cannot start must not be stopped.
    let copy = Memory::new(down.session.view().clone());
    let open: Open<'_> =
        &|| Ok((Box::new(copy.clone()) as Box<dyn Backend>, Box::new(NoJournal) as Box<dyn Journal>));
    let mut up = stage_start(context, policy, open, &Past::default(), false);
    if let Ok(up) = &mut up {
        advise(context, up);
    }
    let stopped = match dry {
        true => report(context, &target, &down, &before, Goal::Stop, dry),
        false => {
            up?;
            send(context, &target, &mut down, &before, Goal::Stop)?;
            let done = report(context, &target, &down, &before, Goal::Stop, dry);
            let Some(policy) = &mut target.policy else { return Err(gone(name)) };
            let open: Open<'_> = &|| {
                Ok((
                    context.backend(false)? as Box<dyn Backend>,
                    journal_of(context, &target.name, Keep::Claims),
                ))
            };
            let mut fresh = match stage_start(context, policy, open, &Past::default(), false) {
                Ok(fresh) => fresh,
                Err(error) => return Err(bring_back(context, &target, &down.plan, &before, error)),
            };
            if let Err(error) = send(context, &target, &mut fresh, &Past::default(), goal) {
                return Err(match error.kind {
                    // Nobody knows what stands: it is not to be built upon.
                    Kind::RollbackFailed => error,
                    _ => bring_back(context, &target, &down.plan, &before, error),
                });
            }
            up = Ok(fresh);
            done
        }
    };
    let started = report(context, &target, &up?, &Past::default(), goal, dry);
    let mut fields = started.fields;
    let both: Vec<_> = [&stopped.fields, &fields]
        .iter()
        .filter_map(|fields| fields.get("changes")?.as_array().cloned())
        .flatten()
        .collect();
    fields.insert("changes".to_string(), both.into());
    Ok(Done {
        text: format!("{}\n{}", stopped.text, started.text),
        fields,
        code: started.code,
        ..Done::default()
    })
}

/// The new policy could not be started: the machine gets back what `stop` took away, and the error says so.
fn bring_back(context: &Context, target: &Target, down: &Plan, before: &Past, error: Error) -> Error {
    let again = || -> Result<()> {
        let journal = journal_of(context, &target.name, Keep::Claims);
        let mut session = Session::new(context.backend(false)?, journal, Mode::Staged, Owned::default());
        let plan = down.inverse();
        session.see(&Want {
            services: Services::All,
            marks: true,
            vips: true,
            host: true,
            ..Want::default()
        })?;
        session.commit(&plan)?;
        if let Some(store) = &context.store
            && !before.owned.is_empty()
        {
            // One whose start was interrupted has no state yet, only a journal, which this one's replaced.
            let (path, started, made) = match &before.saved {
                Some(saved) => (&saved.path, saved.started, saved.made()),
                None => (&target.path, store.now(), before.owned.part_of(session.view())),
            };
            store.save(&target.name, path, started, before.owned.clone(), made)?;
            journal::discard(&store.journal_file(&target.name))?;
        }
        Ok(())
    };
    match again() {
        Ok(()) => error.note("it was stopped, and is started again as it was before"),
        Err(trouble) => error
            .note(format!("it was stopped, and could not be brought back: {trouble}"))
            .hint(format!("lvsh start {} when the trouble is gone", target.name)),
    }
}

fn ask(context: &Context, name: &str, yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !context.common.quiet && !context.common.json {
        eprintln!("lvsh: restart drops the connections of '{name}'; lvsh apply {name} changes it in place");
    }
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !terminal {
        return Ok(());
    }
    eprint!("go on? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Error::new(Kind::Interrupted, "interrupted", "not restarted"))
}
