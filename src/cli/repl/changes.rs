//! What a prompt changed, line by line: for `.history`, `.delta`, `.save` and `.undo`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::cli::care::{Decided, Hand};
use crate::cli::run::{stands, want_of};
use crate::cli::store::Store;
use crate::error::{Error, Kind, Result, counted};
use crate::model::State;
use crate::plan::{Action, Owned, Plan, Session, Step, Thing, World, advance, fold};
use crate::view::{Style, echo_text, lua, lua_script, nft_command, shell, sign, step_text};

/// One line that changed something.
#[derive(Clone, Debug)]
pub struct Change {
    pub code: String,
    pub actions: Vec<Action>,
    /// What it said of servers in the operator's place.
    pub decided: Vec<Decided>,
    pub undone: bool,
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub struct Changes(Vec<Change>);

/// How `.delta` spells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    Plan,
    Ipvsadm,
    Nft,
    Lua,
}

impl Changes {
    pub fn add(&mut self, code: &str, actions: Vec<Action>, decided: Vec<Decided>) {
        if !actions.is_empty() || !decided.is_empty() {
            self.0.push(Change { code: code.to_string(), actions, decided, undone: false });
        }
    }

    /// What was changed and not undone, in order.
    pub fn standing(&self) -> Vec<Action> {
        self.0.iter().filter(|change| !change.undone).flat_map(|change| change.actions.clone()).collect()
    }

    /// Numbered as `.undo` counts: 1 is the last.
    pub fn history(&self, style: Style) -> String {
        let mut number = self.0.iter().filter(|change| !change.undone).count();
        let mut out = String::new();
        for change in &self.0 {
            let mut lines = change.code.lines();
            let first = lines.next().unwrap_or_default();
            let rest = if lines.next().is_some() { " …" } else { "" };
            let head = if change.undone {
                style.dim(&format!("  undone  {first}{rest}"))
            } else {
                number -= 1;
                format!("{:8}  {first}{rest}", number + 1)
            };
            out.push_str(&format!("{head}\n"));
            for action in &change.actions {
                let text = step_text(&action.step);
                let text =
                    if change.undone { style.dim(&text) } else { style.signed(sign(&action.step), &text) };
                out.push_str(&format!("          {text}\n"));
            }
        }
        if out.is_empty() { "nothing was changed in this session\n".to_string() } else { out }
    }

    pub fn delta(&self, spelling: Spelling) -> String {
        let standing = self.standing();
        let lines: Vec<String> = match spelling {
            Spelling::Plan => standing.iter().map(|action| format!(" {}", step_text(&action.step))).collect(),
            Spelling::Ipvsadm => standing.iter().map(|action| shell(&action.step)).collect(),
            Spelling::Nft => standing.iter().filter_map(|action| nft_command(&action.step)).collect(),
            Spelling::Lua => standing.iter().map(|action| lua(&action.step)).collect(),
        };
        match (lines.is_empty(), standing.is_empty()) {
            (true, true) => "nothing was changed in this session\n".to_string(),
            (true, false) => "no marks were changed in this session\n".to_string(),
            (false, _) => lines.join("\n") + "\n",
        }
    }

