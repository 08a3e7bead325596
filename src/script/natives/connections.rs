//! The connection table: walking it, and ending a server's part of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ipnet::IpNet;
use mlua::{Lua, Table, Value};

use super::services::key_of;
use super::{Call, Level, here, read, want_service, world};
use crate::backend::Entries;
use crate::model::{
    Connection, ConnectionFilter, ConnectionState, Makers, Port, Protocol, ServerKey, ServiceKey, Target,
};
use crate::plan::Evicting;
use crate::script::build;
use crate::script::convert::{Row, Val};
use crate::script::fault::{Checked, Fault};
use crate::script::guard::keep_room;
use crate::script::host::Host;
use crate::script::records::{Id, Records, lua_fault};
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{
    CONNECTION_FILTER, CONNECTION_RECORD, EVICT, EVICTION_RECORD, LIST_LIMIT, SERVICE_KEY, Ty,
};

const GROUP: &str = "connections";
const FILTER: Param =
    Param::new("filter", &FILTER_TYPE, "Which ones; all that are named must fit.").optional();

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.connections",
        GROUP,
        &[FILTER],
        Run::Native(connections),
        "The entries of the connection table that are connections, read while they are walked with 'for', once; a table \
         of a million needs no memory. They come in no order, and those that come or go meanwhile may be missed or seen \
         twice. Before Linux 6.8 a long table takes time by the square of its length.",
    )
    .returns("LvsConnections")
    .like("ipvsadm -Lcn")
    .example("for c in lvs.connections { server = \"192.168.1.109\" } do print(c.client, c.state) end"),
    Entry::new(
        "lvs.templates",
        GROUP,
        &[FILTER],
        Run::Native(templates),
        "As lvs.connections, for the templates of persistence: which client belongs to which server. Their client is \
         masked by the service's netmask, and its port is 0.",
    )
    .returns("LvsConnections")
    .like("ipvsadm -Lcn")
    .example("print(lvs.templates { service = { fwmark = 3 } }:count())"),
    Entry::new(
        "connections:count",
        GROUP,
        &[],
        Run::Native(count),
        "Walks over those that are left and says how many.",
    )
    .returns("integer")
    .example("print(lvs.connections { state = \"SYN_RECV\" }:count())"),
    Entry::new(
        "connections:list",
        GROUP,
        &[Param::new("limit", &LIST_LIMIT, "At most this many; 1000 unless said otherwise.").optional()],
        Run::Native(list),
        "Those that are left as a list, which has to fit into the script's memory.",
    )
    .returns("LvsConnection[]")
    .example("local first = lvs.connections():list(10)[1]"),
    Entry::new(
        "lvs.evict",
        GROUP,
        &[
            Param::new("service", &KEY_TYPE, "Its key, or its record."),
            Param::new("server", &Ty::Endpoint, "The server's address; with a port when it has several."),
            Param::new("options", &Ty::Table(&EVICT), "timeout").optional(),
        ],
        Run::Native(evict),
        "Ends all connections of a server and drops its templates, so that its clients are scheduled anew. It costs: \
         established TCP clients get a reset; for some ten milliseconds, longer with a long table, the server is not in \
         the service, or there with weight 0; and with sysctl expire_nodest_conn at 1 for that time the connections of \
         servers removed earlier end too. To let connections end by themselves, set the weight to 0 and wait. \
         The server and the sysctl are back afterwards as they were; after a kill, by the script's next run. It acts at \
         once: in a plan, and in start() and stop() of a policy, which are planned, it only warns.",
    )
    .returns("LvsEviction")
    .changes(&["ESRCH", "ENOENT", "timeout"])
    .example("lvs.evict({ fwmark = 3 }, \"192.168.1.109\")"),
    Entry::new(
        "lvs.zero",
        GROUP,
        &[Param::new("service", &KEY_TYPE, "Its key, or its record; all services when left out.").optional()],
        Run::Native(zero),
        "Sets counters to 0; they cannot be brought back. Active and inactive connections stay. The kernel adds up every \
         2 s, and since Linux 7.2 what was not added up yet is counted afterwards.",
    )
    .changes(&["ESRCH"])
    .like("ipvsadm -Z -f 3")
    .example("lvs.zero { fwmark = 3 }"),
];

