//! Marks as people write them: several ports of one address are one line again.

use std::collections::{BTreeMap, BTreeSet};

use super::value::net_text;
use crate::model::{Fwmark, Hook, MarkSelector, PortRange};

/// Selectors that differ only in their port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkGroup {
    pub mark: Fwmark,
    /// The first selector; its port is one of `ports`.
    pub like: MarkSelector,
    pub ports: BTreeSet<PortRange>,
}

/// Groups selectors of the same mark; sorted.
pub fn group<'a>(marks: impl IntoIterator<Item = (&'a MarkSelector, Fwmark)>) -> Vec<MarkGroup> {
    let mut groups: BTreeMap<(Fwmark, MarkSelector), BTreeSet<PortRange>> = BTreeMap::new();
    for (selector, mark) in marks {
        let like = MarkSelector { dport: None, ..selector.clone() };
        let ports = groups.entry((mark, like)).or_default();
        ports.extend(selector.dport);
    }
    let made = groups.into_iter();
    made.map(|((mark, like), ports)| MarkGroup { mark, like, ports }).collect()
}

impl MarkGroup {
    /// `{ 80, 443 }`, `80`, or nothing.
    pub fn ports_text(&self) -> String {
        let ports: Vec<String> =
            self.ports.iter().filter(|ports| **ports != PortRange::ALL).map(PortRange::to_string).collect();
        match ports.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            many => format!("{{ {} }}", many.join(", ")),
        }
    }

    /// As nft spells the match: `ip daddr 192.168.1.99 tcp dport { 80, 443 }`.
    pub fn match_text(&self) -> String {
        let mut text = match self.like.hook {
            Hook::Prerouting => String::new(),
            Hook::Output => "output ".to_string(),
        };
        let ports = self.ports_text();
        if ports.is_empty() || self.like.protocol.is_none() {
            text.push_str(&self.like.to_string());
            return text;
        }
        let bare = MarkSelector { protocol: None, ..self.like.clone() };
        text.push_str(&bare.to_string());
        let protocol = self.like.protocol.map_or(String::new(), |protocol| protocol.to_string());
        text.push_str(&format!(" {protocol} dport {ports}"));
        text
    }

    /// Short, for a status line: `192.168.1.99 tcp { 80, 443 }`.
    pub fn short_text(&self) -> String {
        let mut words = Vec::new();
        if self.like.hook == Hook::Output {
            words.push("output".to_string());
        }
        if let Some(iif) = &self.like.iif {
            words.push(format!("iif {iif}"));
        }
        if let Some(saddr) = &self.like.saddr {
            words.push(format!("from {}", net_text(saddr)));
        }
        match &self.like.daddr {
            Some(daddr) => words.push(net_text(daddr)),
            None => words.push(format!("any {}", self.like.family)),
        }
        words.extend(self.like.protocol.map(|protocol| protocol.to_string()));
        let ports = self.ports_text();
        if !ports.is_empty() {
            words.push(ports);
        }
        words.join(" ")
    }
}
