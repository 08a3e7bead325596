//! Declaring tests, and what they assert with.

use mlua::{Function, Lua, Value};

use super::Call;
use super::sim::{GROUP, string};
use crate::error::{Error, Kind};
use crate::script::convert::{Val, show};
use crate::script::fault::{Checked, Fault};
use crate::script::host::Host;
use crate::script::raise::OURS;
use crate::script::records::lua_fault;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::Ty;
use crate::script::sim::Test;

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.test",
        GROUP,
        &[
            Param::new("name", &Ty::Str, "What it shows; each name once in a file."),
            Param::new("body", &Ty::Function, "The test; it fails if this raises."),
        ],
        Run::Native(test),
        "Declares a test, in a file for lvsh test.",
    )
    .example("lvs.test(\"it starts\", function() lvs.sim { policy = \"web.lua\" }:start() end)"),
    Entry::new(
        "lvs.expect",
        GROUP,
        &[
            Param::new("got", &Ty::Any, "What there is.").optional(),
            Param::new("wanted", &Ty::Any, "What there has to be; tables are compared by what is in them.")
                .optional(),
            Param::new("what", &Ty::Str, "What it is, for the message.").optional(),
        ],
        Run::Native(expect),
        "Raises unless two values are equal, and says where they differ.",
    )
    .example("lvs.expect({ a = 1 }, { a = 1 })"),
];

/// What is only in a test.
pub fn only_in_tests(host: &Host, what: &str) -> Checked<()> {
    if host.simulate.is_some() {
        return Ok(());
    }
    let error = Error::new(Kind::Script, "no_effects", format!("{what} is for tests of policies"));
    Err(Fault::new(error.hint("lvsh test FILE runs them")))
}

fn test(call: &mut Call<'_>) -> Checked<Value> {
    only_in_tests(call.host, "lvs.test")?;
    let name = string(call, 0);
    let Val::Function(body) = call.take(1) else { return Ok(Value::Nil) };
    let origin = call.origin();
    let mut tests = call.host.tests.borrow_mut();
    if let Some(other) = tests.iter().find(|test| test.name == name) {
        let place = other.origin.as_ref().map(|origin| format!(" in line {}", origin.line));
        let text = format!("a test named \"{name}\" is declared already{}", place.unwrap_or_default());
        return Err(Fault::bad(text).arg(0));
    }
    tests.push(Test { name, body, origin });
    Ok(Value::Nil)
}

const DIFFER: &str = "lvsh.differ";

/// The Lua part, loaded when it is first asked for.
fn differ(lua: &Lua) -> mlua::Result<Function> {
    if let Some(known) = lua.named_registry_value(DIFFER)? {
        return Ok(known);
    }
    let made: Function = lua.load(include_str!("../../../lua/expect.lua")).set_name(OURS).call(())?;
    lua.set_named_registry_value(DIFFER, &made)?;
    Ok(made)
}

fn expect(call: &mut Call<'_>) -> Checked<Value> {
    let any = |val: Val| match val {
        Val::Any(value) => value,
        _ => Value::Nil,
    };
    let (got, wanted) = (any(call.take(0)), any(call.take(1)));
    let what = string(call, 2);
    let found =
        || -> mlua::Result<(Option<String>, Value, Value)> { differ(call.lua)?.call((&got, &wanted)) };
    let (way, mine, theirs) = found().map_err(lua_fault)?;
    let Some(way) = way else { return Ok(Value::Nil) };
    let text = |value: &Value| match value {
        Value::Nil | Value::Boolean(_) | Value::Integer(_) | Value::Number(_) => show(value),
        other => crate::script::shown::shown(call.lua, call.host, call.records, other).lua,
    };
    let place = match (what.is_empty(), way.trim_start_matches('.')) {
        (true, "") => String::new(),
        (true, way) => format!("{way}: "),
        (false, _) => format!("{what}{way}: "),
    };
    let message = format!("{place}got {}, wanted {}", text(&mine), text(&theirs));
    let mut error = Error::new(Kind::Script, "failed", message);
    // Where one value of many differs, the whole says which case this is.
    if !way.is_empty() {
        error.notes.push(format!("got    {}", text(&got)));
        error.notes.push(format!("wanted {}", text(&wanted)));
    }
    Err(Fault::new(error).arg(0))
}
