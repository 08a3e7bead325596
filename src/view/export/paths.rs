//! Local routes and what unpacks tunnels, in JSON: whoever made them, because a plan against the document has to see what
//! is in its way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::read::once;
use crate::model::{
    DeviceKind, Family, Fou, FouKey, Fwmark, IfName, Installed, RouteKey, RouteTable, RuleKey, State,
    TunnelDevice,
};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRow {
    mark: u32,
    table: u32,
    family: Family,
    priority: u32,
    /// Who added it (`FRA_PROTOCOL`); 76 is lvsh.
    proto: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRow {
    table: u32,
    family: Family,
    /// Who added it (`rtm_protocol`); 76 is lvsh.
    proto: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TunnelDeviceRow {
    dev: String,
    r#type: DeviceKind,
    from_anyone: bool,
    checksum: bool,
    up: bool,
    rp_filter: u8,
    /// Its note; that of lvsh is `lvsh`.
    alias: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FouRow {
    port: u16,
    family: Family,
    /// Of a port that is not GUE's: the protocol of what comes in there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ipproto: Option<u8>,
}

pub fn rules(state: &State) -> Vec<RuleRow> {
    let row = |(key, rule): (&RuleKey, &Installed)| {
        let RuleKey { family, priority, mark, table } = *key;
        RuleRow { mark: mark.get(), table: table.get(), family, priority, proto: rule.by }
    };
    state.rules.iter().map(row).collect()
}

pub fn routes(state: &State) -> Vec<RouteRow> {
    let row = |(key, route): (&RouteKey, &Installed)| RouteRow {
        table: key.table.get(),
        family: key.family,
        proto: route.by,
    };
    state.routes.iter().map(row).collect()
}

pub fn tunnels(state: &State) -> Vec<TunnelDeviceRow> {
    let row = |(dev, tunnel): (&IfName, &TunnelDevice)| {
        let TunnelDevice { kind, from_anyone, checksum, up, rp_filter, alias } = tunnel.clone();
        TunnelDeviceRow {
            dev: dev.name().to_string(),
            r#type: kind,
            from_anyone,
            checksum,
            up,
            rp_filter,
            alias,
        }
    };
    state.tunnels.iter().map(row).collect()
}

pub fn ports(state: &State) -> Vec<FouRow> {
    let row = |(key, fou): (&FouKey, &Fou)| FouRow {
        port: key.port,
        family: key.family,
        ipproto: match fou {
            Fou::Gue => None,
            Fou::Protocol(number) => Some(*number),
        },
    };
    state.fous.iter().map(row).collect()
}

pub fn read_rules(rows: Vec<RuleRow>) -> Result<BTreeMap<RuleKey, Installed>, String> {
    let read = |RuleRow { mark, table, family, priority, proto }| {
        let (mark, table) = (Fwmark::new(mark)?, RouteTable::new(table)?);
        Ok((RuleKey { family, priority, mark, table }, Installed { by: proto }))
    };
    all("rules", rows, read)
}

pub fn read_routes(rows: Vec<RouteRow>) -> Result<BTreeMap<RouteKey, Installed>, String> {
    let read = |RouteRow { table, family, proto }| {
        Ok((RouteKey { family, table: RouteTable::new(table)? }, Installed { by: proto }))
    };
    all("routes", rows, read)
}

pub fn read_tunnels(rows: Vec<TunnelDeviceRow>) -> Result<BTreeMap<IfName, TunnelDevice>, String> {
    let read = |row: TunnelDeviceRow| {
        let TunnelDeviceRow { dev, r#type: kind, from_anyone, checksum, up, rp_filter, alias } = row;
        if checksum && !kind.is_gre() {
            return Err(format!("{dev}: 'checksum' is only for gre and ip6gre, not {kind}"));
        }
        if rp_filter > 2 {
            return Err(format!("{dev}: rp_filter is 0, 1 or 2, not {rp_filter}"));
        }
        Ok((IfName::new(&dev)?, TunnelDevice { kind, from_anyone, checksum, up, rp_filter, alias }))
    };
    all("tunnels", rows, read)
}

pub fn read_ports(rows: Vec<FouRow>) -> Result<BTreeMap<FouKey, Fou>, String> {
    let read = |FouRow { port, family, ipproto }| match port {
        0 => Err("port 0 is none".to_string()),
        port => Ok((FouKey { family, port }, ipproto.map_or(Fou::Gue, Fou::Protocol))),
    };
    all("gue_ports", rows, read)
}

/// Each row once; the error says which one.
fn all<R, K: Ord + Clone + std::fmt::Display, V>(
    list: &str,
    rows: Vec<R>,
    read: impl Fn(R) -> Result<(K, V), String>,
) -> Result<BTreeMap<K, V>, String> {
    let mut out = BTreeMap::new();
    for (at, row) in rows.into_iter().enumerate() {
        let here = |why: String| format!("{list}[{at}]: {why}");
        let (key, value) = read(row).map_err(here)?;
        once(out.insert(key.clone(), value), &key).map_err(here)?;
    }
    Ok(out)
}
