//! Doing what a command line says.

use std::io::Read;

use super::change::{needs, remedy, steps};
use super::command::{Command, Reach};
use super::parse::parse;
use super::restore::{Refused, replay};
use super::show::{self, Sink};
use super::told::{DIFFERENCES, VERSION, help, refusal};
use super::wrong::{MINUS_ONE, Wrong};
use crate::backend::{Backend, Outcome, Services, Want};
use crate::cli::context::{Context, Skipped};
use crate::cli::journal;
use crate::cli::journal::Keep;
use crate::cli::run::{recover, take_back};
use crate::cli::stage::journal_of;
use crate::error::{Error, Kind, Result};
use crate::model::State;
use crate::plan::{Action, Mode, NoJournal, Owned, Session};
use crate::view::ipvsadm::Faithful;
use crate::view::{PlanView, plan_text};

/// How a command line ended badly.
#[derive(Debug)]
pub struct Bad {
    pub code: u8,
    /// Whether ipvsadm ends at once, also in the middle of `-R`.
    pub ends: bool,
    pub error: Box<Error>,
    /// ipvsadm's words.
    pub theirs: String,
}

impl From<Wrong> for Bad {
    fn from(wrong: Wrong) -> Bad {
        Bad { code: wrong.code, ends: wrong.ends, error: wrong.error, theirs: wrong.theirs }
    }
}

/// One run of `lvsh ipvsadm`.
pub struct Run<'a> {
    pub context: &'a Context,
    /// The name in ipvsadm's own messages.
    pub program: String,
    /// As ipvsadm, to the letter.
    pub strict: bool,
    pub dry: bool,
}

/// What stands for the rules of a restore in locks and journals.
const RESTORE: &str = "ipvsadm-restore";

