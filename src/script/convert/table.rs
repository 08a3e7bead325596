//! Tables: lists, maps, and rows of named fields.

use mlua::{Table, Value};

use super::super::fault::{Checked, Fault};
use super::super::schema::{Schema, Ty};
use super::{Known, Row, Val, check, raw, show, wrong};

pub fn is_sequence(table: &Table) -> bool {
    table.raw_len() > 0 || (table.has_metatable() && table.len().is_ok_and(|len| len > 0)) || table.is_empty()
}

pub fn list(value: Value, of: &'static Ty, what: &str, known: Known<'_>) -> Checked<Val> {
    let Value::Table(table) = value else {
        return Err(wrong(what, &value, &format!("a list ({})", of.describe())));
    };
    // Lists of records are proxies: their elements come through metamethods.
    let proxy = table.has_metatable();
    let len = if proxy { table.len().map_err(inside)? as usize } else { table.raw_len() };
    let mut out = Vec::with_capacity(len);
    for index in 1..=len {
        let item: Value = if proxy { table.get(index) } else { table.raw_get(index) }.map_err(inside)?;
        out.push(check(item, of, what, known).map_err(|fault| fault.item(index))?);
    }
    if !proxy {
        only_numbers(&table, len, what)?;
    }
    Ok(Val::List(out))
}

/// A key among the elements of a list is a mistake that would be lost silently.
fn only_numbers(table: &Table, len: usize, what: &str) -> Checked<()> {
    let mut odd = None;
    let mut seen = 0;
    let walk = table.for_each::<Value, Value>(|key, _| {
        seen += 1;
        if !matches!(key, Value::Integer(_)) && odd.is_none() {
            odd = Some(key);
        }
        Ok(())
    });
    walk.map_err(inside)?;
    match odd {
        Some(Value::String(key)) => {
            let key = key.to_string_lossy();
            let mut fault = Fault::bad(format!("unknown field '{key}' in the list '{what}'"));
            fault.error.code = "unknown_field".to_string();
            fault.at_key = true;
            Err(fault.hint("a list has no names; write { … } around each of its elements").under(&key))
        }
        Some(key) => Err(Fault::bad(format!("bad value for '{what}': {} is no key of a list", show(&key)))),
        None if seen != len => Err(Fault::bad(format!("bad value for '{what}': the list has holes (nil)"))),
        None => Ok(()),
    }
}

pub fn map(value: Value, of: &'static Ty, what: &str, known: Known<'_>) -> Checked<Val> {
    let Value::Table(table) = value else {
        return Err(wrong(what, &value, &format!("a table of {}", of.describe())));
    };
    let mut pairs = Vec::new();
    table
        .for_each::<Value, Value>(|key, value| {
            pairs.push((key, value));
            Ok(())
        })
        .map_err(inside)?;
    let mut out = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let Value::String(key) = key else {
            return Err(Fault::bad(format!(
                "bad value for '{what}': the key {} is not a string",
                show(&key)
            )));
        };
        let key = key.to_string_lossy();
        let value = check(value, of, &key, known).map_err(|fault| fault.under(&key))?;
        out.push((key, value));
    }
    // Lua's order is no order; what is made of this must be the same every time.
    out.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(Val::Map(out))
}

/// A command: its words, numbers among them as text, and behind them the row of its options.
pub fn words(table: &Table, schema: &'static Schema, what: &str, known: Known<'_>) -> Checked<Val> {
    let lua = table.weak_lua().try_upgrade();
    let options = lua.and_then(|lua| lua.create_table().ok());
    let Some(options) = options else { return Err(Fault::bad(format!("'{what}' could not be read"))) };
    let length = table.raw_len();
    let mut out = Vec::with_capacity(length + 1);
    for index in 1..=length {
        let value: Value = table.raw_get(index).map_err(inside)?;
        out.push(match value {
            Value::String(text) => Val::Str(text.to_string_lossy()),
            Value::Integer(number) => Val::Str(number.to_string()),
            other => {
                let why = format!("bad value for '{what}': word {index} is {}, not a string", show(&other));
                return Err(Fault::bad(why).item(index));
            }
        });
    }
    let named = table.for_each::<Value, Value>(|key, value| match key {
        Value::Integer(index) if (1..=length as i64).contains(&index) => Ok(()),
        key => options.raw_set(key, value),
    });
    named.map_err(inside)?;
    out.push(Val::Row(row(&options, schema, known)?));
    Ok(Val::List(out))
}

/// Checks a table against its schema.
pub fn row(table: &Table, schema: &'static Schema, known: Known<'_>) -> Checked<Row> {
    let lua = table.weak_lua().try_upgrade();
    if let Some(row) = lua.and_then(|lua| raw::row(&lua, table, schema)) {
        return Ok(row);
    }
    let mut row = Row::new(schema);
    let mut fault = None;
    let walk = table.for_each::<Value, Value>(|key, value| {
        if fault.is_some() {
            return Ok(());
        }
        match one(&key, value, schema, known) {
            Ok((at, val)) => row.put(at, val),
            Err(found) => fault = Some(found),
        }
        Ok(())
    });
    walk.map_err(inside)?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    if let Some(field) = row.missing() {
        let mut fault = Fault::bad(format!("missing field '{}' in {}", field.name, schema.name));
        fault.error.code = "missing_field".to_string();
        return Err(fault.hint(format!("{} = …    {}", field.name, field.doc)));
    }
    Ok(row)
}

fn one(key: &Value, value: Value, schema: &'static Schema, known: Known<'_>) -> Checked<(usize, Val)> {
    if let Value::String(key) = key {
        let bytes = key.as_bytes();
        for (at, field) in schema.fields.iter().enumerate() {
            if field.name.as_bytes() == &*bytes {
                let val = check(value, &field.ty, field.name, known);
                return val.map(|val| (at, val)).map_err(|fault| fault.under(field.name));
            }
        }
    }
    let typed = match key {
        Value::String(key) => key.to_string_lossy(),
        other => show(other),
    };
    let names: Vec<&str> = schema.fields.iter().map(|field| field.name).collect();
    if let Value::Integer(index) = key {
        let mut fault = Fault::bad(format!("{} takes named fields; got a value without a name", schema.name));
        fault.error = fault.error.note(format!("fields: {}", names.join(", ")));
        return Err(fault.item(usize::try_from(*index).unwrap_or_default()));
    }
    Err(Fault::unknown_field(&typed, schema.name, &names))
}

/// An error of a metamethod while a table was read.
fn inside(error: mlua::Error) -> Box<Fault> {
    let text = error.to_string();
    Fault::bad(format!("a table could not be read: {}", text.lines().next().unwrap_or_default()))
}
