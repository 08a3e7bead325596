//! What a line at a prompt changed, one line per change, as it was done.

use std::collections::BTreeMap;

use super::Style;
use super::marks::group;
use super::plan::moved;
use super::step::{sign, step_text};
use crate::model::{ServiceKey, State};
use crate::plan::{Step, World, advance};

/// Lines that are shown; the rest is counted.
const LINES: usize = 40;

/// ` ~ fwm:3 192.168.1.109  weight 8 -> 4          moves 48 % of client buckets (sh)`
///
/// `before` is the machine before the first step, as far as it was read.
pub fn echo_text(steps: &[Step], before: &State, style: Style) -> String {
    let notes = notes(steps, before);
    let mut lines: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some(step) = steps.get(at) {
        let alike = steps[at..]
            .iter()
            .take_while(|next| next.kind() == "mark" && step.kind() == "mark" && sign(next) == sign(step));
        let count = alike.count().max(1);
        if step.kind() == "mark" && sign(step) != '~' {
            let marks = steps[at..at + count].iter().filter_map(|step| match step {
                Step::AddMark { selector, entry } | Step::DelMark { selector, entry } => {
                    Some((selector, entry.mark))
                }
                _ => None,
            });
            for group in group(marks) {
                let text = format!("{} mark {}  {}", sign(step), group.mark, group.match_text());
                lines.push(format!(" {}\n", style.signed(sign(step), &text)));
            }
            at += count;
            continue;
        }
        let text = style.signed(sign(step), &step_text(step));
        let note = notes.get(&at).map_or(String::new(), |note| format!("          {}", style.dim(note)));
        lines.push(format!(" {text}{note}\n"));
        at += 1;
    }
    let more = lines.len().saturating_sub(LINES);
    if more > 1 {
        lines.truncate(LINES);
        lines.push(format!(" … {more} more changes\n"));
    }
    lines.concat()
}

/// For each service the buckets that move, at its last step.
fn notes(steps: &[Step], before: &State) -> BTreeMap<usize, String> {
    let mut last: BTreeMap<ServiceKey, usize> = BTreeMap::new();
    for (at, step) in steps.iter().enumerate() {
        if let (Some(key), "server") = (step.service(), step.kind()) {
            last.insert(*key, at);
        }
    }
    if last.keys().all(|key| !before.services.contains_key(key)) {
        return BTreeMap::new();
    }
    let mut after = before.clone();
    for step in steps {
        // Of what was not read nothing is said.
        let _ = advance(&mut after, step, &World::default());
    }
    let words = last.into_iter().filter_map(|(key, at)| {
        let (was, now) = (before.services.get(&key)?, after.services.get(&key)?);
        let percent = moved(was, &now.servers).filter(|_| was.servers != now.servers)?;
        Some((at, format!("moves {percent} % of client buckets ({})", was.service.scheduler)))
    });
    words.collect()
}
