//! Lua values to checked values, strictly, by schema. What a checked value means is said in `build`.

mod raw;
mod scalar;
mod table;

use std::net::IpAddr;

use ipnet::IpNet;
use mlua::{Function, Table, Value};

pub use self::scalar::parse_seconds;
pub(super) use self::scalar::show;
use self::scalar::{address, bytes, endpoint, integer, mark, net, ports, seconds, text};
pub(super) use self::table::row;
use self::table::{is_sequence, list, map, words};
use super::fault::{Checked, Fault};
use super::schema::{Field, Schema, Ty};
use crate::error::did_you_mean;
use crate::model::{METHODS, Port, PortRange, ServiceKey};

/// A value that fits its [`Ty`].
#[derive(Debug, Default)]
pub(super) enum Val {
    #[default]
    Nil,
    Bool(bool),
    Int(i64),
    Seconds(f64),
    Str(String),
    Bytes(Vec<u8>),
    Word(&'static str),
    Addr(IpAddr),
    Endpoint(IpAddr, Option<Port>),
    Net(IpNet),
    Ports(PortRange),
    List(Vec<Val>),
    Map(Vec<(String, Val)>),
    Row(Row),
    Service(ServiceKey),
    Function(Function),
    Any(Value),
}

/// A table that fits its schema: the fields that were given, which are few of those that there are.
#[derive(Debug)]
pub(super) struct Row {
    schema: &'static Schema,
    given: Vec<(usize, Val)>,
}

/// Tells a service record from other tables.
pub(super) type Known<'a> = &'a dyn Fn(&Table) -> Option<ServiceKey>;

impl Row {
    fn new(schema: &'static Schema) -> Row {
        // Most tables have no more; growing by steps costs more than the rest.
        Row { schema, given: Vec::with_capacity(4) }
    }

    /// Sets the field at this place of the schema; a table has each key once.
    fn put(&mut self, at: usize, val: Val) {
        self.given.push((at, val));
    }

    /// The first field that has to be given and is not.
    fn missing(&self) -> Option<&'static Field> {
        let given = |at| self.given.iter().any(|(place, _)| *place == at);
        let mut fields = self.schema.fields.iter().enumerate();
        fields.find(|(at, field)| field.required && !given(*at)).map(|(_, field)| field)
    }

    pub fn get(&self, name: &str) -> &Val {
        let named = |(at, _): &&(usize, Val)| self.schema.fields[*at].name == name;
        self.given.iter().find(named).map_or(&Val::Nil, |(_, val)| val)
    }

    pub fn take(&mut self, name: &str) -> Val {
        let named = |(at, _): &&mut (usize, Val)| self.schema.fields[*at].name == name;
        self.given.iter_mut().find(named).map(|(_, val)| std::mem::take(val)).unwrap_or_default()
    }

    pub fn has(&self, name: &str) -> bool {
        !matches!(self.get(name), Val::Nil)
    }

    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Val::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A number whose range is that of the field, as u32.
    pub fn u32(&self, name: &str) -> Option<u32> {
        self.int(name).and_then(|value| u32::try_from(value).ok())
    }

    pub fn u16(&self, name: &str) -> Option<u16> {
        self.int(name).and_then(|value| u16::try_from(value).ok())
    }

    pub fn seconds(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Val::Seconds(value) => Some(*value),
            _ => None,
        }
    }

    pub fn bool(&self, name: &str) -> Option<bool> {
        match self.get(name) {
            Val::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// A string or a word.
    pub fn str(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Val::Str(value) => Some(value),
            Val::Word(value) => Some(value),
            _ => None,
        }
    }

    /// What need not be text.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        match self.get(name) {
            Val::Bytes(value) => Some(value.clone()),
            Val::Str(value) => Some(value.clone().into_bytes()),
            _ => None,
        }
    }

    pub fn row(&self, name: &str) -> Option<&Row> {
        match self.get(name) {
            Val::Row(row) => Some(row),
            _ => None,
        }
    }

    pub fn list(&self, name: &str) -> &[Val] {
        match self.get(name) {
            Val::List(list) => list,
            _ => &[],
        }
    }
}

