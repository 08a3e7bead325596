//! Verbs that tell what the others are made of: help, types, schema, man, completions. All of it comes from the
//! registry of the API and the definition of the command line; nothing is written a second time here but the pages for
//! those who come from another program.

mod completions;
mod help;
mod lua_manual;
mod man;
mod peers;
mod roff;
mod schema;
mod stubs;
#[cfg(test)]
mod tests;
mod types;

pub use completions::{Completions, completions};
pub use help::{Help, help};
pub use man::{Man, man};
pub use schema::{Schema, schema};
pub use types::{Types, types};

use clap::CommandFactory;

use super::args::Arguments;

/// The command line with what clap adds when it is used: common options at every verb, names like `lvsh start`.
fn command() -> clap::Command {
    let mut command = Arguments::command();
    command.build();
    command
}
