//! JSON, strictly: what cannot be said in it is an error that names the place.

use std::ffi::c_void;

use mlua::{LightUserData, Lua, Table, Value};
use serde_json::{Map, Number, Value as Json};

use super::Call;
use super::read::{set, table};
use crate::script::convert::{Val, show};
use crate::script::fault::{Checked, Fault};
use crate::script::records::{Id, lua_fault};
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{JSON_OPTIONS, Ty};
use crate::script::shown::entries;

const GROUP: &str = "world";
/// Tables within tables.
const DEPTH: usize = 100;
/// The metatable of lists, under this name in the registry.
const LIST: &str = "lvsh.json_list";

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.json.encode",
        GROUP,
        &[
            Param::new("value", &Ty::Any, "A table, record, string, number, boolean or nil."),
            Param::new("options", &Ty::Table(&JSON_OPTIONS), "How it is written.").optional(),
        ],
        Run::Native(encode),
        "A value as JSON, keys sorted. An empty table is {}; lvs.json.list {} is [].",
    )
    .returns("string")
    .example("assert(lvs.json.encode { up = true, servers = { \"a\" } } == '{\"servers\":[\"a\"],\"up\":true}')"),
    Entry::new(
        "lvs.json.decode",
        GROUP,
        &[Param::new("text", &Ty::Any, "One JSON value.")],
        Run::Native(decode),
        "JSON as Lua values. A null in an object is a key that is not there; in a list it is lvs.json.null(), so that \
         the list keeps its length.",
    )
    .returns("any")
    .example("assert(lvs.json.decode('{ \"weight\": 8 }').weight == 8)"),
    Entry::new(
        "lvs.json.list",
        GROUP,
        &[Param::new("table", &Ty::Any, "A table, or nothing for an empty one.").optional()],
        Run::Native(list),
        "Marks a table as a list, so that it is written as [] when it is empty.",
    )
    .returns("table")
    .example("assert(lvs.json.encode(lvs.json.list {}) == \"[]\")"),
    Entry::new("lvs.json.null", GROUP, &[], Run::Native(|_| Ok(null())), "What is written as null.")
        .returns("any")
        .example("assert(lvs.json.encode { reason = lvs.json.null() } == '{\"reason\":null}')"),
];

fn null() -> Value {
    Value::LightUserData(LightUserData(std::ptr::null_mut()))
}

fn encode(call: &mut Call<'_>) -> Checked<Value> {
    let Val::Any(value) = call.take(0) else { return text(call.lua, "null") };
    let pretty = match call.take(1) {
        Val::Row(row) => row.bool("pretty").unwrap_or(false),
        _ => false,
    };
    let mut walk = Walk { call, open: Vec::new(), mark: mark(call.lua)? };
    let json = walk.json(&value).map_err(|fault| fault.arg(0))?;
    let written = if pretty { serde_json::to_string_pretty(&json) } else { serde_json::to_string(&json) };
    text(call.lua, &written.map_err(|error| Fault::bad(error.to_string()))?)
}

fn text(lua: &Lua, text: &str) -> Checked<Value> {
    lua.create_string(text).map(Value::String).map_err(lua_fault)
}

/// The metatable that marks a list.
fn mark(lua: &Lua) -> Checked<Table> {
    if let Ok(mark) = lua.named_registry_value::<Table>(LIST) {
        return Ok(mark);
    }
    let mark = table(lua)?;
    set(&mark, "__name", "list")?;
    set(&mark, "__metatable", false)?;
    lua.set_named_registry_value(LIST, &mark).map_err(lua_fault)?;
    Ok(mark)
}

fn list(call: &mut Call<'_>) -> Checked<Value> {
    let list = match call.take(0) {
        Val::Any(Value::Table(list)) => list,
        Val::Nil | Val::Any(Value::Nil) => table(call.lua)?,
        Val::Any(other) => {
            return Err(Fault::bad(format!("bad value for 'table': {} is not a table", show(&other))).arg(0));
        }
        _ => return Ok(Value::Nil),
    };
    if list.metatable().is_some() || call.records.id(&list).is_some() {
        return Ok(Value::Table(list));
    }
    list.set_metatable(Some(mark(call.lua)?)).map_err(lua_fault)?;
    Ok(Value::Table(list))
}

