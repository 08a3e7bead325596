//! `/proc/net/ip_vs_conn`, parsed.

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
    let text =
        namespace.inside(|| fs::read_to_string("/proc/thread-self/net/ip_vs_conn")).expect("ip_vs_conn");
    text.lines()
        .skip(1)
        .map(|line| parse(line).unwrap_or_else(|| panic!("ip_vs_conn: not understood: {line}")))
        .collect()
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
