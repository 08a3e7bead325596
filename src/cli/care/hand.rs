//! What a script says of servers in the operator's place: written down when its run ends well, with the weights that
//! it set; a run that fails has said nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::decided::{self, Decisions};
use super::memory;
use super::words::{self, What, edit};
use crate::cli::args::LockMode;
use crate::cli::context::Context;
use crate::cli::lock::Lock;
use crate::cli::store::Store;
use crate::error::{Error, Kind, Result};
use crate::plan::Session;
use crate::script::{Cancel, Decides, Deciding, Said};

/// The hand of one script after the other.
pub struct Hand {
    store: Store,
    how: LockMode,
    command: String,
    cancel: Cancel,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    policies: BTreeMap<String, Policy>,
    said: Vec<Word>,
}

/// One word, and what it makes of all that was decided for its policy.
struct Word {
    policy: String,
    decisions: Decisions,
    /// As the verb of the command line tells it.
    text: String,
}

/// What one run decided for a policy, for taking it back.
#[derive(Clone, Debug)]
pub struct Decided {
    policy: String,
    before: Decisions,
    after: Decisions,
}

/// A policy that was spoken of: nobody else works on it until the run is over.
struct Policy {
    _lock: Lock,
    started: bool,
    before: Decisions,
    memory: Option<Value>,
}

impl Hand {
    /// `None` where nothing can be kept.
    pub fn new(context: &Context) -> Option<Arc<Hand>> {
        let store = context.store.clone()?;
        Some(Arc::new(Hand {
            store,
            how: context.common.lock.unwrap_or(LockMode::Wait),
            command: context.command.clone(),
            cancel: context.cancel.clone(),
            held: Mutex::default(),
        }))
    }