static KEY_TYPE: Ty = Ty::Service(&SERVICE_KEY);
static FILTER_TYPE: Ty = Ty::Table(&CONNECTION_FILTER);

/// What `:list()` gives unless told otherwise, and what is shown of a walk that nobody walked.
const DEFAULT_LIST: usize = 1000;

/// A walk over the connection table, as far as it got.
pub struct Walk {
    entries: Entries,
    makers: Makers,
    filter: ConnectionFilter,
    /// What was said when it was asked for, for printing.
    pub kind: &'static str,
    /// What was shown of it: as text and as JSON it is to be the same.
    shown: Option<Table>,
}

impl Walk {
    fn next(&mut self, host: &Host) -> Checked<Option<(Connection, Option<ServiceKey>)>> {
        for (seen, entry) in self.entries.by_ref().enumerate() {
            let entry = entry?;
            let maker = self.makers.maker(&entry);
            if self.filter.fits(&entry, maker) {
                return Ok(Some((entry, maker)));
            }
            // Lua's own hook does not see this loop.
            if seen % 1024 == 1023
                && let Some(stop) = host.stop()
            {
                return Err(stop.into());
            }
        }
        // What is open for it is not to wait until Lua collects it.
        self.entries = Box::new(std::iter::empty());
        Ok(None)
    }
}

/// One more entry as a record, or nil at the end: what `for` asks for.
pub fn step(lua: &Lua, host: &Host, records: &Records, walk: &RefCell<Walk>) -> Checked<Value> {
    let next = walk.borrow_mut().next(host)?;
    keep_room(lua, host);
    next.map_or(Ok(Value::Nil), |(entry, maker)| record(lua, records, &entry, maker))
}

/// What is shown of a walk: the first of those that are left.
pub fn shown(lua: &Lua, host: &Host, records: &Records, walk: &RefCell<Walk>) -> Checked<Table> {
    if let Some(table) = &walk.borrow().shown {
        return Ok(table.clone());
    }
    let items = rest(lua, host, records, walk, DEFAULT_LIST)?;
    let table = lua.create_sequence_from(items).map_err(lua_fault)?;
    walk.borrow_mut().shown = Some(table.clone());
    Ok(table)
}

/// At most `limit` of those that are left.
fn rest(
    lua: &Lua,
    host: &Host,
    records: &Records,
    walk: &RefCell<Walk>,
    limit: usize,
) -> Checked<Vec<Value>> {
    let mut out = Vec::new();
    while out.len() < limit {
        match step(lua, host, records, walk)? {
            Value::Nil => break,
            record => out.push(record),
        }
    }
    Ok(out)
}

fn connections(call: &mut Call<'_>) -> Checked<Value> {
    walk(call, false)
}

fn templates(call: &mut Call<'_>) -> Checked<Value> {
    walk(call, true)
}

fn walk(call: &mut Call<'_>, templates: bool) -> Checked<Value> {
    let mut filter = match call.take(0) {
        Val::Row(row) => filter(row).map_err(|fault| fault.arg(0))?,
        _ => ConnectionFilter::default(),
    };
    filter.templates = Some(templates);
    let (makers, entries) = call.host.with(|session| Ok((session.makers()?, session.connection_table()?)))?;
    let kind = if templates { "templates" } else { "connections" };
    // Each holds a file and its buffer, of which Lua, asked for a few bytes, knows nothing.
    call.lua.gc_restart();
    let walk = Walk { entries, makers, filter, kind, shown: None };
    call.records.make(call.lua, Id::Walk(Rc::new(RefCell::new(walk))))
}

fn filter(mut row: Row) -> Checked<ConnectionFilter> {
    let services = match row.take("service") {
        Val::Nil => None,
        service => Some([key_of(service).map_err(|fault| fault.under("service"))?.0].into()),
    };
    let states = row.list("state").iter().filter_map(|state| match state {
        Val::Word(word) => Some(ConnectionState::new(word)),
        _ => None,
    });
    Ok(ConnectionFilter {
        templates: None,
        protocol: row.str("protocol").and_then(|word| word.parse::<Protocol>().ok()),
        client: match row.get("client") {
            Val::Net(net) => Some(IpNet::trunc(net)),
            _ => None,
        },
        services,
        server: match row.get("server") {
            Val::Endpoint(addr, port) => Some((*addr, *port)),
            _ => None,
        },
        states: states.collect(),
    })
}

