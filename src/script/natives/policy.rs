//! `lvs.policy`: a director as data. What its methods do is written in `lua/policy.lua`.

use std::rc::Rc;

use mlua::{Function, IntoLuaMulti, Lua, MultiValue, Table, UserData, Value};

use super::change::{back, mark, plan_desired, plan_record};
use super::deciding;
use super::health::{self, Care, care, weighed};
use super::{Call, here, read};
use crate::error::{Error, Kind, Origin};
use crate::plan::Declared;
use crate::script::bind::native;
use crate::script::build;
use crate::script::convert::{Row, Val};
use crate::script::fault::{Checked, Fault, Part};
use crate::script::host::Host;
use crate::script::raise::{OURS, Raised, caller, caught, frames};
use crate::script::records::{Records, lua_fault};
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{POLICY, Ty};
use crate::script::source::{Target, Words};

const GROUP: &str = "policies";

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.policy",
        GROUP,
        &[Param::new("spec", &Ty::Table(&POLICY), "What shall exist, and hooks.")],
        Run::Native(policy),
        "Declares a director; a policy file returns it.",
    )
    .returns("LvsPolicy")
    .example("return lvs.policy { name = \"web\", service = { fwmark = 3, scheduler = \"sh\" } }"),
    Entry::new(
        "policy:start",
        GROUP,
        &[],
        Run::Lua,
        "Makes exist what is declared, then calls on_start. What is in the way is a conflict.",
    )
    .changes(&["conflict"])
    .example("policy:start()"),
    Entry::new("policy:stop", GROUP, &[], Run::Lua, "Calls on_stop, then removes what the policy owns.")
        .changes(&[])
        .example("policy:stop()"),
    Entry::new("policy:apply", GROUP, &[], Run::Lua, "As start, but takes over what is in the way.")
        .changes(&[])
        .example("policy:apply()"),
    Entry::new(
        "policy:status",
        GROUP,
        &[],
        Run::Lua,
        "Whether it is up: \"up\", \"down\", or \"changed\" when something differs.",
    )
    .returns("LvsPolicyStatus")
    .example("print(policy:status().state)"),
    Entry::new("policy:plan", GROUP, &[], Run::Lua, "What apply would change.")
        .returns("LvsPlan")
        .example("print(policy:plan().count)"),
    Entry::new(
        "policy:check",
        GROUP,
        &[],
        Run::Lua,
        "One round of health: probes, then the weights that follow. What the operator decided comes first, and what it \
         learns is kept for the next round, as by lvsh check.",
    )
    .changes(&[])
    .returns("table")
    .example("policy:check()"),
    Entry::new("policy:default_start", GROUP, &[], Run::Lua, "The derived start, for a start of one's own.")
        .changes(&[])
        .example("policy:default_start()"),
    Entry::new("policy:default_stop", GROUP, &[], Run::Lua, "The derived stop, for a stop of one's own.")
        .changes(&[])
        .example("policy:default_stop()"),
    Entry::new(
        "policy:default_status",
        GROUP,
        &[],
        Run::Lua,
        "The derived status, for a status of one's own.",
    )
    .returns("LvsPolicyStatus")
    .example("policy:default_status()"),
];

/// What a policy object declares, kept beside it.
#[derive(Clone)]
pub struct Kept {
    pub declared: Rc<Declared>,
    pub care: Rc<Care>,
}

impl UserData for Kept {}

/// Marks a VM's rehearsals as ended; the session does the work.
pub struct Rehearsals;

impl Rehearsals {
    /// Ends those that an interrupted script left open.
    pub fn end(host: &Host) {
        let mut guard = host.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(session) = guard.as_mut() {
            session.stop_rehearsing();
        }
    }
}

/// Whether `name` can name a policy.
pub fn check_name(name: &str) -> Result<(), String> {
    let clean = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if clean && (1..=64).contains(&name.len()) {
        Ok(())
    } else {
        Err(format!(
            "bad value for 'name': \"{name}\" is not a policy's name: 1 to 64 letters, digits, '-' or '_'"
        ))
    }
}

fn policy(call: &mut Call<'_>) -> Checked<Value> {
    let mut row = call.row(0)?;
    let name = named(call, &row)?;
    let hooks =
        ["on_start", "on_stop", "start", "stop", "status", "weight", "on_change", "on_quorum", "on_degraded"];
    let given = given(call.lua, &mut row, &hooks)?;
    read::set(&given, "notify", notify(call.lua, &row)?)?;
    make(call, "policy", name, &mut row, given)
}

/// Who is told of changes, as `lua/policy.lua` takes it.
fn notify(lua: &Lua, row: &Row) -> Checked<Option<Table>> {
    let Some(said) = row.row("notify") else { return Ok(None) };
    let out = read::table(lua)?;
    let words = said.list("mail").iter().filter_map(|val| match val {
        Val::Str(word) => Some(word.as_str()),
        _ => None,
    });
    read::set(&out, "mail", lua.create_sequence_from(words).map_err(lua_fault)?)?;
    read::set(&out, "from", said.str("from"))?;
    read::set(&out, "sendmail", said.str("sendmail"))?;
    Ok(Some(out))
}

