//! Steps as commands of a shell script: ipvsadm, nft, ip and sysctl, in the order of the plan.

use super::ipvsadm::ipvsadm;
use super::nft::{nft_command, nft_script};
use super::step::step_text;
use crate::model::{Family, IfName, RouteKey, RuleKey, State, TunnelDevice};
use crate::plan::{Plan, Step};

/// The command of one step; a comment where no tool has words for it.
pub fn shell(step: &Step) -> String {
    if let Some(arguments) = ipvsadm(step) {
        return format!("ipvsadm {arguments}");
    }
    match step {
        Step::AddVip { key, .. } if key.addr.addr().is_ipv6() && key.addr.prefix_len() == 128 => {
            format!("ip addr add {key} preferred_lft 0")
        }
        Step::AddVip { key, .. } => format!("ip addr add {key}"),
        Step::DelVip { key, .. } => format!("ip addr del {key}"),
        Step::SetSysctl { name, to, .. } => format!("sysctl -w {name}={}", quoted(to)),
        Step::AddRule { key, .. } => rule("add", key),
        Step::DelRule { key, .. } => rule("del", key),
        Step::AddRoute { key, .. } => route("add", key),
        Step::DelRoute { key, .. } => route("del", key),
        Step::AddTunnel { dev, tunnel } => {
            let TunnelDevice { kind, .. } = tunnel;
            let ends = if tunnel.from_anyone { kind.from_anyone() } else { "" };
            let sum = if tunnel.checksum { " icsum" } else { "" };
            format!("ip link add {dev} type {kind} {ends}{sum}; {}", set_tunnel(dev, tunnel))
        }
        Step::SetTunnel { dev, to, .. } => set_tunnel(dev, to),
        Step::DelTunnel { dev, .. } => format!("ip link del {dev}"),
        Step::AddFou { key, fou } => format!("ip fou add port {} {fou}{}", key.port, six(key.family, " -6")),
        Step::DelFou { key, .. } => format!("ip fou del port {}{}", key.port, six(key.family, " -6")),
        _ => nft_command(step).unwrap_or_else(|| format!("# no command for: {}", step_text(step))),
    }
}

fn six(family: Family, words: &'static str) -> &'static str {
    if family == Family::Ipv6 { words } else { "" }
}

fn rule(verb: &str, key: &RuleKey) -> String {
    let RuleKey { family, priority, mark, table } = key;
    format!("ip {}rule {verb} fwmark {mark} lookup {table} priority {priority}", six(*family, "-6 "))
}

fn route(verb: &str, key: &RouteKey) -> String {
    format!("ip {}route {verb} local default dev lo table {}", six(key.family, "-6 "), key.table)
}

/// With slashes: a device's name may have dots.
fn set_tunnel(dev: &IfName, tunnel: &TunnelDevice) -> String {
    let (alias, up) = (quoted(&tunnel.alias), if tunnel.up { "up" } else { "down" });
    let filter = format!("sysctl -w net/ipv4/conf/{dev}/rp_filter={}", tunnel.rp_filter);
    format!("{filter}; ip link set {dev} alias {alias} {up}")
}

/// A value as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_string()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// What is written as a script.
pub struct Script<'a> {
    pub title: &'a str,
    pub plan: &'a Plan,
    /// The machine before and after; they decide whether the nft table stands already.
    pub before: &'a State,
    pub after: &'a State,
}

impl Script<'_> {
    /// Whether commands of single elements find the maps and chains they need. A hook without marks has none.
    fn table_stands(&self) -> bool {
        let known = |step: &Step| match step {
            Step::AddMark { selector, .. } | Step::SetMark { selector, .. } => {
                self.before.marks.keys().any(|there| there.hook == selector.hook)
            }
            _ => true,
        };
        self.plan.steps().all(known)
    }

    /// The commands, each beside its step; the nft table as a whole where it does not stand yet.
    fn commands(&self) -> Vec<(&Step, String)> {
        let whole = !self.table_stands();
        let mut made = false;
        let mut out = Vec::new();
        for step in self.plan.steps() {
            let text = match step {
                Step::AddMark { .. } | Step::SetMark { .. } if whole => {
                    if std::mem::replace(&mut made, true) {
                        continue;
                    }
                    format!("nft -f - <<'END'\n{}END", nft_script(&self.after.marks))
                }
                step => shell(step),
            };
            out.push((step, text));
        }
        out
    }
}

/// A whole plan as a script that stops at the first failure.
pub fn shell_script(script: &Script<'_>) -> String {
    let mut out = format!("#!/bin/sh\n# {}\nset -e\n", script.title);
    for (_, command) in script.commands() {
        out.push_str(&format!("{command}\n"));
    }
    out
}

/// Only the marks of a plan: a file for `nft -f` where the table has to be made, else the commands.
pub fn nft_only(script: &Script<'_>) -> String {
    if !script.table_stands() {
        return format!("#!/usr/sbin/nft -f\n# {}\n{}", script.title, nft_script(&script.after.marks));
    }
    let commands = script.commands();
    let marks = commands.into_iter().filter(|(step, _)| step.kind() == "mark");
    let lines: String = marks.map(|(_, command)| format!("{command}\n")).collect();
    format!("#!/bin/sh\n# {}\nset -e\n{lines}", script.title)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    #[test]
    fn every_step_is_a_command_or_a_comment() {
        let lines: Vec<String> = samples::steps().iter().map(shell).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_machine_without_marks_gets_the_whole_table() {
        let steps = [80, 443]
            .map(|port| Step::AddMark { selector: samples::web_mark(port), entry: samples::entry(3) });
        let mut after = State::default();
        after.marks.extend([80, 443].map(|port| (samples::web_mark(port), samples::entry(3))));
        let plan: Plan = steps.into_iter().collect();
        let script = Script { title: "web", plan: &plan, before: &State::default(), after: &after };
        insta::assert_snapshot!(shell_script(&script));
        let script = Script { before: &after, ..script };
        insta::assert_snapshot!(nft_only(&script));
    }
}
