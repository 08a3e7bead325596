//! Registry, stubs, schema and manual say the same: every name is in each, and no other.

use std::collections::BTreeSet;

use super::{lua_manual, schema, stubs};
use crate::script::help::{records, schemas};
use crate::script::registry;
use crate::script::schema::{CODES, POLICY, Ty};

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_string).collect()
}

/// What stands between two texts in each line that begins with the first.
fn between<'a>(text: &'a str, begin: &'a str, end: &'a [char]) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(begin)?.split(end).next())
}

#[test]
fn stubs_have_every_function_and_no_other() {
    let text = stubs::stubs();
    let declared: Vec<&str> = between(&text, "function ", &['(']).collect();
    let named = registry().iter().map(|entry| match entry.name.split_once(':') {
        Some((owner, method)) => format!("Lvs{}{}:{method}", owner[..1].to_uppercase(), &owner[1..]),
        None => entry.name.to_string(),
    });
    // Of Lua's own functions the one by which errors are caught.
    assert_eq!(declared, named.chain(["pcall".to_string()]).collect::<Vec<_>>());
    for entry in registry() {
        for param in entry.params.iter().filter(|param| !param.rest) {
            let optional = if param.optional { "?" } else { "" };
            let line = format!("---@param {}{optional} {} {}\n", param.name, param.ty.lua(), param.doc);
            assert!(text.contains(&line), "{}: {line}", entry.name);
        }
        assert!(text.contains(entry.example), "{}", entry.name);
    }
}

#[test]
fn stubs_have_every_table_record_and_field_and_no_other() {
    let text = stubs::stubs();
    let mut found: Vec<(String, BTreeSet<String>)> = Vec::new();
    for line in text.lines() {
        if let Some(class) = line.strip_prefix("---@class ") {
            found.push((class.trim_start_matches("(exact) ").to_string(), BTreeSet::new()));
        } else if let Some(field) = line.strip_prefix("---@field ") {
            let name = field.split([' ', '?']).next().expect("a name").to_string();
            assert!(found.last_mut().expect("a class before its fields").1.insert(name), "twice: {line}");
        }
    }
    let taken =
        schemas().iter().map(|schema| (schema.class(), set(schema.fields.iter().map(|field| field.name))));
    let given = records().iter().map(|shape| (shape.class(), set(shape.names())));
    let own = ["lvs", "lvs.log", "lvs.json"].map(|name| (name.to_string(), BTreeSet::new()));
    let told: Vec<_> = taken.chain(given).chain(own).collect();
    assert_eq!(found, told);
}

#[test]
fn the_schema_has_every_field_that_json_can_say() {
    for root in schemas() {
        let document = schema::document(root);
        let in_json = |field: &&crate::script::schema::Field| !matches!(field.ty, Ty::Function);
        let told = set(root.fields.iter().filter(in_json).map(|field| field.name));
        let found = document["properties"].as_object().expect("properties");
        assert_eq!(set(found.keys().map(String::as_str)), told, "{}", root.name);
        for field in root.fields.iter().filter(in_json) {
            let property = &document["properties"][field.name];
            assert_eq!(property["description"], field.doc, "{}.{}", root.name, field.name);
            let default = !field.default.is_empty();
            assert_eq!(property.get("default").is_some(), default, "{}.{}", root.name, field.name);
        }
        for inner in root.fields.iter().flat_map(|field| field.ty.schemas()) {
            assert!(document["$defs"].get(inner.class()).is_some(), "{} lacks {}", root.name, inner.name);
        }
    }
    assert_eq!(schema::document(&POLICY)["title"], "lvs.policy");
}

#[test]
fn the_manual_has_every_function_table_record_field_and_code() {
    let page = lua_manual::page().replace("\\-", "-");
    let heads: BTreeSet<&str> = between(&page, "\\fB", &['\\']).collect();
    let parts: BTreeSet<&str> = between(&page, ".SS \"", &['"']).collect();
    for entry in registry() {
        assert!(heads.contains(entry.signature().as_str()), "{}", entry.name);
        assert!(parts.contains(entry.group), "{}", entry.group);
    }
    for schema in schemas() {
        assert!(
            parts.contains(format!("{} ({})", schema.title(), schema.class()).as_str()),
            "{}",
            schema.name
        );
        for field in schema.fields {
            let named = |head: &&&str| {
                head.split(' ').next().is_some_and(|it| it.trim_matches(['[', ']']) == field.name)
            };
            assert!(heads.iter().any(|head| named(&head)), "{}.{}", schema.name, field.name);
        }
    }
    for shape in records() {
        assert!(parts.contains(format!("{} ({})", shape.title(), shape.class()).as_str()), "{}", shape.name);
        for field in shape.fields {
            assert!(
                heads.contains(format!("{}  {}", field.name, field.ty).as_str()),
                "{}.{}",
                shape.name,
                field.name
            );
        }
    }
    for sysctl in crate::model::SYSCTLS {
        assert!(heads.contains(sysctl.name), "{}", sysctl.name);
    }
    for (code, _) in CODES {
        assert!(heads.contains(code), "{code}");
    }
}
