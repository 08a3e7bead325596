//! Values as a prompt prints them: records as tables, anything else as Lua that can be read back.

use mlua::{Lua, Table, Value};

use super::look::entry_of;
use crate::backend::{Services, Want};
use crate::model::{ServerKey, ServiceKey};
use crate::script::host::Host;
use crate::script::natives::{declared_of, read};
use crate::script::records::{Id, Records};
use crate::script::schema::{PLAN_RECORD, Shape};
use crate::script::shown::{entries, is_name, number, quote};
use crate::view::{Grid, Printed};

/// Rows of one table.
const ROWS: usize = 1_000;
/// Entries of one table of Lua, tables within tables, and bytes of a string.
const ITEMS: usize = 100;
const DEPTH: usize = 6;
const BYTES: usize = 2_000;

pub(super) fn display(lua: &Lua, host: &Host, records: &Records, value: &Value, width: u16) -> Printed {
    let show = Show { lua, host, records, width: usize::from(width) };
    if let Some(changes) = show.plan(value) {
        return Printed::Text(changes);
    }
    show.grid(value).map_or_else(|| Printed::Text(show.text(value, 0, &mut Vec::new())), Printed::Grid)
}

struct Show<'a> {
    lua: &'a Lua,
    host: &'a Host,
    records: &'a Records,
    width: usize,
}

type Open = Vec<*const std::ffi::c_void>;

