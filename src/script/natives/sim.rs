//! Machines of tests: in memory, where time is told, servers answer as written, and every run is a real one.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use mlua::Value;
use serde_json::{Value as Json, json};

use super::scripted::{self, Script, Scripts};
use super::testing::only_in_tests;
use super::{Call, here};
use crate::script::convert::{Row, Val};
use crate::script::fault::{Checked, Fault};
use crate::script::outside::{Clock, Line};
use crate::script::records::{Id, lua_fault};
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{DECISION, SIM_SPEC, SIM_START, Ty};
use crate::script::sim::{SimSpec, Simulated, beside};
use crate::script::vm::to_lua;

pub const GROUP: &str = "tests";
pub const SERVER: Param = Param::new("server", &Ty::Endpoint, "Its address, as the policy has it.");
static DECISION_TYPE: Ty = Ty::Table(&DECISION);
const OPTIONS: Param = Param::new("options", &DECISION_TYPE, "Why, and how long it may take.").optional();
const DOCUMENT: &str = "table";

const fn verb(
    name: &'static str,
    params: &'static [Param],
    run: fn(&mut Call<'_>) -> Checked<Value>,
    doc: &'static str,
    example: &'static str,
) -> Entry {
    Entry::new(name, GROUP, params, Run::Native(run), doc).returns(DOCUMENT).example(example)
}

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.sim",
        GROUP,
        &[Param::new("spec", &Ty::Table(&SIM_SPEC), "The policy, and what is there before.").optional()],
        Run::Native(sim),
        "A machine of a test: in memory, with a clock that only sim:advance moves and servers that answer what sim:probe \
         says. Everything else is real: its runs are those of the program, with state and decisions in a folder of its own.",
    )
    .returns("LvsSim")
    .example("local sim = lvs.sim { policy = \"web.lua\" }"),
    verb(
        "sim:start",
        &[Param::new("options", &Ty::Table(&SIM_START), "Whether to take over what is there.").optional()],
        start,
        "lvsh start of the policy. Gives what --json prints, with its text as text and its exit code as code.",
        "sim:start()",
    ),
    verb("sim:stop", &[], |call| policy(call, "stop", &[]), "lvsh stop of the policy.", "sim:stop()"),
    verb("sim:apply", &[], |call| policy(call, "apply", &[]), "lvsh apply of the policy.", "sim:apply()"),
    verb(
        "sim:plan",
        &[],
        |call| policy(call, "plan", &[]),
        "lvsh plan of the policy.",
        "print(sim:plan().text)",
    ),
    verb(
        "sim:status",
        &[],
        |call| policy(call, "status", &[]),
        "lvsh status of the policy.",
        "print(sim:status().text)",
    ),
    verb(
        "sim:check",
        &[],
        |call| policy(call, "check", &[]),
        "lvsh check of the policy: one round of health, with the scripted answers.",
        "local round = sim:check() print(round.status, round.text)",
    ),
    verb(
        "sim:drain",
        &[SERVER, OPTIONS],
        |call| decide(call, "drain"),
        "lvsh drain of the policy and a server.",
        "sim:drain(\"192.168.1.109\", { reason = \"new kernel\", timeout = \"15m\" })",
    ),
    verb(
        "sim:undrain",
        &[SERVER, OPTIONS],
        |call| decide(call, "undrain"),
        "lvsh undrain of the policy and a server.",
        "sim:undrain(\"192.168.1.109\")",
    ),
    verb(
        "sim:maint",
        &[SERVER, OPTIONS],
        |call| decide(call, "maint"),
        "lvsh maint of the policy and a server.",
        "sim:maint(\"192.168.1.109\", { reason = \"disk\" })",
    ),
    verb(
        "sim:ready",
        &[SERVER, OPTIONS],
        |call| decide(call, "ready"),
        "lvsh ready of the policy and a server.",
        "sim:ready(\"192.168.1.109\")",
    ),
    verb(
        "sim:weight",
        &[
            SERVER,
            Param::new("weight", &Ty::Integer { min: 0, max: 65535 }, "Left out, the policy's again.").optional(),
            OPTIONS,
        ],
        |call| decide(call, "weight"),
        "lvsh weight of the policy and a server.",
        "sim:weight(\"192.168.1.109\", 4)",
    ),
    verb(
        "sim:run",
        &[
            Param::new("file", &Ty::Str, "The script, beside the test's file."),
            Param::new("args", &Ty::Any, "What it gets as its arguments.").rest(),
        ],
        run,
        "lvsh run of a script. lvs.state finds what the run before left, lvs.uptime and lvs.sleep are the clock of the \
         simulation.",
        "sim:run(\"web-health.lua\")",
    ),
    verb(
        "sim:eval",
        &[Param::new("code", &Ty::Str, "An expression or statements.")],
        |call| {
            let code = string(call, 0);
            command(call, vec!["eval".to_string(), code])
        },
        "lvsh eval on this machine: makes what is there before, or looks. What it gives is in values.",
        "sim:eval \"lvs.services()\"",
    ),
    verb(
        "sim:lvsh",
        &[
            Param::new("command", &Ty::Str, "start, list, history, …"),
            Param::new("words", &Ty::Any, "The words after it.").rest(),
        ],
        lvsh,
        "Any other command line of the program on this machine.",
        "print(sim:lvsh(\"list\").text)",
    ),
];

