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

/// A whole daemon, its maxlen as the kernel reports it ([`SyncDaemon::canonical`]). What an old kernel (before 4.3) does not say is the default
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
