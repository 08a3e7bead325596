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
}

impl fmt::Display for SyncDaemon {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "dev {} id {} group {} port {}", self.dev, self.id, self.group, self.port)?;
        write!(out, " ttl {}", self.ttl)?;
        if self.maxlen == 0 { Ok(()) } else { write!(out, " maxlen {}", self.maxlen) }
    }
}
