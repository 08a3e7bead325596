//! Firewall marks: which packets get which number.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Family, IfName, Protocol};

/// A firewall mark, 1..2^32-1. The kernel reads 0 in a service as "TCP, 0.0.0.0:0", so 0 cannot be said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fwmark(NonZeroU32);

impl Fwmark {
    pub fn new(mark: u32) -> Result<Fwmark, String> {
        NonZeroU32::new(mark)
            .map(Fwmark)
            .ok_or_else(|| "mark 0 means 'no mark'; use 1..4294967295".to_string())
    }

    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for Fwmark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Where packets are marked: those that arrive, or those the director itself sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hook {
    Prerouting,
    Output,
}

impl fmt::Display for Hook {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Hook::Prerouting => "prerouting",
            Hook::Output => "output",
        })
    }
}

/// Destination ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    pub first: u16,
    pub last: u16,
}

impl PortRange {
    pub const ALL: PortRange = PortRange { first: 0, last: u16::MAX };

    pub fn one(port: u16) -> PortRange {
        PortRange { first: port, last: port }
    }

    pub fn new(first: u16, last: u16) -> Result<PortRange, String> {
        if first <= last {
            Ok(PortRange { first, last })
        } else {
            Err(format!("port range {first}-{last} runs backwards"))
        }
    }

    pub fn is_one(self) -> bool {
        self.first == self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_one() { self.first.fmt(out) } else { write!(out, "{}-{}", self.first, self.last) }
    }
}

/// Which packets: the key of one mark. What a user writes with several protocols and ports becomes several of
/// these, so that adding, changing and removing one is one element in the kernel.
///
/// Everything that is `None` matches all. `dport` needs a protocol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MarkSelector {
    pub hook: Hook,
    pub family: Family,
    pub daddr: Option<IpNet>,
    pub protocol: Option<Protocol>,
    pub dport: Option<PortRange>,
    pub saddr: Option<IpNet>,
    /// Device the packet came in by; only in prerouting.
    pub iif: Option<IfName>,
}

/// How a selector is kept in the table `inet lvsh`. Later kinds win over earlier ones when a packet matches
/// several: the chain looks up ranges first, then exact elements, then rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MarkKind {
    /// An element of the interval map: prefixes and port ranges.
    Range,
    /// An element of the hash map: one address, one protocol, one port.
    Exact,
    /// A rule of its own: a source, a device, no address or no protocol.
    Rule,
}

impl MarkSelector {
    pub fn kind(&self) -> MarkKind {
        match (&self.daddr, self.protocol, &self.saddr, &self.iif) {
            (Some(daddr), Some(_), None, None) => match self.dport {
                Some(ports) if ports.is_one() && daddr.prefix_len() == daddr.max_prefix_len() => {
                    MarkKind::Exact
                }
                _ => MarkKind::Range,
            },
            _ => MarkKind::Rule,
        }
    }
}

impl MarkSelector {
    /// The one way to write it: networks without host bits, all ports said by silence. Keys are compared, so
    /// whoever makes one says it so.
    #[must_use]
    pub fn canonical(mut self) -> MarkSelector {
        self.daddr = self.daddr.map(|net| net.trunc());
        self.saddr = self.saddr.map(|net| net.trunc());
        self.dport = self.dport.filter(|ports| *ports != PortRange::ALL);
        self
    }

    /// Whether this cannot be added to `marks`: the same match is there, or a range of the same map that cannot
    /// stand beside it.
    ///
    /// Ranges may lie within each other, and the narrower one wins. The kernel refuses an element whose first or
    /// last corner (address and port) lies in one that is there (`nft_pipapo_insert`, nft_set_pipapo.c); narrower
    /// ones are there first. So ranges that cross, or share a corner, are refused.
    pub fn meets_any<V>(&self, marks: &BTreeMap<MarkSelector, V>) -> bool {
        marks.contains_key(self)
            || (self.kind() == MarkKind::Range && marks.keys().any(|other| self.clashes(other)))
    }

    fn clashes(&self, other: &MarkSelector) -> bool {
        let map = |s: &MarkSelector| (s.hook, s.family, s.protocol, s.kind());
        if map(self) != map(other) {
            return false;
        }
        let (narrow, wide) = if self.width() <= other.width() { (self, other) } else { (other, self) };
        let (Some(inner), Some(outer)) = (narrow.daddr, wide.daddr) else { return false };
        let ports = narrow.dport.unwrap_or(PortRange::ALL);
        let corners = wide.dport.unwrap_or(PortRange::ALL);
        let within =
            |addr: IpAddr, port: u16| inner.contains(&addr) && (ports.first..=ports.last).contains(&port);
        within(outer.network(), corners.first) || within(outer.broadcast(), corners.last)
    }

    /// How much a range covers; the narrower of two that share packets wins: longer prefixes, then fewer ports.
    pub fn width(&self) -> (Reverse<u8>, u16) {
        let prefix = self.daddr.map_or(0, |net| net.prefix_len());
        let ports = self.dport.unwrap_or(PortRange::ALL);
        (Reverse(prefix), ports.last - ports.first)
    }

    /// Whether some packet matches both ranges.
    pub fn shares_packets(&self, other: &MarkSelector) -> bool {
        let nets = match (self.daddr, other.daddr) {
            (Some(a), Some(b)) => a.contains(&b) || b.contains(&a),
            _ => false,
        };
        let (a, b) = (self.dport.unwrap_or(PortRange::ALL), other.dport.unwrap_or(PortRange::ALL));
        nets && self.protocol == other.protocol && a.first <= b.last && b.first <= a.last
    }
}

/// As nft spells the match: `ip saddr 10.0.0.0/8 ip daddr 192.0.2.1 tcp dport 80`.
impl fmt::Display for MarkSelector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if let Some(iif) = &self.iif {
            words.push(format!("iifname \"{iif}\""));
        }
        if let Some(saddr) = &self.saddr {
            words.push(format!("{} saddr {}", self.family.nft(), show_net(saddr)));
        }
        if let Some(daddr) = &self.daddr {
            words.push(format!("{} daddr {}", self.family.nft(), show_net(daddr)));
        }
        if self.saddr.is_none() && self.daddr.is_none() {
            words.push(format!("meta nfproto {}", self.family));
        }
        match (self.protocol, self.dport) {
            (Some(protocol), Some(ports)) if ports != PortRange::ALL => {
                words.push(format!("{protocol} dport {ports}"));
            }
            (Some(protocol), _) => words.push(format!("meta l4proto {protocol}")),
            (None, _) => {}
        }
        out.write_str(&words.join(" "))
    }
}

/// A host without its prefix length, a network with it, as nft prints them.
pub(super) fn show_net(net: &IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}
