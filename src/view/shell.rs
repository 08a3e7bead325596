//! Steps as commands of a shell script: ipvsadm, nft, ip and sysctl, in the order of the plan.

use super::ipvsadm::ipvsadm;
use super::step::step_text;
use crate::model::{MarkEntry, MarkSelector};
use crate::plan::{Plan, Step};

/// The commands of one step; a comment where no tool has words for it.
pub fn shell(step: &Step) -> Vec<String> {
    if let Some(arguments) = ipvsadm(step) {
        return vec![format!("ipvsadm {arguments}")];
    }
    match step {
        Step::AddMark { .. } | Step::SetMark { .. } | Step::DelMark { .. } => nft(step),
        Step::AddVip { key, .. } => vec![format!("ip addr add {key}")],
        Step::DelVip { key, .. } => vec![format!("ip addr del {key}")],
        Step::SetSysctl { name, to, .. } => vec![format!("sysctl -w {name}={}", quoted(to))],
        _ => vec![format!("# no command for: {}", step_text(step))],
    }
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

fn nft(step: &Step) -> Vec<String> {
    let set = |selector: &MarkSelector, entry: &MarkEntry| {
        format!("nft add rule inet lvsh {} {selector} meta mark set {}", selector.hook, entry.mark)
    };
    match step {
        Step::AddMark { selector, entry } => vec![set(selector, entry)],
        _ => Vec::new(),
    }
}

/// A whole plan as a script that stops at the first failure.
pub fn shell_script(plan: &Plan, title: &str) -> String {
    let mut out = format!("#!/bin/sh\n# {title}\nset -e\n");
    let commands: Vec<String> = plan.steps().flat_map(shell).collect();
    for command in commands {
        out.push_str(&command);
        out.push('\n');
    }
    out
}

/// Only the nft part of a plan, as a file for `nft -f`.
pub fn nft_only(plan: &Plan, title: &str) -> String {
    let commands = plan.steps().flat_map(nft);
    let commands: String =
        commands.map(|line| format!("{}\n", line.strip_prefix("nft ").unwrap_or(&line))).collect();
    format!("# {title}\n{commands}")
}