/// Checks one value. `what` names it in messages: the field or the parameter.
pub(super) fn check(value: Value, ty: &'static Ty, what: &str, known: Known<'_>) -> Checked<Val> {
    match ty {
        Ty::Any | Ty::State(_) => Ok(Val::Any(value)),
        Ty::Boolean => match value {
            Value::Boolean(value) => Ok(Val::Bool(value)),
            other => Err(wrong(what, &other, "true or false")),
        },
        Ty::Integer { min, max } => integer(&value, what, *min, *max).map(Val::Int),
        Ty::Mark => mark(&value, what).map(Val::Int),
        Ty::Seconds { min, max, whole } => seconds(&value, what, *min, *max, *whole).map(Val::Seconds),
        Ty::Str | Ty::Setting => text(&value, what).map(Val::Str),
        Ty::Bytes => bytes(&value, what).map(Val::Bytes),
        Ty::Enum(words) => word(&value, what, words),
        Ty::Address => address(&value, what).map(Val::Addr),
        Ty::Endpoint => endpoint(&value, what).map(|(addr, port)| Val::Endpoint(addr, port)),
        Ty::Net => net(&value, what).map(Val::Net),
        Ty::Ports => ports(&value, what).map(Val::Ports),
        Ty::Function => match value {
            Value::Function(function) => Ok(Val::Function(function)),
            other => Err(wrong(what, &other, "a function")),
        },
        Ty::List(of) => list(value, of, what, known),
        Ty::OneOrList(of) => match &value {
            Value::Table(table) if is_sequence(table) => list(value, of, what, known),
            _ => Ok(Val::List(vec![check(value, of, what, known)?])),
        },
        Ty::Map(of) | Ty::Settings(of) => map(value, of, what, known),
        Ty::Table(schema) => match value {
            Value::Table(table) => row(&table, schema, known).map(Val::Row),
            other => Err(wrong(what, &other, &format!("a table ({}: {})", schema.name, schema.names()))),
        },
        Ty::Either(all) => match all.iter().find(|ty| takes(ty, &value)) {
            Some(ty) => check(value, ty, what, known),
            None => Err(wrong(what, &value, &ty.describe())),
        },
        Ty::Service(schema) => match value {
            Value::Table(table) => match known(&table) {
                Some(key) => Ok(Val::Service(key)),
                None => row(&table, schema, known).map(Val::Row),
            },
            other => Err(wrong(what, &other, "a service, or a table like { fwmark = 3 }")),
        },
        Ty::Words(schema) => match value {
            Value::Table(table) => words(&table, schema, what, known),
            other => Err(wrong(what, &other, "a table like { \"cmd\", \"arg\" }")),
        },
    }
}

/// Whether the Lua type is one that `ty` is written with; decides between the parts of an `Either`.
fn takes(ty: &Ty, value: &Value) -> bool {
    match ty {
        Ty::Any => true,
        Ty::Boolean => matches!(value, Value::Boolean(_)),
        Ty::Integer { .. } | Ty::Mark => matches!(value, Value::Integer(_) | Value::Number(_)),
        Ty::Seconds { .. } | Ty::Ports => {
            matches!(value, Value::Integer(_) | Value::Number(_) | Value::String(_))
        }
        Ty::Str | Ty::Bytes | Ty::Setting | Ty::Enum(_) | Ty::Address | Ty::Endpoint | Ty::Net => {
            matches!(value, Value::String(_))
        }
        Ty::Function => matches!(value, Value::Function(_)),
        Ty::List(_)
        | Ty::Map(_)
        | Ty::Settings(_)
        | Ty::Table(_)
        | Ty::Service(_)
        | Ty::State(_)
        | Ty::Words(_) => {
            matches!(value, Value::Table(_))
        }
        Ty::OneOrList(of) => matches!(value, Value::Table(_)) || takes(of, value),
        Ty::Either(all) => all.iter().any(|ty| takes(ty, value)),
    }
}

/// `bad value for 'servers': a string is not a list`
pub(super) fn wrong(what: &str, value: &Value, wanted: &str) -> Box<Fault> {
    Fault::bad(format!("bad value for '{what}': {} is not {wanted}", show(value)))
}

fn word(value: &Value, what: &str, words: &'static [&'static str]) -> Checked<Val> {
    if let Value::String(typed) = value {
        let typed = typed.as_bytes();
        if let Some(word) = words.iter().find(|word| word.as_bytes() == &*typed) {
            return Ok(Val::Word(word));
        }
    }
    let mut fault = Fault::bad(format!("'{what}' is one of {}; got {}", words.join(", "), show(value)));
    if let Value::String(typed) = value
        && let Some(near) = meant(&typed.to_string_lossy(), words)
    {
        fault.label = format!("did you mean \"{near}\"?");
        fault = fault.hint(format!("did you mean \"{near}\"?"));
    }
    Err(fault)
}

/// By what other programs call it; else by its letters, which would take `gate` for `nat`.
fn meant(typed: &str, words: &[&'static str]) -> Option<&'static str> {
    let known = METHODS.iter().find(|method| method.is_called(typed)).map(|method| method.name);
    known.filter(|name| words.contains(name)).or_else(|| did_you_mean(typed, words.iter().copied()))
}
