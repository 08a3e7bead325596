//! What a script says of a policy's servers in an operator's place.

use std::sync::Arc;

use crate::error::Result;

/// Keeps such words until the run ends: then they are written down, or were never said.
pub trait Decides: Send + Sync {
    /// Takes a word; gives what a round needs to make it so: `started`, `memory`, `admin`, `now`.
    fn say(&self, said: Said) -> Result<serde_json::Value>;
    /// The same for a round that begins without a word. `hold`: nobody else works on the policy until the run is over.
    fn known(&self, policy: &str, hold: bool) -> Result<serde_json::Value>;
    /// What the round that followed remembers.
    fn remember(&self, policy: &str, memory: serde_json::Value);
    /// How many words were said.
    fn count(&self) -> usize;
    /// Takes all words after the first so many back.
    fn back_to(&self, count: usize);
}

/// One word.
#[derive(Clone, Debug)]
pub struct Said {
    pub policy: String,
    /// As the policy names it: an address alone is about all of its ports.
    pub server: String,
    pub verb: &'static str,
    /// Of `weight`; `None` is the policy's own again.
    pub weight: Option<u32>,
    pub reason: Option<String>,
    /// Seconds that a drain may take.
    pub timeout: Option<f64>,
}

/// Where words go; nobody listens while a policy's own functions run.
#[derive(Clone)]
pub struct Deciding(pub Arc<dyn Decides>);

impl std::fmt::Debug for Deciding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Deciding")
    }
}
