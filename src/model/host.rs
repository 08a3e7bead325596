//! What a director needs of its host: addresses, sysctls, timeouts.

use std::fmt;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{SYSCTLS, Sysctl};

/// A network device's name, 1..15 bytes (`IFNAMSIZ`, linux/if.h).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IfName(String);

impl IfName {
    pub fn new(name: &str) -> Result<IfName, String> {
        let fits = (1..=15).contains(&name.len());
        let clean = name.bytes().all(|b| b.is_ascii_graphic() && b != b'/' && b != b':');
        if fits && clean && name != "." && name != ".." {
            Ok(IfName(name.to_string()))
        } else {
            Err(format!("'{name}' is not a device name: 1 to 15 characters without '/', ':' or spaces"))
        }
    }

    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// An address on a device. The prefix belongs to the key, as for the kernel: `/24` and `/32` are two addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VipKey {
    pub addr: IpNet,
    pub dev: IfName,
}

impl fmt::Display for VipKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} dev {}", self.addr, self.dev)
    }
}

/// What is known of an address beside its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Vip {
    /// `IFA_PROTO` (linux/if_addr.h): who added the address; 0 when nobody said. Ours is [`Vip::OURS`].
    pub proto: u8,
}

impl Vip {
    /// The number that says "added by lvsh". 0..3 are the kernel's; `ip` prints others as numbers.
    pub const OURS: u8 = 76;

    pub fn ours() -> Vip {
        Vip { proto: Self::OURS }
    }

    pub fn is_ours(self) -> bool {
        self.proto == Self::OURS
    }
}

/// A sysctl's name with dots: `net.ipv4.vs.conntrack`, `net.ipv4.conf.eth0.arp_ignore`.
///
/// A device whose name has a dot (`eth0.5`) is written with slashes, as sysctl(8) does: `net/ipv4/conf/eth0.5/arp_ignore`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SysctlName(String);

impl SysctlName {
    /// The prefix of IPVS's own, which may be left out: `conntrack` is `net.ipv4.vs.conntrack`.
    pub const VS: &'static str = "net.ipv4.vs.";

    /// Those of IPVS whose default is the same on every machine: what differs from it was set by somebody.
    pub fn portable() -> impl Iterator<Item = SysctlName> {
        let known = SYSCTLS.iter().filter(|known| known.since.is_empty() && !known.default.is_empty());
        known.filter_map(|known| SysctlName::new(known.name).ok()).filter(SysctlName::is_vs)
    }

    /// Whether it is of IPVS.
    pub fn is_vs(&self) -> bool {
        self.0.starts_with(Self::VS)
    }

    /// Whether a namespace starts with this value; false for settings that are not of IPVS.
    pub fn is_default(&self, value: &str) -> bool {
        self.is_vs()
            && Sysctl::of(self).is_some_and(|known| !known.default.is_empty() && known.default == value)
    }

    pub fn new(name: &str) -> Result<SysctlName, String> {
        let full = if name.contains(['.', '/']) { name.to_string() } else { format!("{}{name}", Self::VS) };
        let parts: Vec<&str> = full.split(['.', '/']).collect();
        let clean = full.bytes().all(|b| b.is_ascii_graphic());
        if !clean || parts.iter().any(|part| part.is_empty()) || !full.starts_with("net") {
            return Err(format!(
                "'{name}' is not a sysctl of the network: write net.ipv4.vs.conntrack, or conntrack alone"
            ));
        }
        Ok(SysctlName(full))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// Its file under /proc/sys.
    pub fn path(&self) -> PathBuf {
        let relative = if self.0.contains('/') { self.0.clone() } else { self.0.replace('.', "/") };
        PathBuf::from("/proc/sys").join(relative)
    }
}

impl fmt::Display for SysctlName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Timeouts of connection entries, seconds, per network namespace (`ipvsadm --set`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Timeouts {
    pub tcp: u32,
    pub tcp_fin: u32,
    pub udp: u32,
}

impl Timeouts {
    /// A kernel's `INT_MAX / HZ` is smallest at HZ 1000; what is above it is EINVAL there.
    pub const MAX: u32 = i32::MAX as u32 / 1000;

    /// None of them: 0 says nothing, as for the kernel (`ip_vs_set_timeout`).
    pub const NONE: Timeouts = Timeouts { tcp: 0, tcp_fin: 0, udp: 0 };

    /// Field by field.
    pub fn zip(self, other: Timeouts, each: impl Fn(u32, u32) -> u32) -> Timeouts {
        Timeouts {
            tcp: each(self.tcp, other.tcp),
            tcp_fin: each(self.tcp_fin, other.tcp_fin),
            udp: each(self.udp, other.udp),
        }
    }

    /// These, and what they do not say from `old`.
    #[must_use]
    pub fn over(self, old: Timeouts) -> Timeouts {
        self.zip(old, |new, old| if new == 0 { old } else { new })
    }

    /// Only those that `which` says.
    #[must_use]
    pub fn only(self, which: Timeouts) -> Timeouts {
        self.zip(which, |own, which| if which == 0 { 0 } else { own })
    }

    /// Only those that are not as in `same`.
    #[must_use]
    pub fn but(self, same: Timeouts) -> Timeouts {
        self.zip(same, |own, same| if own == same { 0 } else { own })
    }

    /// `None` when they say nothing.
    pub fn said(self) -> Option<Timeouts> {
        (self != Timeouts::NONE).then_some(self)
    }
}

/// The kernel's defaults (`tcp_timeouts`, `udp_timeouts` in net/netfilter/ipvs/ip_vs_proto_*.c).
impl Default for Timeouts {
    fn default() -> Self {
        Timeouts { tcp: 900, tcp_fin: 120, udp: 300 }
    }
}

impl fmt::Display for Timeouts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "tcp {} tcp_fin {} udp {}", self.tcp, self.tcp_fin, self.udp)
    }
}
