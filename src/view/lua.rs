//! Steps as calls of the Lua API: what was done, as a script that does it again.

use serde_json::{Value, json};

use super::fields::fields;
use super::step::step_text;
use super::value::{mark_value, net_text, server_value, service_value, sync_value, timeouts_value};
use crate::model::{Family, Fou, MarkSelector, PortRange, RuleKey, ServiceKey, VipKey};
use crate::plan::{Plan, Step};

/// `lvs.get_service { fwmark = 3 }:set_server("192.168.1.109", { weight = 4 })`
pub fn lua(step: &Step) -> String {
    use Step::*;
    match step {
        AddService { key, service } => {
            format!("lvs.add_service {{ {}, {} }}", key_fields(key), body(&service_value(service)))
        }
        SetService { key, .. } => {
            format!("lvs.set_service({{ {} }}, {})", key_fields(key), table(&changed(step)))
        }
        DelService { key, .. } => format!("lvs.del_service {{ {} }}", key_fields(key)),
        AddServer { service, key, server } => {
            let spec = body(&server_value(server));
            format!("{}:add_server {{ addr = {}, {spec} }}", found(service), quoted(&key.to_string()))
        }
        SetServer { service, key, .. } => {
            let change = table(&changed(step));
            format!("{}:set_server({}, {change})", found(service), quoted(&key.to_string()))
        }
        DelServer { service, key, .. } => {
            format!("{}:del_server({})", found(service), quoted(&key.to_string()))
        }
        AddMark { selector, entry } => mark("add_mark", selector, entry.mark.get()),
        SetMark { selector, to, .. } => mark("set_mark", selector, to.mark.get()),
        DelMark { selector, entry } => mark("del_mark", selector, entry.mark.get()),
        AddVip { key, .. } => format!("lvs.add_vip {}", vip(key)),
        SetVip { .. } => format!("-- no call for: {}", step_text(step)),
        DelVip { key, .. } => format!("lvs.del_vip {}", vip(key)),
        // A call without a mark is about the route alone; one with it finds the route there, and takes it along only
        // when no other rule leads to it.
        AddRule { key, .. } => format!("lvs.add_local_route {}", rule(key)),
        DelRule { key, .. } => format!("lvs.del_local_route {}", rule(key)),
        AddRoute { key, .. } => {
            format!("lvs.add_local_route {{ table = {}{} }}", key.table, family(key.family))
        }
        DelRoute { key, .. } => {
            let family = family(key.family);
            format!("lvs.del_local_route {{ table = {}{family}, missing_ok = true }}", key.table)
        }
        AddTunnel { dev, tunnel } if tunnel.is_ours() => {
            let sum = if tunnel.checksum { ", checksum = true" } else { "" };
            format!("lvs.add_tunnel {{ dev = {}, type = \"{}\"{sum} }}", quoted(dev.name()), tunnel.kind)
        }
        AddTunnel { .. } | SetTunnel { .. } => format!("-- no call for: {}", step_text(step)),
        DelTunnel { dev, .. } => format!("lvs.del_tunnel {{ dev = {} }}", quoted(dev.name())),
        AddFou { key, fou: Fou::Gue } => {
            format!("lvs.add_gue_port {{ port = {}{} }}", key.port, family(key.family))
        }
        AddFou { .. } => format!("-- no call for: {}", step_text(step)),
        DelFou { key, .. } => {
            format!("lvs.del_gue_port {{ port = {}{} }}", key.port, family(key.family))
        }
        SetSysctl { name, to, .. } => format!("lvs.sysctl({}, {})", quoted(name.name()), quoted(to)),
        SetTimeouts { to, .. } => format!("lvs.set_timeouts {}", table(&timeouts_value(to))),
        StartSync { role, daemon } => {
            format!("lvs.start_sync {{ role = \"{role}\", {} }}", body(&sync_value(daemon)))
        }
        StopSync { role, .. } => format!("lvs.stop_sync {{ role = \"{role}\" }}"),
    }
}

/// A whole plan, for `lvsh run`.
pub fn lua_script(plan: &Plan, title: &str) -> String {
    let mut out = format!("#!/usr/bin/env -S lvsh run\n-- {title}\n");
    for step in plan.steps() {
        out.push_str(&lua(step));
        out.push('\n');
    }
    out
}

