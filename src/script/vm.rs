//! One VM and the jobs it runs. Lives on its own thread.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use mlua::chunk::ChunkMode;
use mlua::state::{GcIncParams, GcMode};
use mlua::{Function, Lua, LuaOptions, MultiValue, Table, Value};

use super::api;
use super::console::{Console, answer};
use super::engine::{Answer, Job, Limits, Loaded};
use super::guard::{EVERY, guard};
use super::host::{Host, LOAD_LIMIT, load_timeout};
use super::natives::{Rehearsals, check_name, declared_of};
use super::raise::{Raised, caught, out_of_memory, syntax};
use super::records::Records;
use super::sandbox::{furnish, libraries, strict};
use super::shown::shown;
use crate::error::{Error, Kind, Result, did_you_mean};

pub(super) struct Vm {
    pub(super) lua: Lua,
    pub(super) host: Rc<Host>,
    /// What the loaded file returned, and its name.
    pub(super) policy: Option<(Table, String)>,
    /// Made when a prompt first asks.
    pub(super) console: Option<Console>,
}

impl Vm {
    pub fn new(host: Host, limits: &Limits) -> Result<Vm> {
        let host = Rc::new(host);
        Vm::build(&host, limits).map_err(|error| caught_outside(&host, &error))
    }

    fn build(host: &Rc<Host>, limits: &Limits) -> mlua::Result<Vm> {
        // A panic of ours must not end in a script's pcall.
        let options = LuaOptions::new().catch_rust_panics(false);
        let lua = Lua::new_with(libraries(limits.stdlib), options)?;
        let globals = lua.globals();
        lua.set_named_registry_value("lvsh.xpcall", globals.raw_get::<Function>("xpcall")?)?;
        furnish(&lua, host, limits.stdlib)?;
        api::build(&lua, host)?;
        strict(&lua, host)?;
        lua.set_memory_limit(limits.memory)?;
        // Policies are built once and kept, and then the program ends: collecting while they grow only costs. The guard
        // begins with it where there is more, and the limit collects when it must.
        lua.gc_set_mode(GcMode::Incremental(GcIncParams::default().pause(400)));
        lua.gc_stop();
        guard(&lua, host, EVERY)?;
        Ok(Vm { lua, host: Rc::clone(host), policy: None, console: None })
    }

    /// Runs one job to its end; never longer than its stop allows, unless it hangs in a C function.
    pub fn run(&mut self, job: Job) -> Result<Answer> {
        self.host.status.take();
        self.host.warnings.take();
        self.host.loose.set(false);
        self.host.prompt.set(false);
        self.host.entry.take();
        self.host.stopped.take();
        self.host.states.take();
        let done = match job {
            Job::Load(path) => self.load(&path),
            Job::Call { method, args } => self.call(&method, &args),
            Job::Run { path, args } => self.script(&path, args),
            Job::Eval { code } => self.eval(&code),
            Job::Tests(path) => self.tests(&path),
            Job::Test(index) => self.test(index),
            Job::Ask(ask) => answer(self, ask),
        };
        // A coroutine may have swallowed the stop as a value: the flag has the last word.
        let stopped = self.host.stop();
        self.host.deadline.set(None);
        Rehearsals::end(&self.host);
        let rearmed = guard(&self.lua, &self.host, EVERY);
        let mut answer = match (done, stopped) {
            (Err(error), Some(stop)) if error.kind != stop.kind => return Err(stop),
            (Ok(_), Some(stop)) => return Err(stop),
            (done, _) => done?,
        };
        rearmed.map_err(|error| caught_outside(&self.host, &error))?;
        answer.status = self.host.status.take();
        answer.warnings = self.host.warnings.take();
        answer.states = self.states();
        Ok(answer)
    }

