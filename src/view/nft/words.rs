//! The nft language.

use super::{Map, TABLE};
use crate::model::{Family, Hook, MarkEntry, MarkKind, MarkSelector, PortRange, Protocol};

/// A map with its elements.
pub fn map(map: Map, marks: &[(&MarkSelector, &MarkEntry)]) -> String {
    let addr = if map.family == Family::Ipv4 { "ipv4_addr" } else { "ipv6_addr" };
    let mut text = format!("\tmap {} {{\n\t\ttype {addr} . inet_proto . inet_service : mark\n", map.name());
    if map.kind == MarkKind::Range {
        text.push_str("\t\tflags interval\n");
    }
    if !marks.is_empty() {
        let elements: Vec<String> =
            marks.iter().map(|(selector, entry)| element(selector, Some(entry))).collect();
        text.push_str(&format!("\t\telements = {{ {} }}\n", elements.join(",\n\t\t\t     ")));
    }
    text.push_str("\t}\n\n");
    text
}

/// A chain with its rules: one look-up for each map, then the marks that are rules.
pub fn chain<'a>(hook: Hook, marks: impl Iterator<Item = (&'a MarkSelector, &'a MarkEntry)>) -> String {
    let kind = match hook {
        Hook::Prerouting => "filter",
        Hook::Output => "route",
    };
    let mut text =
        format!("\tchain {hook} {{\n\t\ttype {kind} hook {hook} priority mangle; policy accept;\n");
    for map in Map::of_hook(hook) {
        text.push_str(&format!(
            "\t\tmeta mark set {} daddr . meta l4proto . th dport map @{}\n",
            map.family.nft(),
            map.name()
        ));
    }
    for (selector, entry) in marks {
        text.push_str(&format!("\t\t{}\n", rule(selector, entry)));
    }
    text.push_str("\t}\n");
    text
}

/// `inet lvsh prerouting_exact4 { 192.168.1.99 . tcp . 80 comment "web" : 3 }`
pub fn full_element(selector: &MarkSelector, entry: Option<&MarkEntry>) -> String {
    format!("inet {TABLE} {} {{ {} }}", Map::of(selector).name(), element(selector, entry))
}

/// `192.168.1.99 . tcp . 80 comment "web" : 3`; nft wants the comment before the value.
fn element(selector: &MarkSelector, entry: Option<&MarkEntry>) -> String {
    let addr = selector.daddr.map(|net| show_net(&net)).unwrap_or_default();
    let protocol = selector.protocol.map(show_protocol).unwrap_or_default();
    let ports = selector.dport.unwrap_or(PortRange::ALL);
    let key = format!("{addr} . {protocol} . {ports}");
    match entry {
        Some(entry) => format!("{key}{} : {}", comment(entry), entry.mark),
        None => key,
    }
}

/// `inet lvsh prerouting ip saddr 10.0.0.0/8 meta mark set 3 comment "web"`
pub fn full_rule(selector: &MarkSelector, entry: &MarkEntry) -> String {
    format!("inet {TABLE} {} {}", selector.hook, rule(selector, entry))
}

/// `ip saddr 10.0.0.0/8 meta mark set 0x00000003 comment "web"`, letter for letter as nft lists it.
pub fn rule(selector: &MarkSelector, entry: &MarkEntry) -> String {
    format!("{} meta mark set {:#010x}{}", matches(selector), entry.mark.get(), comment(entry))
}

/// A shell's expression for the handle of a rule: the kernel gives the number, so it must be looked up.
pub fn handle(selector: &MarkSelector, entry: &MarkEntry) -> String {
    let (hook, rule) = (selector.hook, rule(selector, entry));
    let rule = super::quoted(&rule);
    format!("$(nft -a list chain inet {TABLE} {hook} | grep -F {rule} | sed 's/.*# handle //')")
}

fn matches(selector: &MarkSelector) -> String {
    let text = selector.to_string();
    match selector.protocol {
        // nft has no name for these, and their ports are those of any transport.
        Some(Protocol::Other(number)) => text
            .replace(&format!("proto-{number} dport"), &format!("meta l4proto {number} th dport"))
            .replace(&format!("meta l4proto proto-{number}"), &format!("meta l4proto {number}")),
        _ => text,
    }
}

fn comment(entry: &MarkEntry) -> String {
    if entry.owner.is_empty() { String::new() } else { format!(" comment \"{}\"", entry.owner) }
}

fn show_protocol(protocol: Protocol) -> String {
    match protocol {
        Protocol::Other(number) => number.to_string(),
        known => known.to_string(),
    }
}

fn show_net(net: &ipnet::IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.trunc().to_string() }
}
