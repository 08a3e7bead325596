//! A plan as a tree: services with their servers, marks by number, addresses.

use std::collections::{BTreeMap, BTreeSet};

use super::Style;
use super::fields::change_words;
use super::lines::{Counts, Line, render};
use super::marks::group;
use super::step::{head, sign, words};
use crate::model::{Fwmark, Server, ServerKey, ServiceEntry, ServiceKey, State, Weight};
use crate::plan::{Action, Plan, Step, Thing, buckets_moved};

/// What is shown.
pub struct PlanView<'a> {
    /// `web  /etc/lvsh/web.lua`; empty for none.
    pub title: &'a str,
    pub plan: &'a Plan,
    /// The machine as it is, for what is the same and for buckets that move.
    pub actual: &'a State,
    /// The part of the machine that the policy has or will have; printed with `=` where nothing changes.
    pub mine: Option<&'a State>,
    /// What the kernel lost or changed since the policy was started, and how to say it.
    pub drift: &'a BTreeMap<Thing, String>,
}

/// The tree without its closing line, and what it counts.
pub fn plan_text(view: &PlanView<'_>, style: Style) -> (String, Counts) {
    let mut tree = Tree { view, lines: Vec::new(), counts: Counts::default() };
    tree.services();
    tree.marks();
    tree.rest();
    let mut out = String::new();
    if !view.title.is_empty() {
        out.push_str(&format!("{}\n", style.bold(view.title)));
    }
    if !tree.lines.is_empty() {
        out.push_str(&format!("\n{}\n", render(&tree.lines, style)));
    }
    (out, tree.counts)
}

struct Tree<'a> {
    view: &'a PlanView<'a>,
    lines: Vec<Line>,
    counts: Counts,
}

