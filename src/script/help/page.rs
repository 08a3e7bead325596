//! The page of one thing.

use super::index::{Item, Known, owners, records, schemas};
use super::{Row, Topic};
use crate::model::{Choice, Sysctl};
use crate::script::registry::{Entry, Param, registry};
use crate::script::schema::{Field, Member, Schema, Shape, meaning_in};

pub fn of(known: &Known) -> Topic {
    let page = match known.item {
        Item::Function(entry) => function(entry),
        Item::Spec(schema) => spec(schema),
        Item::Record(shape) => record(shape),
        Item::Field(field, member) => self::field(field, member),
        Item::Member(shape, member) => self::member(shape, member),
        Item::Choice(choice, field) => self::choice(choice, field),
        Item::Setting(sysctl) => setting(sysctl),
    };
    let title = if page.title.is_empty() { known.name.clone() } else { page.title };
    Topic { name: known.name.clone(), title, ..page }
}

fn function(entry: &Entry) -> Topic {
    let mut parts = vec![entry.params.iter().flat_map(param).collect::<Vec<_>>()];
    if !entry.returns.is_empty() {
        parts.push(vec![Row::new("returns", "", entry.returns)]);
    }
    let mut codes: Vec<Row> =
        entry.raises.iter().map(|code| Row::new("", *code, meaning_in(entry.group, code))).collect();
    if !entry.params.is_empty() {
        codes.push(Row::new("", "bad_value", ""));
    }
    if let Some(first) = codes.first_mut() {
        first.label = "raises".to_string();
    }
    parts.push(codes);
    if let Some((tool, words)) = entry.like.split_once(' ') {
        parts.push(vec![Row::new(tool, "", words)]);
    }
    parts.retain(|part| !part.is_empty());
    Topic {
        title: entry.signature(),
        doc: entry.doc.to_string(),
        parts,
        examples: vec![entry.example.to_string()],
        ..Topic::default()
    }
}

/// A parameter, and the fields of the table it takes.
fn param(param: &Param) -> Vec<Row> {
    let name = match (param.rest, param.optional) {
        (true, _) => "...".to_string(),
        (false, true) => format!("[{}]", param.name),
        (false, false) => param.name.to_string(),
    };
    let mut rows = vec![Row::new(name, param.ty.short(), with(param.doc, &param.ty.range()))];
    if let [schema] = param.ty.schemas()[..] {
        rows.extend(
            schema.fields.iter().map(|field| Row { label: format!(".{}", field.name), ..about(field) }),
        );
    }
    rows
}

fn about(field: &Field) -> Row {
    let mut text = with(field.doc, &field.ty.range());
    if field.required {
        text.push_str(" Required.");
    }
    if !field.default.is_empty() {
        text.push_str(&format!(" [{}]", field.default));
    }
    Row::new(field.name, field.ty.short(), text)
}

/// A sentence and a range, unless it says it already.
fn with(doc: &str, range: &str) -> String {
    let first = range.split(',').next().unwrap_or_default();
    if doc.contains(first) { doc.to_string() } else { format!("{doc} ({range})") }
}

fn spec(schema: &'static Schema) -> Topic {
    let takes = |entry: &&Entry| {
        entry.params.iter().flat_map(|param| param.ty.schemas()).any(|taken| std::ptr::eq(taken, schema))
    };
    let takers: Vec<&Entry> = registry().iter().filter(takes).collect();
    let mut parts = vec![schema.fields.iter().map(about).collect()];
    let mut names: Vec<String> = takers.iter().map(|entry| entry.name.to_string()).collect();
    for outer in schemas() {
        let within =
            outer.fields.iter().filter(|field| field.ty.schemas().iter().any(|it| std::ptr::eq(*it, schema)));
        names.extend(within.map(|field| format!("{}.{}", outer.title(), field.name)));
    }
    parts.push(vec![Row::new("taken by", "", names.join(", "))]);
    if let Some(shape) = records().iter().find(|shape| shape.title() == schema.title()) {
        parts.push(vec![Row::new("see also", "", format!("{} record", shape.title()))]);
    }
    let first = takers.first().map(|entry| entry.example);
    let example = first.or_else(|| schema.fields.iter().map(|field| field.example).find(|it| !it.is_empty()));
    Topic {
        title: format!("{} spec ({})", schema.title(), schema.class()),
        doc: "A table with these fields; any other is an error.".to_string(),
        parts,
        examples: example.into_iter().map(str::to_string).collect(),
        ..Topic::default()
    }
}

