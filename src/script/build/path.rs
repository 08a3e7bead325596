//! Local routes, and what unpacks tunnels.

use super::super::convert::Row;
use super::super::fault::{Checked, Fault};
use super::host::device;
use crate::model::{DeviceKind, Family, FouKey, Fwmark, IfName, RouteKey, RouteTable, RuleKey, TunnelDevice};

/// The rule, unless only the route was named, and the route it leads to.
pub fn local_route(row: &Row) -> Checked<(Option<RuleKey>, RouteKey)> {
    let number = row.u32("table").unwrap_or(0);
    let table = RouteTable::new(number)
        .map_err(|why| Fault::bad(format!("bad value for 'table': {why}")).under("table"))?;
    let family = family(row);
    let route = RouteKey { family, table };
    let Some(mark) = row.u32("mark") else {
        if row.has("priority") {
            let why = "'priority' is a rule's, and a rule needs 'mark'";
            return Err(Fault::bad(why).under("priority"));
        }
        return Ok((None, route));
    };
    let mark = Fwmark::new(mark).map_err(|why| Fault::bad(why).under("mark"))?;
    let priority = row.u32("priority").unwrap_or(RuleKey::PRIORITY);
    Ok((Some(RuleKey { family, priority, mark, table }), route))
}

pub fn tunnel_device(row: &Row) -> Checked<(IfName, TunnelDevice)> {
    let dev = device(row)?;
    let kind = row.str("type").and_then(|word| word.parse::<DeviceKind>().ok());
    let kind = kind.ok_or_else(|| Fault::bad("missing field 'type' in a tunnel device"))?;
    let checksum = row.bool("checksum") == Some(true);
    if checksum && !kind.is_gre() {
        return Err(
            Fault::bad(format!("'checksum' is only for gre and ip6gre, not {kind}")).under("checksum")
        );
    }
    Ok((dev, TunnelDevice::ours(kind, checksum)))
}

pub fn gue_port(row: &Row) -> FouKey {
    FouKey { family: family(row), port: row.u16("port").unwrap_or(0) }
}

fn family(row: &Row) -> Family {
    if row.str("family") == Some("ipv6") { Family::Ipv6 } else { Family::Ipv4 }
}
