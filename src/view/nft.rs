//! Marks as nft knows them: the typed document that `nft -j list table inet lvsh` answers, the script that makes
//! the table, and the command of one step.
//!
//! The kernel room writes the same table over netlink; a test holds the two together.

mod document;
mod words;

use std::cmp::Reverse;
use std::collections::BTreeMap;

pub use document::nft_document;

use crate::model::{Family, Hook, MarkEntry, MarkKind, MarkSelector, PortRange};
use crate::plan::Step;

/// The table, of family inet.
const TABLE: &str = "lvsh";

/// Marks by their selectors.
type Marks = BTreeMap<MarkSelector, MarkEntry>;

/// One of the four maps of a hook.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Map {
    hook: Hook,
    kind: MarkKind,
    family: Family,
}

impl Map {
    fn of(selector: &MarkSelector) -> Map {
        Map { hook: selector.hook, kind: selector.kind(), family: selector.family }
    }

    /// In the order in which packets meet them.
    fn of_hook(hook: Hook) -> [Map; 4] {
        let map = |kind, family| Map { hook, kind, family };
        [
            map(MarkKind::Range, Family::Ipv4),
            map(MarkKind::Range, Family::Ipv6),
            map(MarkKind::Exact, Family::Ipv4),
            map(MarkKind::Exact, Family::Ipv6),
        ]
    }

    fn name(self) -> String {
        let kind = if self.kind == MarkKind::Range { "range" } else { "exact" };
        let family = if self.family == Family::Ipv4 { 4 } else { 6 };
        format!("{}_{kind}{family}", self.hook)
    }

    /// Its marks, in an order in which the kernel takes them: of overlapping ones the narrower first.
    fn marks(self, marks: &Marks) -> Vec<(&MarkSelector, &MarkEntry)> {
        let mut list: Vec<_> = marks.iter().filter(|(selector, _)| Map::of(selector) == self).collect();
        list.sort_by_key(|(selector, _)| {
            let ports = selector.dport.unwrap_or(PortRange::ALL);
            let prefix = selector.daddr.map_or(0, |net| net.prefix_len());
            (Reverse(prefix), ports.last - ports.first, *selector)
        });
        list
    }
}

/// Hooks that have marks.
fn hooks(marks: &Marks) -> impl Iterator<Item = Hook> {
    [Hook::Prerouting, Hook::Output].into_iter().filter(|hook| marks.keys().any(|one| one.hook == *hook))
}

/// Marks of a hook that are rules, in the order of the chain.
fn rules(marks: &Marks, hook: Hook) -> impl Iterator<Item = (&MarkSelector, &MarkEntry)> {
    marks.iter().filter(move |(selector, _)| selector.hook == hook && selector.kind() == MarkKind::Rule)
}

/// What `nft -f` needs to make exactly this table, whatever stood there before; no marks make no table.
pub fn nft_script(marks: &Marks) -> String {
    // Deleting a table that is not there fails, so it is added first.
    let mut text = format!("table inet {TABLE}\ndelete table inet {TABLE}\n");
    if marks.is_empty() {
        return text;
    }
    text.push_str(&format!("table inet {TABLE} {{\n"));
    for hook in hooks(marks) {
        for map in Map::of_hook(hook) {
            text.push_str(&words::map(map, &map.marks(marks)));
        }
        text.push_str(&words::chain(hook, rules(marks, hook)));
    }
    text.push_str("}\n");
    text
}

/// The nft command for a step about a mark; `None` for other steps.
///
/// It changes one element or rule of a table that stands; [`nft_script`] makes one.
pub fn nft_command(step: &Step) -> Option<String> {
    let command = match step {
        Step::AddMark { selector, entry } => match selector.kind() {
            MarkKind::Rule => {
                format!("nft {}", quoted(&format!("add rule {}", words::full_rule(selector, entry))))
            }
            _ => format!(
                "nft {}",
                quoted(&format!("add element {}", words::full_element(selector, Some(entry))))
            ),
        },
        Step::SetMark { selector, from, to } => match selector.kind() {
            MarkKind::Rule => format!(
                "nft replace rule inet {TABLE} {} handle {} {}",
                selector.hook,
                words::handle(selector, from),
                quoted(&words::rule(selector, to))
            ),
            // One transaction: no packet finds the element gone.
            _ => format!(
                "nft {}",
                quoted(&format!(
                    "delete element {}; add element {}",
                    words::full_element(selector, None),
                    words::full_element(selector, Some(to))
                ))
            ),
        },
        Step::DelMark { selector, entry } => match selector.kind() {
            MarkKind::Rule => format!(
                "nft delete rule inet {TABLE} {} handle {}",
                selector.hook,
                words::handle(selector, entry)
            ),
            _ => {
                format!("nft {}", quoted(&format!("delete element {}", words::full_element(selector, None))))
            }
        },
        _ => return None,
    };
    Some(command)
}

/// One word for a shell: braces and nft's own quotes reach nft.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fwmark, Protocol};

    fn mark(number: u32) -> MarkEntry {
        MarkEntry { mark: Fwmark::new(number).unwrap(), owner: "web".to_string() }
    }

    fn selector(daddr: Option<&str>, saddr: Option<&str>, dport: Option<PortRange>) -> MarkSelector {
        MarkSelector {
            hook: Hook::Prerouting,
            family: Family::Ipv4,
            daddr: daddr.map(|net| net.parse().unwrap()),
            protocol: Some(Protocol::Tcp),
            dport,
            saddr: saddr.map(|net| net.parse().unwrap()),
            iif: None,
        }
    }

    #[test]
    fn an_element_is_one_command() {
        let selector = selector(Some("192.168.1.99/32"), None, Some(PortRange::one(80)));
        let add = Step::AddMark { selector: selector.clone(), entry: mark(3) };
        assert_eq!(
            nft_command(&add).unwrap(),
            "nft 'add element inet lvsh prerouting_exact4 { 192.168.1.99 . tcp . 80 comment \"web\" : 3 }'"
        );
        let set = Step::SetMark { selector: selector.clone(), from: mark(3), to: mark(4) };
        assert_eq!(
            nft_command(&set).unwrap(),
            "nft 'delete element inet lvsh prerouting_exact4 { 192.168.1.99 . tcp . 80 }; add element inet lvsh \
             prerouting_exact4 { 192.168.1.99 . tcp . 80 comment \"web\" : 4 }'"
        );
        let del = Step::DelMark { selector, entry: mark(3) };
        assert_eq!(
            nft_command(&del).unwrap(),
            "nft 'delete element inet lvsh prerouting_exact4 { 192.168.1.99 . tcp . 80 }'"
        );
    }

    #[test]
    fn a_rule_is_found_by_its_text() {
        let selector = selector(None, Some("10.0.0.0/8"), Some(PortRange { first: 80, last: 89 }));
        let del = Step::DelMark { selector, entry: mark(3) };
        assert_eq!(
            nft_command(&del).unwrap(),
            "nft delete rule inet lvsh prerouting handle $(nft -a list chain inet lvsh prerouting | grep -F 'ip saddr \
             10.0.0.0/8 tcp dport 80-89 meta mark set 0x00000003 comment \"web\"' | sed 's/.*# handle //')"
        );
    }

    #[test]
    fn no_marks_make_no_table() {
        assert_eq!(nft_script(&Marks::new()), "table inet lvsh\ndelete table inet lvsh\n");
        assert!(nft_document(&Marks::new()).objects.is_empty());
    }
}