/// A machine of a test, with what the test knows of it.
pub struct Sim {
    pub machine: RefCell<Box<dyn Simulated>>,
    pub scripts: RefCell<Scripts>,
    pub world: RefCell<Option<Script>>,
    /// The boot clock when the simulation began; before that, after a reboot.
    pub born: Cell<f64>,
    pub clock: Clock,
    policy: Option<String>,
    pub events: RefCell<Vec<Json>>,
    pub log: RefCell<Vec<(f64, Line)>>,
}

impl Sim {
    pub fn now(&self) -> f64 {
        self.clock.since_boot().as_secs_f64() - self.born.get()
    }
}

fn sim(call: &mut Call<'_>) -> Checked<Value> {
    only_in_tests(call.host, "lvs.sim")?;
    let Some(simulate) = call.host.simulate.clone() else { return Ok(Value::Nil) };
    let folder = call.host.dirs.borrow().first().cloned();
    let (mut spec, mut policy) = (SimSpec::default(), None);
    if let Val::Row(row) = call.take(0) {
        policy = row.str("policy").map(|file| beside(folder.as_deref(), file));
        spec.machine = row.str("machine").map(|file| beside(folder.as_deref(), file).into());
    }
    let machine = (simulate.0)(&spec).map_err(|error| Fault::new(error).arg(0))?;
    let clock = machine.clock().clone();
    let sim = Sim {
        machine: RefCell::new(machine),
        scripts: RefCell::default(),
        world: RefCell::default(),
        born: Cell::new(clock.since_boot().as_secs_f64()),
        clock,
        policy,
        events: RefCell::default(),
        log: RefCell::default(),
    };
    call.records.make(call.lua, Id::Sim(Rc::new(sim)))
}

pub fn string(call: &mut Call<'_>, index: usize) -> String {
    match call.take(index) {
        Val::Str(text) => text,
        Val::Endpoint(addr, port) => {
            port.map_or(addr.to_string(), |port| crate::model::show_endpoint(addr, port))
        }
        _ => String::new(),
    }
}

/// One run of the program; what it did and logged is kept with its time.
fn command(call: &Call<'_>, words: Vec<String>) -> Checked<Value> {
    let sim = call.sim()?;
    let (began, origin) = (sim.now(), call.origin());
    let done = scripted::run(call.lua, &sim, &words);
    if let Ok(mut machine) = sim.machine.try_borrow_mut() {
        let born = sim.born.get();
        let lines = machine.heard().into_iter().map(|line| (line.at.as_secs_f64() - born, line));
        sim.log.borrow_mut().extend(lines);
    }
    let document = done.map_err(|fault| {
        let error = fault.error;
        match (&error.origin, &origin) {
            // It is the policy that is wrong; which test met it is told too.
            (Some(place), Some(origin)) if place != origin => {
                let note = format!("met by {}, line {}", origin.file, origin.line);
                Fault::new(error.note(note))
            }
            _ => here(error, origin.as_ref()),
        }
    })?;
    if document.get("changed") == Some(&Json::Bool(true)) {
        let changes = document.get("changes").and_then(Json::as_array).cloned().unwrap_or_default();
        let timed = changes.into_iter().map(|mut change| {
            change["time"] = json!(began);
            change
        });
        sim.events.borrow_mut().extend(timed);
    }
    to_lua(call.lua, &document).map_err(lua_fault)
}

pub fn policy(call: &Call<'_>, verb: &str, more: &[String]) -> Checked<Value> {
    let Some(policy) = call.sim()?.policy.clone() else {
        let text = format!("this simulation has no policy to {verb}");
        return Err(Fault::bad(text).hint("lvs.sim { policy = \"web.lua\" } names it"));
    };
    let mut words = vec![verb.to_string(), policy];
    words.extend_from_slice(more);
    command(call, words)
}

fn start(call: &mut Call<'_>) -> Checked<Value> {
    let adopt = matches!(call.take(0), Val::Row(row) if row.bool("adopt") == Some(true));
    let words: &[String] = if adopt { &["--adopt".to_string()] } else { &[] };
    policy(call, "start", words)
}

fn decide(call: &mut Call<'_>, verb: &str) -> Checked<Value> {
    let mut words = vec![string(call, 0)];
    let options = if verb == "weight" { 2 } else { 1 };
    if options == 2
        && let Val::Int(weight) = call.take(1)
    {
        words.push(weight.to_string());
    }
    if let Val::Row(row) = call.take(options) {
        words.extend(option(&row));
    }
    policy(call, verb, &words)
}

fn option(row: &Row) -> Vec<String> {
    let reason = row.str("reason").map(|reason| format!("--reason={reason}"));
    let limit = row.seconds("timeout").map(|seconds| format!("--for={seconds}s"));
    reason.into_iter().chain(limit).collect()
}

/// What is left of the arguments, as words of a command line.
fn rest(call: &mut Call<'_>, index: usize) -> Vec<String> {
    let Val::List(list) = call.take(index) else { return Vec::new() };
    let word = |val| match val {
        Val::Any(value) => value.to_string().ok(),
        _ => None,
    };
    list.into_iter().filter_map(word).collect()
}

fn run(call: &mut Call<'_>) -> Checked<Value> {
    let file = string(call, 0);
    let folder = call.host.dirs.borrow().first().cloned();
    let mut words = vec!["run".to_string(), beside(folder.as_deref(), &file)];
    words.extend(rest(call, 1));
    command(call, words)
}

fn lvsh(call: &mut Call<'_>) -> Checked<Value> {
    let mut words = vec![string(call, 0)];
    words.extend(rest(call, 1));
    command(call, words)
}