    pub(super) fn load(&mut self, path: &Path) -> Result<Answer> {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        self.host.owner.replace(stem);
        let function = self.compile_file(path)?;
        self.host.deadline.set(Some(Instant::now() + LOAD_LIMIT));
        self.host.with(|session| {
            session.seal(Some("effects are not allowed while a policy loads"));
            Ok(())
        })?;
        let got = self.protected(&function, MultiValue::new());
        let late = self.host.stop();
        self.host.deadline.set(None);
        self.host.with(|session| {
            session.seal(None);
            Ok(())
        })?;
        let got = match (got, late) {
            (Err(error), _) => return Err(error),
            (Ok(_), Some(_)) => return Err(load_timeout()),
            (Ok(got), None) => got,
        };
        let here = |error: Error| {
            error.at(Some(&crate::error::Origin { file: path.display().to_string().into(), line: 1 }))
        };
        let loaded = match got.front() {
            Some(Value::Table(table)) => self.loaded(path, table).map_err(here)?,
            other => {
                let what = match other {
                    None | Some(Value::Nil) => "nothing".to_string(),
                    Some(value) => super::convert::show(value),
                };
                let text = format!(
                    "policy file returned {what}; end it with return lvs.policy {{ … }} or a table with start and stop"
                );
                return Err(here(Error::new(Kind::Script, "no_policy", text)));
            }
        };
        Ok(Answer { loaded: Some(loaded), ..Answer::default() })
    }

    fn loaded(&mut self, path: &Path, table: &Table) -> Result<Loaded> {
        let declared = declared_of(&self.lua, table);
        let has = |name: &str| matches!(table.get::<Value>(name), Ok(Value::Function(_)));
        let mut methods = Vec::new();
        if declared.is_some() {
            methods.extend(["start", "stop", "apply", "status", "plan", "check"].map(str::to_string));
        } else {
            if !has("start") || !has("stop") {
                let missing = if has("start") { "stop" } else { "start" };
                let text =
                    format!("the policy's table has no function '{missing}'; a policy needs start and stop");
                return Err(Error::new(Kind::Script, "no_policy", text));
            }
            let walk = table.for_each::<Value, Value>(|key, value| {
                if let (Value::String(key), Value::Function(_)) = (key, value) {
                    methods.push(key.to_string_lossy());
                }
                Ok(())
            });
            walk.map_err(|error| caught_outside(&self.host, &error))?;
            methods.sort();
        }
        let name = match table.raw_get::<Value>("name") {
            Ok(Value::String(name)) => name.to_string_lossy(),
            _ => self.host.owner.borrow().clone(),
        };
        check_name(&name).map_err(|why| Error::bad_value(why).hint("name = \"web\""))?;
        self.host.owner.replace(name.clone());
        self.policy = Some((table.clone(), name.clone()));
        let desired = declared.as_ref().map(|declared| (**declared).clone());
        Ok(Loaded { name, path: path.to_path_buf(), declared: declared.is_some(), methods, desired })
    }

    fn call(&mut self, method: &str, args: &serde_json::Value) -> Result<Answer> {
        let Some((policy, name)) = self.policy.clone() else {
            return Err(Error::new(Kind::Script, "no_policy", "no policy is loaded"));
        };
        self.host.owner.replace(name.clone());
        let declared = declared_of(&self.lua, &policy).is_some();
        // A table with start and stop has no apply of its own: its start is run against what it owns.
        let apply =
            method == "apply" && !declared && !matches!(policy.raw_get(method), Ok(Value::Function(_)));
        let method = if apply { "start" } else { method };
        let function = match if declared { policy.get(method) } else { policy.raw_get(method) } {
            Ok(Value::Function(function)) => function,
            _ => return Err(no_method(&policy, &name, method)),
        };
        self.host.entry.replace(method.to_string());
        let args = self.to_lua(args).map_err(|error| caught_outside(&self.host, &error))?;
        let args = MultiValue::from_iter([Value::Table(policy), args]);
        let got = self.protected(&function, args)?;
        let Ok(records) = Records::of(&self.lua) else { return Ok(Answer::default()) };
        let json = |value| super::shown::json(&self.lua, &self.host, &records, value);
        Ok(Answer { returned: got.iter().map(json).collect(), ..Answer::default() })
    }