impl Show<'_> {
    /// What a plan would change, a line each, as `lvsh plan` says it.
    fn plan(&self, value: &Value) -> Option<String> {
        let data = |value: &Value| match value {
            Value::Table(table) => self.records.id(table),
            _ => None,
        };
        let Some(Id::Plain(shape, plan)) = data(value) else { return None };
        if !std::ptr::eq(shape, &PLAN_RECORD) {
            return None;
        }
        let Some(Id::List(steps)) = data(&plan.raw_get("steps").ok()?) else { return None };
        let text = |index: usize| match data(&steps.raw_get(index).ok()?) {
            Some(Id::Plain(_, step)) => step.raw_get::<String>("text").ok(),
            _ => None,
        };
        let count = steps.raw_len();
        let mut lines: Vec<String> = (1..=count.min(ROWS)).filter_map(text).collect();
        if count == 0 {
            lines.push("no changes".to_string());
        } else if count > ROWS {
            lines.push(format!("… {} more", count - ROWS));
        }
        Some(lines.join("\n"))
    }

    /// A record, or a list of records of one kind.
    fn grid(&self, value: &Value) -> Option<Grid> {
        let Value::Table(table) = value else { return None };
        let list = match self.records.id(table) {
            Some(Id::List(items)) => items,
            Some(Id::Service(key)) => return Some(self.services(&[key], 0)),
            Some(Id::Server(service, key)) => return Some(self.servers(&[(service, key)], 0)),
            Some(Id::Plain(_, data)) => return Some(self.fields(&data)),
            None if table.metatable().is_none() && table.raw_len() > 0 => table.clone(),
            Some(Id::Sim(_)) => return None,
            // A walk is shown as the list of what is left of it.
            Some(Id::Walk(_)) | None => return None,
        };
        let len = list.raw_len();
        let ids: Option<Vec<Id>> = (1..=len.min(ROWS))
            .map(|index| match list.raw_get(index) {
                Ok(Value::Table(item)) => self.records.id(&item),
                _ => None,
            })
            .collect();
        let (ids, more) = (ids?, len.saturating_sub(ROWS));
        let services = ids.iter().map(|id| if let Id::Service(key) = id { Some(*key) } else { None });
        if let Some(keys) =
            services.collect::<Option<Vec<_>>>().filter(|_| len > 0 || self.records.id(table).is_some())
        {
            return Some(self.services(&keys, more));
        }
        let servers = ids.iter().map(|id| if let Id::Server(a, b) = id { Some((*a, *b)) } else { None });
        if let Some(keys) = servers.collect::<Option<Vec<_>>>() {
            return Some(self.servers(&keys, more));
        }
        self.plain(&ids, more)
    }

    fn services(&self, keys: &[ServiceKey], more: usize) -> Grid {
        let some = Services::Only(keys.iter().copied().collect());
        let want = Want { services: if keys.len() > 64 { Services::All } else { some }, ..Want::default() };
        let rows = self.host.with(|session| {
            let (state, live) = session.see_live(&want)?;
            let row = |key: &ServiceKey| {
                let Some(entry) = state.services.get(key) else {
                    return vec![key.to_string(), "gone".to_string()];
                };
                let service = &entry.service;
                let mut how = vec![service.scheduler.name().to_string()];
                how.extend(service.flags.words(&service.scheduler).iter().map(ToString::to_string));
                how.extend(service.one_packet().then(|| "ops".to_string()));
                let hold =
                    service.persistence.as_ref().map_or_else(String::new, |hold| hold.timeout.to_string());
                let seen = |id: &ServerKey| live.servers.get(&(*key, *id)).copied().unwrap_or_default();
                let active: u64 = entry.servers.keys().map(|id| u64::from(seen(id).active)).sum();
                let inactive: u64 = entry.servers.keys().map(|id| u64::from(seen(id).inactive)).sum();
                let count = entry.servers.len();
                vec![
                    key.to_string(),
                    how.join(" "),
                    hold,
                    count.to_string(),
                    active.to_string(),
                    inactive.to_string(),
                ]
            };
            Ok(keys.iter().map(row).collect::<Vec<_>>())
        });
        let header = ["service", "scheduler", "persistent", "servers", "active", "inact"].map(str::to_string);
        let rows = rows.unwrap_or_default();
        Grid {
            header: header.into(),
            rows,
            right: vec![2, 3, 4, 5],
            wraps: 1,
            spare: ["inact", "persistent", "active"].map(str::to_string).into(),
            more,
            noun: "service".to_string(),
        }
    }

    fn servers(&self, keys: &[(ServiceKey, ServerKey)], more: usize) -> Grid {
        let services = keys.iter().map(|(service, _)| *service).collect::<std::collections::BTreeSet<_>>();
        // Servers of several services say whose they are.
        let whose = services.len() > 1;
        let want = Want { services: Services::Only(services), ..Want::default() };
        let rows = self.host.with(|session| {
            let (state, live) = session.see_live(&want)?;
            let row = |(service, key): &(ServiceKey, ServerKey)| {
                let mut row = if whose { vec![service.to_string()] } else { Vec::new() };
                row.push(key.to_string());
                let Some(server) = state.server(service, key) else {
                    row.push("gone".to_string());
                    return row;
                };
                let seen = live.servers.get(&(*service, *key)).copied().unwrap_or_default();
                row.extend([
                    server.method.to_string(),
                    server.weight.to_string(),
                    seen.active.to_string(),
                    seen.inactive.to_string(),
                    seen.persist.to_string(),
                ]);
                row
            };
            Ok(keys.iter().map(row).collect::<Vec<_>>())
        });
        let mut header =
            ["server", "method", "weight", "active", "inact", "templates"].map(str::to_string).to_vec();
        if whose {
            header.insert(0, "service".to_string());
        }
        let first = 2 + usize::from(whose);
        let right = (first..first + 4).collect();
        // Addresses stay whole.
        let wraps = 1 + usize::from(whose);
        let spare = ["templates", "inact", "active"].map(str::to_string).into();
        Grid { header, rows: rows.unwrap_or_default(), right, wraps, spare, more, noun: "server".to_string() }
    }

    /// Records that do not change: a column for each field that one of them has.
    fn plain(&self, ids: &[Id], more: usize) -> Option<Grid> {
        let mut shape: Option<&Shape> = None;
        let mut datas = Vec::new();
        for id in ids {
            let Id::Plain(found, data) = id else { return None };
            if shape.is_some_and(|shape| shape.name != found.name) {
                return None;
            }
            shape = Some(found);
            datas.push(data);
        }
        let shape = shape?;
        let cell = |data: &Table, name: &str| self.cell(&data.raw_get(name).unwrap_or(Value::Nil));
        let names: Vec<&str> =
            shape.names().filter(|name| datas.iter().any(|data| !cell(data, name).is_empty())).collect();
        let numeric = |name: &str| {
            datas.iter().all(|data| {
                matches!(data.raw_get(name), Ok(Value::Integer(_) | Value::Number(_) | Value::Nil))
            })
        };
        let right = names.iter().enumerate().filter(|(_, name)| numeric(name)).map(|(at, _)| at).collect();
        let rows: Vec<Vec<String>> =
            datas.iter().map(|data| names.iter().map(|name| cell(data, name)).collect()).collect();
        let longest = |at: usize| rows.iter().map(|row: &Vec<String>| row[at].len()).max().unwrap_or(0);
        let wraps = (0..names.len()).max_by_key(|at| longest(*at)).unwrap_or(0);
        let noun = shape.name.trim_start_matches("a ").to_string();
        let header = names.iter().map(ToString::to_string).collect();
        Some(Grid { header, rows, right, wraps, spare: Vec::new(), more, noun })
    }

    /// One record of data: a line for each field.
    fn fields(&self, data: &Table) -> Grid {
        let (_, named) = entries(data);
        let row = |(key, value): &(Value, Value)| vec![self.cell(key), self.cell(value)];
        let rows = named.iter().map(row).collect();
        Grid { header: vec!["field".to_string(), "value".to_string()], rows, wraps: 1, ..Grid::default() }
    }

    fn cell(&self, value: &Value) -> String {
        match value {
            Value::Nil => String::new(),
            Value::String(text) => text.to_string_lossy(),
            Value::Table(table) => match self.records.id(table) {
                Some(Id::List(items)) => {
                    let items = (1..=items.raw_len().min(ITEMS))
                        .map(|index| items.raw_get(index).unwrap_or(Value::Nil));
                    items.map(|item| self.cell(&item)).collect::<Vec<_>>().join(" ")
                }
                _ => self.line(value, 0, &mut Vec::new()),
            },
            other => self.line(other, 0, &mut Vec::new()),
        }
    }

    /// In one line if it fits, else a line for each entry.
    fn text(&self, value: &Value, indent: usize, open: &mut Open) -> String {
        let line = self.line(value, open.len(), open);
        let Value::Table(table) = value else { return line };
        if indent + line.chars().count() <= self.width.saturating_sub(1)
            || !line.starts_with('{')
            || open.len() >= DEPTH
        {
            return line;
        }
        let table = self.flat(table);
        let at = table.to_pointer();
        open.push(at);
        let (items, named) = entries(&table);
        let margin = " ".repeat(indent + 2);
        let mut out = String::from("{\n");
        for item in items.iter().take(ITEMS) {
            out.push_str(&format!("{margin}{},\n", self.text(item, indent + 2, open)));
        }
        for (key, value) in named.iter().take(ITEMS) {
            let key = self.key(key, open);
            let value = self.text(value, indent + key.len() + 3, open);
            // What broke into lines begins again at the margin of its key.
            out.push_str(&format!("{margin}{key} = {value},\n"));
        }
        let more = items.len().saturating_sub(ITEMS) + named.len().saturating_sub(ITEMS);
        if more > 0 {
            out.push_str(&format!("{margin}-- … {more} more\n"));
        }
        open.pop();
        out.push_str(&" ".repeat(indent));
        out.push('}');
        out
    }

    fn flat(&self, table: &Table) -> Table {
        match self.records.id(table) {
            Some(Id::List(items) | Id::Plain(_, items)) => items,
            _ => table.clone(),
        }
    }

    fn key(&self, key: &Value, open: &mut Open) -> String {
        match key {
            Value::String(name) if is_name(&name.to_string_lossy()) => name.to_string_lossy(),
            key => format!("[{}]", self.line(key, open.len(), open)),
        }
    }

    fn line(&self, value: &Value, depth: usize, open: &mut Open) -> String {
        match value {
            Value::Nil => "nil".to_string(),
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Number(value) => number(*value),
            Value::String(text) => string(&text.as_bytes()),
            Value::Table(table) => self.table(table, depth, open),
            Value::Function(_) => match entry_of(self.lua, value) {
                Some(entry) if depth == 0 => format!("{}  -- help({})", entry.signature(), entry.last()),
                Some(entry) => entry.name.replace("service:", "lvs.").to_string(),
                None => "nil --[[ a function ]]".to_string(),
            },
            Value::UserData(_) | Value::Error(_) => {
                let text = value.to_string().unwrap_or_default();
                format!("{} --[[ an error ]]", string(text.as_bytes()))
            }
            other => format!("nil --[[ a {} ]]", other.type_name()),
        }
    }

    fn table(&self, table: &Table, depth: usize, open: &mut Open) -> String {
        if declared_of(self.lua, table).is_some() {
            let name: String = table.raw_get("name").unwrap_or_default();
            return format!("nil --[[ policy {name} ]]")
                .trim_start_matches(if depth == 0 { "nil " } else { "" })
                .to_string();
        }
        match self.records.id(table) {
            Some(Id::Service(key)) => return format!("get_service {}", read::spec(&key)),
            Some(Id::Server(service, key)) => {
                return format!("get_service({}):get_server \"{key}\"", read::spec(&service));
            }
            _ => {}
        }
        let table = self.flat(table);
        let at = table.to_pointer();
        if open.contains(&at) || depth >= DEPTH {
            return "{ --[[ … ]] }".to_string();
        }
        open.push(at);
        let (items, named) = entries(&table);
        let mut parts: Vec<String> =
            items.iter().take(ITEMS).map(|item| self.line(item, depth + 1, open)).collect();
        for (key, value) in named.iter().take(ITEMS) {
            parts.push(format!("{} = {}", self.key(key, open), self.line(value, depth + 1, open)));
        }
        let more = items.len().saturating_sub(ITEMS) + named.len().saturating_sub(ITEMS);
        if more > 0 {
            parts.push(format!("--[[ … {more} more ]]"));
        }
        open.pop();
        if parts.is_empty() { "{}".to_string() } else { format!("{{ {} }}", parts.join(", ")) }
    }
}

fn string(bytes: &[u8]) -> String {
    let mut out = String::new();
    let mut cut = bytes.len().min(BYTES);
    // Not within a character.
    while cut < bytes.len() && cut > 0 && bytes[cut] & 0xc0 == 0x80 {
        cut -= 1;
    }
    quote(&bytes[..cut], &mut out);
    if bytes.len() > cut {
        out.push_str(&format!(" --[[ … {} more bytes ]]", bytes.len() - cut));
    }
    out
}