fn record(lua: &Lua, records: &Records, entry: &Connection, maker: Option<ServiceKey>) -> Checked<Value> {
    let data = read::table(lua)?;
    read::set(&data, "protocol", &*entry.protocol_name())?;
    read::set(&data, "client", entry.client.to_string())?;
    read::set(&data, "client_port", entry.client_port.0)?;
    match entry.target {
        Target::Address { addr, port } => {
            read::set(&data, "virtual", addr.to_string())?;
            read::set(&data, "virtual_port", port.0)?;
        }
        Target::Mark { mark, .. } => read::set(&data, "fwmark", mark.get())?,
    }
    read::set(&data, "server", entry.server.addr.to_string())?;
    read::set(&data, "server_port", entry.server.port.0)?;
    read::set(&data, "state", entry.state.name())?;
    read::set(&data, "expires", entry.expires)?;
    read::set(&data, "template", entry.is_template())?;
    if let Some(key) = maker {
        read::set(&data, "service", key.to_string())?;
    }
    if let Some(pe) = &entry.pe {
        read::set(&data, "pe", pe.name.as_str())?;
        read::set(&data, "pe_data", pe.data.as_str())?;
    }
    records.plain(lua, &CONNECTION_RECORD, data)
}

fn count(call: &mut Call<'_>) -> Checked<Value> {
    let walk = call.walk()?;
    let mut count = 0;
    while walk.borrow_mut().next(call.host)?.is_some() {
        count += 1;
    }
    Ok(Value::Integer(count))
}

fn list(call: &mut Call<'_>) -> Checked<Value> {
    let walk = call.walk()?;
    let limit = match call.take(0) {
        Val::Int(limit) => usize::try_from(limit).unwrap_or(DEFAULT_LIST),
        _ => DEFAULT_LIST,
    };
    let items = rest(call.lua, call.host, call.records, &walk, limit)?;
    call.records.list(call.lua, items)
}

fn evict(call: &mut Call<'_>) -> Checked<Value> {
    let (service, _) = key_of(call.take(0)).map_err(|fault| fault.arg(0))?;
    let Val::Endpoint(addr, port) = call.take(1) else {
        return Err(Fault::bad("an address is missing").arg(1));
    };
    let limit = match call.take(2) {
        Val::Row(row) => row.seconds("timeout"),
        _ => None,
    };
    let servers = call.host.with(|session| {
        Ok(session.see(&want_service(&service))?.service(&service).map(|entry| entry.servers.clone()))
    })?;
    let server = match servers {
        Some(servers) => build::find_server(&servers, &service, addr, port).map_err(|fault| fault.arg(1))?,
        None => ServerKey { addr, port: port.unwrap_or(Port(0)) },
    };
    let origin = call.origin();
    let how = Evicting {
        limit: limit.map_or(Duration::from_secs(5), Duration::from_secs_f64),
        stop: &|| call.host.stop(),
        origin: origin.clone(),
    };
    let gone = call
        .host
        .with(|session| session.evict(&service, &server, &how))
        .map_err(|error| here(error, origin.as_ref()))?;
    let seconds = (gone.away.as_secs_f64() * 1000.0).round() / 1000.0;
    let (connections, templates) = (gone.connections, gone.templates);
    if !gone.away.is_zero() {
        let counts = format!("{connections} connections, {templates} templates");
        let text = format!("evicted {service} {server}: {counts}; it took none for {seconds} s");
        world::log_line(call.host, Level::Notice, text);
    }
    let data = read::table(call.lua)?;
    read::set(&data, "connections", connections)?;
    read::set(&data, "templates", templates)?;
    read::set(&data, "seconds", seconds)?;
    call.records.plain(call.lua, &EVICTION_RECORD, data)
}

fn zero(call: &mut Call<'_>) -> Checked<Value> {
    let key = match call.take(0) {
        Val::Nil => None,
        service => Some(key_of(service).map_err(|fault| fault.arg(0))?.0),
    };
    let origin = call.origin();
    call.host.with(|session| session.zero(key.as_ref())).map_err(|error| here(error, origin.as_ref()))?;
    Ok(Value::Nil)
}
