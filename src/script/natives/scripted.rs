//! Answers that a test gives instead of the servers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use mlua::{Function, Lua, Table, Value};

use super::read::{set, table};
use super::sim::Sim;
use crate::error::{Error, Kind, Result};
use crate::model::parse_endpoint;
use crate::probe::{self, Answer, Check, Seen, Verdict, judge};
use crate::script::convert::{Row, Val, row, show};
use crate::script::fault::{Checked, Fault};
use crate::script::outside::{Asked, Question, World};
use crate::script::raise::call_back;
use crate::script::records::lua_fault;
use crate::script::schema::SCRIPTED_ANSWER;

/// What a server was told to answer.
#[derive(Clone)]
pub enum Script {
    Always(Value),
    Of(Function),
}

/// By server: `192.168.1.109`, `192.168.1.109:8080`, or `*` for all others.
pub type Scripts = BTreeMap<String, Script>;

/// As `Scripts` names it.
pub fn name_of(server: &str) -> Checked<String> {
    if server == "*" {
        return Ok(server.to_string());
    }
    let (addr, port) = parse_endpoint(server).map_err(Fault::bad)?;
    Ok(port.map_or(addr.to_string(), |port| crate::model::show_endpoint(addr, port)))
}

/// Takes what a test gave for a server; a wrong table is told at once and not in the round that meets it.
pub fn script(value: Value) -> Checked<Script> {
    match value {
        Value::Function(function) => Ok(Script::Of(function)),
        other => {
            said(&other)?;
            Ok(Script::Always(other))
        }
    }
}

/// What happens in the run that a test waits for.
enum Event {
    Asked(Vec<Question>, Sender<Result<Vec<Answer>>>),
    World(Box<probe::Question>, Sender<Result<probe::Heard>>),
    Done(Box<Result<serde_json::Value>>),
}

/// A run on a thread of its own, while this one answers for the servers.
pub fn run(lua: &Lua, sim: &Sim, words: &[String]) -> Checked<serde_json::Value> {
    let mut machine = sim.machine.try_borrow_mut().map_err(|_| {
        Fault::new(Error::new(Kind::Script, "no_effects", "an answer of a server cannot run anything itself"))
    })?;
    let (events, inbox): (Sender<Event>, Receiver<Event>) = channel();
    let gone = || Error::new(Kind::Interrupted, "interrupted", "the test is over");
    let ask = events.clone();
    let asked = Asked(Arc::new(move |questions| {
        let (reply, answers) = channel();
        ask.send(Event::Asked(questions, reply)).map_err(|_| gone())?;
        answers.recv().map_err(|_| gone())?
    }));
    let tell = events.clone();
    let world = World(Arc::new(move |question| {
        let (reply, heard) = channel();
        tell.send(Event::World(Box::new(question.clone()), reply)).map_err(|_| gone())?;
        heard.recv().map_err(|_| gone())?
    }));
    let born = sim.born.get();
    let machine = &mut **machine;
    std::thread::scope(|scope| {
        let clock = machine.clock().clone();
        let work = move || {
            let done = machine.run(words, asked, world);
            // Nobody listens only after a panic here, which ends the test anyway.
            let _ = events.send(Event::Done(Box::new(done)));
        };
        // As much stack as the main thread has, on which runs of the program are.
        let thread = std::thread::Builder::new().name("run".to_string()).stack_size(8 << 20);
        thread.spawn_scoped(scope, work).map_err(|error| {
            Fault::new(Error::new(Kind::Io, "io", format!("cannot start a thread: {error}")))
        })?;
        loop {
            match inbox.recv() {
                Ok(Event::Done(done)) => return done.map_err(Fault::new),
                Ok(Event::Asked(questions, reply)) => {
                    let now = clock.since_boot().as_secs_f64() - born;
                    let all = questions.iter().map(|one| answer(lua, sim, one, now));
                    let answers = all.collect::<Checked<Vec<Answer>>>();
                    // A run that was given up does not wait for answers.
                    let _ = reply.send(answers.map_err(|fault| fault.error));
                }
                Ok(Event::World(question, reply)) => {
                    let _ = reply.send(heard(lua, sim, &question).map_err(|fault| fault.error));
                }
                Err(_) => {
                    let text = "the run ended without an answer: this is a bug of lvsh";
                    return Err(Fault::new(Error::new(Kind::Script, "internal", text)));
                }
            }
        }
    })
}