impl Tree<'_> {
    fn push(&mut self, sign: char, depth: usize, head: String, words: String, note: String) {
        self.lines.push(Line { sign, depth, head, words, note });
    }

    fn count(&mut self, step: &Step) {
        match sign(step) {
            '+' => self.counts.add += 1,
            '-' => self.counts.remove += 1,
            _ => self.counts.change += 1,
        }
    }

    fn drift(&self, step: &Step) -> Option<String> {
        self.view.drift.get(&step.thing()).cloned()
    }

    /// Sign and note of a step, counted.
    fn judge(&mut self, action: &Action) -> (char, String) {
        self.count(&action.step);
        let drift = self.drift(&action.step);
        self.counts.drifted += usize::from(drift.is_some());
        let sign = if drift.is_some() { '!' } else { sign(&action.step) };
        (sign, action.reason.clone().or(drift).unwrap_or_default())
    }

    fn services(&mut self) {
        let view = self.view;
        let mut keys: BTreeSet<ServiceKey> = view.plan.steps().filter_map(Step::service).copied().collect();
        keys.extend(view.mine.iter().flat_map(|mine| mine.services.keys().copied()));
        let mut actions: BTreeMap<ServiceKey, Vec<&Action>> = BTreeMap::new();
        for action in &view.plan.actions {
            if let Some(key) = action.step.service() {
                actions.entry(*key).or_default().push(action);
            }
        }
        let (ways, services): (Vec<_>, Vec<_>) =
            keys.into_iter().partition(|key| self.is_way(key, actions.get(key)));
        for key in services {
            self.service(&key, &actions.remove(&key).unwrap_or_default());
        }
        self.ways(&ways, &actions);
    }

    /// Whether a service is one that checks go through, before or after.
    fn is_way(&self, key: &ServiceKey, actions: Option<&Vec<&Action>>) -> bool {
        let added = actions.into_iter().flatten().find_map(|action| match &action.step {
            Step::AddService { service, .. } => Some(service),
            _ => None,
        });
        let there = self.view.actual.services.get(key).map(|entry| &entry.service);
        added.or(there).is_some_and(|service| service.is_way(key))
    }

    /// One line for all that checks go through: nobody has to look at these.
    fn ways(&mut self, keys: &[ServiceKey], actions: &BTreeMap<ServiceKey, Vec<&Action>>) {
        let mut signs: BTreeMap<char, usize> = BTreeMap::new();
        for key in keys {
            let own = actions.get(key).map_or(&[][..], Vec::as_slice);
            let whole = own.iter().find(|action| action.step.kind() == "service").or(own.first());
            let sign = match whole {
                Some(action) => self.judge(action).0,
                None => '=',
            };
            *signs.entry(sign).or_default() += 1;
        }
        for (sign, count) in signs {
            let words = match count {
                1 => "through IPVS to 1 server".to_string(),
                many => format!("through IPVS to {many} servers"),
            };
            self.push(sign, 0, "checks".to_string(), words, String::new());
        }
    }

    fn service(&mut self, key: &ServiceKey, actions: &[&Action]) {
        let view = self.view;
        let own = actions.iter().find(|action| action.step.kind() == "service");
        let (sign, words, note) = match own {
            Some(action) => {
                let (sign, note) = self.judge(action);
                let words = match &action.step {
                    Step::DelService { entry, .. } => entry.service.to_string(),
                    Step::AddService { service, .. } => service.to_string(),
                    step => change_words(step),
                };
                (sign, words, note)
            }
            None => {
                let sign = if actions.is_empty() { '=' } else { '~' };
                let there = view.actual.services.get(key).map(|entry| entry.service.to_string());
                (sign, there.unwrap_or_default(), String::new())
            }
        };
        self.push(sign, 0, format!("service {key}"), words, note);
        if let Some(Step::DelService { entry, .. }) = own.map(|action| &action.step) {
            for (id, server) in &entry.servers {
                self.counts.remove += 1;
                self.push('-', 1, id.to_string(), server.to_string(), String::new());
            }
        }
        let mut rows: BTreeMap<ServerKey, (char, String, String)> = BTreeMap::new();
        for action in actions {
            let (id, words) = match &action.step {
                Step::AddServer { key, server, .. } | Step::DelServer { key, server, .. } => {
                    (*key, server.to_string())
                }
                Step::SetServer { key, .. } => (*key, change_words(&action.step)),
                _ => continue,
            };
            let (sign, note) = self.judge(action);
            rows.insert(id, (sign, words, note));
        }
        let there = view.actual.services.get(key).filter(|_| view.mine.is_some());
        for (id, server) in there.iter().flat_map(|entry| &entry.servers) {
            if !matches!(own.map(|action| &action.step), Some(Step::DelService { .. })) {
                rows.entry(*id).or_insert(('=', server.to_string(), String::new()));
            }
        }
        for (id, (sign, words, note)) in rows {
            self.push(sign, 1, id.to_string(), words, note);
        }
        self.moved(key, actions);
    }

    fn moved(&mut self, key: &ServiceKey, actions: &[&Action]) {
        let Some(before) = self.view.actual.services.get(key) else { return };
        let mut after = before.servers.clone();
        for action in actions {
            match &action.step {
                Step::AddServer { key, server, .. } | Step::SetServer { key, to: server, .. } => {
                    after.insert(*key, *server);
                }
                Step::DelServer { key, .. } => {
                    after.remove(key);
                }
                Step::DelService { .. } => return,
                _ => {}
            }
        }
        if after == before.servers {
            return;
        }
        if let Some(percent) = moved(before, &after) {
            self.push(' ', 1, format!("moves {percent} % of client buckets"), String::new(), String::new());
        }
    }

    fn marks(&mut self) {
        let view = self.view;
        // By number, by what becomes of it, by line.
        let mut numbers: BTreeMap<Fwmark, Vec<(char, String, String)>> = BTreeMap::new();
        let mut touched = BTreeSet::new();
        let pick = |wanted: char, drifted: bool| {
            view.plan.steps().filter_map(move |step| {
                let (selector, mark) = match step {
                    Step::AddMark { selector, entry } | Step::DelMark { selector, entry } => {
                        (selector, entry.mark)
                    }
                    Step::SetMark { selector, to, .. } => (selector, to.mark),
                    _ => return None,
                };
                let drift = view.drift.contains_key(&step.thing());
                (sign(step) == wanted && drift == drifted).then_some((selector, mark))
            })
        };
        for (wanted, drifted) in
            [('+', true), ('~', true), ('-', true), ('+', false), ('~', false), ('-', false)]
        {
            touched.extend(pick(wanted, drifted).map(|(selector, _)| selector));
            for group in group(pick(wanted, drifted)) {
                match wanted {
                    '+' => self.counts.add += 1,
                    '-' => self.counts.remove += 1,
                    _ => self.counts.change += 1,
                }
                self.counts.drifted += usize::from(drifted);
                let text = format!("{} meta mark set {}", group.match_text(), group.mark);
                let note = if drifted { drift_words(wanted) } else { "" };
                numbers.entry(group.mark).or_default().push((wanted, text, note.to_string()));
            }
        }
        let same = view.mine.iter().flat_map(|mine| &mine.marks);
        let same = same.filter(|(selector, _)| !touched.contains(selector));
        for group in group(same.map(|(selector, entry)| (selector, entry.mark))) {
            let text = format!("{} meta mark set {}", group.match_text(), group.mark);
            numbers.entry(group.mark).or_default().push(('=', text, String::new()));
        }
        for (mark, rows) in numbers {
            let first = rows[0].0;
            let alike = rows.iter().all(|(sign, _, _)| *sign == first);
            let note = rows.iter().map(|(_, _, note)| note).find(|note| !note.is_empty()).cloned();
            let sign = if note.is_some() {
                '!'
            } else if alike {
                first
            } else {
                '~'
            };
            self.push(sign, 0, format!("mark {mark}"), String::new(), note.unwrap_or_default());
            for (sign, text, _) in rows {
                self.push(sign, 1, text, String::new(), String::new());
            }
        }
    }

    fn rest(&mut self) {
        let view = self.view;
        let of = |action: &&Action| !matches!(action.step.kind(), "service" | "server" | "mark");
        for action in view.plan.actions.iter().filter(of) {
            let (sign, note) = self.judge(action);
            let head = match &action.step {
                Step::SetSysctl { name, .. } => format!("sysctl {name}"),
                step => head(step),
            };
            self.push(sign, 0, head, words(&action.step), note);
        }
        let Some(mine) = view.mine else { return };
        let touched: BTreeSet<Thing> =
            view.plan.steps().filter(|step| step.service().is_none()).map(Step::thing).collect();
        let mut same = |thing: Thing, words: String| {
            if !touched.contains(&thing) {
                self.push('=', 0, thing.to_string(), words, String::new());
            }
        };
        for key in mine.vips.keys() {
            same(Thing::Vip(key.clone()), String::new());
        }
        for key in mine.rules.keys() {
            same(Thing::Rule(*key), String::new());
        }
        for key in mine.routes.keys() {
            same(Thing::Route(*key), String::new());
        }
        for (dev, tunnel) in &mine.tunnels {
            same(Thing::Tunnel(dev.clone()), tunnel.to_string());
        }
        for (key, fou) in &mine.fous {
            same(Thing::Fou(*key), fou.to_string());
        }
        for (name, value) in &mine.sysctls {
            same(Thing::Sysctl(name.clone()), value.clone());
        }
    }
}

