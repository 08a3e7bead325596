//! The end of a drain that has had its time: what a server still has is ended.

use std::time::Duration;

use serde_json::Value;

use crate::cli::context::{Context, stopped};
use crate::cli::journal::{self, Keep};
use crate::cli::run::recover;
use crate::cli::stage::journal_of;
use crate::cli::store::Store;
use crate::error::{Error, Kind, Result, counted};
use crate::model::{ServerKey, ServiceKey};
use crate::plan::{Evicting, Mode, Owned, Session};

/// How long one server may take; entries go by the thousand in a second.
const LIMIT: Duration = Duration::from_secs(30);

/// Its journal is not the policy's: an eviction that was killed is taken back step by step.
fn name_of(policy: &str) -> String {
    format!("{policy}.evict")
}

fn session(context: &Context, policy: &str) -> Result<Session> {
    let journal = journal_of(context, &name_of(policy), Keep::Steps);
    Ok(Session::new(context.backend(false)?, journal, Mode::Live, Owned::default()))
}

/// Takes back an eviction that was killed, if one was: before anything else is changed, whatever that is. Who only looks
/// (`write` is false) says so and leaves it.
pub fn mend(context: &Context, store: &Store, policy: &str, write: bool) -> Result<()> {
    let name = name_of(policy);
    let file = store.journal_file(&name);
    if !file.exists() {
        return Ok(());
    }
    if !write {
        if let Some(left) = journal::leftover(&file, store.boot_id()) {
            let words = left.words(&format!("'{name}'"));
            context.warn("", format!("{words}; the next check, apply or stop takes it back"));
        }
        return Ok(());
    }
    recover(context, &name, || context.backend(false))
}

/// Ends what these servers have. One line for each that was emptied; one that could not be is tried again by the next
/// round.
pub fn evict(context: &Context, store: &Store, policy: &str, found: &Value) -> Result<Vec<String>> {
    let list: Vec<(ServiceKey, ServerKey)> = rows(found);
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let mut session = session(context, policy)?;
    let stop = || context.cancel.reason().map(stopped);
    let mut lines = Vec::new();
    for (service, server) in list {
        let how = Evicting { limit: LIMIT, stop: &stop, origin: None };
        match session.evict(&service, &server, &how) {
            Ok(gone) => lines.push(format!(
                "{service} {server}  {} and {} ended   drain: its time is over",
                counted(gone.connections, "connection"),
                counted(gone.templates, "template")
            )),
            Err(error) if fatal(&error) => return Err(error),
            Err(error) => context.warn(policy, format!("{error}; the next round tries again")),
        }
    }
    for warning in std::mem::take(&mut session.warnings) {
        context.warn(policy, warning);
    }
    session.close()?;
    journal::discard(&store.journal_file(&name_of(policy)))?;
    Ok(lines)
}

fn fatal(error: &Error) -> bool {
    matches!(error.kind, Kind::Interrupted | Kind::Timeout | Kind::RollbackFailed)
}

fn rows(found: &Value) -> Vec<(ServiceKey, ServerKey)> {
    let list = found.get("evict").and_then(Value::as_array).into_iter().flatten();
    let text = |row: &Value, name: &str| row.get(name).and_then(Value::as_str).map(str::to_string);
    list.filter_map(|row| Some((text(row, "service")?.parse().ok()?, text(row, "server")?.parse().ok()?)))
        .collect()
}
