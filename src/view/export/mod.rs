//! A machine as a text that makes it again: a policy, what `ipvsadm -R` reads, or JSON.

mod json;
mod lua;
mod paths;
mod read;
mod save;

pub use json::{json, json_value};
pub use lua::{Policy, policy};
pub use read::read_json;
pub use save::save;

/// A text, and what it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    pub text: String,
    /// What the format has no words for, one line each, with the reason.
    pub left_out: Vec<String>,
}
