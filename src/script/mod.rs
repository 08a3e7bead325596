//! Lua: policies and scripts, run in a VM on a thread of its own against a session.
//!
//! ```text
//! engine ── job ──▶ vm (sandbox, hook, message handler) ── user's Lua ──▶ bind (C shim) ──▶ natives
//!                                                                          │ registry, schema
//!                                                         convert ── Row ── build ── model ──▶ Session
//!                                                                          │
//!                                                         fault ── raise (source: words, caret) ──▶ Error
//! ```

mod api;
mod bind;
mod build;
mod cancel;
mod console;
mod convert;
mod deciding;
mod engine;
mod fault;
mod guard;
pub mod help;
mod host;
mod natives;
mod outside;
mod raise;
mod records;
mod registry;
mod sandbox;
pub mod schema;
mod shown;
mod sim;
mod source;
mod vm;

#[cfg(test)]
mod tests;

pub use cancel::Cancel;
pub use console::{
    Ask, Class, Cursor, Expected, Inside, Look, Seg, Slot, Syntax, Told, Word, check_syntax, classes, cursor,
    expected,
};
pub use convert::parse_seconds;
pub use deciding::{Decides, Deciding, Said};
pub use engine::{Answer, Engine, Job, Limits, Loaded, Recall};
pub use natives::{Level, check_name, set_log_level};
pub use outside::{Asked, Clock, Heard, Line, Logged, Outside, Question, World};
pub use registry::{Entry, Param, registry};
pub use sandbox::{Stdlib, print_aside};
pub use shown::Shown;
pub use sim::{SimSpec, Simulate, Simulated};
pub use source::excerpt_of;
