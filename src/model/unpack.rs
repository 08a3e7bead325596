//! What a real server unpacks tunnelled packets with: devices, and UDP ports in front of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Family;

/// The kind of a tunnel device, in the words of ip-link(8). Its encapsulation and the outer family are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// IPv4 in IPv4.
    Ipip,
    /// IPv6 in IPv4.
    Sit,
    /// Both in IPv6.
    Ip6tnl,
    /// Both in GRE in IPv4.
    Gre,
    /// Both in GRE in IPv6.
    Ip6gre,
}

impl DeviceKind {
    /// Whether its packets have a GRE header.
    pub fn is_gre(self) -> bool {
        matches!(self, DeviceKind::Gre | DeviceKind::Ip6gre)
    }

    pub const ALL: [DeviceKind; 5] =
        [DeviceKind::Ipip, DeviceKind::Sit, DeviceKind::Ip6tnl, DeviceKind::Gre, DeviceKind::Ip6gre];

    pub fn name(self) -> &'static str {
        match self {
            DeviceKind::Ipip => "ipip",
            DeviceKind::Sit => "sit",
            DeviceKind::Ip6tnl => "ip6tnl",
            DeviceKind::Gre => "gre",
            DeviceKind::Ip6gre => "ip6gre",
        }
    }

    /// The module that makes such devices.
    pub fn module(self) -> &'static str {
        match self {
            DeviceKind::Ipip => "ipip",
            DeviceKind::Sit => "sit",
            DeviceKind::Ip6tnl => "ip6_tunnel",
            DeviceKind::Gre => "ip_gre",
            DeviceKind::Ip6gre => "ip6_gre",
        }
    }

    /// How ip-link(8) is told to take the packets of every sender. `sit` has no `external`; of two that take all, the
    /// younger gets the packets, and `dev lo` tells it from the `sit0` that comes with the module.
    pub fn from_anyone(self) -> &'static str {
        match self {
            DeviceKind::Sit => "dev lo",
            DeviceKind::Ip6tnl => "mode any external",
            _ => "external",
        }
    }
}

impl FromStr for DeviceKind {
    type Err = ();

    fn from_str(text: &str) -> Result<DeviceKind, ()> {
        DeviceKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or(())
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// A device that unpacks. Its name is its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TunnelDevice {
    pub kind: DeviceKind,
    /// Whether it takes packets of every sender: the directors of a real server are many, or change.
    pub from_anyone: bool,
    /// Whether the GRE headers it takes have a checksum: the kernel drops those that are not as the device says
    /// (`ip_tunnel_rcv`, ip_tunnel.c). Only of the GRE kinds.
    pub checksum: bool,
    pub up: bool,
    /// `net.ipv4.conf.DEVICE.rp_filter`: 0 no check of the sender, 1 strict, 2 loose.
    pub rp_filter: u8,
    /// `IFLA_IFALIAS`: a note that anybody can put on a device; empty when there is none.
    pub alias: String,
}

impl TunnelDevice {
    /// The note on devices that lvsh made. Links have no protocol number as addresses and routes have.
    pub const OURS: &'static str = "lvsh";

    /// Clients are behind another device, so a strict check would drop what comes out of the tunnel. The kernel takes
    /// the larger of `all` and the device's own value: loose (2) wins over a strict `all` (1), and the machine keeps
    /// its check on every other device.
    pub const LOOSE: u8 = 2;

    /// One as lvsh makes it.
    pub fn ours(kind: DeviceKind, checksum: bool) -> TunnelDevice {
        let alias = Self::OURS.to_string();
        TunnelDevice { kind, from_anyone: true, checksum, up: true, rp_filter: Self::LOOSE, alias }
    }

    pub fn is_ours(&self) -> bool {
        self.alias == Self::OURS
    }

    /// Whether one can be made of the other without taking it away.
    pub fn is_kin(&self, other: &TunnelDevice) -> bool {
        let made = |one: &TunnelDevice| (one.kind, one.from_anyone, one.checksum);
        made(self) == made(other)
    }
}

impl fmt::Display for TunnelDevice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = if self.from_anyone { "from anyone" } else { "between two hosts" };
        let state = if self.up { "up" } else { "down" };
        let sum = if self.checksum { " with checksum" } else { "" };
        write!(out, "{}{sum} {ends} {state} rp_filter {}", self.kind, self.rp_filter)
    }
}

/// A UDP port that unpacks, in the family of the outer packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FouKey {
    pub family: Family,
    pub port: u16,
}

impl fmt::Display for FouKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.family {
            Family::Ipv4 => write!(out, "{}", self.port),
            Family::Ipv6 => write!(out, "ipv6 {}", self.port),
        }
    }
}

/// What comes in at such a port (`FOU_ATTR_TYPE`, linux/fou.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fou {
    /// Packets whose header says what they hold: what IPVS sends as tunnel type gue.
    Gue,
    /// Bare packets of one IP protocol.
    Protocol(u8),
}

impl fmt::Display for Fou {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fou::Gue => out.write_str("gue"),
            Fou::Protocol(number) => write!(out, "ipproto {number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names() {
        for kind in DeviceKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("vxlan".parse::<DeviceKind>(), Err(()));
    }
}
