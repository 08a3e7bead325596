//! Values of Lua as text that Lua can read back, and as JSON.

use mlua::{Lua, Table, Value};

use super::host::Host;
use super::natives::declared_of;
use super::records::{Id, Records};

/// One value that a chunk returned.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// Lua that can be read back, where that is possible.
    pub lua: String,
    pub json: serde_json::Value,
}

/// Deeper than this, and more than this in one table, is cut and says so.
const DEPTH: usize = 12;
const WIDTH: usize = 100_000;

pub(super) fn shown(lua: &Lua, host: &Host, records: &Records, value: &Value) -> Shown {
    let mut walk = Walk { lua, host, records, open: Vec::new() };
    let json = walk.json(value, 0);
    let mut text = String::new();
    walk.text(value, 0, &mut text);
    Shown { lua: text, json }
}

/// For what only programs read.
pub(super) fn json(lua: &Lua, host: &Host, records: &Records, value: &Value) -> serde_json::Value {
    Walk { lua, host, records, open: Vec::new() }.json(value, 0)
}

/// A record in one line.
pub(super) fn line(lua: &Lua, host: &Host, records: &Records, id: &Id) -> String {
    let mut walk = Walk { lua, host, records, open: Vec::new() };
    let mut text = String::new();
    if let Ok(flat) = records.flat(lua, host, id) {
        walk.table(&flat, matches!(id, Id::List(_) | Id::Walk(_)), 0, &mut text);
    }
    text
}

struct Walk<'a> {
    lua: &'a Lua,
    host: &'a Host,
    records: &'a Records,
    /// Tables around the present one; a table within itself is not followed.
    open: Vec<*const std::ffi::c_void>,
}

impl Walk<'_> {
    /// Ten thousand plain tables are told by what they lack.
    fn is_policy(&self, table: &Table) -> bool {
        table.metatable().is_some() && declared_of(self.lua, table).is_some()
    }

    /// A table's fields as they are to be shown, and whether it is a list by its kind.
    fn flat(&self, table: &Table) -> (Table, bool) {
        match table.metatable().and_then(|_| self.records.id(table)) {
            Some(id) => {
                let list = matches!(id, Id::List(_) | Id::Walk(_));
                let flat = self.records.flat(self.lua, self.host, &id);
                (flat.unwrap_or_else(|_| table.clone()), list)
            }
            None => (table.clone(), false),
        }
    }

    fn text(&mut self, value: &Value, depth: usize, out: &mut String) {
        match value {
            Value::Nil => out.push_str("nil"),
            Value::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Integer(value) => out.push_str(&value.to_string()),
            Value::Number(value) => out.push_str(&number(*value)),
            Value::String(text) => quote(&text.as_bytes(), out),
            Value::Table(table) if self.is_policy(table) => {
                out.push_str(&value.to_string().unwrap_or_default());
            }
            Value::Table(table) => {
                let (flat, list) = self.flat(table);
                self.table(&flat, list, depth, out);
            }
            other => out.push_str(&other.to_string().unwrap_or_else(|_| other.type_name().to_string())),
        }
    }

    fn table(&mut self, table: &Table, list: bool, depth: usize, out: &mut String) {
        let at = table.to_pointer();
        if depth >= DEPTH || self.open.contains(&at) {
            out.push_str("{ … }");
            return;
        }
        self.open.push(at);
        let (items, named) = entries(table);
        out.push('{');
        let mut first = true;
        for value in &items {
            out.push_str(if first { " " } else { ", " });
            first = false;
            self.text(value, depth + 1, out);
        }
        for (key, value) in &named {
            if list && matches!(key, Value::Nil) {
                continue;
            }
            out.push_str(if first { " " } else { ", " });
            first = false;
            match key {
                Value::String(name) if is_name(&name.to_string_lossy()) => {
                    out.push_str(&name.to_string_lossy())
                }
                key => {
                    out.push('[');
                    self.text(key, depth + 1, out);
                    out.push(']');
                }
            }
            out.push_str(" = ");
            self.text(value, depth + 1, out);
        }
        out.push_str(if first { "}" } else { " }" });
        self.open.pop();
    }

    fn json(&mut self, value: &Value, depth: usize) -> serde_json::Value {
        use serde_json::Value as Json;
        match value {
            Value::Nil => Json::Null,
            Value::Boolean(value) => Json::Bool(*value),
            Value::Integer(value) => Json::from(*value),
            Value::Number(value) => Json::from(*value),
            Value::String(text) => Json::from(text.to_string_lossy()),
            Value::Table(table) if !self.is_policy(table) => {
                let (flat, list) = self.flat(table);
                let at = flat.to_pointer();
                if depth >= DEPTH || self.open.contains(&at) {
                    return Json::from("…");
                }
                self.open.push(at);
                let (items, named) = unsorted(&flat);
                let out = if list || (named.is_empty() && !items.is_empty()) {
                    Json::Array(items.iter().map(|value| self.json(value, depth + 1)).collect())
                } else {
                    let mut map = serde_json::Map::new();
                    for (index, value) in items.iter().enumerate() {
                        map.insert((index + 1).to_string(), self.json(value, depth + 1));
                    }
                    for (key, value) in &named {
                        let key = match key {
                            Value::String(key) => key.to_string_lossy(),
                            other => other.to_string().unwrap_or_default(),
                        };
                        map.insert(key, self.json(value, depth + 1));
                    }
                    Json::Object(map)
                };
                self.open.pop();
                out
            }
            other => Json::from(other.to_string().unwrap_or_else(|_| other.type_name().to_string())),
        }
    }
}

