//! What the API takes where the cursor is, by the registry.

use super::cursor::{Inside, Seg, Slot};
use crate::model::{Sysctl, SysctlName};
use crate::script::registry::{Entry, registry};
use crate::script::schema::{Schema, Ty};

/// What the API takes at a place.
#[derive(Debug)]
pub enum Expected {
    /// Keys of these tables.
    Keys(Vec<&'static Schema>),
    /// A value of this type, and the name of its field or parameter.
    Value(&'static Ty, &'static str),
    /// A key of the user's choice, in a table of this type; and the name of the table.
    Names(&'static Ty, &'static str),
    /// The value of a kernel setting that is known.
    Setting(&'static Sysctl),
}

/// The function that is called, and what it takes where the cursor is.
pub fn expected(inside: &Inside) -> Option<(&'static Entry, Option<Expected>)> {
    let entry = entry_of(&inside.callee)?;
    Some((entry, expected_in(entry, inside)))
}

fn expected_in(entry: &'static Entry, inside: &Inside) -> Option<Expected> {
    let param = entry.params.get(inside.arg).or_else(|| entry.params.last().filter(|param| param.rest))?;
    let (mut ty, mut name) = (param.ty, param.name);
    for part in &inside.path {
        (ty, name) = match part {
            Some(part) if part == "[" => (ty, name),
            Some(field) => into(ty, field)?,
            None => (element(ty)?, name),
        };
    }
    Some(match &inside.slot {
        Slot::Value(None) if inside.path.is_empty() && follows_a_setting(entry, inside) => {
            setting(inside.first.as_deref()?).map_or(Expected::Value(ty, name), Expected::Setting)
        }
        Slot::Value(None) => Expected::Value(ty, name),
        Slot::Value(Some(key)) if matches!(ty, Ty::Settings(_)) => Expected::Setting(setting(key)?),
        Slot::Value(Some(field)) => {
            let (ty, name) = into(ty, field)?;
            Expected::Value(ty, name)
        }
        Slot::Bracket => Expected::Names(map(ty)?, name),
        Slot::Key(_) => {
            let tables = tables(ty);
            if !tables.is_empty() {
                Expected::Keys(tables)
            } else if let Some(of) = map(ty) {
                Expected::Names(of, name)
            } else {
                Expected::Value(element(ty)?, name)
            }
        }
    })
}

/// `sysctl("conntrack", …`
fn follows_a_setting(entry: &Entry, inside: &Inside) -> bool {
    inside.arg == 1 && inside.first.is_some() && matches!(entry.params[0].ty, Ty::Setting)
}

fn setting(name: &str) -> Option<&'static Sysctl> {
    Sysctl::of(&SysctlName::new(name).ok()?)
}

/// `lvs.add_mark` of `add_mark`; a method by its last word.
fn entry_of(callee: &[Seg]) -> Option<&'static Entry> {
    let words: Vec<&str> = callee
        .iter()
        .filter_map(|seg| match seg {
            Seg::Name(name) | Seg::Field(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let dotted = words.join(".");
    let dotted = if dotted.starts_with("lvs.") { dotted } else { format!("lvs.{dotted}") };
    let method = || {
        let last = words.last().filter(|_| words.len() > 1)?;
        registry().iter().find(|entry| entry.name.contains(':') && entry.last() == *last)
    };
    registry().iter().find(|entry| entry.name == dotted).or_else(method)
}

/// The tables a type allows at this place.
fn tables(ty: &'static Ty) -> Vec<&'static Schema> {
    match ty {
        Ty::Table(schema) | Ty::Service(schema) | Ty::State(schema) | Ty::Words(schema) => vec![schema],
        Ty::OneOrList(of) => tables(of),
        Ty::Either(all) => all.iter().flat_map(tables).collect(),
        _ => Vec::new(),
    }
}

fn element(ty: &'static Ty) -> Option<&'static Ty> {
    match ty {
        Ty::List(of) | Ty::OneOrList(of) => Some(of),
        Ty::Either(all) => all.iter().find_map(element),
        _ => None,
    }
}

fn map(ty: &'static Ty) -> Option<&'static Ty> {
    match ty {
        Ty::Map(_) | Ty::Settings(_) => Some(ty),
        Ty::Either(all) => all.iter().find_map(map),
        _ => None,
    }
}

fn into(ty: &'static Ty, field: &str) -> Option<(&'static Ty, &'static str)> {
    let found = tables(ty).into_iter().find_map(|schema| schema.field(field));
    // A list of one may be left out, so a field may be one of the element's.
    let found = found.or_else(|| tables(element(ty)?).into_iter().find_map(|schema| schema.field(field)));
    found.map(|field| (&field.ty, field.name))
}

#[cfg(test)]
mod tests {
    use super::super::cursor::cursor;
    use super::*;

    #[test]
    fn the_registry_says_what_is_expected() {
        let of = |line: &str| expected(&cursor(line, line.len()).inside?).and_then(|(_, expected)| expected);
        assert!(matches!(of("add_service { "), Some(Expected::Keys(_))));
        assert!(matches!(of("add_service { flags = { \""), Some(Expected::Value(Ty::Either(_), "flags"))));
        assert!(matches!(
            of("add_service { servers = { { weight = "),
            Some(Expected::Value(Ty::Integer { .. }, "weight"))
        ));
        assert!(matches!(of("add_service { persistent = { "), Some(Expected::Keys(_))));
        assert!(matches!(of("web:set_weights { [\""), Some(Expected::Names(Ty::Map(_), "weights"))));
        assert!(matches!(of("sysctl(\""), Some(Expected::Value(Ty::Setting, "name"))));
        assert!(matches!(of("sysctl(\"conntrack\", "), Some(Expected::Setting(_))));
        assert!(matches!(of("sysctl(\"my.own\", "), Some(Expected::Value(Ty::Either(_), "value"))));
        assert!(matches!(of("policy { sysctls = { con"), Some(Expected::Names(Ty::Settings(_), "sysctls"))));
        assert!(matches!(of("policy { sysctls = { conntrack = "), Some(Expected::Setting(_))));
        assert!(matches!(of("web:del_server("), Some(Expected::Value(Ty::Endpoint, "addr"))));
        assert!(of("no_such_function { ").is_none());
    }
}
