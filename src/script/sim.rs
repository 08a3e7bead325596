//! Machines of tests. Who builds them is the command line, because what a test does there are its runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mlua::Function;

use super::outside::{Asked, Clock, Line, World};
use crate::error::{Origin, Result};
use crate::model::ServerLive;

/// One machine in memory, with a clock and a state folder of its own.
pub trait Simulated: Send {
    /// A run of the program with these words; gives its `--json` document, with what it would print as `text`.
    fn run(&mut self, words: &[String], asked: Asked, world: World) -> Result<serde_json::Value>;
    fn clock(&self) -> &Clock;
    /// The kernel's tables and what lies in /run are gone, and the boot clock begins anew.
    fn reboot(&mut self);
    /// Servers with their weights, by service.
    fn weights(&self) -> BTreeMap<String, BTreeMap<String, u32>>;
    /// What a server has of connections, in every service that has it; an error if none has.
    fn live(&mut self, server: &str, live: ServerLive) -> Result<()>;
    /// What was logged since this was asked last.
    fn heard(&mut self) -> Vec<Line>;
}

/// What `lvs.sim` was told.
#[derive(Clone, Debug, Default)]
pub struct SimSpec {
    /// A document of `lvsh export --as json` to begin with.
    pub machine: Option<PathBuf>,
}

type Make = dyn Fn(&SimSpec) -> Result<Box<dyn Simulated>> + Send + Sync;

/// Makes them; what only `lvsh test` has.
#[derive(Clone)]
pub struct Simulate(pub Arc<Make>);

impl std::fmt::Debug for Simulate {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Simulate")
    }
}

/// A test that a file declared.
pub(super) struct Test {
    pub name: String,
    pub body: Function,
    pub origin: Option<Origin>,
}

/// A file as a test names it: beside the test, unless it is a policy's bare name or a path from the root.
pub(super) fn beside(folder: Option<&Path>, file: &str) -> String {
    match folder {
        Some(folder) if file.contains('/') || file.ends_with(".lua") || file.ends_with(".json") => {
            folder.join(file).display().to_string()
        }
        _ => file.to_string(),
    }
}