/// The sequence of a table, and its other entries sorted by key.
pub(super) fn entries(table: &Table) -> (Vec<Value>, Vec<(Value, Value)>) {
    let (items, mut named) = unsorted(table);
    named.sort_by_cached_key(|(key, _)| match key {
        Value::Integer(number) => (0, *number, String::new()),
        Value::String(text) => (1, 0, text.to_string_lossy()),
        other => (2, 0, other.to_string().unwrap_or_default()),
    });
    (items, named)
}

fn unsorted(table: &Table) -> (Vec<Value>, Vec<(Value, Value)>) {
    let len = table.raw_len().min(WIDTH);
    let items: Vec<Value> = (1..=len).map_while(|index| table.raw_get(index).ok()).collect();
    let mut named = Vec::new();
    // An error would be one of memory; what was read until then is shown.
    let _ = table.for_each::<Value, Value>(|key, value| {
        let in_sequence = matches!(key, Value::Integer(index) if index >= 1 && index as usize <= len);
        if !in_sequence && named.len() < WIDTH {
            named.push((key, value));
        }
        Ok(())
    });
    (items, named)
}

pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        "0/0".to_string()
    } else if value.is_infinite() {
        if value > 0.0 { "math.huge" } else { "-math.huge" }.to_string()
    } else {
        format!("{value:?}")
    }
}

pub(super) fn quote(bytes: &[u8], out: &mut String) {
    out.push('"');
    match std::str::from_utf8(bytes) {
        Ok(text) => {
            for c in text.chars() {
                match c {
                    '"' => out.push_str("\\\""),
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\t' => out.push_str("\\t"),
                    c if c.is_control() && c.is_ascii() => out.push_str(&format!("\\x{:02x}", c as u32)),
                    c => out.push(c),
                }
            }
        }
        Err(_) => {
            for b in bytes {
                match b {
                    b'"' => out.push_str("\\\""),
                    b'\\' => out.push_str("\\\\"),
                    0x20..=0x7e => out.push(char::from(*b)),
                    b => out.push_str(&format!("\\x{b:02x}")),
                }
            }
        }
    }
    out.push('"');
}

pub(super) fn is_name(text: &str) -> bool {
    const WORDS: [&str; 22] = [
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in",
        "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
    ];
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b == b'_' || b.is_ascii_alphabetic());
    first && bytes.all(|b| b == b'_' || b.is_ascii_alphanumeric()) && !WORDS.contains(&text)
}
