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

    /// Writes down what was said. What cannot be kept whole is not kept at all.
    pub fn keep(&self, session: &Session) -> Result<()> {
        let held = std::mem::take(&mut *self.held());
        let mut last: BTreeMap<&String, &Decisions> = BTreeMap::new();
        for word in &held.said {
            last.insert(&word.policy, &word.decisions);
        }
        let mut kept = Vec::new();
        for (name, decisions) in last {
            let Some(policy) = held.policies.get(name) else { continue };
            kept.push((name, policy));
            if let Err(error) = self.keep_one(name, policy, decisions, session) {
                return Err(kept.into_iter().fold(error, |error, (name, policy)| {
                    match decided::save(&self.store, name, &policy.before) {
                        Ok(()) => error,
                        Err(trouble) => {
                            error.note(format!("what was decided could not be taken back: {trouble}"))
                        }
                    }
                }));
            }
        }
        Ok(())
    }

    fn keep_one(&self, name: &str, policy: &Policy, decisions: &Decisions, session: &Session) -> Result<()> {
        decided::save(&self.store, name, decisions)?;
        if let Some(memory) = &policy.memory {
            memory::save(&self.store, name, memory::Of::Health, memory)?;
        }
        let Some(saved) = self.store.load(name, false)?.saved else { return Ok(()) };
        // The weights that follow are the policy's own: no drift.
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
    pub fn ends(&self, session: &Session, well: bool) -> Result<String> {
        if !well {
            *self.held() = Held::default();
            return Ok(String::new());
        }
        let told = self.held().said.iter().map(|word| format!("{}\n", word.text)).collect();
        self.keep(session)?;
        Ok(told)
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
        let answer = json!({
            "started": policy.started, "memory": memory, "admin": decisions.for_lua(clock), "now": self.store.now(),
        });
        let text = words::told(name, &said.server, what, policy.started);
        held.said.push(Word { policy: said.policy, decisions, text });
        Ok(answer)
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