    /// Writes what stands as a script for `lvsh run`; a file that is there is left alone.
    pub fn save(&self, path: &Path) -> Result<String> {
        let plan = Plan { actions: self.standing() };
        if plan.is_empty() {
            return Ok("nothing was changed in this session; no file was written\n".to_string());
        }
        let mut options = OpenOptions::new();
        let file = options.write(true).create_new(true).open(path);
        let mut file = file.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                let text = format!("{} exists and is not overwritten", path.display());
                Error::new(Kind::Io, "EEXIST", text).hint("give another name")
            }
            _ => Error::io("write", path, &error),
        })?;
        let text = lua_script(&plan, "what a session of lvsh repl changed and did not undo");
        file.write_all(text.as_bytes()).map_err(|error| Error::io("write", path, &error))?;
        Ok(format!("{} written: what this session changed and did not undo\n", counted(plan.len(), "line")))
    }

    /// Takes back the last `count` lines, all or none; says what was done.
    pub fn undo(
        &mut self,
        count: usize,
        session: &mut Session,
        hand: Option<&Hand>,
        style: Style,
    ) -> Result<String> {
        let open: Vec<usize> = (0..self.0.len()).rev().filter(|at| !self.0[*at].undone).take(count).collect();
        if open.is_empty() {
            return Ok("nothing to undo: this session has changed nothing that stands\n".to_string());
        }
        if open.len() < count {
            let text = format!("this session has only {} to undo", open.len());
            return Err(Error::new(Kind::Usage, "bad_value", text).hint(".history lists them"));
        }
        let actions: Vec<Action> = open.iter().rev().flat_map(|at| self.0[*at].actions.clone()).collect();
        let before = session.see(&want_of(&actions))?.clone();
        let mut state = before.clone();
        let mut undo = Vec::new();
        for action in actions.iter().rev() {
            if !stands(&state, &action.step) {
                return Err(differs(&action.step, &state));
            }
            for step in action.step.inverse() {
                let moved = advance(&mut state, &step, &World::default());
                moved.map_err(|_| differs(&action.step, &state))?;
                undo.push(Action::from(step));
            }
        }
        let steps: Vec<Step> = undo.iter().map(|action| action.step.clone()).collect();
        let point = session.mark();
        session.effect(undo)?;
        let decided: Vec<Decided> =
            open.iter().rev().flat_map(|at| self.0[*at].decided.iter().cloned()).collect();
        if let Some(hand) = hand
            && let Err(error) = hand.undo(&decided, session)
        {
            return Err(match session.back_to(point) {
                Ok(_) => error,
                Err(trouble) => error.note(trouble.to_string()),
            });
        }
        session.close()?;
        for at in open {
            self.0[at].undone = true;
        }
        Ok(echo_text(&steps, &before, style))
    }

    /// On leaving: what stands, and which policy would set it back.
    pub fn goodbye(&self, store: Option<&Store>) -> String {
        let plan = fold(&self.standing());
        if plan.is_empty() {
            return String::new();
        }
        let policies = store.map(Store::all).unwrap_or_default();
        let mut out = String::new();
        const SHOWN: usize = 20;
        for (at, step) in plan.steps().take(SHOWN).enumerate() {
            let head = if at == 0 { "this session changed: " } else { "                      " };
            let text = step_text(step);
            // The sign of a change is in its words.
            let text = text.strip_prefix("~ ").unwrap_or(&text);
            let owner = policies.iter().find(|(_, saved)| owns(&saved.owned, step));
            let what = match owner {
                Some((name, _)) if matches!(step, Step::SetServer { .. }) => {
                    format!("   (not in policy {name}: the next check sets it back; .save keeps it)")
                }
                Some((name, _)) => {
                    format!("   (not in policy {name}: lvsh apply {name} sets it back; .save keeps it)")
                }
                None => String::new(),
            };
            out.push_str(&format!("{head}{text}{what}\n"));
        }
        if plan.len() > SHOWN {
            out.push_str(&format!("                      … {} more\n", plan.len() - SHOWN));
        }
        out
    }
}

/// Whether what a step is about belongs to a policy.
fn owns(owned: &Owned, step: &Step) -> bool {
    match step.thing() {
        Thing::Service(key) | Thing::Server(key, _) => owned.services.contains_key(&key),
        Thing::Mark(selector) => owned.marks.contains_key(&selector),
        Thing::Vip(key) => owned.vips.contains_key(&key),
        Thing::Rule(key) => owned.rules.contains_key(&key),
        Thing::Route(key) => owned.routes.contains_key(&key),
        Thing::Tunnel(dev) => owned.tunnels.contains_key(&dev),
        Thing::Fou(key) => owned.fous.contains_key(&key),
        Thing::Sysctl(name) => owned.sysctls.contains_key(&name),
        Thing::Timeouts => owned.timeouts.is_some(),
        Thing::Sync(role) => owned.syncs.contains_key(&role),
    }
}

fn differs(step: &Step, state: &State) -> Error {
    let now = match step {
        Step::SetServer { service, key, .. } | Step::AddServer { service, key, .. } => {
            state.server(service, key).map(|server| format!("it is now {server}"))
        }
        Step::SetService { key, .. } | Step::AddService { key, .. } => {
            state.services.get(key).map(|entry| format!("it is now {}", entry.service))
        }
        _ => None,
    };
    let now = now.unwrap_or_else(|| "others changed it since".to_string());
    let text = format!("{} is not as this session left it: {now}; nothing was undone", step.subject());
    Error::new(Kind::Conflict, "conflict", text)
        .note(format!("this session did: {}", step_text(step)))
        .hint("look at it, and set it by hand")
}
