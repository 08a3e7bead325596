//! What of Lua's own library a policy gets.

use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

use mlua::chunk::ChunkMode;
use mlua::{Function, IntoLuaMulti, Lua, MultiValue, StdLib, Table, Value};

use super::bind::native;
use super::convert::show;
use super::fault::{Checked, Fault};
use super::host::Host;
use super::raise::{call_back, syntax};
use super::records::lua_fault;
use super::registry::registry;
use super::source::Words;
use crate::error::{Error, Kind, did_you_mean};

/// Which library a script gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stdlib {
    /// No files, no programs, no C modules, no bytecode.
    #[default]
    Safe,
    /// All but `debug` and C modules.
    Full,
}

/// The libraries to open.
pub(super) fn libraries(stdlib: Stdlib) -> StdLib {
    let safe = StdLib::TABLE | StdLib::STRING | StdLib::MATH | StdLib::COROUTINE | StdLib::UTF8 | StdLib::OS;
    match stdlib {
        Stdlib::Safe => safe,
        Stdlib::Full => safe | StdLib::IO,
    }
}

/// Takes away what a policy must not have, and replaces what has to go through us.
pub(super) fn furnish(lua: &Lua, host: &Rc<Host>, stdlib: Stdlib) -> mlua::Result<()> {
    let globals = lua.globals();
    let string: Table = globals.raw_get("string")?;
    string.raw_set("dump", Value::Nil)?;
    lua.set_named_registry_value("lvsh.format", string.raw_get::<Function>("format")?)?;
    lua.set_named_registry_value("lvsh.find", string.raw_get::<Function>("find")?)?;
    let os: Table = globals.raw_get("os")?;
    if stdlib == Stdlib::Safe {
        for (name, _) in LEFT_OUT {
            match name.strip_prefix("os.") {
                Some(name) => os.raw_set(name, Value::Nil)?,
                None => globals.raw_set(name, Value::Nil)?,
            }
        }
        let meta = lua.create_table()?;
        let read = native(lua, host, "__index", |_, args| {
            let name = key_of(&args);
            match left_out(&format!("os.{name}")) {
                Some(error) => Err(Fault::new(error).under(&name)),
                None => Ok(MultiValue::from_iter([Value::Nil])),
            }
        })?;
        meta.raw_set("__index", read)?;
        meta.raw_set("__metatable", false)?;
        os.set_metatable(Some(meta))?;
    }
    os.raw_set("exit", native(lua, host, "exit", |_, _| Err(no_exit()))?)?;
    globals.raw_set("print", lua.create_function(print)?)?;
    let host2 = Rc::clone(host);
    globals.raw_set("load", native(lua, host, "load", move |lua, args| load(lua, &host2, args))?)?;
    let host2 = Rc::clone(host);
    let loaded = lua.create_table()?;
    lua.set_named_registry_value("lvsh.loaded", &loaded)?;
    globals.raw_set("require", native(lua, host, "require", move |lua, args| require(lua, &host2, args))?)
}

/// What the safe library lacks of the full one, and what is there instead.
const LEFT_OUT: [(&str, &str); 10] = [
    ("collectgarbage", ""),
    ("dofile", "require loads a module"),
    ("io", "lvs.read_file reads a file, lvs.exec runs a program"),
    ("loadfile", "require loads a module"),
    ("os.difftime", "a time is a number of seconds"),
    ("os.execute", "lvs.exec runs a program"),
    ("os.remove", ""),
    ("os.rename", ""),
    ("os.setlocale", ""),
    ("os.tmpname", ""),
];

/// The error for a name that Lua has and scripts do not; `None` for any other.
fn left_out(name: &str) -> Option<Error> {
    let (_, instead) = LEFT_OUT.iter().find(|(known, _)| *known == name)?;
    let message = format!("{name} is left out of the library that scripts get");
    let hint = match *instead {
        "" => "--stdlib full has it".to_string(),
        instead => format!("{instead}; --stdlib full has {name}"),
    };
    Some(Error::new(Kind::Script, "unknown_name", message).hint(hint))
}

fn no_exit() -> Box<Fault> {
    let text = "os.exit would leave changes half made; return from the script, or raise an error";
    Fault::new(Error::new(Kind::Script, "no_exit", text))
}