fn record(shape: &'static Shape) -> Topic {
    let class = shape.class();
    let title = shape.title();
    let fields = shape.fields.iter().map(|field| Row::new(field.name, field.ty, field.doc)).collect();
    let mut parts: Vec<Vec<Row>> = vec![fields];
    if !shape.each.is_empty() {
        parts.push(vec![Row::new("for", "", format!("for x in it gives {}", shape.each))]);
    }
    let methods: Vec<String> =
        registry().iter().filter(|entry| entry.owner() == title).map(Entry::signature).collect();
    if !methods.is_empty() {
        parts.push(vec![Row::new("methods", "", methods.join(", "))]);
    }
    let gives =
        |entry: &&Entry| entry.returns.split(|c: char| !c.is_alphanumeric()).any(|word| word == class);
    let givers: Vec<&str> = registry().iter().filter(gives).map(|entry| entry.name).collect();
    if !givers.is_empty() {
        parts.push(vec![Row::new("given by", "", givers.join(", "))]);
    }
    let first = registry().iter().find(gives).map(|entry| entry.example);
    let example = shape.fields.first().map(|field| field.example).or(first);
    let changed = match shape.remedy {
        "" => String::new(),
        remedy => format!(" It is changed with {remedy}."),
    };
    Topic {
        title: format!("{title} record ({class})"),
        doc: format!("What comes back, to read; assigning raises.{changed}"),
        parts,
        examples: example.map(str::to_string).into_iter().collect(),
        ..Topic::default()
    }
}

fn field(field: &Field, member: Option<&Member>) -> Topic {
    let mut rows = vec![Row::new("type", "", with(&field.ty.short(), &field.ty.range()))];
    if !field.default.is_empty() {
        rows.push(Row::new("default", "", field.default));
    }
    if field.required {
        rows.push(Row::new("required", "", "yes"));
    }
    let within: Vec<String> = owners(field).iter().map(|schema| format!("{} spec", schema.title())).collect();
    rows.push(Row::new("in", "", within.join(", ")));
    let mut examples = vec![example(field).to_string()];
    if let Some(member) = member {
        rows.push(Row::new("read as", "", format!("{}: {}", member.ty, member.doc)));
        examples.push(member.example.to_string());
    }
    examples.retain(|example| !example.is_empty());
    Topic { doc: field.doc.to_string(), parts: vec![rows], examples, ..Topic::default() }
}

/// Its own example, or that of a function in which it is used.
fn example(field: &Field) -> &str {
    if !field.example.is_empty() {
        return field.example;
    }
    let uses = format!(" {} = ", field.name);
    let within = owners(field);
    let takes = |entry: &&Entry| {
        let taken = entry.params.iter().flat_map(|param| param.ty.schemas());
        let inner = taken
            .flat_map(|outer| std::iter::once(outer).chain(outer.fields.iter().flat_map(|f| f.ty.schemas())));
        let mut all = inner;
        all.any(|schema| within.iter().any(|owner| std::ptr::eq(*owner, schema)))
    };
    registry().iter().filter(takes).map(|entry| entry.example).find(|lua| lua.contains(&uses)).unwrap_or("")
}

fn member(shape: &Shape, member: &Member) -> Topic {
    let rows = vec![Row::new("type", "", member.ty), Row::new("in", "", format!("{} record", shape.title()))];
    let examples = vec![member.example.to_string()];
    Topic { doc: member.doc.to_string(), parts: vec![rows], examples, ..Topic::default() }
}

fn choice(choice: &Choice, field: &str) -> Topic {
    let flags: Vec<&str> = choice.flags().collect();
    let mut rows = vec![Row::new("in", "", field)];
    for (label, words) in [("flags", &flags[..]), ("elsewhere", choice.also)] {
        if !words.is_empty() {
            rows.push(Row::new(label, "", words.join(", ")));
        }
    }
    let name = choice.name;
    let example = match field {
        "server.method" => format!("web:set_server(\"192.168.1.107\", {{ method = \"{name}\" }})"),
        _ => format!("lvs.set_service({{ fwmark = 3 }}, {{ scheduler = \"{name}\" }})"),
    };
    Topic {
        title: format!("{name} ({})", choice.long),
        doc: choice.doc.to_string(),
        parts: vec![rows],
        examples: vec![example],
        ..Topic::default()
    }
}

fn setting(sysctl: &Sysctl) -> Topic {
    let mut rows = vec![Row::new("values", "", sysctl.values.describe())];
    for (label, text) in
        [("default", sysctl.default), ("unit", sysctl.unit), ("since", sysctl.since), ("cost", sysctl.cost)]
    {
        if !text.is_empty() {
            rows.push(Row::new(label, "", text));
        }
    }
    rows.push(Row::new("sysctl", "", sysctl.full_name()));
    // Of those that each device has, the one that counts for all.
    let name = sysctl.name.replace('*', "all");
    let examples = vec![format!("print(lvs.sysctl \"{name}\")")];
    Topic { doc: sysctl.doc.to_string(), parts: vec![rows], examples, ..Topic::default() }
}