/// The name that a spec gives, else the file's.
pub fn named(call: &Call<'_>, row: &Row) -> Checked<String> {
    let name = row.str("name").map(str::to_string).unwrap_or_else(|| call.host.owner.borrow().clone());
    check_name(&name).map_err(|why| Fault::bad(why).under("name").arg(0))?;
    Ok(name)
}

/// The functions that a spec gives.
pub fn given(lua: &Lua, row: &mut Row, hooks: &[&str]) -> Checked<Table> {
    let given = read::table(lua)?;
    for hook in hooks {
        if let Val::Function(function) = row.take(hook) {
            read::set(&given, hook, function)?;
        }
    }
    Ok(given)
}

/// The object of a checked spec. `what` is the function that was called, for the places of things in the file.
pub fn make(
    call: &Call<'_>,
    what: &'static str,
    name: String,
    row: &mut Row,
    given: Table,
) -> Checked<Value> {
    let mut declared = declare(call, what, row).map_err(|fault| fault.arg(0))?;
    declared.ramps = row.has("slow_start");
    let (care, rules) = care(call.lua, &name, row, &mut declared).map_err(|fault| fault.arg(0))?;
    read::set(&given, "rules", rules)?;
    call.host.owner.replace(name.clone());
    let make = || -> mlua::Result<Value> {
        let kept = Kept { declared: Rc::new(declared), care: Rc::new(care) };
        let kept = call.lua.create_userdata(kept)?;
        let policies: Table = call.lua.named_registry_value("lvsh.policies")?;
        let make: Function = call.lua.named_registry_value("lvsh.make_policy")?;
        let object: Table = make.call((name, kept.clone(), given))?;
        policies.raw_set(&object, kept)?;
        Ok(Value::Table(object))
    };
    make().map_err(lua_fault)
}

/// Builds what is declared; the place of each service is looked up in the file when the file is a short one.
fn declare(call: &Call<'_>, what: &'static str, row: &Row) -> Checked<Declared> {
    /// Bytes. A policy that lists a thousand services is generated, and the line of its call says enough.
    const SHORT: usize = 64 * 1024;
    let frame = frames(call.lua, 1).into_iter().next();
    let origin = frame.as_ref().map(|frame| frame.origin());
    let source = frame.as_ref().and_then(|frame| call.host.sources.get(&frame.chunk));
    let words = source.as_deref().filter(|source| source.len() <= SHORT).map(Words::new);
    // A list that a loop made is written nowhere: all its elements have the line of their field.
    let mut made: Option<(String, u32)> = None;
    let mut place = |field: &str, index: usize| -> Option<Origin> {
        let mut origin = origin.clone()?;
        let (Some(words), Some(frame)) = (&words, &frame) else { return Some(origin) };
        if let Some((_, line)) = made.as_ref().filter(|(of, _)| of == field) {
            origin.line = *line;
            return Some(origin);
        }
        let whole = [Part::Field(field.to_string()), Part::Item(index)];
        let walked = |path| {
            let target = Target { call: what, line: frame.line, arg: Some(0), path, key: true };
            words.walked(target).map(|spot| spot.line)
        };
        origin.line = walked(&whole).unwrap_or_else(|| {
            let line = walked(&whole[..1]).unwrap_or(origin.line);
            made = Some((field.to_string(), line));
            line
        });
        Some(origin)
    };
    build::desired(row, &mut place)
}

/// What a policy object declares; `None` for other tables.
pub fn declared_of(lua: &Lua, table: &Table) -> Option<Rc<Declared>> {
    let policies: Table = lua.named_registry_value("lvsh.policies").ok()?;
    let kept = policies.raw_get::<Option<mlua::AnyUserData>>(table).ok()??;
    kept.borrow::<Kept>().ok().map(|kept| Rc::clone(&kept.declared))
}

pub fn kept(value: Option<&Value>) -> Checked<Kept> {
    match value {
        Some(Value::UserData(object)) => object.borrow::<Kept>().map(|kept| kept.clone()).map_err(lua_fault),
        _ => Err(Fault::bad("this is not a policy")),
    }
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.to_string_lossy(),
        _ => String::new(),
    }
}

/// What a policy owns is remembered by `lvsh start`; started from a prompt, nobody would know what to stop.
fn not_at_a_prompt(host: &Host) -> Checked<()> {
    if !host.prompt.get() {
        return Ok(());
    }
    let text = "a policy is not started or stopped at the prompt, which would not remember what it owns";
    let error = Error::new(Kind::Script, "no_effects", text);
    Err(Fault::new(error.hint("policy:plan() shows what it would do; lvsh start, stop and apply do it")))
}

pub type Inner = fn(&Lua, &Rc<Host>, &[Value]) -> Checked<Value>;

