//! A dump as JSON: complete, with the field names of the Lua API. `read` reads it back.
//!
//! The one format that holds whatever the kernel can store: protocols, methods and flag bits without a word too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::paths::{self, FouRow, RouteRow, RuleRow, TunnelDeviceRow};
use crate::model::{
    Family, Hook, MarkEntry, MarkSelector, Server, ServiceEntry, ServiceKey, SyncDaemon, SyncRole, Timeouts,
    Tunnel, Vip, VipKey,
};
use crate::plan::Dump;
use crate::view::json::document;
use crate::view::value::net_text;

/// A document. The fields around it (`command`, `ok`) are there when it was written by `lvsh export --json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(skip_serializing)]
    pub format_version: String,
    pub services: Vec<ServiceRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marks: Option<Vec<MarkRow>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vips: Option<Vec<VipRow>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<RuleRow>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<RouteRow>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnels: Option<Vec<TunnelDeviceRow>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gue_ports: Option<Vec<FouRow>>,
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syncs: Option<Vec<SyncRow>>,
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "named so that other unknown fields are refused")]
    pub command: Option<Value>,
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "as above")]
    pub ok: Option<Value>,
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "as above")]
    pub warnings: Option<Value>,
    #[serde(default, skip_serializing)]
    #[expect(dead_code, reason = "as above")]
    pub duration_ms: Option<Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceRow {
    pub service: String,
    pub scheduler: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ops: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistent: Option<Persistent>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pe: Option<String>,
    pub servers: Vec<ServerRow>,
}

/// A flag's word, or bits that have none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Flag {
    Word(String),
    Bits(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Persistent {
    Seconds(u32),
    Network { timeout: u32, netmask: String },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerRow {
    pub server: String,
    pub method: String,
    pub weight: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub upper: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lower: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<TunnelRow>,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TunnelRow {
    pub r#type: String,
    #[serde(default)]
    pub port: u16,
    /// `IP_VS_TUNNEL_ENCAP_FLAG_*`: 1 checksum, 2 remote checksum.
    #[serde(default)]
    pub flags: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MarkRow {
    pub mark: u32,
    pub policy: String,
    pub hook: Hook,
    pub family: Family,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daddr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saddr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dport: Option<Ports>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iif: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Ports {
    One(u16),
    Range(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VipRow {
    pub addr: String,
    pub dev: String,
    /// Who added it (`IFA_PROTO`); 76 is lvsh.
    pub proto: u8,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncRow {
    pub role: SyncRole,
    pub dev: String,
    pub id: u32,
    pub group: std::net::IpAddr,
    pub port: u16,
    pub ttl: u8,
    /// 0, or left out: as the device allows.
    #[serde(default)]
    pub maxlen: u16,
}

/// The dump's fields, for a document that has more of them.
pub fn json_value(dump: &Dump) -> Value {
    let state = &dump.state;
    let document = Document {
        format_version: String::new(),
        services: state.services.iter().map(|(key, entry)| service_row(key, entry)).collect(),
        marks: dump.says.marks.then(|| state.marks.iter().map(mark_row).collect()),
        vips: dump.says.vips.then(|| state.vips.iter().map(vip_row).collect()),
        rules: dump.says.paths.then(|| paths::rules(state)),
        routes: dump.says.paths.then(|| paths::routes(state)),
        tunnels: dump.says.tunnels.then(|| paths::tunnels(state)),
        gue_ports: dump.says.tunnels.then(|| paths::ports(state)),
        sysctls: state.sysctls.iter().map(|(name, value)| (name.to_string(), value.clone())).collect(),
        timeouts: dump.says.timeouts.then_some(state.timeouts),
        syncs: dump.says.syncs.then(|| state.syncs.iter().map(sync_row).collect()),
        command: None,
        ok: None,
        warnings: None,
        duration_ms: None,
    };
    serde_json::to_value(document).unwrap_or_default()
}

/// A whole document.
pub fn json(dump: &Dump) -> String {
    document(json_value(dump))
}

fn service_row(key: &ServiceKey, entry: &ServiceEntry) -> ServiceRow {
    let ServiceEntry { service, servers } = entry;
    let words = service.flags.words(&service.scheduler);
    let mut flags: Vec<Flag> = words.into_iter().map(|word| Flag::Word(word.to_string())).collect();
    let rest = service.flags.without_words();
    if rest != 0 {
        flags.push(Flag::Bits(rest));
    }
    let persistent = service.persistence.map(|hold| match hold.netmask.is_host() {
        true => Persistent::Seconds(hold.timeout),
        false => Persistent::Network { timeout: hold.timeout, netmask: hold.netmask.to_string() },
    });
    let server_row = |(id, server): (&_, &Server)| ServerRow {
        server: ToString::to_string(id),
        method: server.method.to_string(),
        weight: server.weight.get(),
        upper: server.upper,
        lower: server.lower,
        tunnel: (server.tunnel != Tunnel::default()).then(|| TunnelRow {
            r#type: server.tunnel.kind.to_string(),
            port: server.tunnel.port.0,
            flags: server.tunnel.flags,
        }),
    };
    ServiceRow {
        service: key.to_string(),
        scheduler: service.scheduler.name().to_string(),
        flags,
        ops: service.one_packet(),
        persistent,
        pe: service.pe.as_ref().map(|pe| pe.name().to_string()),
        servers: servers.iter().map(server_row).collect::<Vec<_>>(),
    }
}

fn mark_row((selector, entry): (&MarkSelector, &MarkEntry)) -> MarkRow {
    MarkRow {
        mark: entry.mark.get(),
        policy: entry.owner.clone(),
        hook: selector.hook,
        family: selector.family,
        daddr: selector.daddr.as_ref().map(net_text),
        saddr: selector.saddr.as_ref().map(net_text),
        proto: selector.protocol.map(|protocol| protocol.to_string()),
        dport: selector.dport.map(|ports| match ports.is_one() {
            true => Ports::One(ports.first),
            false => Ports::Range(ports.to_string()),
        }),
        iif: selector.iif.as_ref().map(|iif| iif.name().to_string()),
    }
}

fn vip_row((key, vip): (&VipKey, &Vip)) -> VipRow {
    VipRow { addr: key.addr.to_string(), dev: key.dev.name().to_string(), proto: vip.proto }
}

fn sync_row((role, daemon): (&SyncRole, &SyncDaemon)) -> SyncRow {
    let SyncDaemon { dev, id, maxlen, group, port, ttl } = daemon;
    let (dev, role) = (dev.name().to_string(), *role);
    SyncRow { role, dev, id: *id, group: *group, port: *port, ttl: *ttl, maxlen: *maxlen }
}