impl Run<'_> {
    /// Reads and does the words of a command line; the exit code is 0 but for the last line of a strict restore.
    pub fn words(&self, words: &[String], out: Sink<'_>) -> Result<u8, Bad> {
        if words.is_empty() {
            return self.command(&parse(&["-L"], Reach::Ipvsadm, &self.program)?, out);
        }
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.command(&parse(&words, Reach::Ipvsadm, &self.program)?, out)
    }

    pub fn command(&self, command: &Command, out: Sink<'_>) -> Result<u8, Bad> {
        let bad = |error| self.bad(command, error);
        match command {
            Command::Help => {
                out(&help(&self.program));
                if !self.strict {
                    out(DIFFERENCES);
                }
            }
            Command::Version => {
                out(VERSION);
            }
            Command::List { what, format } => {
                show::list(self.backend().map_err(bad)?.as_mut(), *what, *format, out).map_err(bad)?;
            }
            Command::Save { format } => {
                let faithful = if self.strict { Faithful::ToIpvsadm } else { Faithful::ToTable };
                let lost = show::save(self.backend().map_err(bad)?.as_mut(), *format, faithful, out);
                for trouble in lost.map_err(bad)? {
                    self.context.warn("", trouble);
                }
            }
            Command::Restore => return self.restore(out),
            Command::Zero { service } if self.dry => {
                let what = service.map_or("all services".to_string(), |key| format!("service {key}"));
                out(&format!("would zero the counters of {what}.  Nothing was sent.\n"));
            }
            Command::Zero { service } => {
                self.backend().map_err(bad)?.zero(service.as_ref()).map_err(bad)?;
            }
            _ if self.dry => out_text(out, self.rehearse(command).map_err(bad)?),
            _ => self.send(command).map_err(bad)?,
        }
        Ok(0)
    }

    fn backend(&self) -> Result<Box<dyn Backend>> {
        self.context.backend(self.context.common.read_only)
    }

    /// ipvsadm's exit codes: 255 for what the kernel refuses, 1 for a listing, 2 for a kernel without IPVS.
    fn bad(&self, command: &Command, error: Error) -> Bad {
        let listing = matches!(command, Command::List { .. } | Command::Save { .. });
        let code = match error.kind {
            Kind::Refused | Kind::Conflict if listing => 1,
            Kind::Refused | Kind::Conflict => MINUS_ONE,
            Kind::Unable => 2,
            _ => error.exit_code(),
        };
        let theirs = match (error.kind, error.errno) {
            (Kind::Unable, errno) => {
                let why = errno.map_or_else(|| error.to_string(), |errno| refusal(None, errno));
                let question = "Are you sure that IP Virtual Server is built in the kernel or as module?";
                format!("Can't initialize ipvs: {why}\n{question}")
            }
            (_, Some(errno)) => refusal(Some(command.verb()), errno),
            (_, None) => error.to_string(),
        };
        let ends = listing || error.kind != Kind::Refused;
        Bad { code, ends, error: Box::new(error), theirs }
    }

    /// One change, sent as it is: the kernel makes it or does not. Nothing is read but what is replaced or removed.
    fn send(&self, command: &Command) -> Result<()> {
        let mut backend = self.backend()?;
        for last in [false, false, true] {
            let steps = steps(command, &state(backend.as_mut(), &needs(command))?);
            let outcomes = backend.apply(&steps);
            let failed = steps.iter().zip(outcomes).find_map(|(step, outcome)| match outcome {
                Outcome::Failed(error) => Some(remedy(step, error)),
                _ => None,
            });
            match failed {
                None => {
                    let actions: Vec<Action> = steps.into_iter().map(Action::from).collect();
                    self.context.changed("", &actions);
                    return Ok(());
                }
                // Somebody else removed a service while the table was emptied, which is as good.
                Some(error) if matches!(command, Command::Clear) && show::is_missing(&error) && !last => {}
                Some(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// What would be sent, as a plan.
    fn rehearse(&self, command: &Command) -> Result<String> {
        let backend = self.context.backend(true)?;
        let mut session = Session::new(backend, Box::new(NoJournal), Mode::Staged, Owned::default());
        let state = session.see(&Want { services: Services::All, host: true, ..Want::default() })?.clone();
        session.effect(steps(command, &state).into_iter().map(Action::from).collect())?;
        Ok(shown(&session))
    }

    /// `-R`: all lines or none.
    fn restore(&self, out: Sink<'_>) -> Result<u8, Bad> {
        let bad = |error| self.bad(&Command::Restore, error);
        let text = stdin().map_err(bad)?;
        if self.strict && !self.dry {
            return self.line_by_line(&text, out);
        }
        let context = self.context;
        let _lock = match &context.store {
            Some(store) if !self.dry => match context.lock(store, RESTORE) {
                Ok(Ok(lock)) => Some(lock),
                Ok(Err(Skipped)) => return Ok(0),
                // Who may not write there may still change a machine in memory; else the journal refuses.
                Err(error) if error.kind == Kind::Io => None,
                Err(error) => return Err(bad(error)),
            },
            _ => None,
        };
        if _lock.is_some() {
            recover(context, RESTORE, || self.backend()).map_err(bad)?;
        }
        let mode = if self.dry { Mode::Staged } else { Mode::Live };
        let backend = self.backend().map_err(bad)?;
        let mut session =
            Session::new(backend, journal_of(context, RESTORE, Keep::Steps), mode, Owned::default());
        let want = Want { services: Services::All, host: true, ..Want::default() };
        let state = session.see(&want).map_err(bad)?.clone();
        let told = |refused: Refused| {
            let theirs = refused.error.to_string();
            Bad { code: refused.code, ends: true, error: refused.error, theirs }
        };
        let done = replay(&text, "stdin", state).map_err(told)?;
        context.check_cancel().map_err(bad)?;
        let point = session.mark();
        if let Err(error) = session.effect_to(done.actions, done.state) {
            return Err(bad(take_back(context, RESTORE, &mut session, point, error)));
        }
        if self.dry {
            out_text(out, shown(&session));
        }
        session.close().map_err(bad)?;
        if !self.dry {
            context.changed("", session.sent());
        }
        if let Some(store) = context.store.as_ref().filter(|_| !self.dry) {
            journal::discard(&store.journal_file(RESTORE)).map_err(bad)?;
        }
        Ok(0)
    }
}

fn out_text(out: Sink<'_>, text: String) {
    out(&text);
}

/// What a staged session would send.
fn shown(session: &Session) -> String {
    let plan = session.plan();
    let drift = Default::default();
    let view = PlanView { title: "", plan: &plan, actual: session.actual(), mine: None, drift: &drift };
    let (tree, counts) = plan_text(&view, crate::view::Style::plain());
    format!("{}\n{}.  Nothing was sent.\n", tree.trim_start_matches('\n'), counts.text(false))
}

fn state(backend: &mut dyn Backend, want: &Want) -> Result<State> {
    if *want == Want::default() { Ok(State::default()) } else { Ok(backend.snapshot(want)?.state) }
}

fn stdin() -> Result<String> {
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().read_to_end(&mut bytes);
    read.map_err(|error| Error::new(Kind::Io, "io", format!("cannot read stdin: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
