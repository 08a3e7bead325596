//! Records: what comes back from the API. Tables to read, pairs and print, that cannot be assigned.
//!
//! A record is an empty table; what it stands for is kept beside it, and its fields are looked up in the session's
//! view at each reading. So it follows the run's own changes, and is never half old.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{AnyUserData, IntoLua, IntoLuaMulti, Lua, MultiValue, Table, UserData, Value};

use super::bind::native;
use super::convert::show;
use super::fault::{Checked, Fault};
use super::host::Host;
use super::natives::connections::{self, Walk};
use super::natives::read;
use super::natives::sim::Sim;
use super::schema::{CONNECTIONS_RECORD, SERVER_RECORD, SERVICE_RECORD, SIM_OBJECT, Shape};
use crate::error::{Error, Kind, did_you_mean};
use crate::model::{ServerKey, ServiceKey};

/// What a record stands for.
#[derive(Clone)]
pub(super) enum Id {
    Service(ServiceKey),
    Server(ServiceKey, ServerKey),
    /// Data that does not change: a mark, timeouts, a plan.
    Plain(&'static Shape, Table),
    /// A list of records, or of plain values.
    List(Table),
    /// The connection table while it is walked.
    Walk(Rc<RefCell<Walk>>),
    /// A machine of a test.
    Sim(Rc<Sim>),
}

impl UserData for Id {}

/// What records are made with, kept in the VM.
#[derive(Clone)]
pub(super) struct Records {
    /// From the record to its [`Id`]; weak, so that records are collected.
    ids: Table,
    meta: Table,
    /// The methods of a service record.
    pub methods: Table,
    /// The methods of a walk over connections.
    pub walk_methods: Table,
    /// The methods of a simulation.
    pub sim_methods: Table,
}

impl Records {
    pub fn new(
        lua: &Lua,
        host: &Rc<Host>,
        methods: Table,
        walk_methods: Table,
        sim_methods: Table,
    ) -> mlua::Result<Records> {
        let ids = lua.create_table()?;
        let weak = lua.create_table()?;
        weak.raw_set("__mode", "k")?;
        ids.set_metatable(Some(weak))?;
        let meta = lua.create_table()?;
        let records = Records { ids, meta: meta.clone(), methods, walk_methods, sim_methods };
        type Handler = fn(&Lua, &Rc<Host>, &Records, MultiValue) -> Checked<MultiValue>;
        let handlers: [(&'static str, Handler); 7] = [
            ("__call", step),
            ("__index", index),
            ("__newindex", newindex),
            ("__len", len),
            ("__pairs", pairs),
            ("__tostring", tostring),
            ("__eq", eq),
        ];
        for (name, handler) in handlers {
            let (host2, records2) = (Rc::clone(host), records.clone());
            let function = native(lua, host, name, move |lua, args| handler(lua, &host2, &records2, args))?;
            meta.raw_set(name, function)?;
        }
        meta.raw_set("__metatable", false)?;
        Ok(records)
    }

    /// Those of this VM.
    pub fn of(lua: &Lua) -> Checked<Rc<Records>> {
        let found = lua.app_data_ref::<Rc<Records>>();
        found.map(|records| Rc::clone(&records)).ok_or_else(|| broken("the VM has no records"))
    }

    pub fn make(&self, lua: &Lua, id: Id) -> Checked<Value> {
        let made = || -> mlua::Result<Value> {
            let record = lua.create_table()?;
            record.set_metatable(Some(self.meta.clone()))?;
            self.ids.raw_set(&record, lua.create_userdata(id)?)?;
            Ok(Value::Table(record))
        };
        made().map_err(lua_fault)
    }

    /// A record with fixed fields.
    pub fn plain(&self, lua: &Lua, shape: &'static Shape, data: Table) -> Checked<Value> {
        self.make(lua, Id::Plain(shape, data))
    }

    pub fn list(&self, lua: &Lua, items: Vec<Value>) -> Checked<Value> {
        let table = lua.create_sequence_from(items).map_err(lua_fault)?;
        self.make(lua, Id::List(table))
    }

    pub fn id(&self, table: &Table) -> Option<Id> {
        let id = self.ids.raw_get::<Option<AnyUserData>>(table).ok()??;
        id.borrow::<Id>().ok().map(|id| id.clone())
    }

    /// A record as an ordinary table with all its fields.
    pub fn flat(&self, lua: &Lua, host: &Host, id: &Id) -> Checked<Table> {
        let shape = match id {
            Id::Plain(_, data) | Id::List(data) => return Ok(data.clone()),
            Id::Service(_) => &SERVICE_RECORD,
            Id::Server(..) => &SERVER_RECORD,
            Id::Walk(walk) => return connections::shown(lua, host, self, walk),
            Id::Sim(_) => &SIM_OBJECT,
        };
        let out = lua.create_table().map_err(lua_fault)?;
        for name in shape.names() {
            let value = read::field(lua, host, self, id, name)?;
            out.raw_set(name, value).map_err(lua_fault)?;
        }
        Ok(out)
    }
}

/// A failure of the VM itself while a record was made: memory, in practice.
pub(super) fn lua_fault(error: mlua::Error) -> Box<Fault> {
    match error {
        mlua::Error::MemoryError(text) => Fault::new(Error::new(Kind::Script, "memory", text)),
        other => broken(&other.to_string()),
    }
}

fn broken(what: &str) -> Box<Fault> {
    Fault::new(Error::new(Kind::Script, "error", what.to_string()))
}

fn me(records: &Records, args: &MultiValue) -> Checked<Id> {
    match args.front() {
        Some(Value::Table(table)) => records.id(table).ok_or_else(|| broken("this is not a record")),
        _ => Err(broken("this is not a record")),
    }
}

fn index(lua: &Lua, host: &Rc<Host>, records: &Records, args: MultiValue) -> Checked<MultiValue> {
    let id = me(records, &args)?;
    let key = args.get(1).cloned().unwrap_or(Value::Nil);
    let value = match (&id, &key) {
        (Id::List(items), Value::String(_)) => {
            let name = show(&key);
            let _ = items;
            return Err(Fault::bad(format!("a list has no field {name}; it has numbers from 1")));
        }
        (Id::List(items), key) => items.raw_get(key).map_err(lua_fault)?,
        (Id::Plain(_, data), key) if !matches!(key, Value::String(_)) => {
            data.raw_get(key).map_err(lua_fault)?
        }
        (_, Value::String(name)) => {
            let name = name.to_string_lossy();
            named(lua, host, records, &id, &name)?
        }
        (_, other) => return Err(Fault::bad(format!("a record has no field {}", show(other)))),
    };
    value.into_lua_multi(lua).map_err(lua_fault)
}

fn named(lua: &Lua, host: &Host, records: &Records, id: &Id, name: &str) -> Checked<Value> {
    let shape = match id {
        Id::Plain(shape, data) => {
            let value: Value = data.raw_get(name).map_err(lua_fault)?;
            if !value.is_nil() || shape.field(name).is_some() {
                return Ok(value);
            }
            *shape
        }
        Id::Service(_) => {
            let method: Value = records.methods.raw_get(name).map_err(lua_fault)?;
            if !method.is_nil() {
                return Ok(method);
            }
            &SERVICE_RECORD
        }
        Id::Server(..) => &SERVER_RECORD,
        Id::List(_) => return Err(broken("a list has no names")),
        Id::Walk(_) => {
            let method: Value = records.walk_methods.raw_get(name).map_err(lua_fault)?;
            if !method.is_nil() {
                return Ok(method);
            }
            &CONNECTIONS_RECORD
        }
        Id::Sim(_) => {
            let method: Value = records.sim_methods.raw_get(name).map_err(lua_fault)?;
            if !method.is_nil() {
                return Ok(method);
            }
            &SIM_OBJECT
        }
    };
    if shape.field(name).is_some() {
        return read::field(lua, host, records, id, name);
    }
    let methods = match id {
        Id::Service(_) => super::natives::methods("service"),
        Id::Walk(_) => super::natives::methods("connections"),
        Id::Sim(_) => super::natives::methods("sim"),
        _ => Vec::new(),
    };
    let near = did_you_mean(name, shape.names().chain(methods.iter().copied()));
    let word = if near.is_some_and(|near| methods.contains(&near)) { "method" } else { "field" };
    let error = Error::new(Kind::Script, "unknown_field", format!("{} has no {word} '{name}'", shape.name));
    let mut fault = Fault::new(error);
    if !shape.fields.is_empty() {
        let fields = shape.names().collect::<Vec<_>>().join(", ");
        fault.error.notes.push(format!("fields: {fields}"));
    }
    if !methods.is_empty() {
        fault.error.notes.push(format!("methods: {}", methods.join(", ")));
    }
    if let Some(near) = near {
        fault.label = format!("did you mean '{near}'?");
        fault = fault.hint(format!("did you mean '{near}'?"));
    }
    Err(fault.under(name))
}

fn newindex(_: &Lua, _: &Rc<Host>, records: &Records, args: MultiValue) -> Checked<MultiValue> {
    let id = me(records, &args)?;
    let key = args.get(1).cloned().unwrap_or(Value::Nil);
    let value = show(args.get(2).unwrap_or(&Value::Nil));
    let name = match &key {
        Value::String(name) => name.to_string_lossy(),
        other => show(other),
    };
    let (what, remedy) = match &id {
        Id::Server(_, key) => {
            ("a server record", format!("service:set_server(\"{}\", {{ {name} = {value} }})", key.addr))
        }
        Id::Service(key) => {
            ("a service record", format!("lvs.set_service({}, {{ {name} = {value} }})", read::spec(key)))
        }
        Id::Plain(shape, _) => (shape.name, shape.remedy.to_string()),
        Id::List(_) => ("a list of records", String::new()),
        Id::Walk(_) => ("connections", String::new()),
        Id::Sim(_) => (SIM_OBJECT.name, String::new()),
    };
    let text = format!("{what} is a snapshot");
    let text = if remedy.is_empty() { text } else { format!("{text}; use {remedy}") };
    let mut fault = Fault::new(Error::new(Kind::Script, "read_only", text));
    if !remedy.is_empty() {
        fault.error.hint = Some(format!("use {remedy}"));
    }
    Err(fault.under(&name))
}

fn len(lua: &Lua, host: &Rc<Host>, records: &Records, args: MultiValue) -> Checked<MultiValue> {
    let count = match me(records, &args)? {
        Id::List(items) | Id::Plain(_, items) => items.raw_len(),
        Id::Service(key) => read::server_count(host, &key)?,
        Id::Server(..) | Id::Sim(_) => 0,
        Id::Walk(_) => {
            return Err(Fault::bad("connections have no length; :count() walks it to its end"));
        }
    };
    (count as i64).into_lua_multi(lua).map_err(lua_fault)
}

/// What `for c in lvs.connections() do` calls.
fn step(lua: &Lua, host: &Rc<Host>, records: &Records, args: MultiValue) -> Checked<MultiValue> {
    let value = match me(records, &args)? {
        Id::Walk(walk) => connections::step(lua, host, records, &walk)?,
        _ => return Err(Fault::bad("a record is not a function; a method is called with ':'")),
    };
    value.into_lua_multi(lua).map_err(lua_fault)
}

fn pairs(lua: &Lua, host: &Rc<Host>, records: &Records, args: MultiValue) -> Checked<MultiValue> {
    let id = me(records, &args)?;
    let flat = records.flat(lua, host, &id)?;
    // A copy: who walks over it may keep and change what it finds.
    let copy = lua.create_table().map_err(lua_fault)?;
    flat.for_each::<Value, Value>(|key, value| copy.raw_set(key, value)).map_err(lua_fault)?;
    let next: Value = lua.globals().raw_get("next").map_err(lua_fault)?;
    (next, copy, Value::Nil).into_lua_multi(lua).map_err(lua_fault)
}

fn tostring(lua: &Lua, host: &Rc<Host>, records: &Records, args: MultiValue) -> Checked<MultiValue> {
    let text = match me(records, &args)? {
        Id::Service(key) => format!("service {key}"),
        Id::Server(service, key) => format!("server {service} {key}"),
        Id::List(items) => format!("list of {}", items.raw_len()),
        Id::Walk(walk) => format!("{} of the machine", walk.borrow().kind),
        Id::Sim(_) => "a simulation".to_string(),
        id @ Id::Plain(..) => super::shown::line(lua, host, records, &id),
    };
    text.into_lua(lua).and_then(|text| text.into_lua_multi(lua)).map_err(lua_fault)
}

fn eq(lua: &Lua, _: &Rc<Host>, records: &Records, args: MultiValue) -> Checked<MultiValue> {
    let at = |index: usize| match args.get(index) {
        Some(Value::Table(table)) => records.id(table),
        _ => None,
    };
    let same = match (at(0), at(1)) {
        (Some(Id::Service(a)), Some(Id::Service(b))) => a == b,
        (Some(Id::Server(a, b)), Some(Id::Server(c, d))) => (a, b) == (c, d),
        _ => false,
    };
    same.into_lua_multi(lua).map_err(lua_fault)
}
