//! Sync daemons ⇄ attributes.

use std::net::IpAddr;

use super::{bad, need};
use crate::kernel::ipvs::attr::{self, DaemonAttr, Malformed, Nested, put};
use crate::kernel::ipvs::consts::{IP_VS_STATE_BACKUP, IP_VS_STATE_MASTER};
use crate::model::{IfName, SyncDaemon, SyncRole};

/// All that `DEL_DAEMON` reads.
pub fn put_role(out: &mut Vec<u8>, role: SyncRole) {
    put(out, &DaemonAttr::State(state(role)));
}

/// A whole daemon. A maxlen of 0 is not written, so that the kernel chooses.
pub fn put_daemon(out: &mut Vec<u8>, role: SyncRole, daemon: &SyncDaemon) {
    put_role(out, role);
    put(out, &DaemonAttr::McastIfn(daemon.dev.name()));
    put(out, &DaemonAttr::SyncId(daemon.id));
    if daemon.maxlen != 0 {
        put(out, &DaemonAttr::SyncMaxlen(daemon.maxlen));
    }
    match daemon.group {
        IpAddr::V4(group) => put(out, &DaemonAttr::McastGroup(group)),
        IpAddr::V6(group) => put(out, &DaemonAttr::McastGroup6(group)),
    }
    put(out, &DaemonAttr::McastPort(daemon.port));
    put(out, &DaemonAttr::McastTtl(daemon.ttl));
}

/// A whole daemon, its maxlen as the kernel reports it. What an old kernel (before 4.3) does not say is the default
/// of all kernels.
pub fn read_daemon(nest: Nested<'_>) -> Result<(SyncRole, SyncDaemon), Malformed> {
    let (mut role, mut dev, mut id) = (None, None, None);
    let mut maxlen = 0;
    let mut group = SyncDaemon::DEFAULT_GROUP;
    let mut port = SyncDaemon::DEFAULT_PORT;
    let mut ttl = SyncDaemon::DEFAULT_TTL;
    for attr in attr::read::<DaemonAttr<'_>>(nest.0) {
        match attr? {
            DaemonAttr::State(number) => role = Some(role_of(number)?),
            DaemonAttr::McastIfn(name) => {
                dev = Some(IfName::new(name).map_err(bad("IPVS_DAEMON_ATTR_MCAST_IFN"))?);
            }
            DaemonAttr::SyncId(number) => id = Some(number),
            DaemonAttr::SyncMaxlen(bytes) => maxlen = bytes,
            DaemonAttr::McastGroup(addr) => group = IpAddr::V4(addr),
            DaemonAttr::McastGroup6(addr) => group = IpAddr::V6(addr),
            DaemonAttr::McastPort(number) => port = number,
            DaemonAttr::McastTtl(number) => ttl = number,
            DaemonAttr::Other(_) => {}
        }
    }
    let role = need("IPVS_DAEMON_ATTR_STATE", role)?;
    let dev = need("IPVS_DAEMON_ATTR_MCAST_IFN", dev)?;
    let id = need("IPVS_DAEMON_ATTR_SYNC_ID", id)?;
    Ok((role, SyncDaemon { dev, id, maxlen, group, port, ttl }))
}

/// The maxlen that the kernel puts in the place of 0 (`start_sync_thread`, ip_vs_sync.c): what fits into a packet of
/// the device's MTU behind the IP and UDP headers. A master counts on 1500 whatever the device has, a backup on no
/// less than that.
///
/// A daemon read with exactly this value is reported with 0, "left to the kernel": otherwise no daemon started
/// without a maxlen would ever compare equal to itself. Whoever asks for this very number gets the same daemon.
pub fn default_maxlen(role: SyncRole, group: IpAddr, mtu: u32) -> u16 {
    let headers = if group.is_ipv4() { 20 + 8 } else { 40 + 8 };
    let mtu = match role {
        SyncRole::Master => 1500,
        SyncRole::Backup => mtu.clamp(1500, u32::from(u16::MAX)),
    };
    u16::try_from(mtu - headers).unwrap_or(u16::MAX)
}

fn state(role: SyncRole) -> u32 {
    match role {
        SyncRole::Master => IP_VS_STATE_MASTER,
        SyncRole::Backup => IP_VS_STATE_BACKUP,
    }
}

fn role_of(state: u32) -> Result<SyncRole, Malformed> {
    match state {
        IP_VS_STATE_MASTER => Ok(SyncRole::Master),
        IP_VS_STATE_BACKUP => Ok(SyncRole::Backup),
        other => Err(Malformed::Value {
            attr: "IPVS_DAEMON_ATTR_STATE",
            why: format!("{other} is neither master nor backup"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maxlen_of_the_kernel() {
        let v4 = SyncDaemon::DEFAULT_GROUP;
        let v6: IpAddr = "ff02::81".parse().expect("an address");
        assert_eq!(default_maxlen(SyncRole::Master, v4, 9000), 1472);
        assert_eq!(default_maxlen(SyncRole::Backup, v4, 9000), 8972);
        assert_eq!(default_maxlen(SyncRole::Backup, v6, 1280), 1452);
        assert_eq!(default_maxlen(SyncRole::Backup, v4, 65536), 65507);
    }
}