fn answer(lua: &Lua, sim: &Sim, question: &Question, now: f64) -> Checked<Answer> {
    let scripts = sim.scripts.borrow().clone();
    let named = name_of(&question.name).unwrap_or_default();
    let addr = question.addr.to_string();
    let probed = crate::model::show_endpoint(question.addr, crate::model::Port(question.port));
    let found = [named, probed, addr.clone(), "*".to_string()].into_iter().find_map(|key| scripts.get(&key));
    let Some(found) = found else {
        let text = format!(
            "no answer is scripted for the {} probe of {}, port {}",
            question.kind, question.name, question.port
        );
        let hint = format!(
            "sim:probe(\"{addr}\", true) before this run lets it answer well; sim:probe(\"*\", true) lets all"
        );
        return Err(Fault::new(Error::new(Kind::Script, "not_scripted", text).hint(hint)));
    };
    let value = found.value(lua, &question.name, || asked(lua, question, now))?;
    said(&value).map(|said| said.answer(&question.check))
}

impl Script {
    /// What it says this time. `of`: who is asked, for the message.
    fn value(&self, lua: &Lua, of: &str, asked: impl FnOnce() -> Checked<Table>) -> Checked<Value> {
        let function = match self {
            Script::Always(value) => return Ok(value.clone()),
            Script::Of(function) => function,
        };
        let value = call_back(lua, function.clone(), asked()?)?;
        if !value.is_nil() {
            return Ok(value);
        }
        let text = format!("the function that answers for {of} returned nothing");
        let hint = "return true, false, an error's text, or a table as { status = 503 }";
        Err(Fault::new(Error::new(Kind::Script, "not_scripted", text).hint(hint)))
    }
}

/// What came of a program, a URL or a name.
fn heard(lua: &Lua, sim: &Sim, question: &probe::Question) -> Checked<probe::Heard> {
    let words = match question {
        probe::Question::Program(program) => format!("the program {}", program.argv.join(" ")),
        probe::Question::Url(url) => format!("{} {}{}", url.http.method, url.host, url.http.path),
        probe::Question::Name(lookup) => format!("the name {}", lookup.name),
    };
    let Some(script) = sim.world.borrow().clone() else {
        let text = format!("no answer is scripted for {words}");
        let hint = "sim:world(true) before this run lets all go well; a function can tell them apart";
        return Err(Fault::new(Error::new(Kind::Script, "not_scripted", text).hint(hint)));
    };
    let value = script.value(lua, &words, || of_world(lua, question))?;
    let mut heard = probe::Heard::default();
    heard.ran.code = Some(0);
    heard.seen.status = Some(200);
    match said(&value)? {
        Said::Good => {}
        Said::Bad(text) => heard.err = text,
        Said::Table(row) => {
            see(&row, &mut heard.seen);
            heard.err = row.str("err").unwrap_or_default().to_string();
            heard.ran.code = Some(i32::from(heard.seen.status.unwrap_or(0)));
            heard.ran.stdout = heard.seen.body.clone();
            heard.seen.status.get_or_insert(200);
            let record = |text: &String| probe::Record { text: text.clone(), place: None, target: None };
            heard.records = heard.seen.records.iter().map(record).collect();
        }
    }
    Ok(heard)
}

