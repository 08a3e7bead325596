//! Things as JSON values, with the field names of the Lua API.

use serde_json::{Map, Value, json};

use crate::model::{
    Fou, MarkSelector, Observed, Port, PortRange, Server, ServerKey, Service, ServiceEntry, ServiceKey,
    State, SyncDaemon, Timeouts, Tunnel, TunnelDevice,
};

/// Without what is at its default, as a person would write it.
pub fn service_value(service: &Service) -> Value {
    let mut out = Map::new();
    out.insert("scheduler".into(), json!(service.scheduler.name()));
    let words = service.flags.words(&service.scheduler);
    if !words.is_empty() {
        out.insert("flags".into(), json!(words));
    }
    if service.one_packet() {
        out.insert("ops".into(), json!(true));
    }
    let persistent = persistent_value(service);
    if !persistent.is_null() {
        out.insert("persistent".into(), persistent);
    }
    if let Some(pe) = &service.pe {
        out.insert("pe".into(), json!(pe.name()));
    }
    Value::Object(out)
}

/// Seconds, or `{ netmask, timeout }`; null without persistence.
pub fn persistent_value(service: &Service) -> Value {
    match &service.persistence {
        None => Value::Null,
        Some(hold) if hold.netmask.is_host() => json!(hold.timeout),
        Some(hold) => json!({ "timeout": hold.timeout, "netmask": hold.netmask.to_string() }),
    }
}

pub fn server_value(server: &Server) -> Value {
    let mut out = Map::new();
    out.insert("method".into(), json!(server.method.to_string()));
    out.insert("weight".into(), json!(server.weight.get()));
    if server.upper != 0 || server.lower != 0 {
        out.insert("upper".into(), json!(server.upper));
        out.insert("lower".into(), json!(server.lower));
    }
    if server.tunnel != Tunnel::default() {
        out.insert("tunnel".into(), tunnel_value(&server.tunnel));
    }
    Value::Object(out)
}

pub fn tunnel_value(tunnel: &Tunnel) -> Value {
    let checksum = match tunnel.flags & 3 {
        1 => "csum",
        2 => "remcsum",
        _ => "none",
    };
    let port = if tunnel.port == Port(0) { json!({}) } else { json!({ "port": tunnel.port.0 }) };
    join(json!({ "type": tunnel.kind.to_string(), "checksum": checksum }), port)
}

pub fn mark_value(selector: &MarkSelector) -> Value {
    let mut out = Map::new();
    out.insert("hook".into(), json!(selector.hook.to_string()));
    out.insert("family".into(), json!(selector.family.to_string()));
    if let Some(daddr) = &selector.daddr {
        out.insert("daddr".into(), json!(net_text(daddr)));
    }
    if let Some(saddr) = &selector.saddr {
        out.insert("saddr".into(), json!(net_text(saddr)));
    }
    if let Some(protocol) = selector.protocol {
        out.insert("proto".into(), json!(protocol.to_string()));
    }
    match selector.dport {
        Some(ports) if ports.is_one() => {
            out.insert("dport".into(), json!(ports.first));
        }
        Some(ports) if ports != PortRange::ALL => {
            out.insert("dport".into(), json!(ports.to_string()));
        }
        _ => {}
    }
    if let Some(iif) = &selector.iif {
        out.insert("iif".into(), json!(iif.name()));
    }
    Value::Object(out)
}

