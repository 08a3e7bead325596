//! Addresses, timeouts, sync daemons, kernel settings.

use super::super::convert::{Row, Val};
use super::super::fault::{Checked, Fault};
use crate::model::{IfName, SyncDaemon, SyncRole, Sysctl, SysctlName, Timeouts, VipKey};

pub fn vip(row: &Row) -> Checked<VipKey> {
    let Val::Net(addr) = row.get("addr") else {
        return Err(Fault::bad("missing field 'addr' in a vip"));
    };
    Ok(VipKey { addr: *addr, dev: device(row)? })
}

pub fn device(row: &Row) -> Checked<IfName> {
    IfName::new(row.str("dev").unwrap_or_default())
        .map_err(|why| Fault::bad(format!("bad value for 'dev': {why}")).under("dev"))
}

/// 0 where nothing is said: it stays as it is.
pub fn timeouts(row: &Row) -> Timeouts {
    let seconds = |name: &str| row.seconds(name).map_or(0, |seconds| seconds as u32);
    Timeouts { tcp: seconds("tcp"), tcp_fin: seconds("tcp_fin"), udp: seconds("udp") }
}

pub fn sync_role(row: &Row) -> SyncRole {
    if row.str("role") == Some("backup") { SyncRole::Backup } else { SyncRole::Master }
}

pub fn sync(row: &Row) -> Checked<(SyncRole, SyncDaemon)> {
    let mut daemon = SyncDaemon::new(device(row)?, row.u32("id").unwrap_or(0));
    daemon.maxlen = row.u16("maxlen").unwrap_or(0);
    daemon.port = row.u16("port").unwrap_or(daemon.port);
    daemon.ttl = row.int("ttl").and_then(|ttl| u8::try_from(ttl).ok()).unwrap_or(daemon.ttl);
    if let Val::Addr(group) = row.get("group") {
        if !group.is_multicast() {
            let why = format!("bad value for 'group': {group} is not a multicast address");
            return Err(Fault::bad(why).hint("group = \"224.0.0.81\" is the default").under("group"));
        }
        daemon.group = *group;
    }
    Ok((sync_role(row), daemon))
}

/// A kernel setting as the kernel reads it: `true` is 1. What is known of it is checked; what it may not have is for the
/// kernel to say.
pub fn sysctl_value(name: &SysctlName, val: &Val) -> Checked<String> {
    let value = match val {
        Val::Bool(value) => u8::from(*value).to_string(),
        Val::Int(value) => value.to_string(),
        Val::Str(value) => value.split_whitespace().collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    let Some(known) = Sysctl::of(name) else { return Ok(value) };
    known.check(&value).map_err(|why| {
        let short = name.name().strip_prefix(SysctlName::VS).unwrap_or(name.name());
        let fault = Fault::bad(format!("bad value for '{short}': {why}"));
        fault.hint(format!("{short}: {}", known.doc))
    })?;
    Ok(value)
}
