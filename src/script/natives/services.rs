//! Virtual services.

use std::sync::Arc;

use mlua::Value;

use super::{Call, read, want_service};
use crate::backend::{Services, Want};
use crate::error::counted;
use crate::model::{Protocol, Service, ServiceEntry, ServiceKey};
use crate::plan::{Step, refusal};
use crate::script::build;
use crate::script::convert::{Row, Val};
use crate::script::fault::Checked;
use crate::script::raise::call_back;
use crate::script::records::Id;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{SERVICE, SERVICE_CHANGE, SERVICE_FILTER, SERVICE_GONE, SERVICE_KEY, Ty};

const GROUP: &str = "services";
static KEY_TYPE: Ty = Ty::Service(&SERVICE_KEY);
const KEY: Param = Param::new("service", &KEY_TYPE, "Its key, or its record.");

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.services",
        GROUP,
        &[Param::new(
            "filter",
            &Ty::Either(&[Ty::Table(&SERVICE_FILTER), Ty::Function]),
            "Which ones; a function gets each record and says true.",
        )
        .optional()],
        Run::Native(services),
        "All virtual services, sorted; without those that only health checks go through.",
    )
    .returns("LvsService[]")
    .like("ipvsadm -Ln")
    .example("for _, s in ipairs(lvs.services { scheduler = \"sh\" }) do print(s) end"),
    Entry::new("lvs.get_service", GROUP, &[KEY], Run::Native(get), "One virtual service, or nil.")
        .returns("LvsService?")
        .like("ipvsadm -Ln -f 3")
        .example("local web = lvs.get_service { fwmark = 3 }"),
    Entry::new(
        "lvs.add_service",
        GROUP,
        &[Param::new("spec", &Ty::Table(&SERVICE), "The service.")],
        Run::Native(add),
        "Adds a virtual service, with its servers if they are given.",
    )
    .returns("LvsService")
    .changes(&["EEXIST", "ENOENT", "EINVAL"])
    .like("ipvsadm -A -f 3 -s sh")
    .example("local web = lvs.add_service { fwmark = 3, scheduler = \"sh\", flags = { \"sh-fallback\" } }"),
    Entry::new(
        "lvs.set_service",
        GROUP,
        &[KEY, Param::new("change", &Ty::Table(&SERVICE_CHANGE), "What shall be different.")],
        Run::Native(set),
        "Changes the named settings of a service and keeps the others.",
    )
    .changes(&["ESRCH", "ENOENT", "EINVAL"])
    .like("ipvsadm -E -f 3 -s wlc")
    .example("lvs.set_service({ fwmark = 3 }, { persistent = \"10m\" })"),
    Entry::new(
        "lvs.del_service",
        GROUP,
        &[Param::new("service", &Ty::Service(&SERVICE_GONE), "Its key, or its record.")],
        Run::Native(del),
        "Removes a service and its servers.",
    )
    .changes(&["ESRCH"])
    .like("ipvsadm -D -f 3")
    .example("lvs.del_service { fwmark = 3, missing_ok = true }"),
    Entry::new(
        "service:refresh",
        GROUP,
        &[],
        Run::Native(refresh),
        "Reads the service again, to see what others did and what the counters are now. In a plan it does nothing.",
    )
    .returns("LvsService")
    .example("local web = lvs.get_service { fwmark = 3 }  if web then web:refresh() end"),
];

/// A checked `Ty::Service`, and whether it may be missing.
pub fn key_of(val: Val) -> Checked<(ServiceKey, bool)> {
    match val {
        Val::Service(key) => Ok((key, false)),
        Val::Row(row) => Ok((build::key(&row)?, row.bool("missing_ok") == Some(true))),
        _ => Err(crate::script::fault::Fault::bad("a service is missing")),
    }
}

fn services(call: &mut Call<'_>) -> Checked<Value> {
    let filter = call.take(0);
    let want = Want { services: Services::All, ..Want::default() };
    let keys: Vec<ServiceKey> = call.host.with(|session| {
        let state = session.see(&want)?;
        let fits = |entry: &(&ServiceKey, &Arc<ServiceEntry>)| match &filter {
            Val::Row(filter) => matches(filter, entry.0, entry.1),
            _ => true,
        };
        let own = |entry: &(&ServiceKey, &Arc<ServiceEntry>)| !entry.1.service.is_way(entry.0);
        Ok(state.services.iter().filter(own).filter(fits).map(|(key, _)| *key).collect())
    })?;
    let mut out = Vec::with_capacity(keys.len());
    for key in keys {
        let record = call.records.make(call.lua, Id::Service(key))?;
        let wanted = match &filter {
            Val::Function(test) => {
                let said = call_back(call.lua, test.clone(), record.clone())?;
                !matches!(said, Value::Nil | Value::Boolean(false))
            }
            _ => true,
        };
        if wanted {
            out.push(record);
        }
    }
    call.records.list(call.lua, out)
}

