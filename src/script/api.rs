//! The tables that scripts see: `lvs`, `lvs.log`, and the methods of records.

use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::bind::native;
use super::convert::show;
use super::fault::Fault;
use super::host::Host;
use super::natives;
use super::records::Records;
use crate::error::{Error, Kind, did_you_mean};

/// Makes them from the registry.
pub(super) fn build(lua: &Lua, host: &Rc<Host>) -> mlua::Result<()> {
    let methods = lua.create_table()?;
    natives::bind(lua, host, "service", &methods)?;
    let walk_methods = lua.create_table()?;
    natives::bind(lua, host, "connections", &walk_methods)?;
    let sim_methods = lua.create_table()?;
    natives::bind(lua, host, "sim", &sim_methods)?;
    lua.set_app_data(Rc::new(Records::new(lua, host, methods, walk_methods, sim_methods)?));
    let api = lua.create_table()?;
    natives::bind(lua, host, "lvs", &api)?;
    natives::policy_setup(lua, host, &api)?;
    let log = lua.create_table()?;
    natives::bind(lua, host, "lvs.log", &log)?;
    api.raw_set("log", closed(lua, host, "lvs.log", log)?)?;
    let json = lua.create_table()?;
    natives::bind(lua, host, "lvs.json", &json)?;
    api.raw_set("json", closed(lua, host, "lvs.json", json)?)?;
    let root = closed(lua, host, "lvs", api)?;
    let loaded: Table = lua.named_registry_value("lvsh.loaded")?;
    loaded.raw_set("lvs", &root)?;
    lua.globals().raw_set("lvs", root)
}

/// A table of the API that cannot be changed, and whose unknown names raise.
fn closed(lua: &Lua, host: &Rc<Host>, name: &'static str, inner: Table) -> mlua::Result<Table> {
    let proxy = lua.create_table()?;
    let meta = lua.create_table()?;
    let known = inner.clone();
    let fallback = lua.create_table()?;
    let raise = native(lua, host, "__index", move |_, args| {
        let key = match args.get(1) {
            Some(Value::String(key)) => key.to_string_lossy(),
            other => show(other.unwrap_or(&Value::Nil)),
        };
        let mut names: Vec<String> = Vec::new();
        let _ = known.for_each::<Value, Value>(|key, _| {
            if let Value::String(key) = key {
                names.push(key.to_string_lossy());
            }
            Ok(())
        });
        names.sort();
        let near = did_you_mean(&key, names.iter().map(String::as_str));
        let mut text = format!("unknown name '{name}.{key}'");
        let mut fault = Fault::new(Error::new(Kind::Script, "unknown_name", ""));
        if let Some(near) = near {
            fault.label = format!("did you mean '{near}'?");
            text = format!("{text}  did you mean '{near}'?");
        }
        fault.error.message = text;
        Err(fault.under(&key))
    })?;
    fallback.raw_set("__index", raise)?;
    inner.set_metatable(Some(fallback))?;
    meta.raw_set("__index", &inner)?;
    let write = native(lua, host, "__newindex", move |_, _| {
        Err(Fault::new(Error::new(Kind::Script, "read_only", format!("'{name}' is read-only"))))
    })?;
    meta.raw_set("__newindex", write)?;
    let pairs = lua.create_function(move |lua, _: Value| {
        let copy = lua.create_table()?;
        inner.for_each::<Value, Value>(|key, value| copy.raw_set(key, value))?;
        let next: Value = lua.globals().raw_get("next")?;
        Ok((next, copy, Value::Nil))
    })?;
    meta.raw_set("__pairs", pairs)?;
    meta.raw_set("__metatable", false)?;
    proxy.set_metatable(Some(meta))?;
    Ok(proxy)
}
