//! What a test sets on its machine and reads of it: answers, connections, time, weights, what happened.

use std::time::Duration;

use mlua::Value;
use serde_json::{Value as Json, json};

use super::Call;
use super::read::{set, table};
use super::scripted;
use super::sim::{GROUP, SERVER, Sim, policy, string};
use crate::error::{Error, Kind};
use crate::model::ServerLive;
use crate::script::convert::Val;
use crate::script::fault::{Checked, Fault};
use crate::script::outside::Line;
use crate::script::raise::call_back;
use crate::script::records::lua_fault;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{LIVE_COUNTS, Ty};
use crate::script::sim::Simulated;
use crate::script::vm::to_lua;

const TIME: Ty = Ty::Seconds { min: 0, max: 366 * 86_400, whole: false };

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "sim:probe",
        GROUP,
        &[
            Param::new("server", &Ty::Str, "Its address, \"addr:port\", or \"*\" for all that have no answer of their own."),
            Param::new(
                "answer",
                &Ty::Any,
                "true, false, the text of an error, a table as { status = 503 }, or a function that is given { server, \
                 kind, port, path, host, time } and returns one of these.",
            ),
        ],
        Run::Native(probe),
        "What a server answers from now on. A probe without an answer is an error.",
    )
    .example("sim:probe(\"192.168.1.109\", function(asked) return asked.time < 180 end)"),
    Entry::new(
        "sim:world",
        GROUP,
        &[Param::new(
            "answer",
            &Ty::Any,
            "true, false, the text of an error, a table (status is a program's exit code, body what it wrote), or a function \
             that is given { kind = \"exec\", command }, { kind = \"http\", method, host, path, body } or { kind = \
             \"resolve\", name } and returns one of these.",
        )],
        Run::Native(world),
        "What comes of lvs.exec, lvs.mail, lvs.http and lvs.resolve from now on. Without it they are errors.",
    )
    .example("sim:world(function(asked) return asked.kind == \"exec\" end)"),
    Entry::new(
        "sim:live",
        GROUP,
        &[SERVER, Param::new("counts", &Ty::Table(&LIVE_COUNTS), "How many.")],
        Run::Native(live),
        "What a server has of connections from now on, in every service that has it.",
    )
    .example("sim:live(\"192.168.1.109\", { active = 17, persist = 9 })"),
    Entry::new(
        "sim:advance",
        GROUP,
        &[
            Param::new("time", &TIME, "How far."),
            Param::new("every", &TIME, "Does something each time so much of it has passed.").optional(),
            Param::new("what", &Ty::Function, "What; sim:check() when left out. It is given sim:now().").optional(),
        ],
        Run::Native(advance),
        "Moves the clock.",
    )
    .example("sim:advance(\"12m\", \"1m\")"),
    Entry::new("sim:now", GROUP, &[], Run::Native(now), "Seconds since the simulation began.")
        .returns("number")
        .example("assert(sim:now() == 0)"),
    Entry::new(
        "sim:weights",
        GROUP,
        &[Param::new("service", &Ty::Str, "As lvsh list names it (\"fwm:3\"); not needed for the only one.").optional()],
        Run::Native(weights),
        "The servers in a service's table, by address, with their weights; a port is named where it is not the service's.",
    )
    .returns("table<string, integer>")
    .example("lvs.expect(sim:weights(), {})"),
    Entry::new(
        "sim:events",
        GROUP,
        &[],
        Run::Native(events),
        "What was changed so far: what --json calls changes, each with its time.",
    )
    .returns("table[]")
    .example("for _, change in ipairs(sim:events()) do print(change.time, change.server, change.reason) end"),
    Entry::new(
        "sim:log",
        GROUP,
        &[],
        Run::Native(log),
        "What policies and scripts logged so far: time, level, text.",
    )
    .returns("table[]")
    .example("for _, line in ipairs(sim:log()) do print(line.time, line.level, line.text) end"),
    Entry::new(
        "sim:reboot",
        GROUP,
        &[],
        Run::Native(reboot),
        "The kernel's tables and all state are gone, as after a reboot; what the operator decided stays.",
    )
    .example("sim:reboot()"),
];

fn probe(call: &mut Call<'_>) -> Checked<Value> {
    let server = scripted::name_of(&string(call, 0)).map_err(|fault| fault.arg(0))?;
    let Val::Any(value) = call.take(1) else { return Ok(Value::Nil) };
    let script = scripted::script(value).map_err(|fault| fault.arg(1))?;
    call.sim()?.scripts.borrow_mut().insert(server, script);
    Ok(Value::Nil)
}

