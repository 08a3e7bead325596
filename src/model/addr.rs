//! Addresses, ports and protocols.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Address family. A mark service has one although it has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    /// The family of an address.
    pub fn of(addr: IpAddr) -> Family {
        if addr.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 }
    }

    /// The longest prefix: 32 or 128.
    pub fn max_prefix(self) -> u8 {
        match self {
            Family::Ipv4 => 32,
            Family::Ipv6 => 128,
        }
    }

    /// The word nft and ipvsadm users know: `ip` or `ip6`.
    pub fn nft(self) -> &'static str {
        match self {
            Family::Ipv4 => "ip",
            Family::Ipv6 => "ip6",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        })
    }
}

/// Transport protocol of a service or of a mark.
///
/// The kernel does not validate the number of a service (0, 1 and 99 are stored), so a foreign one is kept as
/// [`Protocol::Other`] and never lost; users can only name the three that IPVS can balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
    Other(u8),
}

impl Protocol {
    /// IANA protocol number.
    pub fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
            Protocol::Other(number) => number,
        }
    }

    /// From an IANA protocol number.
    pub fn from_number(number: u8) -> Protocol {
        match number {
            6 => Protocol::Tcp,
            17 => Protocol::Udp,
            132 => Protocol::Sctp,
            other => Protocol::Other(other),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Protocol::Tcp => out.write_str("tcp"),
            Protocol::Udp => out.write_str("udp"),
            Protocol::Sctp => out.write_str("sctp"),
            Protocol::Other(number) => write!(out, "proto-{number}"),
        }
    }
}

impl FromStr for Protocol {
    type Err = String;

    fn from_str(text: &str) -> Result<Protocol, String> {
        match text {
            "tcp" => Ok(Protocol::Tcp),
            "udp" => Ok(Protocol::Udp),
            "sctp" => Ok(Protocol::Sctp),
            _ => match text.strip_prefix("proto-").and_then(|number| number.parse().ok()) {
                Some(number) => Ok(Protocol::from_number(number)),
                None => Err(format!("'{text}' is not a protocol; use tcp, udp or sctp")),
            },
        }
    }
}

/// A port, 0..65535. For a service, 0 means every port (and needs persistence); for a server, 0 means "as the
/// client asked", which is what a firewall-mark service in direct routing wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Port(pub u16);

impl fmt::Display for Port {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// `192.0.2.1:80` or `[2001:db8::1]:80`.
pub fn show_endpoint(addr: IpAddr, port: Port) -> String {
    match addr {
        IpAddr::V4(addr) => format!("{addr}:{port}"),
        IpAddr::V6(addr) => format!("[{addr}]:{port}"),
    }
}

/// Reads `192.0.2.1:80`, `[2001:db8::1]:80`, or an address alone (then the port is `None`).
///
/// Names are not resolved: what a name means today must not decide what a director does tomorrow.
pub fn parse_endpoint(text: &str) -> Result<(IpAddr, Option<Port>), String> {
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Ok((addr, None));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, port.strip_prefix(':').or(Some(port))),
            None => return Err(format!("'{text}' has '[' without ']'")),
        },
        None => match text.rsplit_once(':') {
            Some((host, _)) if host.contains(':') => {
                return Err(format!(
                    "'{text}' is not an address; write IPv6 with a port as [2001:db8::1]:80"
                ));
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let addr = host.parse::<IpAddr>().map_err(|_| bad_address(host))?;
    let port = match port {
        None => None,
        Some(port) => Some(Port(port.parse::<u16>().map_err(|_| bad_port(port))?)),
    };
    Ok((addr, port))
}

fn bad_address(host: &str) -> String {
    if host.is_empty() {
        "the address is empty; write it as 192.0.2.1 or 2001:db8::1".to_string()
    } else if host.chars().all(|c| c.is_ascii_digit() || c == '.') {
        format!("'{host}' is not an IPv4 address (four numbers, 0..255)")
    } else {
        format!("'{host}' is not an address; names are not looked up, write it as 192.0.2.1 or 2001:db8::1")
    }
}

fn bad_port(port: &str) -> String {
    format!("port '{port}' is not a number 0..65535")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_round_trip() {
        for text in ["192.0.2.1:80", "[2001:db8::1]:443", "0.0.0.0:0"] {
            let (addr, port) = parse_endpoint(text).expect(text);
            assert_eq!(show_endpoint(addr, port.expect("a port")), text);
        }
        assert_eq!(parse_endpoint("::1").expect("v6 alone").1, None);
    }

    #[test]
    fn bad_endpoints_name_value_and_remedy() {
        for (text, part) in [
            ("192.168.1.300:80", "not an IPv4 address"),
            ("www.example.org:80", "names are not looked up"),
            ("192.0.2.1:70000", "0..65535"),
            ("2001:db8::1:80x", "[2001:db8::1]:80"),
            ("[::1:80", "without ']'"),
            ("", "empty"),
        ] {
            let message = parse_endpoint(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }
}