/// What the Lua part is built from; none of these is visible to scripts.
const INNER: &[(&str, Inner)] = &[
    ("declare", |lua, host, args| {
        not_at_a_prompt(host)?;
        let declared = weighed(&kept(args.first())?, args.get(3))?;
        let adopt = args.get(2) == Some(&Value::Boolean(true));
        let origin = caller(lua);
        let owner = text(args.get(1));
        let said = host.with(|session| session.declare(&declared, &owner, adopt));
        said.map_err(|error| here(error, origin.as_ref()))?;
        Ok(Value::Nil)
    }),
    ("release", |_, host, _| {
        not_at_a_prompt(host)?;
        host.with(|session| session.release_held())?;
        Ok(Value::Nil)
    }),
    ("plan", |lua, host, args| {
        let declared = weighed(&kept(args.first())?, args.get(2))?;
        let owner = text(args.get(1));
        let plan = host.with(|session| {
            session.rehearse();
            let said = session.declare(&declared, &owner, true);
            let plan = session.plan();
            session.stop_rehearsing();
            said.map(|()| plan)
        })?;
        plan_record(lua, Records::of(lua)?.as_ref(), &plan)
    }),
    ("total", |_, _, args| {
        let declared = kept(args.first())?.declared;
        Ok(Value::Integer(declared.len() as i64))
    }),
    ("plan_desired", |lua, host, args| {
        plan_desired(lua, host, Records::of(lua)?.as_ref(), args.first().cloned().unwrap_or(Value::Nil))
    }),
    ("rehearse", |_, host, _| {
        host.with(|session| {
            session.rehearse();
            Ok(())
        })?;
        Ok(Value::Nil)
    }),
    ("rehearsed", |lua, host, _| {
        let plan = host.with(|session| Ok(session.rehearsed()))?;
        plan_record(lua, Records::of(lua)?.as_ref(), &plan)
    }),
    ("mark", |lua, host, args| mark(lua, host, args.first().unwrap_or(&Value::Nil))),
    ("back", |lua, host, args| match args {
        [point, raised] => back(lua, host, point, raised),
        _ => Ok(Value::Nil),
    }),
    ("unknown_method", |_, _, args| {
        let name = text(args.first());
        let known = super::methods("policy");
        let error = crate::error::Error::new(
            crate::error::Kind::Script,
            "unknown_field",
            format!("a policy has no method '{name}'"),
        );
        let mut fault = Fault::new(error.note(format!("methods: {}", known.join(", "))));
        if let Some(near) = crate::error::did_you_mean(&name, known) {
            fault.label = format!("did you mean '{near}'?");
            fault = fault.hint(format!("did you mean '{near}'?"));
        }
        Err(fault.under(&name))
    }),
];

/// Loads the Lua part and puts `transaction` and `plan` into the API.
pub fn setup(lua: &Lua, host: &Rc<Host>, api: &Table) -> mlua::Result<()> {
    let inner = lua.create_table()?;
    for (name, run) in INNER.iter().chain(health::INNER).chain(deciding::INNER) {
        // `plan` and `transaction` are what the user called; the caret goes there.
        let shown = match *name {
            "plan_desired" => "plan",
            "mark" => "transaction",
            "unknown_method" => "__index",
            other => other,
        };
        let host2 = Rc::clone(host);
        let function = native(lua, host, shown, move |lua, args| {
            let args: Vec<Value> = args.into_iter().collect();
            run(lua, &host2, &args)?.into_lua_multi(lua).map_err(lua_fault)
        })?;
        inner.raw_set(*name, function)?;
    }
    let host2 = Rc::clone(host);
    let handler = lua.create_function(move |lua, value: Value| Ok(Raised(caught(lua, &host2, &value))))?;
    inner.raw_set("caught", &handler)?;
    inner.raw_set("mail", api.raw_get::<Function>("mail")?)?;
    lua.set_named_registry_value("lvsh.caught", handler)?;
    let policies = lua.create_table()?;
    let weak = lua.create_table()?;
    weak.raw_set("__mode", "k")?;
    policies.set_metatable(Some(weak))?;
    lua.set_named_registry_value("lvsh.policies", policies)?;
    let ours = |lua: &Lua, text: &'static str| lua.load(text).set_name(OURS);
    let health = lua.create_function(move |lua, ()| {
        let health: Table = ours(lua, include_str!("../../../lua/health.lua")).call(())?;
        let round: Function = ours(lua, include_str!("../../../lua/round.lua")).call(&health)?;
        Ok((health, round))
    })?;
    inner.raw_set("health", health)?;
    let parts: MultiValue = ours(lua, include_str!("../../../lua/policy.lua")).call(inner)?;
    let [make, transaction, plan]: [Value; 3] = Vec::from(parts)
        .try_into()
        .map_err(|_| mlua::Error::runtime("lua/policy.lua returns three functions"))?;
    lua.set_named_registry_value("lvsh.make_policy", make)?;
    api.raw_set("transaction", transaction)?;
    api.raw_set("plan", plan)
}