fn of_world(lua: &Lua, question: &probe::Question) -> Checked<Table> {
    let out = table(lua)?;
    match question {
        probe::Question::Program(program) => {
            set(&out, "kind", "exec")?;
            let command = lua.create_sequence_from(program.argv.iter().map(String::as_str));
            set(&out, "command", command.map_err(lua_fault)?)?;
            set(&out, "stdin", lua.create_string(&program.stdin).map_err(lua_fault)?)?;
        }
        probe::Question::Url(url) => {
            set(&out, "kind", "http")?;
            set(&out, "method", url.http.method.as_str())?;
            set(&out, "host", url.host.as_str())?;
            set(&out, "path", url.http.path.as_str())?;
            set(&out, "body", lua.create_string(&url.http.payload).map_err(lua_fault)?)?;
        }
        probe::Question::Name(lookup) => {
            set(&out, "kind", "resolve")?;
            set(&out, "name", lookup.name.as_str())?;
        }
    }
    Ok(out)
}

/// What a function is asked.
fn asked(lua: &Lua, question: &Question, now: f64) -> Checked<Table> {
    let out = table(lua)?;
    set(&out, "server", question.name.as_str())?;
    set(&out, "kind", question.kind)?;
    set(&out, "port", question.port)?;
    set(&out, "time", now)?;
    if let Check::Http(http) = &question.check {
        set(&out, "path", http.path.as_str())?;
        set(&out, "host", http.host.as_deref())?;
    }
    Ok(out)
}

/// An answer as a test gives it.
enum Said {
    Good,
    Bad(String),
    Table(Box<Row>),
}

fn said(value: &Value) -> Checked<Said> {
    match value {
        Value::Boolean(true) => Ok(Said::Good),
        Value::Boolean(false) => Ok(Said::Bad("connect: connection refused".to_string())),
        Value::String(text) => Ok(Said::Bad(text.to_string_lossy())),
        Value::Table(given) => Ok(Said::Table(Box::new(row(given, &SCRIPTED_ANSWER, &|_| None)?))),
        other => Err(Fault::bad(format!(
            "{} is no answer of a server: true, false, the text of an error, or a table as {{ status = 503 }}",
            show(other)
        ))),
    }
}

impl Said {
    fn answer(self, check: &Check) -> Answer {
        let time = Duration::from_millis(1);
        let mut seen = Seen::default();
        match self {
            Said::Good => {
                // What a server that is well says is what the check wants to hear.
                if let Check::Http(http) = check {
                    seen.status = http.status.first().map(|(low, _)| *low);
                }
                Answer { verdict: Verdict::Good, time, err: String::new(), seen }
            }
            Said::Bad(err) => Answer { verdict: Verdict::Bad, time, err, seen },
            Said::Table(row) => {
                let time = Duration::from_millis(row.u32("ms").unwrap_or(1).into());
                see(&row, &mut seen);
                let (judged, why) = judge(check, &mut seen);
                let given = row.str("err").unwrap_or_default();
                let err = if given.is_empty() { why } else { given.to_string() };
                let verdict = match (row.bool("unknown"), row.bool("ok")) {
                    (Some(true), _) => Verdict::Unknown,
                    (_, Some(true)) => Verdict::Good,
                    (_, Some(false)) => Verdict::Bad,
                    _ if !given.is_empty() => Verdict::Bad,
                    _ => judged,
                };
                let err = match (verdict, err.is_empty()) {
                    (Verdict::Good, _) => String::new(),
                    (_, true) => "scripted so".to_string(),
                    (_, false) => err,
                };
                Answer { verdict, time, err, seen }
            }
        }
    }
}

fn see(row: &Row, seen: &mut Seen) {
    seen.status = row.u16("status");
    seen.body = row.str("body").unwrap_or_default().as_bytes().to_vec();
    seen.percent = row.u32("percent");
    seen.word = row.str("word").map(str::to_string);
    seen.weight = row.u32("weight");
    seen.cert_days = row.int("cert_days");
    let text = |val: &Val| match val {
        Val::Str(text) => Some(text.clone()),
        _ => None,
    };
    seen.records = row.list("records").iter().filter_map(text).collect();
    if let Val::Map(pairs) = row.get("headers") {
        let pairs = pairs.iter().filter_map(|(name, val)| Some((name.to_ascii_lowercase(), text(val)?)));
        seen.headers = pairs.collect();
    }
}
