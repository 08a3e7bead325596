//! `lvsh ipvsadm …`, and lvsh called by the name `ipvsadm`: the command line of ipvsadm 1.31.
//!
//! ```text
//! words ── options: cut as popt does ── parse: in ipvsadm's order ──▶ Command ── change: on a state ──▶ Steps
//!             values, number, names        rules: what goes with what
//! ```

mod change;
mod command;
mod names;
mod number;
mod options;
mod parse;
pub mod restore;
mod rules;
mod values;
mod whole;
mod wrong;
