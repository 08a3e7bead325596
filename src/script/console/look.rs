//! What stands behind a path of names. Raw tables and records are looked into; nothing of the user's is called.

use std::rc::Rc;

use mlua::{Lua, Table, Value};

use super::cursor::Seg;
use super::env::value_of;
use crate::model::ServiceKey;
use crate::script::help::records;
use crate::script::host::Host;
use crate::script::natives::{declared_of, read};
use crate::script::records::{Id, Records};
use crate::script::registry::{Entry, registry};
use crate::script::schema::{SERVER_RECORD, SERVICE_RECORD, Shape};

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What it has.
    pub words: Vec<Word>,
    /// The service it is, or belongs to.
    pub service: Option<ServiceKey>,
}

/// A name that can follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Word {
    pub name: String,
    /// To be called, and then with `:` if it is a method.
    pub call: bool,
    pub method: bool,
    /// It is called without arguments.
    pub bare: bool,
}

impl Word {
    fn field(name: &str) -> Word {
        Word { name: name.to_string(), call: false, method: false, bare: false }
    }

    fn of(entry: &Entry) -> Word {
        let method = entry.name.contains(':');
        Word { name: entry.last().to_string(), call: true, method, bare: entry.params.is_empty() }
    }
}

enum Thing {
    Value(Value),
    /// Of a call that is not made: the type of its answer, by the registry.
    Answer(&'static str),
}

/// Names of the prompt itself for an empty path, else what the thing has.
pub(super) fn look(lua: &Lua, host: &Rc<Host>, env: &Table, path: &[Seg]) -> Look {
    let mut seen = Look::default();
    if path.is_empty() {
        seen.words = names(lua, env);
    } else if let Some(thing) = walk(lua, host, env, path, &mut seen) {
        words_of(lua, &thing, &mut seen);
    }
    seen.words.sort();
    seen.words.dedup_by(|a, b| a.name == b.name);
    seen
}

fn names(lua: &Lua, env: &Table) -> Vec<Word> {
    let mut out = raw(env);
    out.retain(|word| !word.name.starts_with('_') || word.name == "_");
    out.extend(members("lvs"));
    out.extend(raw(&lua.globals()).into_iter().filter(|word| !word.name.starts_with('_')));
    out
}

/// The functions and tables of functions in an owner.
fn members(owner: &str) -> Vec<Word> {
    let own = registry().iter().filter(|entry| entry.owner() == owner).map(Word::of);
    let inner = registry().iter().filter_map(|entry| {
        let rest = entry.name.strip_prefix(owner)?.strip_prefix('.')?;
        rest.split_once('.').map(|(table, _)| Word::field(table))
    });
    own.chain(inner).collect()
}

/// String keys that are names.
fn raw(table: &Table) -> Vec<Word> {
    let mut out = Vec::new();
    // What cannot be read is not offered.
    let _ = table.for_each::<Value, Value>(|key, value| {
        if let Value::String(key) = key {
            let name = key.to_string_lossy();
            let clean = name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
            if clean && !name.starts_with(|c: char| c.is_ascii_digit()) && out.len() < 10_000 {
                let call = matches!(value, Value::Function(_));
                out.push(Word { name, call, method: false, bare: false });
            }
        }
        Ok(())
    });
    out
}

fn walk(lua: &Lua, host: &Rc<Host>, env: &Table, path: &[Seg], seen: &mut Look) -> Option<Thing> {
    let Some(Seg::Name(first)) = path.first() else { return None };
    let own: Value = env.raw_get(first.as_str()).ok()?;
    let mut thing = Thing::Value(if own.is_nil() { value_of(lua, first).ok()? } else { own });
    for seg in &path[1..] {
        let next = match (&thing, seg) {
            (Thing::Value(value), Seg::Field(name)) => field(lua, host, value, name),
            (Thing::Value(Value::Table(table)), Seg::Index(index)) => {
                let list = match Records::of(lua).ok()?.id(table) {
                    Some(Id::List(items)) => items,
                    _ => table.clone(),
                };
                Some(Thing::Value(list.raw_get(*index).ok()?))
            }
            (Thing::Value(value), Seg::Call) => Some(Thing::Answer(entry_of(lua, value)?.returns)),
            (Thing::Answer(what), Seg::Index(_)) => what.strip_suffix("[]").map(Thing::Answer),
            (Thing::Answer(what), Seg::Field(name)) => answered(what, name),
            _ => None,
        };
        if let Thing::Value(value) = &thing {
            seen.service = service(lua, value).or(seen.service);
        }
        thing = next?;
    }
    if let Thing::Value(value) = &thing {
        seen.service = service(lua, value).or(seen.service);
    }
    Some(thing)
}

/// The class of one thing, which may be missing: `LvsService` of `LvsService?`.
fn class(what: &'static str) -> &'static str {
    what.trim_end_matches('?')
}

fn shape_of(what: &'static str) -> Option<&'static Shape> {
    records().iter().copied().find(|shape| shape.class() == class(what))
}

/// The methods of a class: those of `service:` for `LvsService`.
fn methods_of(what: &'static str) -> impl Iterator<Item = &'static Entry> {
    let owner = class(what).strip_prefix("Lvs").unwrap_or_default().to_lowercase();
    registry().iter().filter(move |entry| entry.name.contains(':') && entry.owner() == owner)
}

/// What a field of a call's answer is, or what a method of it answers.
fn answered(what: &'static str, name: &str) -> Option<Thing> {
    let field = shape_of(what).and_then(|shape| shape.field(name)).map(|field| field.ty);
    field.or_else(|| Some(methods_of(what).find(|entry| entry.last() == name)?.returns)).map(Thing::Answer)
}

fn service(lua: &Lua, value: &Value) -> Option<ServiceKey> {
    let Value::Table(table) = value else { return None };
    match Records::of(lua).ok()?.id(table)? {
        Id::Service(key) | Id::Server(key, _) => Some(key),
        _ => None,
    }
}

fn field(lua: &Lua, host: &Rc<Host>, value: &Value, name: &str) -> Option<Thing> {
    let Value::Table(table) = value else { return None };
    let records = Records::of(lua).ok()?;
    if is_api(lua, table) {
        return Some(Thing::Value(value_of(lua, name).ok()?));
    }
    let value = match records.id(table) {
        Some(id @ (Id::Service(_) | Id::Server(..))) => {
            let method: Value = records.methods.raw_get(name).ok()?;
            match (&id, method.is_nil()) {
                (Id::Service(_), false) => method,
                _ => read::field(lua, host, &records, &id, name).ok()?,
            }
        }
        Some(Id::Plain(_, data) | Id::List(data)) => data.raw_get(name).ok()?,
        Some(Id::Walk(_)) => records.walk_methods.raw_get(name).ok()?,
        Some(Id::Sim(_)) => records.sim_methods.raw_get(name).ok()?,
        None => table.raw_get(name).ok()?,
    };
    Some(Thing::Value(value))
}

fn is_api(lua: &Lua, table: &Table) -> bool {
    lua.globals().raw_get::<Table>("lvs").is_ok_and(|lvs| lvs == *table)
}

fn words_of(lua: &Lua, thing: &Thing, seen: &mut Look) {
    seen.words = match thing {
        Thing::Answer(what) => shape_of(what)
            .map(fields)
            .unwrap_or_default()
            .into_iter()
            .chain(methods_of(what).map(Word::of))
            .collect(),
        Thing::Value(Value::String(_)) => {
            let mut words =
                lua.globals().raw_get::<Table>("string").map(|table| raw(&table)).unwrap_or_default();
            words.iter_mut().for_each(|word| word.method = true);
            words
        }
        Thing::Value(Value::Table(table)) => table_words(lua, table),
        Thing::Value(_) => Vec::new(),
    };
}

fn fields(shape: &Shape) -> Vec<Word> {
    shape.names().map(Word::field).collect()
}

fn table_words(lua: &Lua, table: &Table) -> Vec<Word> {
    if is_api(lua, table) {
        return members("lvs");
    }
    if declared_of(lua, table).is_some() {
        return [vec![Word::field("name")], methods_of("LvsPolicy").map(Word::of).collect()].concat();
    }
    match Records::of(lua).ok().and_then(|records| records.id(table)) {
        Some(Id::Service(_)) => {
            [fields(&SERVICE_RECORD), methods_of("LvsService").map(Word::of).collect()].concat()
        }
        Some(Id::Server(..)) => fields(&SERVER_RECORD),
        Some(Id::Plain(shape, _)) => fields(shape),
        Some(Id::List(_)) => Vec::new(),
        Some(Id::Walk(_)) => methods_of("LvsConnections").map(Word::of).collect(),
        Some(Id::Sim(_)) => methods_of("LvsSim").map(Word::of).collect(),
        None => match api_table(lua, table) {
            Some(owner) => members(&owner),
            None => raw(table),
        },
    }
}

/// `lvs.log` and its like, which are empty tables in front of the real ones.
fn api_table(lua: &Lua, table: &Table) -> Option<String> {
    let inner = members("lvs").into_iter().filter(|word| !word.call);
    inner.map(|word| word.name).find_map(|name| match value_of(lua, &name) {
        Ok(Value::Table(found)) if found == *table => Some(format!("lvs.{name}")),
        _ => None,
    })
}

/// Which function of the API a value is.
pub(super) fn entry_of(lua: &Lua, value: &Value) -> Option<&'static Entry> {
    let Value::Function(wanted) = value else { return None };
    let records = Records::of(lua).ok()?;
    registry().iter().find(|entry| {
        let found = match entry.owner() {
            "service" => records.methods.raw_get(entry.last()),
            "lvs" => value_of(lua, entry.last()),
            owner => match owner.strip_prefix("lvs.").map(|table| value_of(lua, table)) {
                Some(Ok(Value::Table(table))) => table.get(entry.last()),
                _ => return false,
            },
        };
        matches!(found, Ok(Value::Function(found)) if found == *wanted)
    })
}

/// What a value is called in help.
pub(super) fn topic_of(lua: &Lua, _: &Table, value: &Value) -> Option<String> {
    if let Some(entry) = entry_of(lua, value) {
        return Some(entry.name.to_string());
    }
    let Value::Table(table) = value else { return None };
    if is_api(lua, table) {
        return Some("lvs".to_string());
    }
    if declared_of(lua, table).is_some() {
        return Some("policy".to_string());
    }
    match Records::of(lua).ok()?.id(table) {
        Some(Id::Service(_)) => Some("service".to_string()),
        Some(Id::Server(..)) => Some("server".to_string()),
        Some(Id::Plain(shape, _)) => Some(shape.name.to_string()),
        _ => api_table(lua, table),
    }
}
