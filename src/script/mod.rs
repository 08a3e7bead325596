//! script (interface only, until the room is merged)
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::error::{Error, Kind, Result};
use crate::plan::{Declared, Session};

#[derive(Clone, Copy)]
pub enum Stdlib {
    Safe,
    Full,
}
pub struct Limits {
    pub memory: usize,
    pub stdlib: Stdlib,
    pub lib_dirs: Vec<PathBuf>,
}
#[derive(Clone)]
pub struct Cancel(Arc<AtomicBool>);
impl Cancel {
    pub fn new(_: Option<Instant>) -> Cancel {
        Cancel(Arc::default())
    }
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
    pub fn reason(&self) -> Option<Kind> {
        None
    }
}
pub enum Job {
    Load(PathBuf),
    Call { method: String, args: serde_json::Value },
    Run { path: PathBuf, args: Vec<String> },
    Eval { code: String },
}
pub struct Engine;
impl Engine {
    pub fn new(_: Limits, _: Cancel) -> Result<Engine> {
        Ok(Engine)
    }
    pub fn run(&mut self, session: Session, _: Job) -> (Session, Result<Answer>) {
        (session, Err(Error::bad_value("not built")))
    }
}
pub struct Shown {
    pub lua: String,
    pub json: serde_json::Value,
}
pub struct Answer {
    pub loaded: Option<Loaded>,
    pub values: Vec<Shown>,
    pub status: Option<(String, String)>,
}
pub struct Loaded {
    pub name: String,
    pub path: PathBuf,
    pub declared: bool,
    pub methods: Vec<String>,
    pub desired: Option<Declared>,
}
