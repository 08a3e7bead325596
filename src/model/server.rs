//! Real servers (the kernel calls them destinations).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Family, METHODS, Port, choice, parse_endpoint, show_endpoint};

/// What identifies a server within its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ServerKey {
    pub addr: IpAddr,
    pub port: Port,
}

impl ServerKey {
    pub fn family(&self) -> Family {
        Family::of(self.addr)
    }
}

/// The address alone when the port is 0, which is what people type for firewall-mark services.
impl fmt::Display for ServerKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port == Port(0) {
            self.addr.fmt(out)
        } else {
            out.write_str(&show_endpoint(self.addr, self.port))
        }
    }
}

/// Reads what [`ServerKey`] prints.
impl FromStr for ServerKey {
    type Err = String;

    fn from_str(text: &str) -> Result<ServerKey, String> {
        let (addr, port) = parse_endpoint(text)?;
        Ok(ServerKey { addr, port: port.unwrap_or_default() })
    }
}

/// How packets reach a server (`IP_VS_CONN_F_FWD_MASK`, linux/ip_vs.h): the low three bits of the method word.
///
/// Users name `dr`, `nat` or `tun`. The kernel also stores 1 (local), 4 (bypass) and the undefined 5..7 when
/// told so; these are read and carried, never written by us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forwarding {
    #[default]
    Dr,
    Nat,
    Tun,
    Other(u8),
}

impl Forwarding {
    /// The names of [`METHODS`].
    pub const KNOWN: [&'static str; 3] = choice::names(&METHODS);

    pub fn number(self) -> u32 {
        match self {
            Forwarding::Nat => 0,
            Forwarding::Tun => 2,
            Forwarding::Dr => 3,
            Forwarding::Other(number) => u32::from(number),
        }
    }

    pub fn from_number(number: u32) -> Forwarding {
        match number & 0x7 {
            0 => Forwarding::Nat,
            2 => Forwarding::Tun,
            3 => Forwarding::Dr,
            other => Forwarding::Other(other as u8),
        }
    }
}

impl fmt::Display for Forwarding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Forwarding::Dr => out.write_str("dr"),
            Forwarding::Nat => out.write_str("nat"),
            Forwarding::Tun => out.write_str("tun"),
            Forwarding::Other(1) => out.write_str("local"),
            Forwarding::Other(4) => out.write_str("bypass"),
            Forwarding::Other(number) => write!(out, "method-{number}"),
        }
    }
}

/// Reads what [`Forwarding`] prints.
impl FromStr for Forwarding {
    type Err = String;

    fn from_str(text: &str) -> Result<Forwarding, String> {
        Ok(match text {
            "dr" => Forwarding::Dr,
            "nat" => Forwarding::Nat,
            "tun" => Forwarding::Tun,
            "local" => Forwarding::Other(1),
            "bypass" => Forwarding::Other(4),
            _ => match text.strip_prefix("method-").and_then(|number| number.parse::<u32>().ok()) {
                Some(number @ 0..=7) => Forwarding::from_number(number),
                _ => return Err(format!("'{text}' is not a method; use dr, nat or tun")),
            },
        })
    }
}

/// A server's weight. The kernel takes 0..2^31-1 (`IPVS_DEST_ATTR_WEIGHT`, read as a signed int); people are held
/// to ipvsadm's 0..65535. 0 takes no new connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Weight(u32);

impl Weight {
    pub const MAX: u32 = i32::MAX as u32;
    /// Takes no new connections.
    pub const NONE: Weight = Weight(0);

    pub fn new(weight: u32) -> Result<Weight, String> {
        if weight <= Self::MAX {
            Ok(Weight(weight))
        } else {
            Err(format!("weight {weight} is above {}", Self::MAX))
        }
    }

    pub fn get(self) -> u32 {
        self.0
    }

    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Weight(1)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Encapsulation of a `tun` server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TunnelKind {
    #[default]
    Ipip,
    Gue,
    Gre,
    /// The kernel stores any number silently.
    Other(u8),
}

impl TunnelKind {
    pub fn number(self) -> u8 {
        match self {
            TunnelKind::Ipip => 0,
            TunnelKind::Gue => 1,
            TunnelKind::Gre => 2,
            TunnelKind::Other(number) => number,
        }
    }

    pub fn from_number(number: u8) -> TunnelKind {
        match number {
            0 => TunnelKind::Ipip,
            1 => TunnelKind::Gue,
            2 => TunnelKind::Gre,
            other => TunnelKind::Other(other),
        }
    }
}

impl fmt::Display for TunnelKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TunnelKind::Ipip => out.write_str("ipip"),
            TunnelKind::Gue => out.write_str("gue"),
            TunnelKind::Gre => out.write_str("gre"),
            TunnelKind::Other(number) => write!(out, "tunnel-{number}"),
        }
    }
}

/// Reads what [`TunnelKind`] prints.
impl FromStr for TunnelKind {
    type Err = String;

    fn from_str(text: &str) -> Result<TunnelKind, String> {
        Ok(match text {
            "ipip" => TunnelKind::Ipip,
            "gue" => TunnelKind::Gue,
            "gre" => TunnelKind::Gre,
            _ => match text.strip_prefix("tunnel-").and_then(|number| number.parse().ok()) {
                Some(number) => TunnelKind::from_number(number),
                None => return Err(format!("'{text}' is not a tunnel; use ipip, gue or gre")),
            },
        })
    }
}

/// The tunnel part of a server. Kernels before 5.2 know only ipip, before 5.3 no GRE and no GUE checksums.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tunnel {
    pub kind: TunnelKind,
    /// UDP port of GUE, 1..65535; 0 for the others.
    pub port: Port,
    /// `IP_VS_TUNNEL_ENCAP_FLAG_*` (linux/ip_vs.h): 0 no checksum, 1 checksum, 2 remote checksum offload.
    pub flags: u16,
}

/// The configuration of one server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    #[serde(skip_serializing_if = "is_default")]
    pub method: Forwarding,
    #[serde(skip_serializing_if = "is_default")]
    pub weight: Weight,
    /// Above this many connections (active and inactive) no new one is sent; 0 is no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub upper: u32,
    /// Below this many it is used again; at most `upper`.
    #[serde(skip_serializing_if = "is_default")]
    pub lower: u32,
    #[serde(skip_serializing_if = "is_default")]
    pub tunnel: Tunnel,
}

impl Server {
    /// Without the settings of a tunnel that it does not use; the kernel keeps them all the same.
    #[must_use]
    pub fn used(&self) -> Server {
        let tunnel = if self.method == Forwarding::Tun { self.tunnel } else { Tunnel::default() };
        Server { tunnel, ..*self }
    }
}

/// What is as usual need not be written: state files of big directors are mostly servers.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `dr weight 1`, with thresholds and tunnel only when they are set.
impl fmt::Display for Server {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} weight {}", self.method, self.weight)?;
        if self.upper != 0 || self.lower != 0 {
            write!(out, " upper {} lower {}", self.upper, self.lower)?;
        }
        if self.tunnel != Tunnel::default() {
            write!(out, " {}", self.tunnel.kind)?;
            if self.tunnel.port != Port(0) {
                write!(out, " port {}", self.tunnel.port)?;
            }
            match self.tunnel.flags {
                0 => {}
                1 => out.write_str(" csum")?,
                2 => out.write_str(" remcsum")?,
                other => write!(out, " tunnel-flags {other:#x}")?,
            }
        }
        Ok(())
    }
}