/// Whether stdout is kept for the answer.
static ASIDE: AtomicBool = AtomicBool::new(false);

/// Lets `print` write to stderr, because stdout is for one document.
pub fn print_aside() {
    ASIDE.store(true, Ordering::Relaxed);
}

/// Through Rust's stdout, so that the order is right when it is not a terminal.
fn print(lua: &Lua, args: MultiValue) -> mlua::Result<()> {
    let tostring: Function = lua.globals().raw_get("tostring")?;
    let mut line = String::new();
    for (at, value) in args.into_iter().enumerate() {
        if at > 0 {
            line.push('\t');
        }
        line.push_str(&tostring.call::<mlua::LuaString>(value)?.to_string_lossy());
    }
    line.push('\n');
    write_out(&line);
    Ok(())
}

/// To where `print` writes.
pub(super) fn write_out(text: &str) {
    // A closed pipe is the reader's business.
    let _ = match ASIDE.load(Ordering::Relaxed) {
        true => std::io::stderr().write_all(text.as_bytes()),
        false => std::io::stdout().write_all(text.as_bytes()),
    };
}

/// `load` of text; bytecode could break the VM. Its chunk's source is kept for messages.
fn load(lua: &Lua, host: &Rc<Host>, args: MultiValue) -> Checked<MultiValue> {
    let mut args = args.into_iter();
    let text = match args.next() {
        Some(Value::String(text)) => text.to_string_lossy(),
        Some(Value::Function(read)) => {
            let mut text = String::new();
            while let Some(part) = read.call::<Option<String>>(()).map_err(lua_fault)? {
                if part.is_empty() {
                    break;
                }
                text.push_str(&part);
            }
            text
        }
        other => {
            let got = show(&other.unwrap_or(Value::Nil));
            return Err(
                Fault::bad(format!("bad value for 'chunk': {got} is not a string or function")).arg(0)
            );
        }
    };
    let name = match args.next() {
        Some(Value::String(name)) => name.to_string_lossy(),
        _ => "=load".to_string(),
    };
    let _mode = args.next();
    host.sources.keep(&name, &text);
    let mut chunk = lua.load(text).set_name(name).set_mode(ChunkMode::Text);
    if let Some(Value::Table(env)) = args.next() {
        chunk = chunk.set_environment(env);
    }
    match chunk.into_function() {
        Ok(function) => function.into_lua_multi(lua).map_err(lua_fault),
        // As Lua's own: nil and the message.
        Err(error) => (Value::Nil, error.to_string()).into_lua_multi(lua).map_err(lua_fault),
    }
}

/// `require` of Lua files beside the policy and in the library directories; `require "lvs"` is the API.
fn require(lua: &Lua, host: &Rc<Host>, mut args: MultiValue) -> Checked<MultiValue> {
    let name = match args.pop_front() {
        Some(Value::String(name)) => name.to_string_lossy(),
        other => {
            let got = show(&other.unwrap_or(Value::Nil));
            return Err(Fault::bad(format!("bad value for 'name': {got} is not a string")).arg(0));
        }
    };
    let loaded: Table = lua.named_registry_value("lvsh.loaded").map_err(lua_fault)?;
    let known: Value = loaded.raw_get(name.as_str()).map_err(lua_fault)?;
    if !known.is_nil() {
        return known.into_lua_multi(lua).map_err(lua_fault);
    }
    let path = find(host, &name).map_err(|fault| fault.arg(0))?;
    (host.trust)(&path)?;
    let text = std::fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
    let chunk = format!("@{}", path.display());
    let source = host.sources.keep(&chunk, &text);
    let function = lua.load(&*source).set_name(chunk.as_str()).set_mode(ChunkMode::Text).into_function();
    let function = function.map_err(|error| Fault::new(syntax(host, &chunk, &error)))?;
    let value = call_back(lua, function, (name.as_str(), path.display().to_string()))?;
    let value = if value.is_nil() { Value::Boolean(true) } else { value };
    loaded.raw_set(name.as_str(), &value).map_err(lua_fault)?;
    value.into_lua_multi(lua).map_err(lua_fault)
}

