//! Persistence: how long, and how wide, a client sticks to its server.

use std::fmt;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Family;
use super::service::module_name;

/// 31 days, ipvsadm's limit. The kernel multiplies by HZ in 32 bits and would wrap far above it.
pub const MAX_PERSIST_SECONDS: u32 = 31 * 24 * 3600;

/// Persistence of a service. What the client's address, masked, is kept with decides its kind: one port (PPC),
/// a firewall mark (PFWMC), or port 0 and so everything of a client (PCC).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Persistence {
    /// Seconds a template lives after the last connection it decided; 0 is stored by the kernel and means no hold.
    pub timeout: u32,
    pub netmask: Netmask,
}

impl Persistence {
    /// What ipvsadm sends for a bare `-p`: `IPVS_SVC_PERSISTENT_TIMEOUT` (libipvs.h).
    pub const DEFAULT_SECONDS: u32 = 360;

    pub fn seconds(timeout: u32, family: Family) -> Persistence {
        Persistence { timeout, netmask: Netmask::host(family) }
    }
}

/// `600`, or `600 mask 255.255.255.0`, as ipvsadm prints it.
impl fmt::Display for Persistence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timeout.fmt(out)?;
        if self.netmask.is_host() { Ok(()) } else { write!(out, " mask {}", self.netmask) }
    }
}

/// Which part of a client's address counts. On the wire: IPv4 a mask in network order, IPv6 a prefix length.
///
/// The kernel accepts IPv4 masks with holes; they are kept when read, and refused when written by a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Netmask {
    V4(Ipv4Addr),
    /// 1..128
    V6(u8),
}

impl Netmask {
    /// Every bit counts: 255.255.255.255 or 128.
    pub fn host(family: Family) -> Netmask {
        match family {
            Family::Ipv4 => Netmask::V4(Ipv4Addr::BROADCAST),
            Family::Ipv6 => Netmask::V6(128),
        }
    }

    pub fn is_host(self) -> bool {
        matches!(self, Netmask::V4(Ipv4Addr::BROADCAST) | Netmask::V6(128))
    }

    /// From a prefix length of the family, 1..32 or 1..128.
    pub fn prefix(length: u8, family: Family) -> Result<Netmask, String> {
        if length == 0 || length > family.max_prefix() {
            return Err(format!("prefix length {length} is not in 1..{}", family.max_prefix()));
        }
        Ok(match family {
            Family::Ipv4 => Netmask::V4(Ipv4Addr::from_bits(u32::MAX << (32 - u32::from(length)))),
            Family::Ipv6 => Netmask::V6(length),
        })
    }

    /// From an IPv4 mask (`255.255.255.0`); holes are refused.
    pub fn v4(mask: Ipv4Addr) -> Result<Netmask, String> {
        let bits = mask.to_bits();
        if bits != 0 && bits.leading_ones() + bits.trailing_zeros() == 32 {
            Ok(Netmask::V4(mask))
        } else {
            Err(format!("netmask {mask} has holes or is empty; use one like 255.255.255.0"))
        }
    }
}

impl fmt::Display for Netmask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Netmask::V4(mask) => mask.fmt(out),
            Netmask::V6(length) => length.fmt(out),
        }
    }
}

/// A persistence engine's name (`IP_VS_PENAME_MAXLEN` is 16 with the NUL, linux/ip_vs.h).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeName(String);

impl PeName {
    pub fn new(name: &str) -> Result<PeName, String> {
        module_name("a persistence engine's name", name).map(PeName)
    }

    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PeName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks() {
        assert_eq!(Netmask::prefix(24, Family::Ipv4), Netmask::v4(Ipv4Addr::new(255, 255, 255, 0)));
        assert!(Netmask::prefix(32, Family::Ipv4).expect("a prefix").is_host());
        assert!(Netmask::prefix(0, Family::Ipv6).is_err());
        assert!(Netmask::prefix(129, Family::Ipv6).is_err());
        assert!(Netmask::v4(Ipv4Addr::new(255, 0, 255, 0)).is_err());
    }
}
