//! The globals of a prompt's lines: what they made, the API without its prefix, and Lua's own.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mlua::{IntoLuaMulti, Lua, MultiValue, Table, Value};

use super::look::topic_of;
use crate::error::{Error, Kind, did_you_mean};
use crate::script::bind::native;
use crate::script::fault::{Checked, Fault};
use crate::script::help;
use crate::script::host::Host;
use crate::script::records::lua_fault;
use crate::script::registry::registry;

type Declared = Rc<RefCell<BTreeSet<String>>>;

pub(super) fn make(lua: &Lua, host: &Rc<Host>, declared: &Declared) -> mlua::Result<Table> {
    let env = lua.create_table()?;
    let meta = lua.create_table()?;
    let (known, names) = (env.clone(), Rc::clone(declared));
    let read = native(lua, host, "__index", move |lua, args| read(lua, &known, &names, &args))?;
    meta.raw_set("__index", read)?;
    meta.raw_set("__metatable", false)?;
    env.set_metatable(Some(meta))?;
    let (known, host2) = (env.clone(), Rc::clone(host));
    env.raw_set("help", native(lua, host, "help", move |lua, args| tell(lua, &host2, &known, &args))?)?;
    Ok(env)
}

/// Whether `lvs.NAME` is there, itself or as a table of functions.
pub(super) fn in_api(name: &str) -> bool {
    let rest = |entry: &'static str| entry.strip_prefix("lvs.")?.strip_prefix(name);
    let whole = |rest: &str| rest.is_empty() || rest.starts_with('.');
    registry().iter().any(|entry| rest(entry.name).is_some_and(whole))
}

fn read(lua: &Lua, env: &Table, declared: &Declared, args: &MultiValue) -> Checked<MultiValue> {
    let Some(Value::String(name)) = args.get(1) else {
        return Value::Nil.into_lua_multi(lua).map_err(lua_fault);
    };
    let name = name.to_string_lossy();
    let value = value_of(lua, &name).map_err(lua_fault)?;
    if !value.is_nil() || name.starts_with('_') || declared.borrow().contains(&name) {
        return value.into_lua_multi(lua).map_err(lua_fault);
    }
    let mut known: Vec<String> = declared.borrow().iter().cloned().collect();
    for table in [env, &lua.globals()] {
        known.extend(table.pairs::<Value, Value>().flatten().filter_map(|(key, _)| match key {
            Value::String(key) => Some(key.to_string_lossy()),
            _ => None,
        }));
    }
    known.extend(
        registry().iter().filter(|entry| entry.owner() == "lvs").map(|entry| entry.last().to_string()),
    );
    let mut fault = Fault::new(Error::new(Kind::Script, "unknown_name", format!("unknown name '{name}'")));
    match did_you_mean(&name, known.iter().map(String::as_str)) {
        Some(near) => fault.label = format!("did you mean '{near}'?"),
        None => fault.error.hint = Some(format!("a name is made with {name} = …; help lists those of lvs")),
    }
    Err(fault.under(&name))
}

/// A name that the user did not make.
pub(super) fn value_of(lua: &Lua, name: &str) -> mlua::Result<Value> {
    if in_api(name) {
        let lvs: Table = lua.globals().raw_get("lvs")?;
        return lvs.get(name);
    }
    lua.globals().raw_get(name)
}

/// `help(x)` of a value or of a name; `help()` of all.
fn tell(lua: &Lua, host: &Host, env: &Table, args: &MultiValue) -> Checked<MultiValue> {
    let (what, name) = match args.front() {
        None => (String::new(), "lvs".to_string()),
        Some(Value::String(name)) => (format!("'{}'", name.to_string_lossy()), name.to_string_lossy()),
        Some(value) => {
            let what = format!("a {} of your own", value.type_name());
            (what, topic_of(lua, env, value).unwrap_or_default())
        }
    };
    let topic = if name == "lvs" { Some(help::contents()) } else { help::topic(&name) };
    let Some(topic) = topic else {
        let error = Error::new(Kind::Script, "unknown_name", format!("there is no help for {what}"));
        let near = help::near(&name)
            .map_or_else(|| "help lists what there is".to_string(), |near| format!("did you mean '{near}'?"));
        return Err(Fault::new(error.hint(near)));
    };
    // For the prompt to print, which knows the terminal.
    host.help.replace(Some(topic));
    ().into_lua_multi(lua).map_err(lua_fault)
}
