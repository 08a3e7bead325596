//! `policy:drain` and its like: what the verbs of the same names do, from a script.

use std::rc::Rc;

use mlua::{Lua, Value};

use super::policy::{Inner, kept};
use crate::error::{Error, Kind, did_you_mean};
use crate::model::{ServerKey, parse_endpoint};
use crate::plan::{Declared, Mode};
use crate::script::convert::{Val, check};
use crate::script::deciding::Said;
use crate::script::fault::{Checked, Fault};
use crate::script::host::Host;
use crate::script::records::lua_fault;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{DECISION, Ty};
use crate::script::vm::to_lua;

static SERVER: Ty = Ty::Str;
static WEIGHT: Ty = Ty::Integer { min: 0, max: 65535 };
static OPTIONS: Ty = Ty::Table(&DECISION);
const A_SERVER: Param = Param::new("server", &SERVER, "Its address, as the policy has it.");
const WHY: Param = Param::new("options", &OPTIONS, "Why, and how long it may take.").optional();

const fn word(
    name: &'static str,
    params: &'static [Param],
    doc: &'static str,
    example: &'static str,
) -> Entry {
    Entry::new(name, "policies", params, Run::Lua, doc).changes(&["locked"]).example(example)
}

pub static ENTRIES: &[Entry] = &[
    word(
        "policy:drain",
        &[A_SERVER, WHY],
        "As lvsh drain: no new clients for a server; those it has may finish. Kept with who said it and why, through \
         reboots, if the script ends well.",
        "policy:drain(\"192.168.1.109\", { reason = \"new kernel\", timeout = \"15m\" })",
    ),
    word("policy:undrain", &[A_SERVER, WHY], "Takes a drain back.", "policy:undrain(\"192.168.1.109\")"),
    word(
        "policy:maint",
        &[A_SERVER, WHY],
        "As lvsh maint: weight 0, whatever its checks say, until ready.",
        "policy:maint(\"192.168.1.109\", { reason = \"disk\" })",
    ),
    word(
        "policy:ready",
        &[A_SERVER, WHY],
        "Ends drain and maint of a server.",
        "policy:ready(\"192.168.1.109\")",
    ),
    word(
        "policy:weight",
        &[A_SERVER, Param::new("weight", &WEIGHT, "Left out, the policy's again.").optional(), WHY],
        "As lvsh weight: another weight for a server than the policy's.",
        "policy:weight(\"192.168.1.109\", 4)",
    ),
];

/// Each takes the policy's declaration, its name, and what the method was given.
pub const INNER: &[(&str, Inner)] = &[
    ("drain", |lua, host, args| say(lua, host, "drain", args)),
    ("undrain", |lua, host, args| say(lua, host, "undrain", args)),
    ("maint", |lua, host, args| say(lua, host, "maint", args)),
    ("ready", |lua, host, args| say(lua, host, "ready", args)),
    ("weight", |lua, host, args| say(lua, host, "weight", args)),
    // Takes the policy's name, and whether it is to be worked on. Nil for its own functions, to which the host says what is known.
    ("known", |lua, host, args| {
        let (Some(deciding), Some(Value::String(name))) = (&host.deciding, args.first()) else {
            return Ok(Value::Nil);
        };
        let works = args.get(1) == Some(&Value::Boolean(true));
        let hold = works && host.with(|session| Ok(session.mode() == Mode::Live))?;
        to_lua(lua, &deciding.0.known(&name.to_string_lossy(), hold)?).map_err(lua_fault)
    }),
    ("remember", |lua, host, args| {
        let memory = match args.get(1) {
            Some(value) => {
                let records = crate::script::records::Records::of(lua)?;
                crate::script::shown::shown(lua, host, &records, value).json
            }
            None => serde_json::Value::Null,
        };
        if let (Some(deciding), Some(Value::String(name))) = (&host.deciding, args.first()) {
            deciding.0.remember(&name.to_string_lossy(), memory);
        }
        Ok(Value::Nil)
    }),
    ("said", |_, host, _| {
        let count = host.deciding.as_ref().map_or(0, |deciding| deciding.0.count());
        Ok(Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)))
    }),
    ("unsay", |_, host, args| {
        if let (Some(deciding), Some(Value::Integer(count))) = (&host.deciding, args.first()) {
            deciding.0.back_to(usize::try_from(*count).unwrap_or_default());
        }
        Ok(Value::Nil)
    }),
];

fn say(lua: &Lua, host: &Rc<Host>, verb: &'static str, args: &[Value]) -> Checked<Value> {
    let declared = kept(args.first())?.declared;
    let policy = match args.get(1) {
        Some(Value::String(name)) => name.to_string_lossy(),
        _ => String::new(),
    };
    host.with(|session| {
        session.may_change()?;
        if host.prompt.get() && session.mode() == Mode::Staged {
            let text =
                format!("a dry run collects changes of the machine, and policy:{verb} is kept beside it");
            return Err(Error::new(Kind::Script, "no_effects", text).hint(".dry off first"));
        }
        Ok(())
    })?;
    let given = |at: usize| args.get(at + 2).cloned().unwrap_or(Value::Nil);
    let server = match check(given(0), &SERVER, "server", &|_| None).map_err(|fault| fault.arg(0))? {
        Val::Str(text) => known(&declared, &policy, &text).map_err(|error| Fault::new(error).arg(0))?,
        _ => String::new(),
    };
    let mut said = Said { policy, server, verb, weight: None, reason: None, timeout: None };
    let mut options = 1;
    if verb == "weight" {
        options = 2;
        if !given(1).is_nil()
            && let Val::Int(weight) =
                check(given(1), &WEIGHT, "weight", &|_| None).map_err(|fault| fault.arg(1))?
        {
            said.weight = u32::try_from(weight).ok();
        }
    }
    if !given(options).is_nil()
        && let Val::Row(row) =
            check(given(options), &OPTIONS, "options", &|_| None).map_err(|fault| fault.arg(options))?
    {
        said.reason = row.str("reason").map(str::to_string);
        said.timeout = row.seconds("timeout");
    }
    let Some(deciding) = &host.deciding else {
        let text =
            format!("policy:{verb} is for scripts and the prompt, and not for a policy's own functions");
        let hint = "the policy says it itself with health and weight; lvsh run, eval and the prompt decide";
        return Err(Fault::new(Error::new(Kind::Script, "no_effects", text).hint(hint)));
    };
    let known = deciding.0.say(said)?;
    to_lua(lua, &known).map_err(lua_fault)
}

/// The server as the policy names it, or which ones there are.
pub fn known(declared: &Declared, policy: &str, text: &str) -> Result<String, Error> {
    let wrong = |message: String| Error::new(Kind::Script, "unknown_name", message).about(text);
    let (addr, port) = parse_endpoint(text).map_err(wrong)?;
    let keys = || declared.services.values().flat_map(|entry| entry.servers.keys());
    let fits = |key: &&ServerKey| key.addr == addr && port.is_none_or(|port| key.port == port);
    match keys().find(fits) {
        // Without a port it is about every port of that address.
        Some(_) if port.is_none() => Ok(addr.to_string()),
        Some(key) => Ok(key.to_string()),
        None => {
            let mut names: Vec<String> = keys().map(ToString::to_string).collect();
            names.sort();
            names.dedup();
            let error = wrong(format!("policy '{policy}' has no server {text}"));
            let near = did_you_mean(text, names.iter().map(String::as_str));
            let error = match near {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error,
            };
            Err(error.note(format!("servers: {}", names.join(", "))))
        }
    }
}
