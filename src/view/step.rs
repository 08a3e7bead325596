//! One step, one line.

use super::fields::change_words;
use super::marks::group;
use crate::plan::Step;

/// `+` adds, `~` changes, `-` removes.
pub fn sign(step: &Step) -> char {
    match step.verb() {
        "add" | "start" => '+',
        "del" | "stop" => '-',
        _ => '~',
    }
}

/// `~ fwm:3 192.168.1.109  weight 8 -> 4`
pub fn step_text(step: &Step) -> String {
    let sign = sign(step);
    let head = head(step);
    let words = words(step);
    if words.is_empty() { format!("{sign} {head}") } else { format!("{sign} {head}  {words}") }
}

/// What it is about, with the kind where the name alone does not tell it.
pub(super) fn head(step: &Step) -> String {
    match step {
        Step::AddMark { entry, .. } | Step::DelMark { entry, .. } => format!("mark {}", entry.mark),
        Step::SetMark { to, .. } => format!("mark {}", to.mark),
        Step::AddVip { .. } | Step::SetVip { .. } | Step::DelVip { .. } => format!("vip {}", step.subject()),
        Step::AddRule { key, .. } | Step::DelRule { key, .. } => format!("rule {key}"),
        Step::AddRoute { key, .. } | Step::DelRoute { key, .. } => format!("route {key}"),
        Step::AddTunnel { dev, .. } | Step::SetTunnel { dev, .. } | Step::DelTunnel { dev, .. } => {
            format!("tunnel {dev}")
        }
        Step::AddFou { key, .. } | Step::DelFou { key, .. } => format!("gue port {key}"),
        Step::SetTimeouts { .. } => "timeouts".to_string(),
        Step::StartSync { role, .. } | Step::StopSync { role, .. } => format!("sync {role}"),
        _ => step.subject(),
    }
}

/// What it becomes: the whole of what is added, the fields that change, nothing of a server that goes.
pub(super) fn words(step: &Step) -> String {
    match step {
        Step::AddService { service, .. } => service.to_string(),
        Step::DelService { entry, .. } => match entry.servers.len() {
            0 => String::new(),
            1 => "with 1 server".to_string(),
            many => format!("with {many} servers"),
        },
        Step::AddServer { server, .. } => server.to_string(),
        Step::AddMark { selector, entry } | Step::DelMark { selector, entry } => {
            let groups = group([(selector, entry.mark)]);
            groups.iter().map(|group| group.match_text()).collect()
        }
        Step::SetMark { selector, from, to } => {
            let groups = group([(selector, to.mark)]);
            let what: String = groups.iter().map(|group| group.match_text()).collect();
            if from.mark == to.mark { what } else { format!("{what}  was mark {}", from.mark) }
        }
        Step::StartSync { daemon, .. } => daemon.to_string(),
        Step::AddTunnel { tunnel, .. } => tunnel.to_string(),
        Step::AddFou { fou, .. } => fou.to_string(),
        Step::DelServer { .. } | Step::AddVip { .. } | Step::DelVip { .. } | Step::StopSync { .. } => {
            String::new()
        }
        _ => change_words(step),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_step_is_one_line() {
        let lines: Vec<String> = crate::view::samples::steps().iter().map(step_text).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
