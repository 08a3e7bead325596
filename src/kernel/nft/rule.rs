//! Marks that are rules of their own: a source, a device, no address or no protocol.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_netfilter::nftables::{MetaKey, Operator, Register, RuleAttribute, RuleMessage};

use super::expr::{self, Expr};
use super::{layout, userdata};
use crate::model::{MarkEntry, MarkSelector, PortRange};

/// `iifname "eth0" ip saddr 10.0.0.0/8 ip daddr 192.0.2.1 tcp dport 80-89 meta mark set 3 comment "web"`
pub fn write(selector: &MarkSelector, entry: &MarkEntry) -> RuleMessage {
    let mut rule = layout::rule(selector.hook, expressions(selector, entry));
    rule.attributes.extend(userdata::comment(&entry.owner).map(RuleAttribute::UserData));
    rule
}

/// The rule with this handle, to delete or to replace it.
pub fn with_handle(mut rule: RuleMessage, handle: u64) -> RuleMessage {
    rule.attributes.push(RuleAttribute::Handle(handle));
    rule
}

/// The rule, to be put before the one with this handle.
pub fn before(mut rule: RuleMessage, handle: u64) -> RuleMessage {
    rule.attributes.push(RuleAttribute::Position(handle));
    rule
}

fn expressions(selector: &MarkSelector, entry: &MarkEntry) -> Vec<Expr> {
    let mut list = Vec::new();
    let (saddr_offset, daddr_offset, _) = expr::addresses(selector.family);
    if let Some(iif) = &selector.iif {
        // iifname "eth0": the name with zeros up to its full length, so that "eth0" is not a prefix of "eth01"
        let mut name = iif.name().as_bytes().to_vec();
        name.resize(expr::IFNAMSIZ, 0);
        list.push(expr::load_meta(MetaKey::Iifname, Register::Reg1));
        list.push(expr::compare(Operator::Equal, name));
    }
    // meta nfproto ipv4: nft leaves it out when it prints a rule that has an address
    list.push(expr::load_meta(MetaKey::Nfproto, Register::Reg1));
    list.push(expr::compare(Operator::Equal, vec![expr::nfproto(selector.family)]));
    for (net, offset) in [(&selector.saddr, saddr_offset), (&selector.daddr, daddr_offset)] {
        if let Some(net) = net {
            list.extend(match_net(net, offset));
        }
    }
    if let Some(protocol) = selector.protocol {
        // meta l4proto tcp
        list.push(expr::load_meta(MetaKey::L4Proto, Register::Reg1));
        list.push(expr::compare(Operator::Equal, vec![protocol.number()]));
    }
    if let Some(ports) = selector.dport.filter(|ports| *ports != PortRange::ALL) {
        list.extend(match_dport(ports));
    }
    // meta mark set 3
    list.push(expr::load_value(entry.mark.get().to_ne_bytes().to_vec()));
    list.push(expr::set_mark());
    list
}

/// `ip saddr 10.0.0.0/8`
fn match_net(net: &IpNet, offset: u32) -> Vec<Expr> {
    let bytes = octets(net.network());
    let mut list = vec![expr::load_payload(expr::NETWORK, offset, bytes.len() as u32, Register::Reg1)];
    if net.prefix_len() < net.max_prefix_len() {
        list.push(expr::mask(octets(net.netmask())));
    }
    list.push(expr::compare(Operator::Equal, bytes));
    list
}

/// `tcp dport 80` and `tcp dport 80-89`; which protocol is tested before.
fn match_dport(ports: PortRange) -> Vec<Expr> {
    let (offset, len) = expr::DPORT;
    let load = expr::load_payload(expr::TRANSPORT, offset, len, Register::Reg1);
    let bytes = |port: u16| port.to_be_bytes().to_vec();
    if ports.is_one() {
        return vec![load, expr::compare(Operator::Equal, bytes(ports.first))];
    }
    vec![
        load,
        expr::compare(Operator::GreatherThanEqual, bytes(ports.first)),
        expr::compare(Operator::LessThanEqual, bytes(ports.last)),
    ]
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::{Meaning, meaning};
    use super::*;
    use crate::model::{Family, Fwmark, Hook, IfName, Protocol};

    #[test]
    fn a_rule_means_its_selector() {
        let nets = ["192.0.2.1/32", "10.128.0.0/9", "0.0.0.0/0", "2001:db8::1/128", "2001:db8:8000::/33"];
        let ports = [None, Some(PortRange::one(80)), Some(PortRange { first: 0, last: 1023 })];
        for net in nets.map(|net| net.parse::<IpNet>().unwrap()) {
            for (daddr, saddr) in [(None, None), (Some(net), None), (None, Some(net)), (Some(net), Some(net))]
            {
                for dport in ports {
                    for iif in [
                        None,
                        Some(IfName::new("eth0").unwrap()),
                        Some(IfName::new("a-long-name.123").unwrap()),
                    ] {
                        let selector = MarkSelector {
                            hook: Hook::Prerouting,
                            family: Family::of(net.addr()),
                            daddr,
                            protocol: dport.map(|_| Protocol::Udp),
                            dport,
                            saddr,
                            iif,
                        };
                        let entry = MarkEntry { mark: Fwmark::new(u32::MAX).unwrap(), owner: String::new() };
                        let found = meaning(selector.hook, &expressions(&selector, &entry));
                        assert_eq!(found, Meaning::Mark(selector, entry.mark));
                    }
                }
            }
        }
    }

    #[test]
    fn a_rule_that_does_more_is_not_ours() {
        let selector = MarkSelector {
            hook: Hook::Output,
            family: Family::Ipv4,
            daddr: None,
            protocol: Some(Protocol::Tcp),
            dport: Some(PortRange::one(80)),
            saddr: None,
            iif: None,
        };
        let entry = MarkEntry { mark: Fwmark::new(3).unwrap(), owner: String::new() };
        let whole = expressions(&selector, &entry);
        for cut in 0..whole.len() {
            assert_eq!(meaning(Hook::Output, &whole[..cut]), Meaning::Foreign, "{cut} of {}", whole.len());
        }
        let other_size = expr::load_meta(MetaKey::Length, Register::Reg1);
        let mut more = vec![other_size, expr::compare(Operator::Equal, vec![0, 0, 5, 220])];
        more.extend(whole.clone());
        assert_eq!(meaning(Hook::Output, &more), Meaning::Foreign);
        let twice = [whole.clone(), whole].concat();
        assert_eq!(meaning(Hook::Output, &twice), Meaning::Foreign);
    }
}