/// How many percent of a hashing scheduler's clients go elsewhere; known when the servers stay the same.
pub(super) fn moved(before: &ServiceEntry, after: &BTreeMap<ServerKey, Server>) -> Option<u32> {
    if !before.servers.keys().eq(after.keys()) {
        return None;
    }
    // The kernel's list is newest first, and a plan adds servers in the order of their keys.
    let weights = |servers: &BTreeMap<ServerKey, Server>| -> Vec<Weight> {
        servers.values().rev().map(|server| server.weight).collect()
    };
    buckets_moved(&before.service.scheduler, &weights(&before.servers), &weights(after))
}

/// How drift is said of a step that repairs it.
pub fn drift_words(repair: char) -> &'static str {
    match repair {
        '+' => "gone from the kernel, not by lvsh",
        '-' => "added in the kernel, not by lvsh",
        _ => "changed in the kernel, not by lvsh",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Vip;
    use crate::view::samples::{entry, fwm, id, server, service, vip, web_mark};

    fn state(weights: &[(&str, u32)]) -> State {
        let servers = weights.iter().map(|(name, weight)| (id(name), server(*weight))).collect();
        let mut state = State::default();
        state.services.insert(fwm(3), ServiceEntry { service: service("sh"), servers }.into());
        state.vips.insert(vip(), Vip::ours());
        state
    }

    fn show(actual: &State, desired: &State, drift: &[Thing], verbose: bool) -> String {
        let mut plan: Plan = crate::plan::diff(actual, desired).into_iter().collect();
        if let Some(action) = plan.actions.iter_mut().find(|action| action.step.verb() == "set") {
            action.reason = Some("health: 3 of 3 probes failed".to_string());
        }
        let word = drift_words('+').to_string();
        let drift = drift.iter().map(|thing| (thing.clone(), word.clone())).collect();
        let mine = verbose.then_some(desired);
        let view = PlanView { title: "web  /etc/lvsh/web.lua", plan: &plan, actual, mine, drift: &drift };
        let (tree, counts) = plan_text(&view, Style::plain());
        format!("{tree}\n{}", counts.text(false))
    }

    #[test]
    fn changes_additions_and_drift() {
        let actual = state(&[("192.168.1.107", 8), ("192.168.1.109", 8)]);
        let mut desired = state(&[("192.168.1.107", 8), ("192.168.1.109", 4)]);
        desired.marks.extend([80, 443].map(|port| (web_mark(port), entry(3))));
        let gone = [80, 443].map(|port| Thing::Mark(web_mark(port)));
        insta::assert_snapshot!(show(&actual, &desired, &gone, true));
    }

    #[test]
    fn all_new_and_all_gone() {
        let mut full = state(&[("192.168.1.107", 8), ("192.168.1.109", 8)]);
        full.marks.extend([80, 443].map(|port| (web_mark(port), entry(3))));
        let up = show(&State::default(), &full, &[], false);
        let down = show(&full, &State::default(), &[], false);
        insta::assert_snapshot!(format!("{up}\n\n{down}"));
    }
}
