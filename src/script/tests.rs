//! Scripts against a director in memory.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;
use crate::backend::Memory;
use crate::error::{Error, Kind, Result};
use crate::plan::{Mode, NoJournal, Owned, Session};

mod change;
mod connections;
mod convert;
mod errors;
mod health;
mod help;
mod policy;
mod records;
mod sandbox;
mod stop;

/// A session on an empty director.
fn session(mode: Mode) -> Session {
    Session::new(Box::new(Memory::default()), Box::new(NoJournal), mode, Owned::default())
}

fn engine() -> Engine {
    Engine::new(Limits::default(), Cancel::new(None)).expect("an engine")
}

/// A machine of tests on which every run is over at once; those of the program are tested with the program.
struct Idle(Clock);

impl Simulated for Idle {
    fn run(&mut self, _: &[String], _: Asked, _: World) -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "text": "", "status": "ok" }))
    }

    fn clock(&self) -> &Clock {
        &self.0
    }

    fn reboot(&mut self) {
        self.0.reboot();
    }

    fn weights(&self) -> std::collections::BTreeMap<String, std::collections::BTreeMap<String, u32>> {
        Default::default()
    }

    fn live(&mut self, _: &str, _: crate::model::ServerLive) -> Result<()> {
        Ok(())
    }

    fn heard(&mut self) -> Vec<Line> {
        Vec::new()
    }
}

/// Takes words for a policy that is not started.
struct Silent;

impl Decides for Silent {
    fn say(&self, _: Said) -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "started": false }))
    }

    fn known(&self, _: &str, _: bool) -> Result<serde_json::Value> {
        Ok(serde_json::json!({ "started": false, "admin": {} }))
    }

    fn remember(&self, _: &str, _: serde_json::Value) {}

    fn count(&self) -> usize {
        0
    }

    fn back_to(&self, _: usize) {}
}

/// One in which tests can be declared, and words be said of servers.
fn engine_for_tests() -> Engine {
    let make = |_: &SimSpec| Ok(Box::new(Idle(Clock::simulated())) as Box<dyn Simulated>);
    let simulate = Some(Simulate(std::sync::Arc::new(make)));
    let deciding = Some(Deciding(std::sync::Arc::new(Silent)));
    let limits = Limits { simulate, deciding, ..Limits::default() };
    Engine::new(limits, Cancel::new(None)).expect("an engine")
}

/// Runs code at once; what it returned.
fn eval(code: &str) -> Result<Answer> {
    engine().run(session(Mode::Live), Job::Eval { code: code.to_string() }).1
}

/// What an expression gives, as Lua.
fn value(code: &str) -> String {
    let answer = eval(code).unwrap_or_else(|error| panic!("{code}: {error}"));
    answer.values.iter().map(|value| value.lua.as_str()).collect::<Vec<_>>().join(", ")
}

/// What is wrong with code.
fn fault(code: &str) -> Error {
    match eval(code) {
        Ok(answer) => panic!("{code}: gave {:?}", answer.values),
        Err(error) => error,
    }
}

/// A file with this text; the directory lives as long as the test.
fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(name);
    std::fs::write(&path, text).expect("a file");
    (dir, path)
}

/// Loads a policy of this text.
fn load(text: &str) -> Result<Loaded> {
    let (_dir, path) = file("web.lua", text);
    let (_, answer) = engine().run(session(Mode::Staged), Job::Load(path));
    answer.map(|answer| answer.loaded.expect("a policy"))
}

/// Loads a policy, calls methods in one staged session, and gives the session back.
fn staged(text: &str, methods: &[&str]) -> Result<(Session, Answer)> {
    let (_dir, path) = file("web.lua", text);
    let mut engine = engine();
    let (mut session, answer) = engine.run(session(Mode::Staged), Job::Load(path));
    let mut answer = answer?;
    for method in methods {
        let job = Job::Call { method: method.to_string(), args: serde_json::Value::Null };
        let (back, said) = engine.run(session, job);
        session = back;
        answer = said?;
    }
    Ok((session, answer))
}

/// `add service fwm:3` for each step of a session's plan.
fn steps(session: &Session) -> Vec<String> {
    let text = |step: &crate::plan::Step| format!("{} {} {}", step.verb(), step.kind(), step.subject());
    session.plan().steps().map(text).collect()
}
