//! What the API does. One file per subject, each with its part of the registry.

mod change;
pub(super) mod connections;
mod deciding;
mod export;
mod health;
mod json;
mod kernel;
mod marks;
mod outside;
mod paths;
mod policy;
mod probes;
pub(super) mod read;
mod real_server;
mod scene;
mod scripted;
mod servers;
mod services;
pub(super) mod sim;
mod testing;
mod ways;
mod world;

pub use policy::check_name;
pub(super) use policy::{Rehearsals, declared_of, setup as policy_setup};
pub use world::{Level, set_log_level};

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Table, Value};

use self::connections::Walk;
use self::sim::Sim;
use super::bind::native;
use super::convert::{Known, Row, Val, check};
use super::fault::{Checked, Fault};
use super::host::Host;
use super::records::{Id, Records, lua_fault};
use super::registry::{Entry, Run, registry};
use crate::backend::{Services, Want};
use crate::error::{Error, Origin};
use crate::model::ServiceKey;
use crate::plan::{Action, Step};

/// The registry's parts, in the order of the manual.
pub(super) static ENTRIES: &[&[Entry]] = &[
    services::ENTRIES,
    servers::ENTRIES,
    marks::ENTRIES,
    paths::ENTRIES,
    kernel::ENTRIES,
    connections::ENTRIES,
    export::ENTRIES,
    change::ENTRIES,
    policy::ENTRIES,
    deciding::ENTRIES,
    real_server::ENTRIES,
    probes::ENTRIES,
    outside::ENTRIES,
    json::ENTRIES,
    world::ENTRIES,
    testing::ENTRIES,
    sim::ENTRIES,
    scene::ENTRIES,
];

/// One call of a native: its checked arguments, and what it may use.
pub(super) struct Call<'a> {
    pub lua: &'a Lua,
    pub host: &'a Rc<Host>,
    pub records: &'a Records,
    /// The record a method was called on.
    me: Option<Id>,
    args: Vec<Val>,
}

impl Call<'_> {
    /// An argument, once.
    pub fn take(&mut self, index: usize) -> Val {
        self.args.get_mut(index).map(std::mem::take).unwrap_or_default()
    }

    /// An argument that its schema makes a table.
    pub fn row(&mut self, index: usize) -> Checked<Row> {
        match self.take(index) {
            Val::Row(row) => Ok(row),
            _ => Err(Fault::bad("a table is missing").arg(index)),
        }
    }

    /// The service a method was called on.
    pub fn service(&self) -> Checked<ServiceKey> {
        match &self.me {
            Some(Id::Service(key)) => Ok(*key),
            _ => Err(Fault::bad("this is not a service")),
        }
    }

    /// The walk over the connection table a method was called on.
    pub fn walk(&self) -> Checked<Rc<RefCell<Walk>>> {
        match &self.me {
            Some(Id::Walk(walk)) => Ok(Rc::clone(walk)),
            _ => Err(Fault::bad("these are not connections")),
        }
    }

    /// The simulation a method was called on.
    pub fn sim(&self) -> Checked<Rc<Sim>> {
        match &self.me {
            Some(Id::Sim(sim)) => Ok(Rc::clone(sim)),
            _ => Err(Fault::bad("this is not a simulation")),
        }
    }

    pub fn origin(&self) -> Option<Origin> {
        super::raise::caller(self.lua)
    }

    /// Makes changes, all or none, for the line that called.
    pub fn effect(&self, steps: Vec<Step>) -> Checked<()> {
        if steps.is_empty() {
            return Ok(());
        }
        let origin = self.origin();
        let action = |step| Action { step, origin: origin.clone(), reason: None };
        let actions = steps.into_iter().map(action).collect();
        self.host.with(|session| session.effect(actions)).map_err(|error| here(error, origin.as_ref()))
    }
}

/// An error whose place is the call itself gets its caret from the call.
fn here(mut error: Error, origin: Option<&Origin>) -> Box<Fault> {
    if error.origin.as_ref() == origin {
        error.origin = None;
    }
    Fault::new(error)
}

/// What reading one service takes.
pub(super) fn want_service(key: &ServiceKey) -> Want {
    Want { services: Services::Only([*key].into()), ..Want::default() }
}

/// The names of an owner's methods: `service` → `add_server`, ….
pub(super) fn methods(owner: &str) -> Vec<&'static str> {
    registry().iter().filter(|entry| entry.owner() == owner).map(Entry::last).collect()
}

/// The functions of one owner as a Lua table, made from the registry.
pub(super) fn bind(lua: &Lua, host: &Rc<Host>, owner: &str, into: &Table) -> mlua::Result<()> {
    for entry in registry().iter().filter(|entry| entry.owner() == owner) {
        if let Run::Native(run) | Run::Asks(run) = entry.run {
            into.raw_set(entry.last(), function(lua, host, entry, run)?)?;
        }
    }
    Ok(())
}

fn function(
    lua: &Lua,
    host: &Rc<Host>,
    entry: &'static Entry,
    run: fn(&mut Call<'_>) -> Checked<Value>,
) -> mlua::Result<Function> {
    let host2 = Rc::clone(host);
    native(lua, host, entry.last(), move |lua, args| {
        let records = Records::of(lua)?;
        if entry.effect && matches!(entry.run, Run::Native(_)) {
            host2.with(|session| session.may_change())?;
        }
        let (me, args) = arguments(entry, &records, args)?;
        let mut call = Call { lua, host: &host2, records: &records, me, args };
        run(&mut call)?.into_lua_multi(lua).map_err(lua_fault)
    })
}

/// Takes the record in front of a method's arguments, and checks the others.
fn arguments(
    entry: &'static Entry,
    records: &Records,
    mut args: MultiValue,
) -> Checked<(Option<Id>, Vec<Val>)> {
    let known: Known<'_> = &|table: &Table| match records.id(table) {
        Some(Id::Service(key)) => Some(key),
        _ => None,
    };
    let mut me = None;
    if entry.is_method() {
        me = match args.pop_front() {
            Some(Value::Table(table)) => records.id(&table),
            _ => None,
        };
        let owner = match &me {
            Some(Id::Service(_)) => "service",
            Some(Id::Walk(_)) => "connections",
            Some(Id::Sim(_)) => "sim",
            _ => "",
        };
        if owner != entry.owner() {
            let (last, owner) = (entry.last(), entry.owner());
            let what = if owner == "service" { "a service" } else { owner };
            return Err(Fault::bad(format!(
                "'{last}' is a method of {what}; write {owner}:{last}(…) with ':'"
            )));
        }
    }
    let mut out = Vec::with_capacity(entry.params.len());
    for (index, param) in entry.params.iter().enumerate() {
        if param.rest {
            out.push(Val::List(args.drain(..).map(Val::Any).collect()));
            break;
        }
        let value = args.pop_front().unwrap_or(Value::Nil);
        if value.is_nil() {
            if !param.optional {
                let text = format!("{} needs '{}' ({})", entry.name, param.name, param.ty.describe());
                return Err(Fault::bad(text).arg(index).hint(entry.signature()));
            }
            out.push(Val::Nil);
            continue;
        }
        out.push(check(value, param.ty, param.name, known).map_err(|fault| fault.arg(index))?);
    }
    if !args.is_empty() {
        let text = format!("{} takes {} arguments; got {} more", entry.name, entry.params.len(), args.len());
        return Err(Fault::bad(text).hint(entry.signature()));
    }
    Ok((me, out))
}