struct Walk<'a, 'b> {
    call: &'a Call<'b>,
    /// Tables around the present one.
    open: Vec<*const c_void>,
    mark: Table,
}

impl Walk<'_, '_> {
    fn json(&mut self, value: &Value) -> Checked<Json> {
        Ok(match value {
            Value::Nil => Json::Null,
            Value::LightUserData(it) if it.0.is_null() => Json::Null,
            Value::Boolean(value) => Json::Bool(*value),
            Value::Integer(value) => Json::from(*value),
            Value::Number(value) => {
                let number = Number::from_f64(*value);
                Json::Number(number.ok_or_else(|| Fault::bad(format!("JSON has no number {value}")))?)
            }
            Value::String(text) => match text.to_str() {
                Ok(text) => Json::from(&*text),
                Err(_) => return Err(Fault::bad("a string that is not UTF-8 cannot be JSON")),
            },
            Value::Table(it) => self.table(it)?,
            other => return Err(Fault::bad(format!("{} cannot be JSON", show(other)))),
        })
    }

    fn table(&mut self, it: &Table) -> Checked<Json> {
        let at = it.to_pointer();
        if self.open.contains(&at) {
            return Err(Fault::bad("a table that contains itself cannot be JSON"));
        }
        if self.open.len() >= DEPTH {
            return Err(Fault::bad(format!("more than {DEPTH} tables within each other")));
        }
        self.open.push(at);
        let id = self.call.records.id(it);
        let flat = match &id {
            Some(id) => self.call.records.flat(self.call.lua, self.call.host, id)?,
            None => it.clone(),
        };
        let marked = it.metatable().is_some_and(|found| found == self.mark);
        let listed = marked || matches!(id, Some(Id::List(_) | Id::Walk(_)));
        let (items, named) = entries(&flat);
        let json = if !items.is_empty() || listed {
            if let Some((key, _)) = named.iter().find(|_| !matches!(id, Some(Id::List(_) | Id::Walk(_)))) {
                let why = format!("a list that also has the key {} cannot be JSON", show(key));
                return Err(Fault::bad(why));
            }
            let mut out = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                out.push(self.json(item).map_err(|fault| fault.item(index + 1))?);
            }
            Json::Array(out)
        } else {
            let mut out = Map::new();
            for (key, value) in &named {
                let Value::String(key) = key else {
                    return Err(Fault::bad(format!("the key {} cannot be JSON: it is no string", show(key))));
                };
                let key = key.to_string_lossy();
                let value = self.json(value).map_err(|fault| fault.under(&key))?;
                out.insert(key, value);
            }
            Json::Object(out)
        };
        self.open.pop();
        Ok(json)
    }
}

fn decode(call: &mut Call<'_>) -> Checked<Value> {
    let text = match call.take(0) {
        Val::Any(Value::String(text)) => text,
        Val::Any(other) => {
            return Err(Fault::bad(format!("bad value for 'text': {} is not a string", show(&other))).arg(0));
        }
        _ => return Ok(Value::Nil),
    };
    let wrong = |error: serde_json::Error| Fault::bad(format!("this is not JSON: {error}")).arg(0);
    let json: Json = serde_json::from_slice(&text.as_bytes()).map_err(wrong)?;
    let mark = mark(call.lua)?;
    made(call.lua, &mark, &json).map_err(lua_fault)
}

fn made(lua: &Lua, mark: &Table, json: &Json) -> mlua::Result<Value> {
    Ok(match json {
        Json::Null => Value::Nil,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(lua.create_string(text)?),
        Json::Array(items) => {
            let list = lua.create_table_with_capacity(items.len(), 0)?;
            for item in items {
                list.raw_push(if item.is_null() { null() } else { made(lua, mark, item)? })?;
            }
            list.set_metatable(Some(mark.clone()))?;
            Value::Table(list)
        }
        Json::Object(fields) => {
            let object = lua.create_table_with_capacity(0, fields.len())?;
            for (key, value) in fields {
                object.raw_set(key.as_str(), made(lua, mark, value)?)?;
            }
            Value::Table(object)
        }
    })
}
