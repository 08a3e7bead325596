//! The machine of a test: in memory, with a clock, a log and a state folder of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use clap::Parser;
use serde_json::{Value, json};

use crate::backend::Memory;
use crate::cli::args::{Arguments, Common, Verb};
use crate::cli::context::Context;
use crate::cli::machine::{Machine, read_dump};
use crate::cli::store::{Store, make_folder};
use crate::error::{Error, Kind, Result};
use crate::model::{ServerKey, ServerLive, ServiceKey, parse_endpoint};
use crate::script::{
    Asked, Cancel, Clock, Heard, Line, Outside, SimSpec, Simulate, Simulated, World, excerpt_of,
};

/// Makes the machines of one run of `lvsh test`.
pub fn maker(context: &Context) -> Simulate {
    let (common, cancel) = (context.common.clone(), context.cancel.clone());
    Simulate(Arc::new(move |spec| {
        let machine = Sim::new(common.clone(), cancel.clone(), spec)?;
        Ok(Box::new(machine) as Box<dyn Simulated>)
    }))
}

struct Sim {
    common: Common,
    cancel: Cancel,
    memory: Arc<Mutex<Memory>>,
    clock: Clock,
    heard: Heard,
    folder: Folder,
    /// How often it was booted.
    boots: u32,
}

/// A folder that goes with the machine.
struct Folder(PathBuf);

static MADE: AtomicU32 = AtomicU32::new(0);

impl Folder {
    fn path(number: u32) -> PathBuf {
        std::env::temp_dir().join(format!("lvsh-test-{}-{number}", std::process::id()))
    }

    fn new() -> Result<Folder> {
        let path = Folder::path(MADE.fetch_add(1, Ordering::Relaxed));
        make_folder(&path).map_err(|error| Error::io("make folder", &path, &error))?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is a few small files in a folder for such.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Removes what the machines of this process had, when it goes: those of the last tests are still the VM's, whose thread
/// nobody waits for.
pub struct Tidy;

impl Drop for Tidy {
    fn drop(&mut self) {
        for number in 0..MADE.load(Ordering::Relaxed) {
            // Most are gone.
            let _ = std::fs::remove_dir_all(Folder::path(number));
        }
    }
}

impl Sim {
    fn new(common: Common, cancel: Cancel, spec: &SimSpec) -> Result<Sim> {
        let memory = match &spec.machine {
            Some(path) => Memory::new(read_dump(path)?),
            None => Memory::default(),
        };
        Ok(Sim {
            common,
            cancel,
            memory: Arc::new(Mutex::new(memory)),
            clock: Clock::simulated(),
            heard: Heard::default(),
            folder: Folder::new()?,
            boots: 1,
        })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The command line, with the options that the test itself was given.
    fn parse(&self, words: &[String]) -> Result<(Common, Verb)> {
        let words = std::iter::once("lvsh").chain(words.iter().map(String::as_str));
        let Arguments { common, verb } = Arguments::try_parse_from(words).map_err(|error| {
            let text = error.render().to_string();
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let first = lines.next().unwrap_or("wrong usage").trim_start_matches("error: ").to_string();
            let mut wrong = Error::new(Kind::Script, "bad_value", first);
            wrong.notes = lines.map(str::to_string).collect();
            wrong
        })?;
        let common =
            Common { config_dir: self.common.config_dir.clone(), stdlib: self.common.stdlib, ..common };
        match verb {
            Some(verb @ (Verb::Repl(_) | Verb::Test(_) | Verb::Ipvsadm(_))) => {
                let text = format!("lvsh {} is not for a test: it speaks for itself", verb.name());
                Err(Error::new(Kind::Script, "bad_value", text))
            }
            Some(Verb::Check { args }) if args.every.is_some() => {
                let text = "check --loop ends by a signal, and not in a test";
                Err(Error::new(Kind::Script, "bad_value", text)
                    .hint("sim:advance(\"10m\", \"10s\") checks every 10 s"))
            }
            Some(verb) => Ok((common, verb)),
            None => Err(Error::new(Kind::Script, "bad_value", "a command is missing")),
        }
    }
}

impl Simulated for Sim {
    fn run(&mut self, words: &[String], asked: Asked, world: World) -> Result<Value> {
        let (common, verb) = self.parse(words)?;
        let name = verb.name();
        let outside = Outside {
            clock: self.clock.clone(),
            asked: Some(asked),
            world: Some(world),
            heard: Some(self.heard.clone()),
            ..Outside::default()
        };
        let boot_id = format!("test-{}", self.boots);
        let store = Store::new(self.folder.0.join("run"), boot_id, self.clock.clone());
        let store = store.deciding_in(self.folder.0.join("var"));
        let place = (Machine::Shared(Arc::clone(&self.memory)), store);
        let command = format!("lvsh {}", words.join(" "));
        let context = Context::inside(common, command, place, self.cancel.clone(), outside);
        let done = crate::cli::dispatch(&context, verb).map_err(|mut error| {
            // What a plan was refused for was said on a line of the policy too.
            if error.excerpt.is_none() {
                error.excerpt = error.origin.as_ref().and_then(excerpt_of).map(Box::new);
            }
            error
        })?;
        let mut fields = done.fields;
        fields.insert("command".to_string(), json!(name));
        fields.insert("ok".to_string(), json!(true));
        fields.insert("code".to_string(), json!(done.code));
        fields.insert("text".to_string(), json!(done.text));
        fields.insert("warnings".to_string(), json!(context.warnings()));
        Ok(Value::Object(fields))
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn reboot(&mut self) {
        *self.memory() = Memory::default();
        self.boots += 1;
        self.clock.reboot();
    }

    fn weights(&self) -> BTreeMap<String, BTreeMap<String, u32>> {
        let memory = self.memory();
        // What checks go through is no service of clients.
        let services = memory.state.services.iter().filter(|(key, entry)| !entry.service.is_way(key));
        let services = services.map(|(key, entry)| {
            let own = key.port();
            let one = |(server, value): (&ServerKey, &crate::model::Server)| {
                // As the policy names it: a port that is the service's own is not written.
                let name =
                    if own == Some(server.port) { server.addr.to_string() } else { server.to_string() };
                (name, value.weight.get())
            };
            (key.to_string(), entry.servers.iter().map(one).collect())
        });
        services.collect()
    }

    fn live(&mut self, server: &str, live: ServerLive) -> Result<()> {
        let (addr, port) = parse_endpoint(server).map_err(Error::bad_value)?;
        let mut memory = self.memory();
        let fits = |key: &ServerKey| key.addr == addr && port.is_none_or(|port| key.port == port);
        let services = memory.state.services.iter().filter(|(key, entry)| !entry.service.is_way(key));
        let found: Vec<(ServiceKey, ServerKey)> = services
            .flat_map(|(service, entry)| entry.servers.keys().map(|key| (*service, *key)))
            .filter(|(_, key)| fits(key))
            .collect();
        if found.is_empty() {
            let text = format!("no service of this machine has the server {server}");
            return Err(Error::bad_value(text).hint("sim:start() first"));
        }
        for id in found {
            memory.observed.servers.insert(id, live);
        }
        Ok(())
    }

    fn heard(&mut self) -> Vec<Line> {
        self.heard.take()
    }
}