fn world(call: &mut Call<'_>) -> Checked<Value> {
    let Val::Any(value) = call.take(0) else { return Ok(Value::Nil) };
    let script = scripted::script(value).map_err(|fault| fault.arg(0))?;
    call.sim()?.world.replace(Some(script));
    Ok(Value::Nil)
}

fn live(call: &mut Call<'_>) -> Checked<Value> {
    let server = string(call, 0);
    let row = call.row(1)?;
    let number = |name| row.u32(name).unwrap_or(0);
    let live = ServerLive {
        active: number("active"),
        inactive: number("inactive"),
        persist: number("persist"),
        ..ServerLive::default()
    };
    let sim = call.sim()?;
    busy(&sim)?.live(&server, live).map_err(|error| Fault::new(error).arg(0))?;
    Ok(Value::Nil)
}

/// The machine, unless a run on it waits for an answer.
fn busy(sim: &Sim) -> Checked<std::cell::RefMut<'_, Box<dyn Simulated>>> {
    sim.machine.try_borrow_mut().map_err(|_| {
        let text = "a server that is asked cannot change its machine; return the answer";
        Fault::new(Error::new(Kind::Script, "no_effects", text))
    })
}

fn advance(call: &mut Call<'_>) -> Checked<Value> {
    let Val::Seconds(time) = call.take(0) else { return Ok(Value::Nil) };
    let every = match call.take(1) {
        Val::Seconds(every) => Some(every),
        _ => None,
    };
    let what = match call.take(2) {
        Val::Function(function) => Some(function),
        _ => None,
    };
    let sim = call.sim()?;
    drop(busy(&sim)?);
    let Some(every) = every else {
        sim.clock.advance(Duration::from_secs_f64(time));
        return Ok(Value::Nil);
    };
    if every <= 0.0 {
        return Err(Fault::bad("bad value for 'every': something every 0 seconds never ends").arg(1));
    }
    // Counted and not added up, so that many small steps end where one large one does.
    let (began, count) = (sim.now(), (time / every + 1e-9).floor() as u64);
    let to = |when: f64| {
        let left = (began + when - sim.now()).max(0.0);
        sim.clock.advance(Duration::from_secs_f64(left));
    };
    for turn in 1..=count {
        to(every * turn as f64);
        match &what {
            Some(function) => drop(call_back(call.lua, function.clone(), sim.now())?),
            None => drop(policy(call, "check", &[])?),
        }
    }
    to(time);
    Ok(Value::Nil)
}

fn now(call: &mut Call<'_>) -> Checked<Value> {
    Ok(Value::Number(call.sim()?.now()))
}

fn weights(call: &mut Call<'_>) -> Checked<Value> {
    let named = string(call, 0);
    let sim = call.sim()?;
    let all = busy(&sim)?.weights();
    let names = || all.keys().cloned().collect::<Vec<_>>().join(", ");
    let found = match (named.as_str(), all.len()) {
        ("", 0) => return table(call.lua).map(Value::Table),
        ("", 1) => all.values().next(),
        ("", _) => {
            let text = "there are several services; say which one's weights are meant";
            return Err(Fault::bad(text).hint(format!("services: {}", names())).arg(0));
        }
        (name, _) => all.get(name),
    };
    let Some(found) = found else {
        let text = format!("there is no service {named}");
        let there = if all.is_empty() { "there is none".to_string() } else { names() };
        return Err(Fault::bad(text).hint(format!("services: {there}")).arg(0));
    };
    let out = table(call.lua)?;
    for (server, weight) in found {
        set(&out, server, *weight)?;
    }
    Ok(Value::Table(out))
}

fn events(call: &mut Call<'_>) -> Checked<Value> {
    let all = Json::Array(call.sim()?.events.borrow().clone());
    to_lua(call.lua, &all).map_err(lua_fault)
}

fn log(call: &mut Call<'_>) -> Checked<Value> {
    let sim = call.sim()?;
    let log = sim.log.borrow();
    let one = |(time, line): &(f64, Line)| json!({ "time": time, "level": line.level, "text": line.text });
    to_lua(call.lua, &Json::Array(log.iter().map(one).collect())).map_err(lua_fault)
}

fn reboot(call: &mut Call<'_>) -> Checked<Value> {
    let sim = call.sim()?;
    let elapsed = sim.now();
    busy(&sim)?.reboot();
    sim.born.set(sim.clock.since_boot().as_secs_f64() - elapsed);
    Ok(Value::Nil)
}
