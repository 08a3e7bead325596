//! `list --connections`: lines that go out while the table is read, however long it is.

use std::io::{self, BufWriter, ErrorKind, Write};

use serde_json::{Map, Value, json};

use super::context::Context;
use super::done::Done;
use super::list::{Only, read};
use crate::backend::{Backend, Want};
use crate::error::{Error, Result};
use crate::model::{Connection, ConnectionFilter, Makers, ServiceKey};
use crate::view::{ConnectionRows, compact, connection_value, document, error_value};

pub fn list(context: &Context, backend: &mut dyn Backend, only: &Only) -> Result<Done> {
    // Who made an entry depends on all services, also on those that are not asked for.
    let (seen, owners) = read(context, backend, &Only::default(), Want { marks: true, ..Want::default() })?;
    if let Some(key) = only.named()
        && seen.state.service(&key).is_none()
    {
        return Err(super::list::unknown(backend, &key)?);
    }
    let makers = Makers::of(&seen.state);
    let keys = seen.state.services.keys().filter(|key| only.takes(key, owners.get(key))).copied();
    let filter = ConnectionFilter {
        services: only.is_of_services().then(|| keys.collect()),
        server: only.server(),
        ..ConnectionFilter::default()
    };
    drop(seen);
    if context.common.quiet && !context.common.json {
        return Ok(Done::default());
    }
    let mut out = BufWriter::with_capacity(64 * 1024, io::stdout().lock());
    let written = match context.common.json {
        true => as_document(context, backend, &makers, &filter, &mut out),
        false => as_lines(context, backend, &makers, &filter, &mut out),
    };
    match written.and_then(|code| out.flush().map_err(Stop::from).map(|()| code)) {
        Ok(code) => Ok(Done::printed(code)),
        // Who closes the pipe has read enough.
        Err(Stop::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(Done::printed(0)),
        Err(Stop::Write(error)) => Err(Error::io("write to", std::path::Path::new("stdout"), &error)),
        Err(Stop::Read(error)) => Err(*error),
    }
}

/// Why a listing ended early.
enum Stop {
    Read(Box<Error>),
    Write(io::Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Read(Box::new(error))
    }
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Write(error)
    }
}

/// Gives each entry that is asked for to `each`, until the run is to stop.
fn walk(
    context: &Context,
    backend: &mut dyn Backend,
    makers: &Makers,
    filter: &ConnectionFilter,
    mut each: impl FnMut(Connection, Option<ServiceKey>) -> Result<(), Stop>,
) -> Result<(), Stop> {
    for (seen, entry) in backend.connection_table()?.enumerate() {
        if seen % 1024 == 0 {
            context.check_cancel()?;
        }
        let entry = entry?;
        let maker = makers.maker(&entry);
        if filter.fits(&entry, maker) {
            each(entry, maker)?;
        }
    }
    Ok(())
}

fn as_lines(
    context: &Context,
    backend: &mut dyn Backend,
    makers: &Makers,
    filter: &ConnectionFilter,
    out: &mut dyn Write,
) -> Result<u8, Stop> {
    let mut rows = ConnectionRows::new(context.width());
    walk(context, backend, makers, filter, |entry, maker| {
        rows.push(entry, maker);
        let ready = rows.take();
        out.write_all(ready.as_bytes())?;
        ready.clear();
        Ok(())
    })?;
    rows.end();
    out.write_all(rows.take().as_bytes())?;
    Ok(0)
}

/// One document, an entry per line. A table that cannot be read to its end is told in the document, which is whole.
fn as_document(
    context: &Context,
    backend: &mut dyn Backend,
    makers: &Makers,
    filter: &ConnectionFilter,
    out: &mut dyn Write,
) -> Result<u8, Stop> {
    let whole = document(json!({ "command": "list" }));
    out.write_all(whole.trim_end_matches("\n}\n").as_bytes())?;
    out.write_all(b",\n  \"connections\": [")?;
    let mut count = 0_u64;
    let walked = walk(context, backend, makers, filter, |entry, maker| {
        let comma = if count == 0 { "" } else { "," };
        count += 1;
        Ok(write!(out, "{comma}\n    {}", compact(connection_value(&entry, maker)))?)
    });
    let error = match walked {
        Ok(()) => None,
        Err(Stop::Read(error)) => Some(*error),
        Err(write) => return Err(write),
    };
    let mut rest = Map::new();
    rest.insert("count".to_string(), json!(count));
    rest.insert("duration_ms".to_string(), json!(context.elapsed_ms()));
    rest.insert("ok".to_string(), json!(error.is_none()));
    rest.insert("warnings".to_string(), json!(context.warnings()));
    if let Some(error) = &error {
        rest.insert("error".to_string(), error_value(error));
    }
    let end = if count == 0 { "]" } else { "\n  ]" };
    out.write_all(end.as_bytes())?;
    for (name, value) in sorted(rest) {
        write!(out, ",\n  {}: {}", Value::String(name), compact(value))?;
    }
    out.write_all(b"\n}\n")?;
    Ok(error.map_or(0, |error| error.exit_code()))
}

fn sorted(map: Map<String, Value>) -> Vec<(String, Value)> {
    let mut pairs: Vec<_> = map.into_iter().collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}
