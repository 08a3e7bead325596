//! What is known of a name: a page of help for every function, table, record and field, made of the registry.
//!
//! A name is written as in a script (`lvs.add_service`, `service:set_server`), by its last word (`add_service`), as
//! a table or record (`server spec`, `server record`), or as a field (`service.scheduler`, `persistent.netmask`,
//! `weight`). Where several things have a name, the page is that of the first in the order of the manual, and
//! names the others.

mod index;
mod page;

use crate::error::did_you_mean;
pub use crate::view::{Row, Topic};
use index::{Item, index};
pub use index::{records, schemas};

/// The page of a name; see the module for how names are written.
pub fn topic(name: &str) -> Option<Topic> {
    let name = name.trim().trim_end_matches("()");
    let found = index().iter().filter_map(|known| Some((known.rank(name)?, known)));
    let (_, known) = found.min_by_key(|(rank, _)| *rank)?;
    let others = index().iter().filter(|other| !std::ptr::eq(*other, known) && other.rank(name).is_some());
    let mut page = page::of(known);
    let mut others: Vec<&str> = others.map(|other| other.name.as_str()).collect();
    // A table's page names its record already.
    if let Some(row) = page.parts.iter_mut().flatten().find(|row| row.label == "see also") {
        others.retain(|name| *name != row.text);
        row.text.extend(others.iter().map(|name| format!(", {name}")));
    } else if !others.is_empty() {
        page.parts.push(vec![Row::new("see also", "", others.join(", "))]);
    }
    Some(page)
}

/// Every page, under its own name, in the order of the manual.
pub fn topics() -> Vec<Topic> {
    index().iter().map(page::of).collect()
}

/// The names of all pages, for completion.
pub fn names() -> impl Iterator<Item = &'static str> {
    index().iter().map(|known| known.name.as_str())
}

/// What was probably meant by a name that has no page.
pub fn near(name: &str) -> Option<&'static str> {
    let last = |name: &'static str| name.rsplit(['.', ':']).next().unwrap_or(name);
    let whole = did_you_mean(name, names());
    whole.or_else(|| {
        let word = did_you_mean(name, names().map(last))?;
        names().find(|name| last(name) == word)
    })
}

/// Up to a dot or semicolon that ends something; one within a name (`lvs.connections`) does not.
fn first_sentence(doc: &str) -> &str {
    let end = doc.find(". ").into_iter().chain(doc.find("; ")).min();
    end.map_or(doc, |end| &doc[..end]).trim_end_matches('.')
}

/// The functions by group: what `help` shows when it is not asked for anything.
pub fn contents() -> Topic {
    let mut groups: Vec<(&str, Vec<Row>)> = Vec::new();
    for known in index() {
        let Item::Function(entry) = known.item else { continue };
        let row = Row::new("", entry.signature(), format!("{}.", first_sentence(entry.doc)));
        match groups.iter_mut().find(|(group, _)| *group == entry.group) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((entry.group, vec![Row { label: entry.group.to_string(), ..row }])),
        }
    }
    Topic {
        name: "lvs".to_string(),
        title: "lvs".to_string(),
        doc: "The functions of the API. help(x) shows one of them, a table, a record or a field.".to_string(),
        parts: groups.into_iter().map(|(_, rows)| rows).collect(),
        examples: Vec::new(),
    }
}
