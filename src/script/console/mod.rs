//! What a prompt asks of a VM: lines whose locals live on, values to look at, names to complete.

mod cursor;
mod display;
mod env;
mod expected;
mod locals;
mod look;
mod paint;
mod syntax;

pub use cursor::{Cursor, Inside, Seg, Slot, cursor};
pub use expected::{Expected, expected};
pub use look::{Look, Word};
pub use paint::{Class, classes};
pub use syntax::{Syntax, check_syntax};

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, MultiValue, Table, Value};

use self::display::display;
use self::syntax::readings;
use super::engine::Answer;
use super::raise::syntax as syntax_error;
use super::records::Records;
use super::shown::{Shown, shown};
use super::vm::Vm;
use crate::error::Result;
use crate::view::{Printed, Topic};

/// What a prompt wants of its VM.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Evaluates a line, or several, under the name that messages give it; `width` is for what it prints.
    /// Its value becomes `_` if it is to be kept.
    Line { code: String, name: String, width: u16, keep: bool },
    /// Loads a policy file and binds what it returns to a name.
    Bind { path: PathBuf, name: String },
    /// What stands behind a path of names, for completion. Nothing of the user's is called.
    Look(Vec<Seg>),
    /// The last value as JSON.
    Last,
}

/// What it got.
#[derive(Clone, Debug)]
pub enum Told {
    /// The page of help that a line asked for, and its values, as they are printed.
    Values(Option<Topic>, Vec<Printed>),
    Seen(Look),
    Last(Shown),
}

/// How many of the last lines keep their source, for the excerpt of an error in a function made there.
const KEPT: usize = 256;
/// `_1` to `_9`
const RESULTS: usize = 9;

/// A VM's prompt.
pub(super) struct Console {
    /// The globals of the lines: what they made, then the API, then Lua's own.
    env: Table,
    /// Names that are known although they are nil.
    declared: Rc<RefCell<BTreeSet<String>>>,
    /// Chunks whose source is kept.
    chunks: VecDeque<String>,
    /// Lines since what they left was collected.
    uncollected: u32,
}

impl Console {
    fn new(lua: &Lua, host: &Rc<super::host::Host>) -> mlua::Result<Console> {
        let declared = Rc::default();
        let env = env::make(lua, host, &declared)?;
        Ok(Console { env, declared, chunks: VecDeque::new(), uncollected: 0 })
    }
}

/// Answers a prompt.
pub(super) fn answer(vm: &mut Vm, ask: Ask) -> Result<Answer> {
    if vm.console.is_none() {
        let made = Console::new(&vm.lua, &vm.host);
        vm.console = Some(made.map_err(|error| vm.outside(&error))?);
    }
    vm.host.loose.set(true);
    vm.host.prompt.set(true);
    let done = match ask {
        Ask::Line { code, name, width, keep } => line(vm, &code, &name, width, keep),
        Ask::Bind { path, name } => return bind(vm, path, &name),
        Ask::Look(path) => Ok(Told::Seen(look_at(vm, &path))),
        Ask::Last => last(vm),
    };
    Ok(Answer { told: Some(done?), ..Answer::default() })
}

fn line(vm: &mut Vm, code: &str, name: &str, width: u16, keep: bool) -> Result<Told> {
    vm.host.owner.replace("repl".to_string());
    vm.host.help.take();
    collect(vm)?;
    let function = compile(vm, code, name)?;
    let got = vm.protected(&function, MultiValue::new())?;
    let help = vm.host.help.take();
    let none = Told::Values(help.clone(), Vec::new());
    let Some(console) = &vm.console else { return Ok(none) };
    if let Some(value) = got.front().filter(|value| keep && !value.is_nil()) {
        remember(&console.env, value).map_err(|error| vm.outside(&error))?;
    }
    let silent = got.is_empty() || (got.len() == 1 && got[0].is_nil());
    let Ok(records) = Records::of(&vm.lua) else { return Ok(none) };
    let values = got.iter().filter(|_| !silent);
    let values = values.map(|value| display(&vm.lua, &vm.host, &records, value, width));
    Ok(Told::Values(help, values.collect()))
}

/// A session lasts for hours. Records leave little for Lua to see and take three rounds to be gone, so the collector's
/// own measure would let them pile up.
fn collect(vm: &mut Vm) -> Result<()> {
    const EVERY: u32 = 64;
    let Some(console) = &mut vm.console else { return Ok(()) };
    console.uncollected += 1;
    if console.uncollected >= EVERY {
        console.uncollected = 0;
        for _ in 0..3 {
            vm.lua.gc_collect().map_err(|error| vm.outside(&error))?;
        }
    }
    Ok(())
}

/// The line as a function whose globals are those of the prompt.
fn compile(vm: &mut Vm, code: &str, name: &str) -> Result<Function> {
    let chunk = format!("={name}");
    vm.host.sources.keep(&chunk, code);
    let Some(console) = &mut vm.console else { return Err(vm.outside(&mlua::Error::runtime("no console"))) };
    console.chunks.push_back(chunk.clone());
    if console.chunks.len() > KEPT
        && let Some(old) = console.chunks.pop_front()
    {
        vm.host.sources.forget(&old);
    }
    let load = |text: &str| {
        let chunk = vm.lua.load(text).set_name(chunk.as_str()).set_mode(ChunkMode::Text);
        chunk.set_environment(console.env.clone()).into_function()
    };
    // An expression is more often meant than a statement.
    let (expression, statement) = readings(code);
    let first = match load(&expression) {
        Ok(function) => return Ok(function),
        Err(error) => error,
    };
    match load(&statement.text) {
        Ok(function) => {
            console.declared.borrow_mut().extend(statement.names);
            Ok(function)
        }
        Err(error) => Err(syntax_error(&vm.host, &chunk, syntax::nearer(code, &first, &error))),
    }
}

/// `_` is the last value, `_1` to `_9` the last nine.
fn remember(env: &Table, value: &Value) -> mlua::Result<()> {
    for index in (1..RESULTS).rev() {
        let older: Value = env.raw_get(format!("_{index}"))?;
        env.raw_set(format!("_{}", index + 1), older)?;
    }
    env.raw_set("_1", value)?;
    env.raw_set("_", value)
}

fn bind(vm: &mut Vm, path: PathBuf, name: &str) -> Result<Answer> {
    // As lvsh reads it: the names of the prompt are not the policy's.
    vm.host.loose.set(false);
    vm.host.prompt.set(false);
    let answer = vm.load(&path)?;
    if let (Some(console), Some((table, _))) = (&vm.console, &vm.policy) {
        console.env.raw_set(name, table).map_err(|error| vm.outside(&error))?;
    }
    Ok(answer)
}

fn look_at(vm: &Vm, path: &[Seg]) -> Look {
    let Some(console) = &vm.console else { return Look::default() };
    look::look(&vm.lua, &vm.host, &console.env, path)
}

fn last(vm: &Vm) -> Result<Told> {
    let none = || Told::Last(Shown { lua: "nil".to_string(), json: serde_json::Value::Null });
    let Some(console) = &vm.console else { return Ok(none()) };
    let value: Value = console.env.raw_get("_").map_err(|error| vm.outside(&error))?;
    let Ok(records) = Records::of(&vm.lua) else { return Ok(none()) };
    Ok(Told::Last(shown(&vm.lua, &vm.host, &records, &value)))
}
