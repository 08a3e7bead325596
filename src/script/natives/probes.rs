//! Asking servers how they are. The answers are data: a server that is down is no error.

use std::net::IpAddr;
use std::time::Duration;

use mlua::{Function, Lua, Table, Value};

use super::read::{set, table};
use super::{Call, ways};
use crate::error::{Error, Kind};
use crate::model::{ServerKey, ServiceKey, parse_endpoint};
use crate::probe::{Answer, Job, Limits, Seen, Verdict, probe_all};
use crate::script::build::{Probe, probe as build};
use crate::script::convert::{Val, show};
use crate::script::fault::{Checked, Fault};
use crate::script::host::Host;
use crate::script::outside::Question;
use crate::script::records::{Id, Records, lua_fault};
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{PROBE, Ty};

const GROUP: &str = "probes";
const A_PROBE: &Ty = &Ty::Table(&PROBE);
const SPEC: Param = Param::new("spec", A_PROBE, "What to check, and how long to wait.");

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.probe",
        GROUP,
        &[
            Param::new("target", &Ty::Any, "A server record, \"addr\" or \"addr:port\"."),
            SPEC,
        ],
        Run::Native(one),
        "Checks one server. A check that cannot be made from here (no route, no such program, no descriptor) has the \
         verdict \"unknown\".",
    )
    .returns("LvsProbeAnswer")
    .example("local a = lvs.probe(\"127.0.0.1\", { tcp = { port = 1 }, timeout = 0.2 }); assert(not a.ok)"),
    Entry::new(
        "lvs.probe_all",
        GROUP,
        &[
            Param::new("targets", &Ty::Any, "A list of server records or addresses."),
            SPEC,
        ],
        Run::Native(many),
        "Checks many servers at once; a round takes no longer than its slowest check.",
    )
    .returns("table<string, LvsProbeAnswer>")
    .example("local all = lvs.probe_all({ \"127.0.0.1\" }, { ping = true, timeout = 0.2 })"),
];

pub struct Target {
    /// What the answer is found under: as the user wrote it.
    pub name: String,
    /// What a test of policies knows it by, which answers for the server whichever way it is asked.
    pub server: String,
    pub addr: IpAddr,
    pub port: Option<u16>,
    pub service: Option<(ServiceKey, ServerKey)>,
    /// For checks through IPVS.
    pub way: Option<Passage>,
}

/// How a check gets through IPVS.
#[derive(Clone, Debug)]
pub enum Passage {
    Open {
        vip: IpAddr,
        mark: u32,
    },
    /// Why it cannot be gone.
    Shut(String),
}

fn one(call: &mut Call<'_>) -> Checked<Value> {
    let target = match call.take(0) {
        Val::Any(value) => target(call.records, &value).map_err(|fault| fault.arg(0))?,
        _ => return Err(Fault::bad("a target is needed").arg(0)),
    };
    let spec = build(&mut call.row(1)?).map_err(|fault| fault.arg(1))?;
    let answers = ask(call, &mut [target], &spec)?;
    match answers.into_iter().next() {
        Some(answer) => shown(call.lua, &spec, &answer).map(Value::Table),
        None => Ok(Value::Nil),
    }
}

fn many(call: &mut Call<'_>) -> Checked<Value> {
    let Val::Any(Value::Table(list)) = call.take(0) else {
        return Err(Fault::bad("'targets' is a list of server records or addresses").arg(0));
    };
    let length = list.len().map_err(lua_fault)?;
    let mut targets = Vec::new();
    for index in 1..=length {
        let value: Value = list.get(index).map_err(lua_fault)?;
        let at = usize::try_from(index).unwrap_or_default();
        targets.push(target(call.records, &value).map_err(|fault| fault.item(at).arg(0))?);
    }
    let spec = build(&mut call.row(1)?).map_err(|fault| fault.arg(1))?;
    let answers = ask(call, &mut targets, &spec)?;
    let out = table(call.lua)?;
    for (target, answer) in targets.iter().zip(&answers) {
        set(&out, &target.name, shown(call.lua, &spec, answer)?)?;
    }
    Ok(Value::Table(out))
}

/// A record, `{ addr = … }`, or text.
fn target(records: &Records, value: &Value) -> Checked<Target> {
    let parse = |text: &str| -> Checked<(IpAddr, Option<u16>)> {
        let (addr, port) = parse_endpoint(text).map_err(Fault::bad)?;
        Ok((addr, port.map(|port| port.0).filter(|port| *port != 0)))
    };
    match value {
        Value::String(text) => {
            let name = text.to_string_lossy();
            let (addr, port) = parse(&name)?;
            Ok(Target { server: name.clone(), name, addr, port, service: None, way: None })
        }
        Value::Table(record) => {
            let Value::String(text) = record.get::<Value>("addr").map_err(lua_fault)? else {
                return Err(
                    Fault::bad("a server has a field 'addr'").hint("web.servers, or { \"192.0.2.1\" }")
                );
            };
            let name = text.to_string_lossy();
            let (addr, port) = parse(&name)?;
            let own = match record.get::<Value>("port").map_err(lua_fault)? {
                Value::Integer(port) => u16::try_from(port).ok().filter(|port| *port != 0),
                _ => None,
            };
            let service = match records.id(record) {
                Some(Id::Server(service, server)) => Some((service, server)),
                _ => None,
            };
            Ok(Target { server: name.clone(), name, addr, port: port.or(own), service, way: None })
        }
        other => Err(Fault::bad(format!("{} is not a server: a record, or \"192.0.2.1\"", show(other)))),
    }
}

