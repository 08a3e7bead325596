//! The prompt without its terminal: one VM for the session, one run for each line.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::changes::Changes;
use super::line::Machines;
use super::names::identifier;
use super::stage::Stage;
use super::words;
use crate::backend::{Services, Want};
use crate::cli::care::Hand;
use crate::cli::context::Context;
use crate::cli::find;
use crate::error::{Error, Kind, Result};
use crate::model::{ServiceKey, State};
use crate::plan::{Action, Journal, Mode, NoJournal, Owned, Session, Step, before};
use crate::script::{Ask, Cancel, Engine, Job, Look, Seg, Shown, Told};
use crate::view::{Printed, Style, echo_text, fitted, help_text, printed_text, prompt_error, step_text};

pub struct Repl<'a> {
    pub context: &'a Context,
    pub machines: Machines,
    engine: Engine,
    /// Keeps what lines say of servers.
    pub(super) hand: Option<Arc<Hand>>,
    cancel: Cancel,
    pub changes: Changes,
    /// Changes that are collected instead of sent.
    pub stage: Option<Stage>,
    /// Lines so far; messages name them.
    lines: u32,
    /// Whether each line says how long it took.
    pub timed: bool,
    pub style: Style,
    /// What is on the machine, for completion: read at most so often.
    picture: Option<(Instant, State)>,
    /// Whether effects are refused just now.
    sealed: bool,
    /// The highest exit code so far that is more than a wrong line: a failed rollback.
    pub worst: u8,
}

/// A line that ran: what it prints.
#[derive(Debug, Default)]
pub struct Ran {
    pub text: String,
}

/// How old a picture for completion may be.
const STALE: Duration = Duration::from_secs(5);

