//! Attributes of a sync daemon.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::attributes;
use crate::kernel::ipvs::consts::*;

attributes! {
    /// A sync daemon, within `IPVS_CMD_ATTR_DAEMON`. `McastPort` is in host order, unlike all other ports.
    'a DaemonAttr<'a> {
        State(u32) = IPVS_DAEMON_ATTR_STATE,
        McastIfn(&'a str) = IPVS_DAEMON_ATTR_MCAST_IFN,
        SyncId(u32) = IPVS_DAEMON_ATTR_SYNC_ID,
        SyncMaxlen(u16) = IPVS_DAEMON_ATTR_SYNC_MAXLEN,
        McastGroup(Ipv4Addr) = IPVS_DAEMON_ATTR_MCAST_GROUP,
        McastGroup6(Ipv6Addr) = IPVS_DAEMON_ATTR_MCAST_GROUP6,
        McastPort(u16) = IPVS_DAEMON_ATTR_MCAST_PORT,
        McastTtl(u8) = IPVS_DAEMON_ATTR_MCAST_TTL,
    }
}