    fn script(&mut self, path: &Path, args: Vec<String>) -> Result<Answer> {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        self.host.owner.replace(stem);
        let function = self.compile_file(path)?;
        let make = || -> mlua::Result<MultiValue> {
            let arg = self.lua.create_sequence_from(args.iter().map(String::as_str))?;
            arg.raw_set(0, path.display().to_string())?;
            self.lua.globals().raw_set("arg", arg)?;
            args.iter().map(|text| Ok(Value::String(self.lua.create_string(text)?))).collect()
        };
        let args = make().map_err(|error| caught_outside(&self.host, &error))?;
        let got = self.protected(&function, args)?;
        Ok(self.answer(&got))
    }

    /// Loads tests. The machine that a run has otherwise is none of theirs.
    fn tests(&mut self, path: &Path) -> Result<Answer> {
        self.host.tests.take();
        self.seal_tests()?;
        let function = self.compile_file(path)?;
        self.protected(&function, MultiValue::new())?;
        let tests = self.host.tests.borrow();
        let told = tests.iter().map(|test| {
            let line = test.origin.as_ref().map_or(0, |origin| origin.line);
            (test.name.clone(), line)
        });
        Ok(Answer { tests: told.collect(), ..Answer::default() })
    }

    fn test(&mut self, index: usize) -> Result<Answer> {
        let body = self.host.tests.borrow().get(index).map(|test| test.body.clone());
        let none = || Error::new(Kind::Script, "unknown_name", "there is no such test");
        let body = body.ok_or_else(none)?;
        self.seal_tests()?;
        self.host.entry.replace("the test".to_string());
        self.protected(&body, MultiValue::new())?;
        Ok(Answer::default())
    }

    fn seal_tests(&self) -> Result<()> {
        self.host.with(|session| {
            session.seal(Some(
                "a test works on a machine of its own: sim = lvs.sim {}, then sim:eval or sim:run",
            ));
            Ok(())
        })
    }

    fn eval(&mut self, code: &str) -> Result<Answer> {
        const NAME: &str = "=eval";
        if self.policy.is_none() {
            self.host.owner.replace("eval".to_string());
        }
        self.host.loose.set(true);
        self.host.sources.keep(NAME, code);
        let compile =
            |text: &str| self.lua.load(text).set_name(NAME).set_mode(ChunkMode::Text).into_function();
        // An expression is more often meant than a statement.
        let function = match compile(&format!("return {code}")) {
            Ok(function) => function,
            Err(_) => compile(code).map_err(|error| syntax(&self.host, NAME, &error))?,
        };
        let got = self.protected(&function, MultiValue::new())?;
        Ok(self.answer(&got))
    }

    fn compile_file(&self, path: &Path) -> Result<Function> {
        let stdin = path == Path::new("-");
        let bytes = if stdin {
            std::io::read_to_string(std::io::stdin()).map(String::into_bytes)
        } else {
            std::fs::read(path)
        };
        let bytes = bytes.map_err(|error| Error::io("read", path, &error))?;
        let text = String::from_utf8(bytes).map_err(|_| {
            Error::new(Kind::Script, "syntax", format!("{} is not text in UTF-8", path.display()))
        })?;
        let mut dirs = self.host.dirs.borrow_mut();
        let own = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let own = if own.as_os_str().is_empty() { PathBuf::from(".") } else { own };
        if !dirs.contains(&own) {
            dirs.insert(0, own);
        }
        let name = if stdin { "=stdin".to_string() } else { format!("@{}", path.display()) };
        let source = self.host.sources.keep(&name, &text);
        let chunk = self.lua.load(&*source).set_name(name.as_str()).set_mode(ChunkMode::Text);
        chunk.into_function().map_err(|error| syntax(&self.host, &name, &error))
    }