/// A host without its prefix length.
pub fn net_text(net: &ipnet::IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

pub fn timeouts_value(timeouts: &Timeouts) -> Value {
    json!({ "tcp": timeouts.tcp, "tcp_fin": timeouts.tcp_fin, "udp": timeouts.udp })
}

pub fn sync_value(daemon: &SyncDaemon) -> Value {
    // 0 is "as the device allows", which is said by leaving it out.
    let maxlen = if daemon.maxlen == 0 { json!({}) } else { json!({ "maxlen": daemon.maxlen }) };
    let rest = json!({
        "dev": daemon.dev.name(), "id": daemon.id,
        "group": daemon.group.to_string(), "port": daemon.port, "ttl": daemon.ttl,
    });
    join(rest, maxlen)
}

pub fn tunnel_device_value(tunnel: &TunnelDevice) -> Value {
    json!({ "type": tunnel.kind.name(), "checksum": tunnel.checksum, "up": tunnel.up, "rp_filter": tunnel.rp_filter })
}

/// Adds the fields of one object to another.
pub fn join(mut left: Value, right: Value) -> Value {
    if let (Value::Object(left), Value::Object(right)) = (&mut left, right) {
        left.extend(right);
    }
    left
}

/// The whole machine, lists sorted by their keys: what `list --json` prints.
pub fn state_value(state: &State, live: &Observed, owner: impl Fn(&ServiceKey) -> Option<String>) -> Value {
    let services = state.services.iter().map(|(key, entry)| {
        join(entry_value(key, entry, live), json!({ "service": key.to_string(), "policy": owner(key) }))
    });
    let marks = state.marks.iter().map(|(selector, entry)| {
        join(mark_value(selector), json!({ "mark": entry.mark.get(), "policy": entry.owner }))
    });
    let vips = state.vips.iter().filter(|(_, vip)| vip.is_ours());
    let vips = vips.map(|(key, _)| json!({ "addr": key.addr.to_string(), "dev": key.dev.name() }));
    let syncs = state.syncs.iter();
    let syncs = syncs.map(|(role, daemon)| join(sync_value(daemon), json!({ "role": role.to_string() })));
    let rules = state.rules.iter().filter(|(_, rule)| rule.is_ours());
    let rules = rules.map(|(key, _)| {
        let family = key.family.to_string();
        json!({ "mark": key.mark.get(), "table": key.table.get(), "priority": key.priority, "family": family })
    });
    let routes = state.routes.iter().filter(|(_, route)| route.is_ours());
    let routes = routes.map(|(key, _)| json!({ "table": key.table.get(), "family": key.family.to_string() }));
    let tunnels = state.tunnels.iter().filter(|(_, tunnel)| tunnel.is_ours());
    let tunnels =
        tunnels.map(|(dev, tunnel)| join(tunnel_device_value(tunnel), json!({ "dev": dev.name() })));
    let gue_ports = state.fous.iter().filter(|(_, fou)| **fou == Fou::Gue);
    let gue_ports = gue_ports.map(|(key, _)| json!({ "port": key.port, "family": key.family.to_string() }));
    json!({
        "rules": rules.collect::<Vec<_>>(),
        "routes": routes.collect::<Vec<_>>(),
        "tunnels": tunnels.collect::<Vec<_>>(),
        "gue_ports": gue_ports.collect::<Vec<_>>(),
        "services": services.collect::<Vec<_>>(),
        "marks": marks.collect::<Vec<_>>(),
        "vips": vips.collect::<Vec<_>>(),
        "syncs": syncs.collect::<Vec<_>>(),
        "timeouts": timeouts_value(&state.timeouts),
    })
}

fn entry_value(key: &ServiceKey, entry: &ServiceEntry, live: &Observed) -> Value {
    let servers = entry.servers.iter().map(|(id, server)| server_row(key, id, server, live));
    let stats = live.services.get(key).copied().unwrap_or_default();
    join(
        service_value(&entry.service),
        json!({ "servers": servers.collect::<Vec<_>>(), "stats": stats_value(&stats) }),
    )
}

/// Totals and the kernel's rates.
pub fn stats_value(stats: &crate::model::Stats) -> Value {
    serde_json::to_value(stats).unwrap_or(Value::Null)
}

/// One server with its counters.
pub fn server_row(service: &ServiceKey, id: &ServerKey, server: &Server, live: &Observed) -> Value {
    let seen = live.servers.get(&(*service, *id)).copied().unwrap_or_default();
    join(
        server_value(server),
        json!({
            "server": id.to_string(), "active": seen.active, "inactive": seen.inactive, "persist": seen.persist,
            "stats": stats_value(&seen.stats),
        }),
    )
}