    pub fn deciding(self: &Arc<Hand>) -> Deciding {
        Deciding(Arc::clone(self) as Arc<dyn Decides>)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a round begins with.
    fn round(&self, started: bool, memory: Value, decisions: &Decisions) -> Value {
        let admin = decisions.for_lua(self.store.clock());
        json!({ "started": started, "memory": memory, "admin": admin, "now": self.store.now() })
    }

    /// Takes hold of a policy, once.
    fn hold(&self, held: &mut Held, name: &str) -> Result<()> {
        if held.policies.contains_key(name) {
            return Ok(());
        }
        self.store.prepare()?;
        let path = self.store.lock_file(name);
        let lock = Lock::take(&path, name, self.how, &self.command, &self.cancel)?;
        let at_work = || {
            let text = format!("another run is at work on '{name}'");
            Error::new(Kind::Locked, "locked", text).about(name).hint("--lock wait waits for it")
        };
        let _lock = lock.ok_or_else(at_work)?;
        let started = self.store.load(name, false)?.saved.is_some();
        let before = decided::load(&self.store, name)?;
        held.policies.insert(name.to_string(), Policy { _lock, started, before, memory: None });
        Ok(())
    }

    /// Writes down what was said and learnt. What cannot be kept whole is not kept at all.
    pub fn keep(&self, session: &Session) -> Result<Vec<Decided>> {
        let held = std::mem::take(&mut *self.held());
        let mut last: BTreeMap<&String, &Decisions> = BTreeMap::new();
        for word in &held.said {
            last.insert(&word.policy, &word.decisions);
        }
        let mut kept = Vec::new();
        for (name, policy) in &held.policies {
            let decisions = last.get(name).copied();
            let before = policy.before.clone();
            if let Some(after) = decisions {
                kept.push(Decided { policy: name.clone(), before, after: after.clone() });
            }
            if let Err(error) = self.keep_one(name, policy, decisions, session) {
                return Err(kept.into_iter().fold(error, |error, Decided { policy, before, .. }| {
                    match decided::save(&self.store, &policy, &before) {
                        Ok(()) => error,
                        Err(trouble) => {
                            error.note(format!("what was decided could not be taken back: {trouble}"))
                        }
                    }
                }));
            }
        }
        Ok(kept)
    }

    fn keep_one(
        &self,
        name: &str,
        policy: &Policy,
        decisions: Option<&Decisions>,
        session: &Session,
    ) -> Result<()> {
        if let Some(decisions) = decisions {
            decided::save(&self.store, name, decisions)?;
        }
        if let Some(memory) = &policy.memory {
            memory::save(&self.store, name, memory::Of::Health, memory)?;
        }
        self.left(name, session)
    }

    /// Decides as it was before these, oldest first, with the weights that `session` set back. All of it or nothing.
    pub fn undo(&self, decided: &[Decided], session: &Session) -> Result<()> {
        let mut whole: BTreeMap<&String, (&Decisions, &Decisions)> = BTreeMap::new();
        for Decided { policy, before, after } in decided {
            whole.entry(policy).or_insert((before, after)).1 = after;
        }
        let mut held = Held::default();
        for (name, (_, after)) in &whole {
            self.hold(&mut held, name)?;
            if held.policies[*name].before != **after {
                let text = format!("servers of '{name}' were decided on since; nothing was undone");
                let hint = format!("lvsh status {name} shows what is decided, lvsh ready ends it");
                return Err(Error::new(Kind::Conflict, "conflict", text).about(*name).hint(hint));
            }
        }
        for (name, (before, _)) in whole {
            decided::save(&self.store, name, before)?;
            self.left(name, session)?;
        }
        Ok(())
    }

    /// The weights that follow are the policy's own: no drift.
    fn left(&self, name: &str, session: &Session) -> Result<()> {
        let Some(saved) = self.store.load(name, false)?.saved else { return Ok(()) };
        let mut made = saved.made();
        let services = session.sent().iter().filter_map(|action| action.step.service());
        for key in services.filter(|key| saved.owned.services.contains_key(key)) {
            if let Some(entry) = session.view().services.get(key) {
                made.services.insert(*key, entry.clone());
            }
        }
        self.store.save(&saved.policy, &saved.path, saved.started, saved.owned.clone(), made)
    }

    /// Keeps what was said by a line that went well, and tells it; forgets it otherwise. Lets go in both cases.
    pub fn ends(&self, session: &Session, well: bool) -> Result<(String, Vec<Decided>)> {
        if !well {
            *self.held() = Held::default();
            return Ok(Default::default());
        }
        let told = self.held().said.iter().map(|word| format!("{}\n", word.text)).collect();
        Ok((told, self.keep(session)?))
    }
}

impl Decides for Hand {
    fn say(&self, said: Said) -> Result<Value> {
        let mut held = self.held();
        self.hold(&mut held, &said.policy)?;
        let name = &said.policy;
        let known = held.said.iter().rev().find(|word| word.policy == *name);
        let policy = &held.policies[name];
        let mut decisions = known.map_or_else(|| policy.before.clone(), |word| word.decisions.clone());
        let what = match said.verb {
            "drain" => What::Drain,
            "maint" => What::Maint,
            "weight" => What::Weight(said.weight),
            _ => What::Ready,
        };
        let limit = said.timeout.map(Duration::from_secs_f64);
        let word = words::Word { reason: said.reason, limit, ..words::Word::default() };
        let clock = self.store.clock();
        edit(&mut decisions, &said.server, &word, what, clock.since_1970());
        let memory = match &policy.memory {
            Some(memory) => memory.clone(),
            None => memory::load(&self.store, name, memory::Of::Health).memory,
        };
        let answer = self.round(policy.started, memory, &decisions);
        let text = words::told(name, &said.server, what, policy.started);
        held.said.push(Word { policy: said.policy, decisions, text });
        Ok(answer)
    }

    fn known(&self, name: &str, hold: bool) -> Result<Value> {
        let mut held = self.held();
        if hold {
            self.hold(&mut held, name)?;
        }
        let word = held.said.iter().rev().find(|word| word.policy == name);
        let decisions = match word {
            Some(word) => word.decisions.clone(),
            None => decided::load(&self.store, name)?,
        };
        let memory = match held.policies.get(name).and_then(|policy| policy.memory.clone()) {
            Some(memory) => memory,
            None => memory::load(&self.store, name, memory::Of::Health).memory,
        };
        let started = match held.policies.get(name) {
            Some(policy) => policy.started,
            None => self.store.load(name, false)?.saved.is_some(),
        };
        Ok(self.round(started, memory, &decisions))
    }

    fn remember(&self, name: &str, memory: Value) {
        if let Some(policy) = self.held().policies.get_mut(name) {
            policy.memory = Some(memory);
        }
    }

    fn count(&self) -> usize {
        self.held().said.len()
    }

    fn back_to(&self, count: usize) {
        self.held().said.truncate(count);
    }
}