impl<'a> Repl<'a> {
    pub fn new(context: &'a Context) -> Result<Repl<'a>> {
        let machines = Machines::open(context)?;
        let cancel = context.cancel.clone();
        let hand = Hand::new(context);
        let engine = context.engine_for_script(&cancel, hand.as_ref())?;
        let mut repl = Repl {
            context,
            machines,
            engine,
            hand,
            cancel,
            changes: Changes::default(),
            stage: None,
            lines: 0,
            timed: false,
            style: context.style(),
            picture: None,
            worst: 0,
            sealed: false,
        };
        super::line::recover(context, &mut repl.machines)?;
        if context.common.dry_run {
            repl.stage = Some(repl.new_stage()?);
        }
        Ok(repl)
    }

    pub fn width(&self) -> u16 {
        self.context.width().unwrap_or(if super::on_terminal() { 80 } else { 1000 })
    }

    /// Prose with its lines broken for a narrow terminal; a pipe gets them whole.
    pub fn fit(&self, text: &str) -> String {
        self.context.width().map_or_else(|| text.to_string(), |width| fitted(text, width.into()))
    }

    pub fn new_stage(&mut self) -> Result<Stage> {
        Ok(Stage::new(self.machines.session(self.context, Mode::Staged)?))
    }

    /// The name that messages give the next line.
    pub fn next_name(&mut self) -> String {
        self.lines += 1;
        format!("line {}", self.lines)
    }

    /// Evaluates a line. What it changed is kept or, when it fails, taken back as one.
    pub fn evaluate(&mut self, code: &str, name: &str) -> Result<Ran> {
        let (code_, name, width) = (code.to_string(), name.to_string(), self.width());
        self.run(code, Job::Ask(Ask::Line { code: code_, name, width, keep: true }))
    }

    /// Evaluates a line that only looks; its value is not kept.
    pub fn watch(&mut self, code: &str) -> Result<Ran> {
        let (code_, name, width) = (code.to_string(), "watch".to_string(), self.width());
        self.sealed = true;
        let ran = self.run(code, Job::Ask(Ask::Line { code: code_, name, width, keep: false }));
        self.sealed = false;
        ran
    }

    fn seal(&self, session: &mut Session) {
        session.seal(self.sealed.then_some("effects are not allowed while something is watched"));
    }

    fn run(&mut self, code: &str, job: Job) -> Result<Ran> {
        self.picture = None;
        self.cancel.begin();
        let start = Instant::now();
        let done = match self.stage.take() {
            Some(stage) => self.run_staged(stage, job),
            None => self.run_live(code, job),
        };
        self.cancel.begin();
        if self.engine.given_up() {
            self.cancel = self.cancel.successor();
            self.engine = self.context.engine_for_script(&self.cancel, self.hand.as_ref())?;
        }
        self.context.say_notes();
        let mut ran = done.map_err(|error| words::meant(self, error, code))?;
        if self.timed {
            ran.text.push_str(&format!("{:.1} ms\n", start.elapsed().as_secs_f64() * 1e3));
        }
        Ok(ran)
    }

    fn run_live(&mut self, code: &str, job: Job) -> Result<Ran> {
        let mut session = self.machines.session(self.context, Mode::Live)?;
        self.seal(&mut session);
        let point = session.mark();
        let (mut session, answer) = self.engine.run(session, job);
        // What a line said of servers counts from now on, or not at all.
        let decided = match &self.hand {
            Some(hand) => hand.ends(&session, answer.is_ok()),
            None => Ok(Default::default()),
        };
        let (answer, (said, decided)) = match decided.and_then(|decided| Ok((answer?, decided))) {
            Ok(both) => both,
            Err(error) => {
                let back = session.back_to(point);
                let error = taken_back(&session, error, back.err());
                let closed = session.close();
                self.machines.wrote(self.context);
                if error.kind == Kind::RollbackFailed {
                    self.worst = error.exit_code();
                }
                return Err(closed.err().map_or(error.clone(), |trouble| error.note(trouble.to_string())));
            }
        };
        self.warn(&mut session);
        let actions = session.sent().to_vec();
        let was = before(session.actual(), &actions);
        session.close()?;
        self.machines.wrote(self.context);
        self.context.changed("", &actions);
        let steps: Vec<Step> = actions.iter().map(|action| action.step.clone()).collect();
        let mut text = self.fit(&(said + &echo_text(&steps, &was, self.style)));
        self.changes.add(code, actions, decided);
        text.push_str(&self.told(answer.told, !steps.is_empty()));
        Ok(Ran { text: text + &status(answer.status) })
    }

    fn run_staged(&mut self, mut stage: Stage, job: Job) -> Result<Ran> {
        let point = stage.begin();
        let mut session = stage.give();
        self.seal(&mut session);
        let (session, answer) = self.engine.run(session, job);
        let news = stage.back(session, point, answer.is_err());
        self.stage = Some(stage);
        let (answer, news) = (answer?, news?);
        let steps: Vec<Step> = news.iter().map(|action| action.step.clone()).collect();
        let was = self.stage.as_ref().map(|stage| stage.actual().clone()).unwrap_or_default();
        let mut text = self.fit(&echo_text(&steps, &was, self.style));
        text.push_str(&self.told(answer.told, !steps.is_empty()));
        Ok(Ran { text: text + &status(answer.status) })
    }

    fn warn(&self, session: &mut Session) {
        for warning in std::mem::take(&mut session.warnings) {
            self.context.warn("", warning);
        }
    }

    /// The page of help and the values. Where something was changed, that was said: the record of it is only kept.
    fn told(&self, told: Option<Told>, changed: bool) -> String {
        let Some(Told::Values(help, values)) = told else { return String::new() };
        let mut text = help.map_or_else(String::new, |topic| help_text(&topic, self.width(), self.style));
        for value in values.iter().filter(|value| !changed || matches!(value, Printed::Text(_))) {
            text.push_str(&self.printed(value));
        }
        text
    }

    fn printed(&self, value: &Printed) -> String {
        printed_text(value, self.width())
    }

    /// Sends changes that no line of Lua asked for: `.undo`, `.apply`.
    pub fn live(&mut self, work: impl FnOnce(&mut Self, &mut Session) -> Result<String>) -> Result<String> {
        self.picture = None;
        self.cancel.begin();
        let mut session = self.machines.session(self.context, Mode::Live)?;
        let done = work(self, &mut session);
        self.machines.wrote(self.context);
        self.warn(&mut session);
        if let Err(error) = &done
            && error.kind == Kind::RollbackFailed
        {
            self.worst = error.exit_code();
        }
        let closed = session.close();
        let text = done?;
        self.context.changed("", session.sent());
        closed.map(|()| text)
    }

    /// The last value as JSON.
    pub fn last(&mut self) -> Result<Shown> {
        match self.ask(Ask::Last)? {
            Told::Last(shown) => Ok(shown),
            _ => Ok(Shown { lua: "nil".to_string(), json: serde_json::Value::Null }),
        }
    }

    /// Loads a policy and binds it to its name; says what it is.
    pub fn load(&mut self, name: &str) -> Result<String> {
        let path = find::find(name, self.context)?.path;
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let bound = identifier(&stem);
        self.cancel.begin();
        // As every verb reads a policy: on an empty machine, where effects raise.
        let machine = Box::new(crate::backend::Memory::default());
        let journal: Box<dyn Journal> = Box::new(NoJournal);
        let session = Session::new(machine, journal, Mode::Staged, Owned::default());
        let job = Job::Ask(Ask::Bind { path: path.clone(), name: bound.clone() });
        let (_, answer) = self.engine.run(session, job);
        self.cancel.begin();
        let loaded =
            answer?.loaded.ok_or_else(|| Error::new(Kind::Script, "no_policy", "no policy was returned"))?;
        Ok(format!("{bound} = policy {}  {}: {}\n", loaded.name, path.display(), loaded.methods.join(", ")))
    }

    /// What stands behind a path of names.
    pub fn look(&mut self, path: Vec<Seg>) -> Look {
        match self.ask(Ask::Look(path)) {
            Ok(Told::Seen(look)) => look,
            _ => Look::default(),
        }
    }

    /// Asks the VM without running anything of the user's; effects are refused.
    fn ask(&mut self, ask: Ask) -> Result<Told> {
        self.cancel.begin();
        let job = Job::Ask(ask);
        let answer = match self.stage.as_mut() {
            Some(stage) => {
                let (session, answer) = self.engine.run(stage.give(), job);
                stage.put(session);
                answer
            }
            None => {
                let mut session = self.machines.session(self.context, Mode::Live)?;
                session.seal(Some("effects are not allowed while a name is looked up"));
                self.engine.run(session, job).1
            }
        };
        answer?.told.ok_or_else(|| Error::new(Kind::Script, "error", "the VM did not answer"))
    }

    /// What is on the machine, or what a dry run would make of it; empty where it cannot be read.
    pub fn picture(&mut self) -> &State {
        let want = Want::all();
        if let Some(stage) = &mut self.stage {
            let seen = stage.see(&want).cloned().unwrap_or_default();
            return &self.picture.insert((Instant::now(), seen)).1;
        }
        if self.picture.as_ref().is_none_or(|(at, _)| at.elapsed() > STALE) {
            let session = self.machines.session(self.context, Mode::Live);
            let seen = session.and_then(|mut session| Ok(session.see(&want)?.clone()));
            self.picture = Some((Instant::now(), seen.unwrap_or_default()));
        }
        &self.picture.get_or_insert_with(|| (Instant::now(), State::default())).1
    }

    /// One service as it is now.
    pub fn service(&mut self, key: ServiceKey) -> Option<crate::model::ServiceEntry> {
        let want = Want { services: Services::Only([key].into()), ..Want::default() };
        if let Some(stage) = &mut self.stage {
            return stage.see(&want).ok()?.service(&key).cloned();
        }
        let mut session = self.machines.session(self.context, Mode::Live).ok()?;
        session.see(&want).ok()?.service(&key).cloned()
    }

    /// An error as the operator sees it.
    pub fn error(&self, error: &Error, line: &str) -> String {
        if error.kind == Kind::Interrupted && error.excerpt.is_none() || error.code == "interrupted" {
            return self.fit(&interrupted(error, self.style));
        }
        self.fit(&prompt_error(&named(error.clone()), line, self.style))
    }
}

/// With the name that the user gave a service, where the API can only say `service`.
fn named(mut error: Error) -> Error {
    let receiver = error.excerpt.as_ref().and_then(|excerpt| {
        let (_, line) = excerpt.lines.last()?;
        let before: String = line.chars().take(excerpt.column).collect();
        let before = before.get(..before.rfind(".servers")?)?;
        let name = before.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next()?;
        (!name.is_empty()).then(|| name.to_string())
    });
    if let (Some(name), Some(hint)) = (receiver, &error.hint) {
        let better = hint.replace("service:", &format!("{name}:"));
        error.message = error.message.replace(hint.as_str(), &better);
        error.hint = Some(better);
    }
    error
}

/// One line: when, and what became of it.
fn interrupted(error: &Error, style: Style) -> String {
    let after = error.aftermath.as_deref().unwrap_or("nothing was changed");
    let mut out = format!("{}; {after}\n", style.bad(&error.message));
    for note in &error.notes {
        if !note.starts_with("called from") {
            out.push_str(&format!("  = {note}\n"));
        }
    }
    out
}

/// The error of a line whose changes were taken back, which it lists.
fn taken_back(session: &Session, mut error: Error, failed: Option<Error>) -> Error {
    if error.kind == Kind::RollbackFailed {
        return error;
    }
    if let Some(mut failed) = failed {
        failed.notes.insert(0, format!("after: {error}"));
        failed.aftermath = Some("ROLLBACK FAILED: look at the machine".to_string());
        return failed;
    }
    if error.notes.iter().any(|note| note.starts_with("it was inside one call")) {
        let gone = "its VM was given up: the names of this session are gone, and the call goes on at the lowest \
                    priority until lvsh leaves";
        error.notes.push(gone.to_string());
    }
    let back: Vec<String> = session
        .taken_back()
        .iter()
        .rev()
        .flat_map(|action: &Action| action.step.inverse())
        .map(|step| step_text(&step))
        .collect();
    error.aftermath = match back.as_slice() {
        [] => error.aftermath.filter(|said| said != "nothing was changed"),
        [one] => Some(format!("rolled back 1 change: {one}")),
        many => {
            const SHOWN: usize = 20;
            let mut text = format!("rolled back {} changes:", session.taken_back().len());
            for line in many.iter().take(SHOWN) {
                text.push_str(&format!("\n {line}"));
            }
            if many.len() > SHOWN {
                text.push_str(&format!("\n … {} more", many.len() - SHOWN));
            }
            Some(text)
        }
    };
    error
}

fn status(status: Option<(String, String)>) -> String {
    match status {
        Some((word, why)) if why.is_empty() => format!("status {word}\n"),
        Some((word, why)) => format!("status {word}: {why}\n"),
        None => String::new(),
    }
}
