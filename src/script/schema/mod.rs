//! What tables and values the API takes, and what records it gives: the one description from which conversion,
//! help, completion, stubs and the manual are made.

mod codes;
mod health;
mod hosts;
mod machine;
mod outside;
mod paths;
mod probes;
mod shape;
mod shapes;
mod specs;
mod spelling;
mod testing;
mod watching;

pub use codes::{CODES, meaning, meaning_in};
pub use health::*;
pub use hosts::*;
pub use machine::*;
pub use outside::*;
pub use paths::*;
pub use probes::*;
pub use shape::{Member, Shape};
pub use shapes::*;
pub use specs::*;
pub use testing::*;
pub use watching::*;

/// A table with named keys. A key that is not here is an error.
#[derive(Debug)]
pub struct Schema {
    /// With its article, as messages say it: `a server`.
    pub name: &'static str,
    pub fields: &'static [Field],
}

/// One key of a table.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub ty: Ty,
    pub required: bool,
    /// As Lua spells it; empty when there is none.
    pub default: &'static str,
    pub doc: &'static str,
    /// Lua that uses it and can be run where its names exist.
    pub example: &'static str,
}

/// What a value may be, with its range.
#[derive(Debug)]
pub enum Ty {
    Boolean,
    /// A whole number. Floats with a whole value are taken, numeric strings are not.
    Integer {
        min: i64,
        max: i64,
    },
    /// A firewall mark: 1..4294967295.
    Mark,
    /// A duration: seconds, or a string with a unit (`"500ms"`, `"10m"`, `"2h"`, `"1d"`).
    Seconds {
        min: u32,
        max: u32,
        /// Only whole seconds.
        whole: bool,
    },
    Str,
    /// The name of a kernel setting.
    Setting,
    /// A string that need not be text.
    Bytes,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// An address without port.
    Address,
    /// An address with or without port: `192.0.2.1:80`, `[2001:db8::1]:80`.
    Endpoint,
    /// An address or a network: `192.0.2.0/24`.
    Net,
    /// A port, a range `"8000-8100"`, or a service's name.
    Ports,
    Function,
    /// A value that goes through as it is.
    Any,
    /// A sequence.
    List(&'static Ty),
    /// One of them, or a sequence of them.
    OneOrList(&'static Ty),
    /// Keys of the user's choice.
    Map(&'static Ty),
    /// Kernel settings by their names.
    Settings(&'static Ty),
    Table(&'static Schema),
    /// The first of these whose Lua type fits.
    Either(&'static [Ty]),
    /// A table that names a service by this schema, or a service record.
    Service(&'static Schema),
    /// A table by this schema that the function takes apart itself, or a policy.
    State(&'static Schema),
    /// A command's words, and options by this schema in the same table: `{ "cmd", "arg", timeout = 5 }`.
    Words(&'static Schema),
}

impl Schema {
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// `addr, method, weight, upper, lower`
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.fields.iter().map(|field| field.name).collect();
        names.join(", ")
    }
}

impl Ty {
    /// For signatures and messages: `integer 0..65535`, `seconds`, `list of a server`.
    pub fn describe(&self) -> String {
        match self {
            Ty::Boolean => "boolean".to_string(),
            Ty::Integer { min, max } => format!("integer {min}..{max}"),
            Ty::Mark => "integer 1..4294967295".to_string(),
            Ty::Seconds { min, max, .. } => format!("seconds {min}..{max}"),
            Ty::Str | Ty::Bytes | Ty::Setting => "string".to_string(),
            Ty::Enum(words) => words.join("|"),
            Ty::Address => "address".to_string(),
            Ty::Endpoint => "address[:port]".to_string(),
            Ty::Net => "address[/prefix]".to_string(),
            Ty::Ports => "port, range or name".to_string(),
            Ty::Function => "function".to_string(),
            Ty::Any => "any".to_string(),
            Ty::List(of) => format!("list of {}", of.describe()),
            Ty::OneOrList(of) => format!("{} or a list of them", of.describe()),
            Ty::Map(of) | Ty::Settings(of) => format!("table of {}", of.describe()),
            Ty::Table(schema) => schema.name.to_string(),
            Ty::Either(all) => all.iter().map(Ty::describe).collect::<Vec<_>>().join(" or "),
            Ty::Service(_) => "service".to_string(),
            Ty::State(schema) => format!("{} or a policy", schema.name),
            Ty::Words(schema) => format!("words, with {} beside", schema.name),
        }
    }
}

const fn field(name: &'static str, ty: Ty, doc: &'static str) -> Field {
    Field { name, ty, required: false, default: "", doc, example: "" }
}

const fn needed(name: &'static str, ty: Ty, doc: &'static str) -> Field {
    Field { name, ty, required: true, default: "", doc, example: "" }
}

const fn or(mut field: Field, default: &'static str) -> Field {
    field.default = default;
    field
}

const fn eg(mut field: Field, example: &'static str) -> Field {
    field.example = example;
    field
}
