//! What an operator decided: drain, maint, a weight; by whom, when and why. It survives a reboot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cli::store::{Store, make_folder};
use crate::cli::whole::{remove_whole, write_whole};
use crate::error::{Error, Kind, Result};
use crate::script::Clock;

const FORMAT_VERSION: &str = "1.0";

/// What is decided for the servers of one policy, by address as the policy writes it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Decisions {
    format_version: String,
    pub servers: BTreeMap<String, Decision>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// `drain` or `maint`; nothing for a server that is only weighed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Instead of the policy's weight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Seconds since 1970: the boot clock does not survive.
    pub since: u64,
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds a drain may take; the policy's own when it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Whether what is left at the end of a drain is ended; the policy says it otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evict: bool,
}

/// Whatever version of the program wrote them.
impl PartialEq for Decisions {
    fn eq(&self, other: &Decisions) -> bool {
        self.servers == other.servers
    }
}

impl Decisions {
    /// As `lua/round.lua` takes it: times on the boot clock.
    pub fn for_lua(&self, clock: &Clock) -> Value {
        let (wall, boot) = (clock.since_1970(), clock.since_boot().as_secs_f64());
        let one = |(server, decision): (&String, &Decision)| {
            let since = boot - wall.saturating_sub(decision.since) as f64;
            let value = json!({
                "state": decision.state, "weight": decision.weight, "since": since, "by": decision.by,
                "reason": decision.reason, "timeout": decision.timeout, "evict": decision.evict,
            });
            (server.clone(), value)
        };
        Value::Object(self.servers.iter().map(one).collect())
    }
}

/// What was decided for a policy. What cannot be read is an error: acting as if nothing were decided would put
/// clients on a server that is in maintenance.
pub fn load(store: &Store, name: &str) -> Result<Decisions> {
    let path = store.decisions().join(format!("{name}.json"));
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Decisions::default()),
        Err(error) => return Err(Error::io("read decisions", &path, &error)),
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        let message = format!("{} is unreadable: {error}", path.display());
        Error::new(Kind::Io, "state", message)
            .hint("it says which servers are drained or in maintenance: mend it, or remove it if none is")
    })
}

/// Writes them, or removes the file when nothing is decided any more.
pub fn save(store: &Store, name: &str, decisions: &Decisions) -> Result<()> {
    let folder = store.decisions();
    let path = folder.join(format!("{name}.json"));
    if decisions.servers.is_empty() {
        return remove_whole(&path);
    }
    make_folder(&folder).map_err(|error| {
        Error::io("make folder", &folder, &error).hint("run as root, or give --state-dir")
    })?;
    let decisions = Decisions { format_version: FORMAT_VERSION.to_string(), ..decisions.clone() };
    let text = serde_json::to_string_pretty(&decisions)
        .map_err(|error| Error::new(Kind::Io, "state", format!("cannot write decisions: {error}")))?;
    write_whole(&path, format!("{text}\n").as_bytes())
}