fn find(host: &Host, name: &str) -> Checked<PathBuf> {
    let clean = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    if !name.split('.').all(clean) {
        return Err(Fault::bad(format!(
            "bad value for 'name': \"{name}\" is not a module's name (letters, digits, _ - and dots)"
        )));
    }
    let file = format!("{}.lua", name.replace('.', "/"));
    let dirs = host.dirs.borrow();
    if let Some(path) = dirs.iter().map(|dir| dir.join(&file)).find(|path| path.is_file()) {
        return Ok(path);
    }
    let mut error = Error::new(Kind::Script, "ENOENT", format!("no module '{name}'"));
    error.notes = dirs.iter().map(|dir| format!("no file {}", dir.join(&file).display())).collect();
    Err(Fault::new(error))
}

/// Makes unknown globals raise, on reading and on writing.
pub(super) fn strict(lua: &Lua, host: &Rc<Host>) -> mlua::Result<()> {
    let meta = lua.create_table()?;
    let host2 = Rc::clone(host);
    let read = native(lua, host, "__index", move |lua, args| {
        let name = key_of(&args);
        if host2.loose.get() && name.starts_with('_') {
            return Value::Nil.into_lua_multi(lua).map_err(lua_fault);
        }
        if let Some(error) = left_out(&name) {
            return Err(Fault::new(error).under(&name));
        }
        let near = candidates(lua, &host2, &name);
        let mut text = format!("unknown name '{name}'");
        let mut fault = Fault::new(Error::new(Kind::Script, "unknown_name", text.clone()));
        if let Some(near) = near {
            fault.label = format!("did you mean '{near}'?");
            text = format!("{text}  did you mean '{near}'?");
            fault.error.message = text;
        } else {
            fault.error.hint = Some(format!("a name is made with local {name} = …, or belongs to lvs"));
        }
        Err(fault.under(&name))
    })?;
    let host2 = Rc::clone(host);
    let write = native(lua, host, "__newindex", move |lua, args| {
        if host2.loose.get()
            && let (Some(Value::Table(table)), Some(key), Some(value)) =
                (args.front(), args.get(1), args.get(2))
        {
            table.raw_set(key, value).map_err(lua_fault)?;
            return ().into_lua_multi(lua).map_err(lua_fault);
        }
        let name = key_of(&args);
        let text = format!("unknown name '{name}': only locals can be made; write local {name}");
        let mut fault = Fault::new(Error::new(Kind::Script, "unknown_name", text));
        if let Some(near) = candidates(lua, &host2, &name) {
            fault.label = format!("did you mean '{near}'?");
        }
        Err(fault.hint(format!("local {name} = …")).under(&name))
    })?;
    meta.raw_set("__index", read)?;
    meta.raw_set("__newindex", write)?;
    meta.raw_set("__metatable", false)?;
    lua.globals().set_metatable(Some(meta))
}

fn key_of(args: &MultiValue) -> String {
    match args.get(1) {
        Some(Value::String(name)) => name.to_string_lossy(),
        Some(other) => show(other),
        None => String::new(),
    }
}

/// What a mistyped name may have meant: names of the file it is in, globals, functions of the API.
fn candidates(lua: &Lua, host: &Host, name: &str) -> Option<String> {
    let frame = super::raise::frames(lua, 1).into_iter().next();
    let source = frame.and_then(|frame| host.sources.get(&frame.chunk));
    let words = source.as_deref().map(|source| Words::new(source).names()).unwrap_or_default();
    let mut known: Vec<String> = words.into_iter().filter(|word| *word != name).map(str::to_string).collect();
    // What is written in the file is meant more often than what is not.
    if let Some(near) = did_you_mean(name, known.iter().map(String::as_str)) {
        return Some(near.to_string());
    }
    known.clear();
    let globals = lua.globals();
    let walk = globals.for_each::<Value, Value>(|key, _| {
        if let Value::String(key) = key {
            known.push(key.to_string_lossy());
        }
        Ok(())
    });
    walk.ok()?;
    let api = registry().iter().filter(|entry| entry.owner().starts_with("lvs")).map(|entry| entry.name);
    known.extend(api.map(str::to_string));
    if registry().iter().any(|entry| entry.name == format!("lvs.{name}")) {
        return Some(format!("lvs.{name}"));
    }
    did_you_mean(name, known.iter().map(String::as_str)).map(str::to_string)
}
