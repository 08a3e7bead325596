//! Log, status, time.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use mlua::{MultiValue, Value};

use super::Call;
use crate::script::convert::{Val, parse_seconds};
use crate::script::fault::{Checked, Fault};
use crate::script::host::Host;
use crate::script::outside::Line;
use crate::script::records::lua_fault;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::Ty;
use crate::script::vm::to_lua;

/// How loud a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Notice,
    Warn,
    Error,
}

/// The least level that is printed; one for the program, as stderr is.
static LEAST: AtomicU8 = AtomicU8::new(Level::Info as u8);

/// Prints messages of this level and above.
pub fn set_log_level(level: Level) {
    LEAST.store(level as u8, Ordering::Relaxed);
}

const GROUP: &str = "world";
const FORMAT: Param =
    Param::new("format", &Ty::Any, "As string.format; without arguments it is taken as it is.");
const ARGS: Param = Param::new("args", &Ty::Any, "What the format names.").rest();

const fn log(
    name: &'static str,
    run: fn(&mut Call<'_>) -> Checked<Value>,
    doc: &'static str,
    example: &'static str,
) -> Entry {
    Entry::new(name, GROUP, &[FORMAT, ARGS], Run::Native(run), doc).example(example)
}

pub static ENTRIES: &[Entry] = &[
    log(
        "lvs.log.debug",
        |call| say(call, Level::Debug),
        "To stderr, with -v.",
        "lvs.log.debug(\"%d servers\", 2)",
    ),
    log(
        "lvs.log.info",
        |call| say(call, Level::Info),
        "To stderr, without --quiet.",
        "lvs.log.info \"nothing to do\"",
    ),
    log(
        "lvs.log.notice",
        |call| say(call, Level::Notice),
        "To stderr: a change worth knowing.",
        "lvs.log.notice(\"%s is up\", \"192.168.1.109\")",
    ),
    log(
        "lvs.log.warn",
        |call| say(call, Level::Warn),
        "To stderr, and into the run's warnings.",
        "lvs.log.warn \"one server left\"",
    ),
    log(
        "lvs.log.error",
        |call| say(call, Level::Error),
        "To stderr; the run goes on.",
        "lvs.log.error \"no server left\"",
    ),
    Entry::new(
        "lvs.status",
        GROUP,
        &[
            Param::new("word", &Ty::Str, "One word: ok, degraded, or your own."),
            Param::new("text", &Ty::Str, "Why.").optional(),
        ],
        Run::Native(status),
        "Says in what state this run leaves things; the last one counts.",
    )
    .example("lvs.status(\"degraded\", \"every server fails its probe\")"),
    Entry::new(
        "lvs.seconds",
        GROUP,
        &[Param::new(
            "duration",
            &Ty::Either(&[Ty::Integer { min: 0, max: i64::MAX }, Ty::Str]),
            "Seconds, or \"500ms\", \"10m\", \"2h\", \"1d\".",
        )],
        Run::Native(seconds),
        "A duration as seconds.",
    )
    .returns("number")
    .example("assert(lvs.seconds \"10m\" == 600)"),
    Entry::new(
        "lvs.state",
        GROUP,
        &[Param::new("name", &Ty::Str, "Letters, digits, '-' and '_'.")],
        Run::Native(state),
        "An ordinary table that the next run finds again. It is written, whole, only if this run ends without an error, \
         and it does not survive a reboot, because IPVS does not either.",
    )
    .returns("table")
    .example("local st = lvs.state \"web-health\"; st.runs = (st.runs or 0) + 1"),
    Entry::new(
        "lvs.sleep",
        GROUP,
        &[Param::new("duration", &Ty::Seconds { min: 0, max: 86_400, whole: false }, "How long.")],
        Run::Native(sleep),
        "Waits; Ctrl-C and --timeout end it.",
    )
    .example("lvs.sleep \"10ms\""),
    Entry::new(
        "lvs.uptime",
        GROUP,
        &[],
        Run::Native(uptime),
        "Seconds since boot, sleep included; never set back.",
    )
    .returns("number")
    .example("local began = lvs.uptime()"),
];

fn say(call: &mut Call<'_>, level: Level) -> Checked<Value> {
    let (format, rest) = (call.take(0), call.take(1));
    let text = match rest {
        Val::List(args) if !args.is_empty() => formatted(call, format, args)?,
        _ => match format {
            Val::Any(value) => value.to_string().unwrap_or_default(),
            _ => String::new(),
        },
    };
    log_line(call.host, level, text);
    Ok(Value::Nil)
}

/// To stderr if it is wanted there, and into the run's warnings if it is one.
pub fn log_line(host: &Host, level: Level, text: String) {
    let word = match level {
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Notice => "notice",
        Level::Warn => "warn",
        Level::Error => "error",
    };
    match &host.outside.heard {
        Some(heard) => {
            heard.hear(Line { level: word, text: text.clone(), at: host.outside.clock.since_boot() })
        }
        None if level as u8 >= LEAST.load(Ordering::Relaxed) => {
            let taken = host.outside.logged.as_ref().is_some_and(|log| (log.0)(level, &text));
            if !taken {
                eprintln!("{word}: {text}");
            }
        }
        None => {}
    }
    if level >= Level::Warn {
        host.warnings.borrow_mut().push(text);
    }
}

fn formatted(call: &Call<'_>, format: Val, args: Vec<Val>) -> Checked<String> {
    let mut values = MultiValue::new();
    for val in std::iter::once(format).chain(args) {
        if let Val::Any(value) = val {
            // Records and errors print by their tostring, which %s asks for itself.
            values.push_back(value);
        }
    }
    let lookup = || -> mlua::Result<mlua::Function> { call.lua.named_registry_value("lvsh.format") };
    let made = lookup().and_then(|format| format.call::<String>(values));
    made.map_err(|error| {
        let text = error.to_string();
        let text = text.lines().next().unwrap_or_default().trim_start_matches("runtime error: ").to_string();
        Fault::bad(text)
    })
}

fn status(call: &mut Call<'_>) -> Checked<Value> {
    let Val::Str(word) = call.take(0) else { return Ok(Value::Nil) };
    let text = if let Val::Str(text) = call.take(1) { text } else { String::new() };
    call.host.status.replace(Some((word, text)));
    Ok(Value::Nil)
}

fn seconds(call: &mut Call<'_>) -> Checked<Value> {
    let number = match call.take(0) {
        Val::Int(number) => return Ok(Value::Integer(number)),
        Val::Str(text) => parse_seconds(&text).ok_or_else(|| {
            let why = format!("bad value for 'duration': \"{text}\" is not a duration; write seconds, or \"500ms\", \"10m\", \"2h\", \"1d\"");
            Fault::bad(why).arg(0)
        })?,
        _ => 0.0,
    };
    // Whole seconds stay integers, so that // and %d work on them.
    if number.fract() == 0.0 && number < 9e15 {
        Ok(Value::Integer(number as i64))
    } else {
        Ok(Value::Number(number))
    }
}

fn state(call: &mut Call<'_>) -> Checked<Value> {
    let Val::Str(name) = call.take(0) else { return Ok(Value::Nil) };
    super::check_name(&name).map_err(|why| Fault::bad(why).arg(0))?;
    if let Some(table) = call.host.states.borrow().get(&name) {
        return Ok(Value::Table(table.clone()));
    }
    let left = (call.host.recall.0)(&name)?;
    let table = match to_lua(call.lua, &left).map_err(lua_fault)? {
        Value::Table(table) => table,
        _ => super::read::table(call.lua)?,
    };
    call.host.states.borrow_mut().insert(name, table.clone());
    Ok(Value::Table(table))
}

fn sleep(call: &mut Call<'_>) -> Checked<Value> {
    let Val::Seconds(seconds) = call.take(0) else { return Ok(Value::Nil) };
    let (time, look) = (Duration::from_secs_f64(seconds), Duration::from_millis(20));
    call.host.outside.clock.sleep(time, look, &|| call.host.stop().is_some());
    call.host.stop().map_or(Ok(Value::Nil), |stop| Err(Fault::new(stop)))
}

fn uptime(call: &mut Call<'_>) -> Checked<Value> {
    Ok(Value::Number(call.host.outside.clock.since_boot().as_secs_f64()))
}
