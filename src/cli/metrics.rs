//! metrics: services, servers, health and counters for Prometheus.

use std::path::Path;

use clap::Args;

use super::care;
use super::context::Context;
use super::done::Done;
use super::stage::load;
use super::store::{Saved, Store};
use super::whole::write_for_all;
use crate::backend::{Services, Want};
use crate::error::{Error, Kind, Result};
use crate::model::{ServiceKey, Snapshot, Stats};
use crate::view::Kind::{Counter, Gauge};
use crate::view::{Metrics, Named};

/// Print services, servers, health and counters in the text format of Prometheus
#[derive(Clone, Debug, Default, Args)]
#[command(after_help = HELP)]
pub struct MetricsArgs {
    /// Names or paths of policies; all services when left out, those of nobody included
    pub policies: Vec<String>,
}

const HELP: &str = "\
check --metrics FILE writes the same after each round, whole and readable for all, for the textfile collector of the
node exporter.

Example:
  lvsh metrics web > /var/lib/prometheus/node-exporter/lvsh.prom";

const BUILD: Named = ("lvsh_build_info", Gauge, "The version of lvsh that wrote this.");
const STARTED: Named = ("lvsh_policy_started", Gauge, "Whether the policy is started.");
const DEGRADED: Named =
    ("lvsh_policy_degraded", Gauge, "Whether the last round left weights as they were, or a service down.");
const ROUND_AT: Named = (
    "lvsh_policy_last_round_timestamp_seconds",
    Gauge,
    "When the last round of checks ended, seconds since 1970.",
);
const ROUND_TOOK: Named =
    ("lvsh_policy_round_duration_seconds", Gauge, "How long the last round of checks took.");
const SERVICE: Named = ("lvsh_service_info", Gauge, "A virtual service and how it schedules.");
const SERVICE_UP: Named = ("lvsh_service_up", Gauge, "Whether enough weight is up (the quorum).");
const SERVICE_SERVERS: Named = ("lvsh_service_servers", Gauge, "Servers in the table of the service.");
const SERVER: Named = (
    "lvsh_server_info",
    Gauge,
    "A real server: what the operator decided, its health, and why it has its weight.",
);
const SERVER_UP: Named =
    ("lvsh_server_up", Gauge, "Whether checks say that the server is up; absent while nobody knows.");
const WEIGHT: Named = ("lvsh_server_weight", Gauge, "Weight of the server now; 0 when it left the table.");
const BASE: Named =
    ("lvsh_server_base_weight", Gauge, "Weight of the server when nothing speaks against it.");
const PROBE_TOOK: Named =
    ("lvsh_server_probe_duration_seconds", Gauge, "How long the last probe of the server took.");
const PROBE_BAD: Named = ("lvsh_server_failed_probes", Gauge, "Bad rounds in a row.");
const ACTIVE: Named = ("lvsh_server_active_connections", Gauge, "Established connections.");
const INACTIVE: Named = ("lvsh_server_inactive_connections", Gauge, "Other entries in the connection table.");
const TEMPLATES: Named =
    ("lvsh_server_persistence_templates", Gauge, "Clients that are bound to the server.");

/// The same five numbers, of services and of servers.
const SERVICE_COUNTS: [Named; 5] = [
    ("lvsh_service_connections_total", Counter, "Connections the service scheduled."),
    ("lvsh_service_incoming_packets_total", Counter, "Packets from clients."),
    ("lvsh_service_outgoing_packets_total", Counter, "Packets to clients that pass the director."),
    ("lvsh_service_incoming_bytes_total", Counter, "Bytes from clients."),
    ("lvsh_service_outgoing_bytes_total", Counter, "Bytes to clients that pass the director."),
];
const SERVER_COUNTS: [Named; 5] = [
    ("lvsh_server_connections_total", Counter, "Connections the server got."),
    ("lvsh_server_incoming_packets_total", Counter, "Packets to the server."),
    ("lvsh_server_outgoing_packets_total", Counter, "Packets from the server that pass the director."),
    ("lvsh_server_incoming_bytes_total", Counter, "Bytes to the server."),
    ("lvsh_server_outgoing_bytes_total", Counter, "Bytes from the server that pass the director."),
];

pub fn metrics(context: &Context, args: &MetricsArgs) -> Result<Done> {
    let text = text(context, &args.policies)?;
    Ok(Done::answer(text.clone()).with("metrics", text))
}

/// Writes them where others read; a failure does not undo a round.
pub fn write(context: &Context, path: &Path, policies: &[String]) {
    let wrote = text(context, policies).and_then(|text| write_for_all(path, text.as_bytes()));
    if let Err(error) = wrote {
        context.warn("metrics", format!("{error}; the round stands"));
    }
}

