//! The real servers of a service.

use std::net::IpAddr;

use mlua::Value;

use super::{Call, want_service};
use crate::model::{Port, Server, ServerKey, ServiceEntry, ServiceKey, Weight, parse_endpoint};
use crate::plan::{Step, refusal};
use crate::script::build;
use crate::script::convert::Val;
use crate::script::fault::{Checked, Fault};
use crate::script::records::Id;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{GONE, SERVER, SERVER_CHANGE, Ty, WEIGHT};

const GROUP: &str = "servers";
const ADDR: Param = Param::new(
    "addr",
    &Ty::Endpoint,
    "The server's address; with a port when it has several, or another than the service.",
);

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "service:add_server",
        GROUP,
        &[Param::new("spec", &Ty::Table(&SERVER), "The server.")],
        Run::Native(add),
        "Adds a real server to the service.",
    )
    .returns("LvsServer")
    .changes(&["EEXIST", "EINVAL", "ERANGE", "ESRCH"])
    .like("ipvsadm -a -f 3 -r 192.168.1.107 -g -w 1")
    .example("web:add_server { addr = \"192.168.1.107\", method = \"dr\", weight = 1 }"),
    Entry::new(
        "service:set_server",
        GROUP,
        &[ADDR, Param::new("change", &Ty::Table(&SERVER_CHANGE), "What shall be different.")],
        Run::Native(set),
        "Changes the named settings of a server and keeps the others; sends nothing when nothing differs.",
    )
    .changes(&["ENOENT", "EINVAL", "ERANGE"])
    .like("ipvsadm -e -f 3 -r 192.168.1.107 -g -w 4")
    .example("web:set_server(\"192.168.1.107\", { weight = 4 })"),
    Entry::new("service:get_server", GROUP, &[ADDR], Run::Native(get), "One server of the service, or nil.")
        .returns("LvsServer?")
        .example("local s = web:get_server \"192.168.1.107\""),
    Entry::new(
        "service:del_server",
        GROUP,
        &[ADDR, Param::new("options", &Ty::Table(&GONE), "missing_ok").optional()],
        Run::Native(del),
        "Removes a server.",
    )
    .changes(&["ENOENT"])
    .like("ipvsadm -d -f 3 -r 192.168.1.107")
    .example("web:del_server(\"192.168.1.107\", { missing_ok = true })"),
    Entry::new(
        "service:set_weights",
        GROUP,
        &[Param::new("weights", &Ty::Map(&WEIGHT), "Server address to weight, 0..65535.")],
        Run::Native(set_weights),
        "Sets many weights; sends only those that differ. All or nothing.",
    )
    .changes(&["ENOENT"])
    .like("ipvsadm -e … -w")
    .example("web:set_weights { [\"192.168.1.107\"] = 8, [\"192.168.1.109\"] = 0 }"),
];

/// The service as it is now; ESRCH for the step that would have been made without it.
fn entry(call: &Call<'_>, key: &ServiceKey, step: impl FnOnce() -> Step) -> Checked<ServiceEntry> {
    let seen = call.host.with(|session| Ok(session.see(&want_service(key))?.service(key).cloned()))?;
    seen.ok_or_else(|| refusal(&step(), libc::ESRCH).into())
}

fn addr(val: Val) -> Checked<(IpAddr, Option<Port>)> {
    match val {
        Val::Endpoint(addr, port) => Ok((addr, port)),
        _ => Err(Fault::bad("an address is missing").arg(0)),
    }
}

fn absent(service: ServiceKey, key: ServerKey) -> Step {
    Step::DelServer { service, key, server: Server::default() }
}

fn add(call: &mut Call<'_>) -> Checked<Value> {
    let service = call.service()?;
    let row = call.row(0)?;
    let (key, server) = build::server(&row, &service).map_err(|fault| fault.arg(0))?;
    let step = Step::AddServer { service, key, server };
    let want = want_service(&service);
    // Only looked at: a copy for each of many servers would be a copy of all of them.
    let there = call.host.with(|session| Ok(session.see(&want)?.service(&service).is_some()))?;
    if !there {
        return Err(refusal(&step, libc::ESRCH).into());
    }
    call.effect(vec![step])?;
    call.records.make(call.lua, Id::Server(service, key))
}