fn found(service: &ServiceKey) -> String {
    format!("lvs.get_service {{ {} }}", key_fields(service))
}

fn key_fields(key: &ServiceKey) -> String {
    match key {
        ServiceKey::Mark { family: Family::Ipv4, mark } => format!("fwmark = {mark}"),
        ServiceKey::Mark { family: Family::Ipv6, mark } => format!("fwmark = {mark}, family = \"ipv6\""),
        ServiceKey::Address { protocol, addr, port } => {
            format!("{protocol} = {}", quoted(&crate::model::show_endpoint(*addr, *port)))
        }
    }
}

fn vip(key: &VipKey) -> String {
    format!("{{ addr = {}, dev = {} }}", quoted(&key.addr.to_string()), quoted(key.dev.name()))
}

fn rule(key: &RuleKey) -> String {
    let RuleKey { family: of, priority, mark, table } = key;
    let priority = match *priority {
        RuleKey::PRIORITY => String::new(),
        other => format!(", priority = {other}"),
    };
    format!("{{ mark = {mark}, table = {table}{}{priority} }}", family(*of))
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "",
        Family::Ipv6 => ", family = \"ipv6\"",
    }
}

fn mark(verb: &str, selector: &MarkSelector, number: u32) -> String {
    let mut fields = vec![format!("mark = {number}")];
    let family = selector.daddr.is_none() && selector.saddr.is_none();
    for (name, net) in [("daddr", &selector.daddr), ("saddr", &selector.saddr)] {
        fields.extend(net.as_ref().map(|net| format!("{name} = {}", quoted(&net_text(net)))));
    }
    if family {
        fields.push(format!("family = \"{}\"", selector.family));
    }
    fields.extend(selector.protocol.map(|protocol| format!("proto = \"{protocol}\"")));
    match selector.dport {
        Some(ports) if ports.is_one() => fields.push(format!("dports = {{ {} }}", ports.first)),
        Some(ports) if ports != PortRange::ALL => fields.push(format!("dports = {{ \"{ports}\" }}")),
        _ => {}
    }
    fields.extend(selector.iif.as_ref().map(|iif| format!("iif = {}", quoted(iif.name()))));
    // The hook is a word of its own in the API.
    if mark_value(selector)["hook"] == json!("output") {
        fields.push("output = true".to_string());
    }
    format!("lvs.{verb} {{ {} }}", fields.join(", "))
}

/// The changed fields with their new values; what is switched off is `false`, because nil says nothing.
fn changed(step: &Step) -> Value {
    let new = fields(step).into_iter().map(|field| {
        let off = if field.name == "flags" { json!([]) } else { json!(false) };
        (field.name.to_string(), if field.to.is_null() { off } else { field.to })
    });
    Value::Object(new.collect())
}

/// A JSON object's fields as those of a Lua table, in reading order.
fn body(value: &Value) -> String {
    const FIRST: [&str; 4] = ["scheduler", "method", "weight", "persistent"];
    let Value::Object(map) = value else { return String::new() };
    let place = |name: &str| FIRST.iter().position(|first| *first == name).unwrap_or(FIRST.len());
    let mut names: Vec<&String> = map.keys().collect();
    names.sort_by_key(|name| (place(name), name.as_str()));
    names.iter().map(|name| format!("{name} = {}", literal(&map[*name]))).collect::<Vec<_>>().join(", ")
}

fn table(value: &Value) -> String {
    let body = body(value);
    if body.is_empty() { "{}".to_string() } else { format!("{{ {body} }}") }
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "nil".to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) if items.is_empty() => "{}".to_string(),
        Value::Array(items) => format!("{{ {} }}", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(_) => table(value),
        other => other.to_string(),
    }
}

/// A Lua string literal; bytes that could end it or leave the line are escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_ascii_control() => out.push_str(&format!("\\{:03}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_a_call() {
        let lines: Vec<String> = crate::view::samples::steps().iter().map(lua).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn strings_cannot_leave_their_quotes() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\010d""#);
    }
}
