//! schema: a policy's table as JSON Schema (draft 2020-12), for editors, generators and CI.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::done::Done;
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::script::help::schemas;
use crate::script::schema::{self as tables, POLICY, Ty};

/// Arguments of `lvsh schema`.
#[derive(Clone, Debug, Args)]
pub struct Schema {
    /// Another table than a policy's: desired-state, service, server, mark, vip, timeouts, sync-daemon, …
    #[arg(value_name = "TABLE", default_value = "policy")]
    pub table: String,
}

/// Prints the schema. Fields that are functions have no JSON and are left out.
pub fn schema(asked: &Schema) -> Result<Done> {
    let name = |schema: &tables::Schema| schema.title().replace(' ', "-");
    let found = schemas().iter().find(|schema| name(schema) == asked.table);
    let Some(found) = found else {
        let known: Vec<String> = schemas().iter().map(|schema| name(schema)).collect();
        let error = Error::new(Kind::Usage, "unknown_name", format!("there is no table '{}'", asked.table));
        let error = error.note(format!("tables: {}", known.join(", ")));
        return Err(match did_you_mean(&asked.table, known.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error,
        });
    };
    let document = document(found);
    Ok(Done::text(format!("{document:#}\n")).with("schema", document))
}

/// The schema of one table, with those inside it as `$defs`.
pub fn document(root: &'static tables::Schema) -> Value {
    let mut inner: Vec<&'static tables::Schema> = Vec::new();
    let mut open = vec![root];
    while let Some(schema) = open.pop() {
        for next in schema.fields.iter().flat_map(|field| field.ty.schemas()) {
            if !inner.iter().any(|known| std::ptr::eq(*known, next)) {
                inner.push(next);
                open.push(next);
            }
        }
    }
    let defs: Map<String, Value> = inner.into_iter().map(|schema| (schema.class(), table(schema))).collect();
    let mut document = table(root);
    document["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    document["title"] = json!(match std::ptr::eq(root, &POLICY) {
        true => "lvs.policy".to_string(),
        false => root.title(),
    });
    if !defs.is_empty() {
        document["$defs"] = Value::Object(defs);
    }
    document
}

fn table(schema: &tables::Schema) -> Value {
    let mut properties = Map::new();
    for field in schema.fields {
        let Some(mut property) = value(&field.ty) else { continue };
        property["description"] = json!(field.doc);
        // What Lua spells like JSON is the same value; all defaults of the API are such.
        if let Ok(default) = serde_json::from_str::<Value>(field.default) {
            property["default"] = default;
        }
        properties.insert(field.name.to_string(), property);
    }
    let required: Vec<&str> =
        schema.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut out = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        out["required"] = json!(required);
    }
    out
}

/// `None` for what JSON has no word for.
fn value(ty: &Ty) -> Option<Value> {
    // The pattern of `parse_seconds`.
    const TIME: &str = "^\\s*[0-9]+(\\.[0-9]*)?\\s*(ms|s|m|min|h|d|w)?\\s*$";
    Some(match ty {
        Ty::Boolean => json!({ "type": "boolean" }),
        Ty::Integer { min, max } => whole(*min, *max),
        Ty::Mark => whole(1, i64::from(u32::MAX)),
        Ty::Seconds { min, max, whole } => {
            let kind = if *whole { "integer" } else { "number" };
            json!({ "anyOf": [
                { "type": kind, "minimum": min, "maximum": max }, { "type": "string", "pattern": TIME },
            ] })
        }
        Ty::Str | Ty::Bytes | Ty::Setting => json!({ "type": "string" }),
        Ty::Enum(words) => json!({ "enum": words }),
        Ty::Address => json!({ "type": "string", "pattern": "^[0-9A-Fa-f.:]+$" }),
        Ty::Endpoint => {
            json!({ "type": "string", "pattern": "^([0-9.]+(:[0-9]+)?|[0-9A-Fa-f:.]+|\\[[0-9A-Fa-f:.]+\\](:[0-9]+)?)$" })
        }
        Ty::Net => json!({ "type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]+)?$" }),
        Ty::Ports => json!({ "anyOf": [whole(1, 65535), { "type": "string" }] }),
        Ty::Function | Ty::Words(_) => return None,
        Ty::Any => json!({}),
        Ty::List(of) => json!({ "type": "array", "items": value(of)? }),
        Ty::OneOrList(of) => {
            let one = value(of)?;
            json!({ "anyOf": [one, { "type": "array", "items": one }] })
        }
        Ty::Map(of) | Ty::Settings(of) => json!({ "type": "object", "additionalProperties": value(of)? }),
        Ty::Table(schema) | Ty::Service(schema) | Ty::State(schema) => {
            json!({ "$ref": format!("#/$defs/{}", schema.class()) })
        }
        Ty::Either(all) => json!({ "anyOf": all.iter().filter_map(value).collect::<Vec<_>>() }),
    })
}

/// The widest bounds are those of every integer, and say nothing.
fn whole(min: i64, max: i64) -> Value {
    let mut out = json!({ "type": "integer" });
    if min != i64::MIN {
        out["minimum"] = json!(min);
    }
    if max != i64::MAX {
        out["maximum"] = json!(max);
    }
    out
}
