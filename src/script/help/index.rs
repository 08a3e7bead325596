//! Every name that has a page, and how else it may be written.

use std::sync::LazyLock;

use crate::model::{Choice, METHODS, SCHEDULERS, SYSCTLS, Sysctl};
use crate::script::registry::{Entry, registry};
use crate::script::schema::{Field, Member, RECORDS, Schema, Shape, Ty};

/// What a page is about.
#[derive(Clone, Copy, Debug)]
pub enum Item {
    Function(&'static Entry),
    Spec(&'static Schema),
    Record(&'static Shape),
    /// A field of a table, and the record's field of the same name.
    Field(&'static Field, Option<&'static Member>),
    Member(&'static Shape, &'static Member),
    /// A scheduler or a method of forwarding, and the field that takes it.
    Choice(&'static Choice, &'static str),
    /// A kernel setting, of `lvs.sysctl` and a policy's `sysctls`.
    Setting(&'static Sysctl),
}

/// A thing with a page.
#[derive(Debug)]
pub struct Known {
    pub name: String,
    /// Other ways to write it, the better ones first.
    aliases: Vec<String>,
    pub item: Item,
}

impl Known {
    /// How well a name fits: 0 is its own.
    pub fn rank(&self, name: &str) -> Option<usize> {
        if self.name == name {
            return Some(0);
        }
        /// Behind every better alias; of two things with one bare name the first is meant.
        const BARE: usize = 1000;
        // A value is more often meant than the method of the same name: a server's weight, not policy:weight.
        let late = usize::from(matches!(self.item, Item::Function(entry) if entry.name.contains(':')));
        let at = self.aliases.iter().position(|alias| alias == name)?;
        Some(if at + 1 == self.aliases.len() { BARE + late } else { at + 1 })
    }
}

/// The tables that functions take, each once; the simplest name of a thing first.
pub fn schemas() -> &'static [&'static Schema] {
    static ALL: LazyLock<Vec<&'static Schema>> = LazyLock::new(|| {
        let mut found: Vec<&'static Schema> = Vec::new();
        let params = registry().iter().flat_map(|entry| entry.params);
        let mut open: Vec<&'static Schema> = params.flat_map(|param| param.ty.schemas()).collect();
        open.reverse();
        while let Some(schema) = open.pop() {
            if !found.iter().any(|other| std::ptr::eq(*other, schema)) {
                found.push(schema);
                open.extend(schema.fields.iter().rev().flat_map(|field| field.ty.schemas()));
            }
        }
        found.sort_by_key(|schema| schema.title().split(' ').count());
        found
    });
    &ALL
}

/// The records that functions give.
pub fn records() -> &'static [&'static Shape] {
    RECORDS
}

/// The tables with this very field: the same name and words.
pub fn owners(field: &Field) -> Vec<&'static Schema> {
    let same = |other: &Field| other.name == field.name && other.doc == field.doc;
    schemas().iter().copied().filter(|schema| schema.fields.iter().any(same)).collect()
}

pub fn index() -> &'static [Known] {
    static ALL: LazyLock<Vec<Known>> = LazyLock::new(|| {
        let mut all: Vec<Known> = registry().iter().map(function).collect();
        all.extend(schemas().iter().map(|schema| spec(schema)));
        all.extend(records().iter().map(|shape| record(shape)));
        // A value is more often meant than the hook of the same name: a server's weight, not a policy's.
        for hooks in [false, true] {
            for schema in schemas() {
                let own = |field: &&Field| std::ptr::eq(owners(field)[0], *schema);
                let fields = schema.fields.iter().filter(own);
                let fields = fields.filter(|field| matches!(field.ty, Ty::Function) == hooks);
                all.extend(fields.map(|field| self::field(schema, field)));
            }
        }
        for shape in records() {
            let told = |member: &&Member| !all_has(&all, shape, member);
            let rest: Vec<Known> =
                shape.fields.iter().filter(told).map(|member| self::member(shape, member)).collect();
            all.extend(rest);
        }
        all.extend(SCHEDULERS.iter().map(|choice| self::choice(choice, "service.scheduler")));
        all.extend(METHODS.iter().map(|choice| self::choice(choice, "server.method")));
        all.extend(SYSCTLS.iter().map(setting));
        all
    });
    &ALL
}

fn all_has(all: &[Known], shape: &Shape, member: &Member) -> bool {
    let name = format!("{}.{}", shape.title(), member.name);
    all.iter().any(|known| known.name == name)
}

fn function(entry: &'static Entry) -> Known {
    let short = entry.name.strip_prefix("lvs.").unwrap_or(entry.name);
    let aliases = [short.to_string(), entry.name.replace(':', "."), entry.last().to_string()];
    Known { name: entry.name.to_string(), aliases: aliases.into(), item: Item::Function(entry) }
}

fn spec(schema: &'static Schema) -> Known {
    let title = schema.title();
    Known { name: format!("{title} spec"), aliases: vec![title, schema.class()], item: Item::Spec(schema) }
}

fn record(shape: &'static Shape) -> Known {
    let title = shape.title();
    Known { name: format!("{title} record"), aliases: vec![shape.class(), title], item: Item::Record(shape) }
}

fn field(schema: &'static Schema, field: &'static Field) -> Known {
    let name = field.name;
    let mut aliases = Vec::new();
    for owner in owners(field) {
        aliases.push(format!("{}.{name}", owner.title()));
        aliases.push(format!("{}.{name}", owner.class()));
        // `persistent.netmask`, `service.persistent.netmask`: by the field that takes the table.
        for outer in schemas() {
            let takes = |field: &&Field| field.ty.schemas().iter().any(|inner| std::ptr::eq(*inner, owner));
            for through in outer.fields.iter().filter(takes) {
                aliases.push(format!("{}.{name}", through.name));
                aliases.push(format!("{}.{}.{name}", outer.title(), through.name));
            }
        }
    }
    aliases.push(name.to_string());
    let record = records().iter().find(|shape| shape.title() == schema.title());
    let member = record.and_then(|shape| shape.field(name));
    Known { name: format!("{}.{name}", schema.title()), aliases, item: Item::Field(field, member) }
}

fn member(shape: &'static Shape, member: &'static Member) -> Known {
    let mut aliases = vec![format!("{}.{}", shape.class(), member.name)];
    // `service.stats.in_bytes`: by the field that is such a record.
    for outer in records() {
        let class = shape.class();
        let holds =
            |field: &&Member| field.ty.split(|c: char| !c.is_alphanumeric()).any(|word| word == class);
        for through in outer.fields.iter().filter(holds) {
            aliases.push(format!("{}.{}", through.name, member.name));
            aliases.push(format!("{}.{}.{}", outer.title(), through.name, member.name));
        }
    }
    aliases.push(member.name.to_string());
    Known { name: format!("{}.{}", shape.title(), member.name), aliases, item: Item::Member(shape, member) }
}

fn choice(choice: &'static Choice, field: &'static str) -> Known {
    let mut aliases = vec![format!("{field}.{}", choice.name)];
    aliases.extend(choice.also.iter().map(|word| word.to_string()));
    aliases.push(choice.long.to_string());
    Known { name: choice.name.to_string(), aliases, item: Item::Choice(choice, field) }
}

fn setting(sysctl: &'static Sysctl) -> Known {
    let last = sysctl.name.rsplit('.').next().unwrap_or(sysctl.name);
    let aliases = vec![sysctl.name.to_string(), last.to_string()];
    Known { name: sysctl.full_name(), aliases, item: Item::Setting(sysctl) }
}