fn text(context: &Context, policies: &[String]) -> Result<String> {
    let Some(store) = &context.store else {
        let message = "metrics needs what is remembered between rounds; --backend memory keeps nothing";
        return Err(Error::new(Kind::Usage, "usage", message));
    };
    let mut all = store.all();
    let mut out = Metrics::default();
    out.add(BUILD, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    if policies.is_empty() {
        let seen = read(context, Services::All)?;
        for (name, saved) in &all {
            policy(&mut out, store, name, Some(saved), &seen)?;
        }
        let owned = |key: &ServiceKey| all.values().any(|saved| saved.owned.services.contains_key(key));
        let nobody = care::Cared::default();
        for key in seen.state.services.keys().filter(|key| !owned(key)) {
            service(&mut out, "", key, &nobody, &seen);
        }
        return Ok(out.text());
    }
    for given in policies {
        // A started policy is known by its name, also when its file no longer loads.
        let name = match all.contains_key(given) {
            true => given.clone(),
            false => load(context, given)?.loaded.name,
        };
        let saved = all.remove(&name);
        let keys = saved.iter().flat_map(|saved| saved.owned.services.keys().copied()).collect();
        let seen = read(context, Services::Only(keys))?;
        policy(&mut out, store, &name, saved.as_ref(), &seen)?;
    }
    Ok(out.text())
}

fn read(context: &Context, services: Services) -> Result<Snapshot> {
    context.backend(true)?.snapshot(&Want { services, ..Want::default() })
}

fn policy(
    out: &mut Metrics,
    store: &Store,
    name: &str,
    saved: Option<&Saved>,
    seen: &Snapshot,
) -> Result<()> {
    let labels = [("policy", name)];
    out.add(STARTED, &labels, truth(saved.is_some()));
    let Some(saved) = saved else { return Ok(()) };
    let cared = care::cared(store, name)?;
    out.add(DEGRADED, &labels, truth(cared.degraded().is_some()));
    if let Some(age) = cared.age() {
        out.add(ROUND_AT, &labels, (store.clock().since_1970() as f64 - age).floor());
    }
    if let Some(took) = cared.took() {
        out.add(ROUND_TOOK, &labels, took);
    }
    for key in saved.owned.services.keys() {
        service(out, name, key, &cared, seen);
    }
    Ok(())
}

fn service(out: &mut Metrics, policy: &str, key: &ServiceKey, cared: &care::Cared, seen: &Snapshot) {
    // What checks go through says nothing of what clients have.
    let Some(entry) = seen.state.service(key).filter(|entry| !entry.service.is_way(key)) else { return };
    let service = key.to_string();
    let labels = [("policy", policy), ("service", service.as_str())];
    let scheduler = entry.service.scheduler.to_string();
    out.add(SERVICE, &[labels[0], labels[1], ("scheduler", &scheduler)], 1.0);
    if let Some(up) = cared.service_up(key) {
        out.add(SERVICE_UP, &labels, truth(up));
    }
    out.add(SERVICE_SERVERS, &labels, entry.servers.len() as f64);
    count(out, SERVICE_COUNTS, &labels, &seen.observed.services.get(key).copied().unwrap_or_default());
    let gone = cared.gone(key);
    let there = entry.servers.iter().map(|(id, server)| (id.to_string(), Some((id, server))));
    for (server, row) in there.chain(gone.into_iter().map(|server| (server, None))) {
        let labels = [labels[0], labels[1], ("server", server.as_str())];
        let facts = cared.facts(key, &server);
        let health = match facts.up {
            Some(true) => "up",
            Some(false) => "down",
            None => "unknown",
        };
        let method = row.map(|(_, server)| server.method.to_string()).unwrap_or_default();
        let more = [
            ("method", method.as_str()),
            ("admin", facts.admin.as_str()),
            ("health", health),
            ("reason", facts.reason.as_str()),
        ];
        let whole: Vec<(&str, &str)> = labels.into_iter().chain(more).collect();
        out.add(SERVER, &whole, 1.0);
        let weight = row.map_or(0, |(_, server)| server.weight.get());
        out.add(WEIGHT, &labels, f64::from(weight));
        out.add(BASE, &labels, f64::from(facts.base.unwrap_or(weight)));
        if let Some(up) = facts.up {
            out.add(SERVER_UP, &labels, truth(up));
            out.add(PROBE_BAD, &labels, facts.bad as f64);
        }
        if let Some(seconds) = facts.seconds {
            out.add(PROBE_TOOK, &labels, seconds);
        }
        let Some((id, _)) = row else { continue };
        let live = seen.observed.servers.get(&(*key, *id)).copied().unwrap_or_default();
        out.add(ACTIVE, &labels, f64::from(live.active));
        out.add(INACTIVE, &labels, f64::from(live.inactive));
        out.add(TEMPLATES, &labels, f64::from(live.persist));
        count(out, SERVER_COUNTS, &labels, &live.stats);
    }
}

fn count(out: &mut Metrics, named: [Named; 5], labels: &[(&str, &str)], stats: &Stats) {
    let numbers = [stats.conns, stats.in_packets, stats.out_packets, stats.in_bytes, stats.out_bytes];
    for (named, number) in named.into_iter().zip(numbers) {
        out.add(named, labels, number as f64);
    }
}

fn truth(it: bool) -> f64 {
    f64::from(u8::from(it))
}
