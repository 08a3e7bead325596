//! lvsh-lua(3): the API, from the registry.

use super::roff::Roff;
use crate::model::{METHODS, SCHEDULERS, SYSCTLS};
use crate::script::help::{records, schemas};
use crate::script::schema::{CODES, Field, meaning_in};
use crate::script::{Entry, registry};

/// The page.
pub fn page() -> String {
    let mut page = Roff::new("lvsh-lua", 3, "the Lua API of lvsh");
    page.section("SYNOPSIS");
    page.code("return lvs.policy { ... }\n\nlocal lvs = require \"lvs\"");
    page.section("DESCRIPTION");
    page.text(
        "The API is one table, lvs. A policy file returns a policy; while it loads nothing can be changed. Functions \
         take tables with named fields and refuse every other field. What comes back are records: tables to read, \
         which follow the script's own changes and cannot be assigned. Changes raise an error when they fail; \
         look-ups return nil for what is not there. Durations are seconds, or strings like \"500ms\", \"10m\", \
         \"2h\".",
    );
    page.section("FUNCTIONS");
    let mut group = "";
    for entry in registry() {
        if entry.group != group {
            group = entry.group;
            page.subsection(group);
        }
        function(&mut page, entry);
    }
    page.section("TABLES");
    page.text("What functions take. Fields in brackets may be left out.");
    for schema in schemas() {
        page.subsection(&format!("{} ({})", schema.title(), schema.class()));
        for field in schema.fields {
            self::field(&mut page, field);
        }
    }
    page.section("RECORDS");
    page.text("What functions give.");
    for shape in records() {
        page.subsection(&format!("{} ({})", shape.title(), shape.class()));
        for field in shape.fields {
            page.item(&format!("{}  {}", field.name, field.ty), field.doc);
        }
    }
    for (title, choices) in [("SCHEDULERS", &SCHEDULERS[..]), ("METHODS", &METHODS[..])] {
        page.section(title);
        for choice in choices {
            page.item(choice.name, &format!("{}. {}", choice.long, choice.doc));
        }
    }
    page.section("KERNEL SETTINGS");
    page.text("For lvs.sysctl and a policy's sysctls; net.ipv4.vs. may be left out.");
    for sysctl in SYSCTLS {
        let default = match sysctl.default {
            "" => String::new(),
            default => format!(" Default: {default}."),
        };
        let values = sysctl.values.describe();
        page.item(sysctl.name, &format!("{} Takes {values}.{default} Cost: {}", sysctl.doc, sysctl.cost));
    }
    page.section("ERRORS");
    page.text("An error has a code, by which scripts tell it from others.");
    for (code, meaning) in CODES {
        page.item(code, meaning);
    }
    page.section("SEE ALSO");
    page.text("lvsh(8), ipvsadm(8), nft(8)");
    page.finish()
}

fn function(page: &mut Roff, entry: &Entry) {
    page.item(&entry.signature(), entry.doc);
    page.within(|page| {
        for param in entry.params {
            let ty = param.ty.short();
            page.item(&format!("{}  {ty}", param.name), param.doc);
        }
        if !entry.returns.is_empty() {
            page.paragraph(&format!("Returns {}.", entry.returns));
        }
        if !entry.raises.is_empty() {
            let codes: Vec<String> = entry
                .raises
                .iter()
                .map(|code| format!("{code} ({})", meaning_in(entry.group, code)))
                .collect();
            page.paragraph(&format!("Raises {}.", codes.join("; ")));
        }
        if !entry.like.is_empty() {
            page.paragraph(&format!("The same: {}", entry.like));
        }
        page.code(entry.example);
    });
}

fn field(page: &mut Roff, field: &Field) {
    let head = match field.required {
        true => format!("{}  {}", field.name, field.ty.short()),
        false => format!("[{}]  {}", field.name, field.ty.short()),
    };
    let range = field.ty.range();
    let range = if range.is_empty() { range } else { format!(" Takes {range}.") };
    let default =
        if field.default.is_empty() { String::new() } else { format!(" Default: {}.", field.default) };
    page.item(&head, &format!("{}{range}{default}", field.doc));
}