    /// Calls with the message handler that makes one error of whatever is raised.
    pub(super) fn protected(&self, function: &Function, args: MultiValue) -> Result<MultiValue> {
        let call = || -> mlua::Result<MultiValue> {
            let xpcall: Function = self.lua.named_registry_value("lvsh.xpcall")?;
            let handler: Function = self.lua.named_registry_value("lvsh.caught")?;
            let mut all = args;
            all.push_front(Value::Function(handler));
            all.push_front(Value::Function(function.clone()));
            xpcall.call(all)
        };
        let mut got = call().map_err(|error| caught_outside(&self.host, &error))?;
        if got.pop_front() == Some(Value::Boolean(true)) {
            return Ok(got);
        }
        let raised = got.pop_front().unwrap_or(Value::Nil);
        if let Value::UserData(object) = &raised
            && let Ok(raised) = object.borrow::<Raised>()
        {
            return Err(raised.0.clone());
        }
        // Without a handler: out of memory, or out of stack.
        Err(caught(&self.lua, &self.host, &raised))
    }

    fn answer(&self, values: &MultiValue) -> Answer {
        let Ok(records) = Records::of(&self.lua) else { return Answer::default() };
        let values = values.iter().map(|value| shown(&self.lua, &self.host, &records, value)).collect();
        Answer { values, ..Answer::default() }
    }

    /// An error that did not pass the message handler.
    pub(super) fn outside(&self, error: &mlua::Error) -> Error {
        caught_outside(&self.host, error)
    }

    /// What the tables of `lvs.state` hold now.
    fn states(&self) -> Vec<(String, serde_json::Value)> {
        let Ok(records) = Records::of(&self.lua) else { return Vec::new() };
        let states = std::mem::take(&mut *self.host.states.borrow_mut());
        let json = |table: Table| shown(&self.lua, &self.host, &records, &Value::Table(table)).json;
        states.into_iter().map(|(name, table)| (name, json(table))).collect()
    }

    fn to_lua(&self, json: &serde_json::Value) -> mlua::Result<Value> {
        to_lua(&self.lua, json)
    }
}

/// JSON as Lua values.
pub(super) fn to_lua(lua: &Lua, json: &serde_json::Value) -> mlua::Result<Value> {
    use serde_json::Value as Json;
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => Value::Number(number.as_f64().unwrap_or(0.0)),
        },
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let items = items.iter().map(|item| to_lua(lua, item)).collect::<mlua::Result<Vec<_>>>()?;
            Value::Table(lua.create_sequence_from(items)?)
        }
        Json::Object(fields) => {
            let table = lua.create_table()?;
            for (key, value) in fields {
                table.raw_set(key.as_str(), to_lua(lua, value)?)?;
            }
            Value::Table(table)
        }
    })
}

fn no_method(policy: &Table, name: &str, method: &str) -> Error {
    let mut known: Vec<String> = Vec::new();
    // What could not be read is not offered.
    let _ = policy.for_each::<Value, Value>(|key, value| {
        if let (Value::String(key), Value::Function(_)) = (key, value) {
            known.push(key.to_string_lossy());
        }
        Ok(())
    });
    known.sort();
    let mut error =
        Error::new(Kind::Script, "unknown_field", format!("policy '{name}' has no method '{method}'"));
    error.hint =
        did_you_mean(method, known.iter().map(String::as_str)).map(|near| format!("did you mean '{near}'?"));
    if known.is_empty() { error } else { error.note(format!("methods: {}", known.join(", "))) }
}

/// An error that did not pass the message handler.
fn caught_outside(host: &Host, error: &mlua::Error) -> Error {
    if let Some(stop) = host.stop() {
        return stop;
    }
    match error {
        mlua::Error::MemoryError(_) => out_of_memory(host),
        other => {
            let text = other.to_string();
            Error::new(Kind::Script, "error", text.lines().next().unwrap_or_default())
        }
    }
}
