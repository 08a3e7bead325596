//! The connection synchronisation daemon.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::IfName;

/// Both may run at once, which is how a rebooted master learns the connections back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncRole {
    Master,
    Backup,
}

impl fmt::Display for SyncRole {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            SyncRole::Master => "master",
            SyncRole::Backup => "backup",
        })
    }
}

/// A sync daemon as it runs; the kernel fills what was left out (224.0.0.81, 8848, ttl 1, maxlen from the MTU).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncDaemon {
    pub dev: IfName,
    /// 0..255 by ipvsadm; the kernel stores any number.
    pub id: u32,
    /// Bytes of one sync message; 0 when it is left to the kernel.
    pub maxlen: u16,
    pub group: IpAddr,
    pub port: u16,
    pub ttl: u8,
}

impl SyncDaemon {
    pub const DEFAULT_GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 81));
    pub const DEFAULT_PORT: u16 = 8848;
    pub const DEFAULT_TTL: u8 = 1;
    /// Of a device that does not say.
    pub const DEFAULT_MTU: u32 = 1500;

    pub fn new(dev: IfName, id: u32) -> SyncDaemon {
        SyncDaemon {
            dev,
            id,
            maxlen: 0,
            group: Self::DEFAULT_GROUP,
            port: Self::DEFAULT_PORT,
            ttl: Self::DEFAULT_TTL,
        }
    }

    /// The one way to write it, for a device of this MTU: maxlen is what the kernel makes of it, and 0 where that is
    /// what the kernel takes by itself (`start_sync_thread`, ip_vs_sync.c).
    ///
    /// That is what fits into a packet behind the IP and UDP headers; a master counts on 1500 whatever the device
    /// has, a backup on no less than that. The kernel reports the number in either case. So whoever reads a daemon,
    /// and whoever wants one, says it so: otherwise none would ever compare equal to what was asked for.
    #[must_use]
    pub fn canonical(mut self, role: SyncRole, mtu: u32) -> SyncDaemon {
        let (least, default) = self.lengths(role, mtu);
        if self.maxlen != 0 {
            self.maxlen = self.maxlen.clamp(least, u16::MAX - self.headers());
        }
        if self.maxlen == default {
            self.maxlen = 0;
        }
        self
    }

    /// The length that the kernel counts with, and reports: what was asked for, or what it takes by itself.
    pub fn effective_maxlen(&self, role: SyncRole, mtu: u32) -> u16 {
        if self.maxlen == 0 { self.lengths(role, mtu).1 } else { self.maxlen }
    }

    /// The shortest length that the kernel takes in this role, and the one it takes by itself.
    fn lengths(&self, role: SyncRole, mtu: u32) -> (u16, u16) {
        let (least, mtu) = match role {
            SyncRole::Master => (1, Self::DEFAULT_MTU),
            SyncRole::Backup => (1024, mtu.clamp(Self::DEFAULT_MTU, u32::from(u16::MAX))),
        };
        (least, u16::try_from(mtu).unwrap_or(u16::MAX) - self.headers())
    }

    /// Bytes before a sync message in its packet: IP and UDP.
    fn headers(&self) -> u16 {
        if self.group.is_ipv4() { 20 + 8 } else { 40 + 8 }
    }
}

impl fmt::Display for SyncDaemon {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "dev {} id {} group {} port {}", self.dev, self.id, self.group, self.port)?;
        write!(out, " ttl {}", self.ttl)?;
        if self.maxlen == 0 { Ok(()) } else { write!(out, " maxlen {}", self.maxlen) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maxlen_as_the_kernel_has_it() {
        let v4 = SyncDaemon::DEFAULT_GROUP;
        let v6: IpAddr = "ff02::81".parse().expect("an address");
        let maxlen = |role, group, mtu, maxlen| {
            let daemon = SyncDaemon::new(IfName::new("eth0").expect("a name"), 1);
            SyncDaemon { group, maxlen, ..daemon }.canonical(role, mtu).maxlen
        };
        use SyncRole::{Backup, Master};
        for (role, group, mtu, default) in [
            (Master, v4, 1500, 1472),
            (Master, v4, 9000, 1472),
            (Master, v6, 1500, 1452),
            (Backup, v4, 9000, 8972),
            (Backup, v6, 1280, 1452),
            (Backup, v4, 65536, 65507),
        ] {
            assert_eq!(maxlen(role, group, mtu, default), 0, "{role} {group} {mtu}");
            assert_eq!(maxlen(role, group, mtu, 0), 0, "{role} {group} {mtu}");
            assert_eq!(maxlen(role, group, mtu, 1400), 1400, "{role} {group} {mtu}");
        }
        assert_eq!(maxlen(Backup, v4, 9000, 1472), 1472, "not what this device's MTU leads to");
        assert_eq!(maxlen(Backup, v4, 1500, 1), 1024);
        assert_eq!(maxlen(Master, v4, 1500, 1), 1);
        assert_eq!(maxlen(Master, v4, 1500, u16::MAX), 65507);
    }
}
