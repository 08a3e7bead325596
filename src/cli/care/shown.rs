//! What status tells of health, from what the last round left and what the operator decided.

use serde_json::{Map, Value, json};

use super::decided::{self, Decision};
use super::memory;
use crate::cli::store::Store;
use crate::error::Result;
use crate::model::{ServerKey, ServiceKey};
use crate::view::{ServerCare, span};

/// Everything known of a policy's health; nothing of one that was never checked.
#[derive(Default)]
pub struct Cared {
    memory: Value,
    decided: decided::Decisions,
    now: f64,
    /// Seconds since 1970.
    today: u64,
}

/// What the last round left of one server.
#[derive(Debug, Default)]
pub struct Facts {
    /// When a round set its weight.
    pub base: Option<u32>,
    pub reason: String,
    pub admin: String,
    pub up: Option<bool>,
    /// Bad rounds in a row.
    pub bad: u64,
    /// Of the last probe.
    pub seconds: Option<f64>,
}

pub fn cared(store: &Store, name: &str) -> Result<Cared> {
    let now = store.now();
    Ok(Cared {
        memory: memory::load(store, name, memory::Of::Health).memory,
        decided: decided::load(store, name)?,
        now,
        today: store.clock().since_1970(),
    })
}

impl Cared {
    /// Whether there is anything to tell.
    pub fn known(&self) -> bool {
        !self.memory.is_null() || !self.decided.servers.is_empty()
    }

    pub fn degraded(&self) -> Option<&str> {
        self.memory.get("degraded")?.as_str()
    }

    /// Seconds since the last round.
    pub fn age(&self) -> Option<f64> {
        Some((self.now - self.memory.get("at")?.as_f64()?).max(0.0))
    }

    /// Servers that health or a drain took out of a service's table.
    pub fn gone(&self, service: &ServiceKey) -> Vec<String> {
        let weights = self.memory.get("weights").and_then(|all| all.get(service.to_string()));
        let servers = weights.and_then(Value::as_object).into_iter().flatten();
        let gone = servers.filter(|(_, row)| row.get("gone") == Some(&Value::Bool(true)));
        gone.map(|(server, _)| server.clone()).collect()
    }

    fn decision(&self, server: &str) -> Option<&Decision> {
        let addr = crate::model::parse_endpoint(server).ok().map(|(addr, _)| addr.to_string());
        self.decided.servers.get(server).or_else(|| self.decided.servers.get(&addr?))
    }

    /// What the last round knew of a server's target: by the name that was written down, its key, or its address alone.
    fn target(&self, server: &str, last: Option<&Value>) -> Option<&Map<String, Value>> {
        let servers = self.memory.get("servers")?;
        if let Some(target) = last.and_then(|last| last.get("target")?.as_str()) {
            return servers.get(target).and_then(Value::as_object);
        }
        let addr = crate::model::parse_endpoint(server).ok().map(|(addr, _)| addr.to_string());
        servers.get(server).or_else(|| servers.get(addr?)).and_then(Value::as_object)
    }

    /// Seconds that the last round took.
    pub fn took(&self) -> Option<f64> {
        self.memory.get("took")?.as_f64()
    }

    /// Whether a service had its quorum in the last round.
    pub fn service_up(&self, service: &ServiceKey) -> Option<bool> {
        self.memory.get("services")?.get(service.to_string())?.get("up")?.as_bool()
    }

    /// What is known of a server, as numbers and words.
    pub fn facts(&self, service: &ServiceKey, server: &str) -> Facts {
        let last = self.memory.get("weights").and_then(|all| all.get(service.to_string())?.get(server));
        let target = self.target(server, last);
        let state = self.decision(server).and_then(|decision| decision.state.clone());
        Facts {
            base: last.and_then(|last| u32::try_from(last.get("base")?.as_u64()?).ok()),
            reason: last.and_then(|last| last.get("reason")?.as_str()).unwrap_or_default().to_string(),
            admin: state.unwrap_or_else(|| "ready".to_string()),
            up: target.and_then(|target| target.get("up")?.as_bool()),
            bad: target.and_then(|target| target.get("bad")?.as_u64()).unwrap_or(0),
            seconds: target.and_then(|target| target.get("ms")?.as_f64()).map(|ms| ms / 1e3),
        }
    }