fn set(call: &mut Call<'_>) -> Checked<Value> {
    let service = call.service()?;
    let (host, port) = addr(call.take(0))?;
    let change = call.row(1)?;
    let wanted = ServerKey { addr: host, port: port.unwrap_or_default() };
    let entry = entry(call, &service, || absent(service, wanted))?;
    let key = build::find_server(&entry.servers, &service, host, port).map_err(|fault| fault.arg(0))?;
    let Some(from) = entry.servers.get(&key).copied() else {
        if change.bool("missing_ok") == Some(true) {
            return Ok(Value::Nil);
        }
        let step = Step::SetServer { service, key, from: Server::default(), to: Server::default() };
        return Err(no_server(step, &entry, host));
    };
    let to = build::change_server(&change, &service, &key, &from).map_err(|fault| fault.arg(1))?;
    if from != to {
        call.effect(vec![Step::SetServer { service, key, from, to }])?;
    }
    Ok(Value::Nil)
}

/// ENOENT, with the servers that are there.
fn no_server(step: Step, entry: &ServiceEntry, addr: IpAddr) -> Box<Fault> {
    let mut error = refusal(&step, libc::ENOENT);
    let names: Vec<String> = entry.servers.keys().map(|key| key.to_string()).collect();
    let known = if names.is_empty() { "none".to_string() } else { names.join(", ") };
    error.notes.push(format!("servers: {known}"));
    let near = crate::error::did_you_mean(&addr.to_string(), names.iter().map(String::as_str));
    error.hint = near.map(|near| format!("did you mean \"{near}\"?"));
    Fault::new(error).arg(0)
}

fn get(call: &mut Call<'_>) -> Checked<Value> {
    let service = call.service()?;
    let (host, port) = addr(call.take(0))?;
    let wanted = ServerKey { addr: host, port: port.unwrap_or_default() };
    let entry = entry(call, &service, || absent(service, wanted))?;
    let key = build::find_server(&entry.servers, &service, host, port).map_err(|fault| fault.arg(0))?;
    if entry.servers.contains_key(&key) {
        call.records.make(call.lua, Id::Server(service, key))
    } else {
        Ok(Value::Nil)
    }
}

fn del(call: &mut Call<'_>) -> Checked<Value> {
    let service = call.service()?;
    let (host, port) = addr(call.take(0))?;
    let options = call.take(1);
    let wanted = ServerKey { addr: host, port: port.unwrap_or_default() };
    let entry = entry(call, &service, || absent(service, wanted))?;
    let key = build::find_server(&entry.servers, &service, host, port).map_err(|fault| fault.arg(0))?;
    match entry.servers.get(&key) {
        Some(server) => call.effect(vec![Step::DelServer { service, key, server: *server }])?,
        None if matches!(&options, Val::Row(row) if row.bool("missing_ok") == Some(true)) => {}
        None => return Err(no_server(absent(service, key), &entry, host)),
    }
    Ok(Value::Nil)
}

fn set_weights(call: &mut Call<'_>) -> Checked<Value> {
    let service = call.service()?;
    let Val::Map(weights) = call.take(0) else { return Ok(Value::Nil) };
    let wanted = ServerKey { addr: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), port: Port(0) };
    let entry = entry(call, &service, || absent(service, wanted))?;
    let mut steps = Vec::new();
    for (text, weight) in weights {
        let here = |fault: Box<Fault>| fault.under(&text).arg(0);
        let (host, port) = parse_endpoint(&text).map_err(|why| here(Fault::bad(why)))?;
        let key = build::find_server(&entry.servers, &service, host, port).map_err(here)?;
        let Val::Int(weight) = weight else { continue };
        let weight =
            u32::try_from(weight).ok().and_then(|weight| Weight::new(weight).ok()).unwrap_or_default();
        let Some(from) = entry.servers.get(&key).copied() else {
            let step = Step::SetServer { service, key, from: Server::default(), to: Server::default() };
            let mut fault = no_server(step, &entry, host);
            fault.at_key = true;
            return Err(fault.under(&text));
        };
        let to = Server { weight, ..from };
        if from != to {
            steps.push(Step::SetServer { service, key, from, to });
        }
    }
    // Servers gain weight before others lose it, so that the pool is never empty on the way.
    crate::plan::sort(&mut steps);
    call.effect(steps)?;
    Ok(Value::Nil)
}
