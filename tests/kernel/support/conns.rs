//! `/proc/net/ip_vs_conn`, parsed, with what `ip_vs_conn_sync` says of where each came from.

use super::Namespace;
use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
};

#[derive(Debug, Clone, PartialEq)]
pub struct Conn {
    /// TCP, UDP, SCTP; IP for the template of a firewall mark.
    pub protocol: String,
    pub client: (IpAddr, u16),
    pub service: (IpAddr, u16),
    pub server: (IpAddr, u16),
    pub state: String,
    /// Seconds until it expires.
    pub expires: u64,
    /// Whether the sync daemon brought it, and this host did not make it itself.
    pub synced: bool,
    /// Of the persistence engine, when there is one.
    pub engine: Option<String>,
    pub engine_data: Option<String>,
}

impl Conn {
    /// A persistence template: it has no client port and no state.
    pub fn is_template(&self) -> bool {
        self.client.1 == 0
    }

    /// The mark of a template made by a service of a mark.
    pub fn mark(&self) -> Option<u32> {
        match self.service.0 {
            IpAddr::V4(address) if self.protocol == "IP" => Some(address.to_bits()),
            // The kernel puts the mark into the first word.
            IpAddr::V6(address) if self.protocol == "IP" => u32::try_from(address.to_bits() >> 96).ok(),
            _ => None,
        }
    }
}

pub fn read(namespace: &Namespace) -> Vec<Conn> {
    let list = |name: &str| -> Vec<String> {
        let path = format!("/proc/thread-self/net/{name}");
        let text = namespace.inside(|| fs::read_to_string(&path)).unwrap_or_else(|e| panic!("{path}: {e}"));
        text.lines().skip(1).map(str::to_owned).collect()
    };
    // The second list has the same entries with their origin, but not what the persistence engine says.
    let origin = |line: &String| line.contains(" SYNC ").then(|| addresses(line));
    let synced: Vec<_> = list("ip_vs_conn_sync").iter().filter_map(origin).collect();
    let mut conns = Vec::new();
    for line in list("ip_vs_conn") {
        let mut conn = parse(&line).unwrap_or_else(|| panic!("ip_vs_conn: not understood: {line}"));
        conn.synced = synced.contains(&addresses(&line));
        conns.push(conn);
    }
    conns
}

/// Protocol, client, service and server: what both lists begin with.
fn addresses(line: &str) -> Vec<String> {
    line.split_whitespace().take(7).map(str::to_owned).collect()
}

fn parse(line: &str) -> Option<Conn> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [protocol, c, cp, v, vp, s, sp, state, expires, rest @ ..] = words.as_slice() else {
        return None;
    };
    Some(Conn {
        protocol: (*protocol).to_owned(),
        client: (address(c)?, port(cp)?),
        service: (address(v)?, port(vp)?),
        server: (address(s)?, port(sp)?),
        state: (*state).to_owned(),
        expires: expires.parse().ok()?,
        synced: false,
        engine: rest.first().map(|w| (*w).to_owned()),
        engine_data: rest.get(1).map(|w| (*w).to_owned()),
    })
}

/// IPv4 in hexadecimal, IPv6 in full.
fn address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        return text.parse().ok().map(IpAddr::V6);
    }
    let bits = u32::from_str_radix(text, 16).ok()?;
    Some(Ipv4Addr::from_bits(bits).into())
}

fn port(text: &str) -> Option<u16> {
    u16::from_str_radix(text, 16).ok()
}