fn ask(call: &Call<'_>, targets: &mut [Target], spec: &Probe) -> Checked<Vec<Answer>> {
    let lent = ways::lend(call.host, spec, targets).map_err(|fault| fault.arg(1))?;
    let questions: Vec<_> = targets.iter().map(|target| (target, spec)).collect();
    let answers = ask_all(call.host, &questions).map_err(|fault| fault.arg(1));
    if let Some(lent) = lent {
        call.host.with(|session| session.give_back(lent))?;
    }
    answers
}

/// Asks all at once; the answers are in the order of the questions.
pub fn ask_all(host: &Host, questions: &[(&Target, &Probe)]) -> Checked<Vec<Answer>> {
    let mut jobs = Vec::with_capacity(questions.len());
    for (target, spec) in questions {
        jobs.push(job(target, spec)?);
    }
    let asking = questions.iter().zip(&jobs).filter_map(|((target, spec), job)| {
        let job = job.as_ref().ok()?;
        Some((*target, *spec, job.clone()))
    });
    let answers = match &host.outside.asked {
        Some(asked) => {
            let scripted = asking.map(|(target, spec, job)| Question {
                name: target.server.clone(),
                addr: target.addr,
                port: job.port,
                kind: spec.kind,
                check: job.check,
            });
            Some((asked.0)(scripted.collect()).map_err(Fault::new)?)
        }
        None => {
            let cancelled = || host.cancel.reason().is_some();
            let concurrency = questions.iter().map(|(_, spec)| spec.concurrency).max().unwrap_or(1);
            let limits = Limits { concurrency, cancelled: &cancelled };
            probe_all(asking.map(|(_, _, job)| job).collect(), &limits).map_err(|error| {
                Fault::new(Error::new(Kind::Io, "io", format!("cannot make checks: {error}")))
            })?
        }
    };
    match (answers, host.stop()) {
        (Some(answers), _) => {
            let mut answers = answers.into_iter();
            // Those that could not be asked have their answer already.
            Ok(jobs.into_iter().filter_map(|job| job.map_or_else(Some, |_| answers.next())).collect())
        }
        (None, Some(stop)) => Err(Fault::new(stop)),
        (None, None) => Ok(Vec::new()),
    }
}

/// What to do for one question; an answer at once where no way leads to the server.
fn job(target: &Target, spec: &Probe) -> Checked<Result<Job, Answer>> {
    let Some(port) = spec.port.or(target.port).or(spec.usual) else {
        let kind = spec.kind;
        let text = format!("a {kind} check of {} needs a port", target.name);
        return Err(Fault::bad(text).hint(format!("port = 80 beside {kind}")));
    };
    let (check, timeout, mut route) = (spec.check.clone(), spec.timeout, spec.route.clone());
    let addr = match (spec.via, &target.way) {
        (None, _) => target.addr,
        (Some(_), Some(Passage::Open { vip, mark })) => {
            (route.mark, route.facing) = (Some(*mark), Some(target.addr));
            *vip
        }
        (Some(_), shut) => {
            let err = match shut {
                Some(Passage::Shut(why)) => why.clone(),
                _ => format!("no way through IPVS leads to {}", target.name),
            };
            let (verdict, time) = (Verdict::Unknown, Duration::ZERO);
            return Ok(Err(Answer { verdict, time, err, seen: Seen::default() }));
        }
    };
    Ok(Ok(Job { addr, port, check, timeout, route }))
}

/// An answer as Lua sees it.
pub fn shown(lua: &Lua, spec: &Probe, answer: &Answer) -> Checked<Table> {
    let (mut verdict, mut err) = (answer.verdict, answer.err.clone());
    if let (Some(pattern), Verdict::Good) = (&spec.pattern, verdict)
        && !matches(lua, &answer.seen.body, pattern)?
    {
        verdict = Verdict::Bad;
        err = format!("the answer does not match \"{pattern}\"");
    }
    let out = table(lua)?;
    set(&out, "ok", verdict == Verdict::Good)?;
    let word = match verdict {
        Verdict::Good => "good",
        Verdict::Bad => "bad",
        Verdict::Unknown => "unknown",
    };
    set(&out, "verdict", word)?;
    set(&out, "ms", answer.time.as_secs_f64() * 1e3)?;
    if !err.is_empty() {
        set(&out, "err", err)?;
    }
    let seen = &answer.seen;
    let headers = table(lua)?;
    for (name, value) in &seen.headers {
        set(&headers, name, value.as_str())?;
    }
    set(&out, "headers", headers)?;
    let body = lua.create_string(&seen.body).map_err(lua_fault)?;
    set(&out, "body", body)?;
    set(&out, "status", seen.status)?;
    set(&out, "cert_days", seen.cert_days)?;
    set(&out, "percent", seen.percent)?;
    set(&out, "word", seen.word.as_deref())?;
    set(&out, "weight", seen.weight)?;
    let records = lua.create_sequence_from(seen.records.iter().map(String::as_str)).map_err(lua_fault)?;
    set(&out, "records", records)?;
    Ok(out)
}

/// Whether a Lua pattern is found; a pattern that is none is the script's fault.
fn matches(lua: &Lua, text: &[u8], pattern: &str) -> Checked<bool> {
    let find: Function = lua.named_registry_value("lvsh.find").map_err(lua_fault)?;
    let text = lua.create_string(text).map_err(lua_fault)?;
    let found = find.call::<Value>((text, pattern));
    let found = found.map_err(|error| {
        let text = error.to_string();
        let why = text.lines().next().unwrap_or_default().trim_start_matches("runtime error: ");
        Fault::bad(format!("bad value for 'match': {why}")).under("match").arg(1)
    })?;
    Ok(!found.is_nil())
}
