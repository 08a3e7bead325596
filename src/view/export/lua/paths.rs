//! Local routes, and what unpacks tunnels, of a policy file.

use std::collections::BTreeSet;

use super::layout::{comment, fields, indent, inline, rows};
use crate::model::{Family, Fou, RuleKey, ServiceKey, State};
use crate::view::lua::quoted;

/// The fields `local_route`, `tunnel` and `gue_port`, and a word on rules that lead to a service and are the system's.
pub fn paths(state: &State) -> Vec<String> {
    let mut out = foreign(state);
    let ours = state.rules.iter().filter(|(_, rule)| rule.is_ours()).map(|(key, _)| key);
    let led: BTreeSet<_> = ours.clone().map(|rule| (rule.family, rule.table)).collect();
    let alone = state.routes.iter().filter(|(_, route)| route.is_ours()).map(|(key, _)| key);
    let alone = alone.filter(|key| !led.contains(&(key.family, key.table)));
    let alone = alone.map(|key| {
        let mut cells = vec![format!("table = {}", key.table)];
        cells.extend(family(key.family));
        cells
    });
    out.extend(field("local_route", ours.map(local_route).chain(alone).collect()));
    let tunnels = state.tunnels.iter().filter(|(_, tunnel)| tunnel.is_ours());
    let tunnels = tunnels.map(|(dev, tunnel)| {
        let mut cells = vec![format!("dev = {}", quoted(dev.name())), format!("type = \"{}\"", tunnel.kind)];
        cells.extend(tunnel.checksum.then(|| "checksum = true".to_string()));
        cells
    });
    out.extend(field("tunnel", tunnels.collect()));
    let ports = state.fous.iter().filter(|(_, fou)| **fou == Fou::Gue);
    let ports = ports.map(|(key, _)| {
        let mut cells = vec![format!("port = {}", key.port)];
        cells.extend(family(key.family));
        cells
    });
    out.extend(field("gue_port", ports.collect()));
    out
}

fn local_route(rule: &RuleKey) -> Vec<String> {
    let mut cells = vec![format!("mark = {}", rule.mark), format!("table = {}", rule.table)];
    cells.extend(family(rule.family));
    cells.extend((rule.priority != RuleKey::PRIORITY).then(|| format!("priority = {}", rule.priority)));
    cells
}

fn family(family: Family) -> Option<String> {
    (family == Family::Ipv6).then(|| "family = \"ipv6\"".to_string())
}

fn field(name: &str, tables: Vec<Vec<String>>) -> Vec<String> {
    match tables.as_slice() {
        [] => Vec::new(),
        [one] => fields(&[(name.to_string(), vec![inline(one)])]),
        several => {
            let mut out = vec![format!("{name} = {{")];
            out.extend(indent(rows(several, 2)));
            out.push("},".to_string());
            out
        }
    }
}

/// Rules of others that lead a mark of these services to a local route.
fn foreign(state: &State) -> Vec<String> {
    let leads = |rule: &RuleKey| {
        state.services.contains_key(&ServiceKey::Mark { family: rule.family, mark: rule.mark })
            && state.routes.keys().any(|route| (route.family, route.table) == (rule.family, rule.table))
    };
    let rules = state.rules.iter().filter(|(key, rule)| !rule.is_ours() && leads(key));
    let lines: Vec<String> =
        rules.map(|(key, _)| format!("--   local_route = {},", inline(&local_route(key)))).collect();
    if lines.is_empty() {
        return lines;
    }
    let text = "Marked packets are delivered here by what lvsh did not add. To let it come and go with this policy, take \
                it out of the system's configuration and write here:";
    comment(text).into_iter().chain(lines).collect()
}