    /// One row of status.
    pub fn row(&self, service: &ServiceKey, server: &str, weight: Option<u32>) -> ServerCare {
        let last = self.memory.get("weights").and_then(|all| all.get(service.to_string())?.get(server));
        let there = weight.is_some();
        let base = last.and_then(|last| last.get("base")?.as_u64());
        let reason = last.and_then(|last| last.get("reason")?.as_str()).unwrap_or_default();
        let weight = match (weight, base) {
            (None, _) => "-".to_string(),
            (Some(weight), Some(base)) if reason == "slow start" => format!("{weight}/{base}"),
            (Some(weight), _) => weight.to_string(),
        };
        let decision = self.decision(server);
        let admin = decision.and_then(|decision| decision.state.as_deref()).unwrap_or("ready");
        let admin = if admin == "ready" { admin.to_string() } else { admin.to_uppercase() };
        let mut care = ServerCare { weight, admin, ..ServerCare::default() };
        if let Some(target) = self.target(server, last) {
            let number = |name: &str| target.get(name).and_then(Value::as_u64).unwrap_or(0);
            care.health = match target.get("up") {
                Some(Value::Bool(true)) if number("bad") > 0 => format!("up   {} bad", number("bad")),
                Some(Value::Bool(true)) => format!("up   {} ok", number("good")),
                Some(Value::Bool(false)) if number("good") > 0 => format!("DOWN {} ok", number("good")),
                Some(Value::Bool(false)) => format!("DOWN {} bad", number("bad")),
                _ => "unknown".to_string(),
            };
            care.probe = probe_text(target);
        }
        care.note = self.note(reason, decision, there);
        care
    }

    fn note(&self, reason: &str, decision: Option<&Decision>, there: bool) -> String {
        let said = decision.map(|decision| {
            let ago = self.today.saturating_sub(decision.since);
            let ago = span(std::time::Duration::from_secs(ago));
            let why = decision.reason.as_ref().map_or(String::new(), |why| format!(": {why}"));
            let weight = decision.weight.map_or(String::new(), |weight| format!("weight {weight} "));
            format!("{weight}by {}, {ago} ago{}{why}", decision.by, self.to_go(decision, there))
        });
        match (said, reason) {
            (Some(said), _) => said,
            (None, "base" | "health" | "") => String::new(),
            (None, "kept") => "weight kept".to_string(),
            (None, reason) => reason.to_string(),
        }
    }

    /// How long a drain may still take.
    fn to_go(&self, decision: &Decision, there: bool) -> String {
        let own = || Some(self.memory.get("drain")?.get("timeout")?.as_f64()? as u64);
        match decision.timeout.or_else(own) {
            Some(limit) if decision.state.as_deref() == Some("drain") => {
                match (decision.since + limit).checked_sub(self.today) {
                    // One that has left the table needs it no more.
                    Some(1..) if !there => String::new(),
                    Some(left @ 1..) => format!(", {} left", span(std::time::Duration::from_secs(left))),
                    _ => ", its time is over".to_string(),
                }
            }
            _ => String::new(),
        }
    }

    /// The same for programs.
    pub fn value(&self, service: &ServiceKey, server: &ServerKey, weight: Option<u32>) -> Value {
        let row = self.row(service, &server.to_string(), weight);
        json!({
            "service": service.to_string(), "server": server.to_string(), "weight": weight,
            "admin": row.admin.to_lowercase(), "health": row.health, "probe": row.probe, "note": row.note,
        })
    }
}

/// `200 in 3 ms`, `connect: connection refused`
fn probe_text(target: &Map<String, Value>) -> String {
    if let Some(err) = target.get("err").and_then(Value::as_str) {
        return err.to_string();
    }
    let ms = target.get("ms").and_then(Value::as_f64);
    let ms = ms.map_or(String::new(), |ms| format!("in {ms:.0} ms"));
    match target.get("status").and_then(Value::as_u64) {
        Some(status) => format!("{status} {ms}"),
        None if ms.is_empty() => ms,
        None => format!("ok {ms}"),
    }
}
