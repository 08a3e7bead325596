//! What exactly a `Set` step changes, field by field.

use serde_json::{Value, json};

use super::value::{persistent_value, tunnel_value};
use crate::model::{Server, Service};
use crate::plan::Step;

/// One field of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: &'static str,
    pub from: Value,
    pub to: Value,
}

/// The fields a step changes; empty for what adds, removes, starts or stops.
pub fn fields(step: &Step) -> Vec<Field> {
    let mut all = match step {
        Step::SetService { from, to, .. } => of_service(from, to),
        Step::SetServer { from, to, .. } => of_server(from, to),
        Step::SetMark { from, to, .. } => vec![
            field("mark", json!(from.mark.get()), json!(to.mark.get())),
            field("policy", json!(from.owner), json!(to.owner)),
        ],
        Step::SetVip { from, to, .. } => vec![field("proto", json!(from.proto), json!(to.proto))],
        Step::SetTunnel { from, to, .. } => vec![
            field("up", json!(from.up), json!(to.up)),
            field("rp_filter", json!(from.rp_filter), json!(to.rp_filter)),
            field("alias", json!(from.alias), json!(to.alias)),
        ],
        Step::SetSysctl { from, to, .. } => vec![field("value", json!(from), json!(to))],
        Step::SetTimeouts { from, to } => vec![
            field("tcp", json!(from.tcp), json!(to.tcp)),
            field("tcp_fin", json!(from.tcp_fin), json!(to.tcp_fin)),
            field("udp", json!(from.udp), json!(to.udp)),
        ],
        _ => Vec::new(),
    };
    all.retain(|field| field.from != field.to);
    all
}

fn field(name: &'static str, from: Value, to: Value) -> Field {
    Field { name, from, to }
}

fn of_service(from: &Service, to: &Service) -> Vec<Field> {
    let flags = |service: &Service| {
        let words = service.flags.words(&service.scheduler);
        if words.is_empty() { Value::Null } else { json!(words) }
    };
    let pe = |service: &Service| json!(service.pe.as_ref().map(|pe| pe.name()));
    vec![
        field("scheduler", json!(from.scheduler.name()), json!(to.scheduler.name())),
        field("flags", flags(from), flags(to)),
        field("persistent", persistent_value(from), persistent_value(to)),
        field("ops", json!(from.one_packet()), json!(to.one_packet())),
        field("pe", pe(from), pe(to)),
    ]
}

fn of_server(from: &Server, to: &Server) -> Vec<Field> {
    vec![
        field("weight", json!(from.weight.get()), json!(to.weight.get())),
        field("method", json!(from.method.to_string()), json!(to.method.to_string())),
        field("upper", json!(from.upper), json!(to.upper)),
        field("lower", json!(from.lower), json!(to.lower)),
        field("tunnel", tunnel_value(&from.tunnel), tunnel_value(&to.tunnel)),
    ]
}

/// A value as a word of a plan: `600`, `sh-fallback`, `none`.
pub(super) fn word(value: &Value) -> String {
    match value {
        Value::Null => "none".to_string(),
        Value::String(text) if text.is_empty() => "\"\"".to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(" "),
        Value::Object(map) => match (map.get("timeout"), map.get("netmask"), map.get("type")) {
            (Some(timeout), Some(mask), _) => format!("{} mask {}", word(timeout), word(mask)),
            (_, _, Some(kind)) => {
                let port = map.get("port").filter(|port| **port != json!(0));
                let port = port.map_or(String::new(), |port| format!(" port {port}"));
                let checksum = map.get("checksum").map(word).filter(|word| word != "none");
                format!("{}{port}{}", word(kind), checksum.map_or(String::new(), |word| format!(" {word}")))
            }
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

/// `weight 8 -> 4, upper 0 -> 100`
pub(super) fn change_words(step: &Step) -> String {
    let one = |field: &Field| {
        let (from, to) = (word(&field.from), word(&field.to));
        match field.name {
            "value" => format!("{from} -> {to}"),
            "proto" => "taken over".to_string(),
            name => format!("{name} {from} -> {to}"),
        }
    };
    fields(step).iter().map(one).collect::<Vec<_>>().join(", ")
}
