//! A dump as a policy file that a person would have written: values that are shared have a name, what is as usual is
//! not said, and what is worth knowing is a comment.

mod layout;
mod marks;
mod names;
mod paths;
mod services;
mod unsaid;

use std::collections::BTreeMap;

use super::Exported;
use crate::model::{ServiceKey, State, SyncDaemon, SyncRole, Timeouts};
use crate::plan::{Dump, Warning, lint};
use crate::view::lua::quoted;

use layout::{comment, fields, indent, inline};
use names::Names;

/// What the file is made of.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    pub dump: &'a Dump,
    /// Its name, and the owner of its marks.
    pub name: &'a str,
    /// Where it comes from and what to do with it: the comment at the top, one paragraph each.
    pub head: &'a [String],
}

/// The file. What a policy cannot say is left out as a whole, so that applying the file leaves it as it is; the file
/// names it in a comment.
pub fn policy(policy: &Policy<'_>) -> Exported {
    let (state, left_out) = unsaid::sift(&policy.dump.state);
    let warnings = by_service(&state);
    let names = Names::of(&state);
    let mut lines: Vec<String> = policy.head.iter().flat_map(|text| comment(text)).collect();
    if !left_out.is_empty() {
        lines.extend(comment("Left out, because a policy cannot say it; it stays as it is:"));
        lines.extend(left_out.iter().flat_map(|text| comment(&format!("  {text}"))));
    }
    lines.push(String::new());
    lines.extend(names.definitions());
    let mut paragraphs = vec![vec![format!("name = {},", quoted(policy.name))]];
    paragraphs.push(settings(&state));
    paragraphs.push(marks::addresses(&state, &names));
    paragraphs.push(marks::marks(&state, policy.name, &names));
    paragraphs.push(paths::paths(&state));
    paragraphs.push(services::services(&state, &warnings, &names));
    lines.push("return lvs.policy {".to_string());
    for (at, paragraph) in paragraphs.into_iter().filter(|lines| !lines.is_empty()).enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        lines.extend(indent(paragraph));
    }
    lines.push("}".to_string());
    lines.push(String::new());
    Exported { text: lines.join("\n"), left_out }
}

/// What lint says, by the service it is about.
fn by_service(state: &State) -> BTreeMap<ServiceKey, Vec<String>> {
    let mut out: BTreeMap<ServiceKey, Vec<String>> = BTreeMap::new();
    for Warning { subject, message } in lint(state, state, None) {
        let service = subject.split(' ').next().unwrap_or_default();
        if let Ok(key) = service.parse() {
            out.entry(key).or_default().push(message);
        }
    }
    out
}

/// Timeouts, sysctls and daemons that are not as on a fresh machine.
fn settings(state: &State) -> Vec<String> {
    let mut out = Vec::new();
    let unusual = state.timeouts.but(Timeouts::default());
    let timeouts = [("tcp", unusual.tcp), ("tcp_fin", unusual.tcp_fin), ("udp", unusual.udp)];
    let timeouts: Vec<String> = timeouts
        .iter()
        .filter(|(_, seconds)| *seconds != 0)
        .map(|(name, seconds)| format!("{name} = {seconds}"))
        .collect();
    if !timeouts.is_empty() {
        out.push(("timeouts".to_string(), vec![inline(&timeouts)]));
    }
    let sysctls: Vec<String> = state.sysctls.iter().map(|(name, value)| sysctl(name.name(), value)).collect();
    match sysctls.as_slice() {
        [] => {}
        [_, _, _, _, ..] => {
            let mut lines = vec!["{".to_string()];
            lines.extend(indent(sysctls.into_iter().map(|line| format!("{line},")).collect()));
            lines.push("}".to_string());
            out.push(("sysctls".to_string(), lines));
        }
        few => out.push(("sysctls".to_string(), vec![inline(few)])),
    }
    let daemons: Vec<String> = state.syncs.iter().map(|(role, one)| inline(&daemon(*role, one))).collect();
    match daemons.as_slice() {
        [] => {}
        [one] => out.push(("sync".to_string(), vec![one.clone()])),
        several => {
            let mut lines = vec!["{".to_string()];
            lines.extend(indent(several.iter().map(|line| format!("{line},")).collect()));
            lines.push("}".to_string());
            out.push(("sync".to_string(), lines));
        }
    }
    fields(&out)
}

fn sysctl(name: &str, value: &str) -> String {
    let short = name.strip_prefix(crate::model::SysctlName::VS).unwrap_or(name);
    let word = short.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let key = if word { short.to_string() } else { format!("[{}]", quoted(short)) };
    match value.parse::<i64>() {
        Ok(number) if number.to_string() == value => format!("{key} = {number}"),
        _ => format!("{key} = {}", quoted(value)),
    }
}

fn daemon(role: SyncRole, daemon: &SyncDaemon) -> Vec<String> {
    let usual = SyncDaemon::new(daemon.dev.clone(), 0);
    let mut cells = vec![format!("role = \"{role}\""), format!("dev = {}", quoted(daemon.dev.name()))];
    let mut number = |name: &str, value: u32, usual: u32| {
        if value != usual {
            cells.push(format!("{name} = {value}"));
        }
    };
    number("id", daemon.id, usual.id);
    number("maxlen", daemon.maxlen.into(), usual.maxlen.into());
    number("port", daemon.port.into(), usual.port.into());
    number("ttl", daemon.ttl.into(), usual.ttl.into());
    if daemon.group != usual.group {
        cells.push(format!("group = {}", quoted(&daemon.group.to_string())));
    }
    cells
}