fn matches(filter: &Row, key: &ServiceKey, entry: &ServiceEntry) -> bool {
    let sort = match key {
        ServiceKey::Mark { .. } => "fwmark",
        ServiceKey::Address { protocol: Protocol::Tcp, .. } => "tcp",
        ServiceKey::Address { protocol: Protocol::Udp, .. } => "udp",
        ServiceKey::Address { protocol: Protocol::Sctp, .. } => "sctp",
        ServiceKey::Address { .. } => "",
    };
    let is = |field: &str, have: &str| filter.str(field).is_none_or(|want| want == have);
    let server = match filter.get("server") {
        Val::Addr(addr) => entry.servers.keys().any(|server| server.addr == *addr),
        _ => true,
    };
    server
        && is("scheduler", entry.service.scheduler.name())
        && is("family", &key.family().to_string())
        && is("protocol", sort)
}

fn get(call: &mut Call<'_>) -> Checked<Value> {
    let (key, _) = key_of(call.take(0)).map_err(|fault| fault.arg(0))?;
    let there = call.host.with(|session| Ok(session.see(&want_service(&key))?.service(&key).is_some()))?;
    if there { call.records.make(call.lua, Id::Service(key)) } else { Ok(Value::Nil) }
}

fn add(call: &mut Call<'_>) -> Checked<Value> {
    let row = call.row(0)?;
    let (key, entry) = build::service(&row).map_err(|fault| fault.arg(0))?;
    call.host.with(|session| session.see(&want_service(&key)).map(|_| ()))?;
    let servers =
        entry.servers.into_iter().map(|(id, server)| Step::AddServer { service: key, key: id, server });
    let steps = std::iter::once(Step::AddService { key, service: entry.service }).chain(servers).collect();
    call.effect(steps).map_err(|mut fault| {
        if fault.error.code == "EEXIST" {
            fault.error.notes.extend(what_is_there(call, &key));
            fault.error.hint.get_or_insert_with(|| {
                format!("lvs.set_service({}, …) changes it; lvs.get_service finds it", read::spec(&key))
            });
        }
        fault
    })?;
    call.records.make(call.lua, Id::Service(key))
}

/// `it has 2 servers and 41 active connections`
fn what_is_there(call: &Call<'_>, key: &ServiceKey) -> Option<String> {
    let seen = call.host.with(|session| {
        let (state, observed) = session.see_live(&want_service(key))?;
        let of_key = observed.servers.iter().filter(|((service, _), _)| service == key);
        let active: usize = of_key.map(|(_, live)| live.active as usize).sum();
        Ok(state.service(key).map(|entry| (entry.servers.len(), active)))
    });
    let (servers, active) = seen.ok()??;
    Some(format!("it has {} and {}", counted(servers, "server"), counted(active, "active connection")))
}

fn set(call: &mut Call<'_>) -> Checked<Value> {
    let (key, _) = key_of(call.take(0)).map_err(|fault| fault.arg(0))?;
    let change = call.row(1)?;
    let from = call.host.with(|session| {
        Ok(session.see(&want_service(&key))?.service(&key).map(|entry| entry.service.clone()))
    })?;
    let Some(from) = from else {
        if change.bool("missing_ok") == Some(true) {
            return Ok(Value::Nil);
        }
        let step = Step::SetService { key, from: Service::default(), to: Service::default() };
        return Err(refusal(&step, libc::ESRCH).into());
    };
    let to = build::change_service(&change, &key, &from).map_err(|fault| fault.arg(1))?;
    if from != to {
        call.effect(vec![Step::SetService { key, from, to }])?;
    }
    Ok(Value::Nil)
}

fn del(call: &mut Call<'_>) -> Checked<Value> {
    let (key, missing_ok) = key_of(call.take(0)).map_err(|fault| fault.arg(0))?;
    let entry = call.host.with(|session| Ok(session.see(&want_service(&key))?.service(&key).cloned()))?;
    match entry {
        Some(entry) => call.effect(vec![Step::DelService { key, entry }])?,
        None if missing_ok => {}
        None => {
            let entry = ServiceEntry { service: Service::default(), servers: Default::default() };
            return Err(refusal(&Step::DelService { key, entry }, libc::ESRCH).into());
        }
    }
    Ok(Value::Nil)
}

fn refresh(call: &mut Call<'_>) -> Checked<Value> {
    let key = call.service()?;
    call.host.with(|session| session.refresh(&key))?;
    call.records.make(call.lua, Id::Service(key))
}
