//! Documents for programs: one per run, also on failure.

use serde_json::{Map, Value, json};

use super::fields::fields;
use super::ipvsadm::ipvsadm;
use super::shell::shell;
use super::value::{join, mark_value, server_value, service_value, sync_value, tunnel_device_value};
use crate::error::Error;
use crate::plan::{Action, Plan, Step};

/// The version of every document; the first number changes when a reader would break.
pub const FORMAT_VERSION: &str = "1.0";

/// A whole document: `format_version` first, then the keys in order, at every depth.
pub fn document(fields: Value) -> String {
    let mut fields = fields;
    sort_keys(&mut fields);
    let text = serde_json::to_string_pretty(&fields).unwrap_or_default();
    let first = format!("{{\n  \"format_version\": \"{FORMAT_VERSION}\"");
    match text.strip_prefix("{\n") {
        Some(rest) => format!("{first},\n{rest}\n"),
        None => format!("{first}\n}}\n"),
    }
}

/// A whole document on one line, for those of which there are many.
pub fn document_line(fields: Value) -> String {
    let text = compact(fields);
    let rest = text.strip_prefix('{').unwrap_or(&text);
    let comma = if rest == "}" { "" } else { "," };
    format!("{{\"format_version\":\"{FORMAT_VERSION}\"{comma}{rest}\n")
}

/// A value on one line, keys in order.
pub fn compact(mut value: Value) -> String {
    sort_keys(&mut value);
    value.to_string()
}

/// The order must not depend on how a dependency configures its maps.
fn sort_keys(value: &mut Value) {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(String, Value)> = std::mem::take(map).into_iter().collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            for (name, mut value) in pairs {
                sort_keys(&mut value);
                map.insert(name, value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(sort_keys),
        _ => {}
    }
}

/// The rows of a plan: one per field that changes, one per thing that comes or goes.
pub fn changes(plan: &Plan) -> Value {
    Value::Array(plan.actions.iter().flat_map(rows).collect())
}

fn rows(action: &Action) -> Vec<Value> {
    let step = &action.step;
    let mut row = Map::new();
    row.insert("op".into(), json!(step.verb()));
    row.insert("kind".into(), json!(step.kind()));
    if let Some(service) = step.service() {
        row.insert("service".into(), json!(service.to_string()));
    }
    match step {
        Step::AddServer { key, .. } | Step::SetServer { key, .. } | Step::DelServer { key, .. } => {
            row.insert("server".into(), json!(key.to_string()));
        }
        _ if step.service().is_none() => {
            row.insert("subject".into(), json!(step.subject()));
        }
        _ => {}
    }
    if let Some(reason) = &action.reason {
        row.insert("reason".into(), json!(reason));
    }
    if let Some(origin) = &action.origin {
        row.insert("source".into(), json!(origin.to_string()));
    }
    match ipvsadm(step) {
        Some(arguments) => row.insert("ipvsadm".into(), json!(arguments)),
        None => row.insert("shell".into(), json!(shell(step))),
    };
    let changed = fields(step);
    if changed.is_empty() {
        let (from, to) = ends(step);
        row.extend(from.map(|value| ("from".to_string(), value)));
        row.extend(to.map(|value| ("to".to_string(), value)));
        return vec![Value::Object(row)];
    }
    let one = |field: super::Field| {
        let more = json!({ "field": field.name, "from": field.from, "to": field.to });
        join(Value::Object(row.clone()), more)
    };
    changed.into_iter().map(one).collect()
}

/// What was and what will be, of something that comes or goes.
fn ends(step: &Step) -> (Option<Value>, Option<Value>) {
    use Step::*;
    match step {
        AddService { service, .. } => (None, Some(service_value(service))),
        DelService { entry, .. } => {
            let servers = entry.servers.iter();
            let servers =
                servers.map(|(id, server)| join(server_value(server), json!({ "server": id.to_string() })));
            let servers = json!({ "servers": servers.collect::<Vec<_>>() });
            (Some(join(service_value(&entry.service), servers)), None)
        }
        AddServer { server, .. } => (None, Some(server_value(server))),
        DelServer { server, .. } => (Some(server_value(server)), None),
        AddMark { selector, entry } => {
            (None, Some(join(mark_value(selector), json!({ "mark": entry.mark.get() }))))
        }
        DelMark { selector, entry } => {
            (Some(join(mark_value(selector), json!({ "mark": entry.mark.get() }))), None)
        }
        AddTunnel { tunnel, .. } => (None, Some(tunnel_device_value(tunnel))),
        DelTunnel { tunnel, .. } => (Some(tunnel_device_value(tunnel)), None),
        StartSync { daemon, .. } => (None, Some(sync_value(daemon))),
        StopSync { daemon, .. } => (Some(sync_value(daemon)), None),
        _ => (None, None),
    }
}

/// An error with its place as one word.
pub fn error_value(error: &Error) -> Value {
    let mut value = serde_json::to_value(error).unwrap_or_default();
    if let (Value::Object(map), Some(origin)) = (&mut value, &error.origin) {
        map.remove("origin");
        map.insert("source".into(), json!(origin.to_string()));
        map.insert("line".into(), json!(origin.line));
    }
    join(value, json!({ "exit_code": error.exit_code() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_every_step() {
        let plan: Plan = crate::view::samples::steps().into_iter().collect();
        insta::assert_snapshot!(document(json!({ "changes": changes(&plan) })));
    }

    #[test]
    fn an_empty_document_is_one() {
        assert_eq!(document(json!({})), "{\n  \"format_version\": \"1.0\"\n}\n");
    }
}
