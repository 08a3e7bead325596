//! Firewall marks: one table of the user is several selectors.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::super::convert::{Row, Val};
use super::super::fault::{Checked, Fault};
use crate::model::{Family, Fwmark, Hook, IfName, MarkSelector, Protocol};

/// What one table says: its mark, and everything it is set on.
#[derive(Debug)]
pub struct Marks {
    pub mark: Fwmark,
    pub selectors: Vec<MarkSelector>,
    /// Only the mark was named.
    pub bare: bool,
}

/// Every protocol with every port.
pub fn marks(row: &Row) -> Checked<Marks> {
    let mark = Fwmark::new(row.u32("mark").unwrap_or(0)).map_err(|why| Fault::bad(why).under("mark"))?;
    let net = |name: &str| match row.get(name) {
        Val::Net(net) => Some(net.trunc()),
        _ => None,
    };
    let (daddr, saddr) = (net("daddr"), net("saddr"));
    let family = family(row, daddr, saddr)?;
    let hook = if row.bool("output") == Some(true) { Hook::Output } else { Hook::Prerouting };
    let iif = match row.str("iif") {
        Some(name) => Some(IfName::new(name).map_err(|why| Fault::bad(why).under("iif"))?),
        None => None,
    };
    if iif.is_some() && hook == Hook::Output {
        return Err(Fault::bad("'iif' and 'output' exclude each other: what is sent came in by no device")
            .under("iif"));
    }
    let protocols: Vec<Option<Protocol>> = match row.list("proto") {
        [] => vec![None],
        some => some.iter().map(protocol).collect(),
    };
    if row.has("dports") && protocols == [None] {
        return Err(Fault::bad("'dports' needs 'proto'")
            .hint("proto = \"tcp\", or { \"tcp\", \"udp\" }")
            .under("dports"));
    }
    let ports: Vec<_> = match row.list("dports") {
        [] => vec![None],
        some => {
            some.iter().map(|val| if let Val::Ports(ports) = val { Some(*ports) } else { None }).collect()
        }
    };
    let mut selectors = Vec::with_capacity(protocols.len() * ports.len());
    let mut seen = BTreeSet::new();
    for protocol in protocols {
        for (at, dport) in ports.iter().enumerate() {
            let iif = iif.clone();
            let selector =
                MarkSelector { hook, family, daddr, protocol, dport: *dport, saddr, iif }.canonical();
            if !seen.insert(selector.clone()) {
                return Err(Fault::bad(format!("{selector} is named twice")).item(at + 1).under("dports"));
            }
            selectors.push(selector);
        }
    }
    let named = ["daddr", "saddr", "iif", "proto", "dports", "output", "family"];
    Ok(Marks { mark, selectors, bare: !named.iter().any(|name| row.has(name)) })
}

fn protocol(val: &Val) -> Option<Protocol> {
    match val {
        Val::Word("udp") => Some(Protocol::Udp),
        Val::Word("sctp") => Some(Protocol::Sctp),
        Val::Word(_) => Some(Protocol::Tcp),
        _ => None,
    }
}

fn family(row: &Row, daddr: Option<IpNet>, saddr: Option<IpNet>) -> Checked<Family> {
    let of = |net: IpNet| Family::of(net.addr());
    if let (Some(daddr), Some(saddr)) = (daddr, saddr)
        && of(daddr) != of(saddr)
    {
        return Err(Fault::bad("'daddr' and 'saddr' are of different families").under("saddr"));
    }
    let said = row.str("family").map(|word| if word == "ipv6" { Family::Ipv6 } else { Family::Ipv4 });
    match (daddr.or(saddr).map(of), said) {
        (Some(family), Some(said)) if family != said => {
            Err(Fault::bad(format!("'family' is {said}, but the address is {family}")).under("family"))
        }
        (family, said) => Ok(family.or(said).unwrap_or(Family::Ipv4)),
    }
}
