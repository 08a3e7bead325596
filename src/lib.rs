//! lvsh: Lua policies for Linux IPVS.
//!
//! ```text
//! policy file (Lua) ── script: strict conversion ──▶ model::State  (desired)
//!                                                         │
//! kernel ── backend.snapshot() ─────────────────▶ model::State  (current)
//!                                                         ▼
//!                        plan::diff(current, desired) ──▶ ordered Steps ── view ──▶ text, JSON, ipvsadm, nft, Lua
//!                                                         │
//!                                                         ▼
//!                        plan::execute: journal the inverse, send, read back, verify, or roll back
//!                                                         ▼
//!                        backend.apply(&[Step])           ← the only door for change
//!                      ┌──────────────────┴──────────────────┐
//!               kernel::Kernel                        backend::Memory
//! ```
//!
//! The rooms, in the order in which they may use each other (`tests/house` keeps this true):

pub mod model;

pub mod error;

pub mod plan;

pub mod backend;

pub mod kernel;

pub mod probe;

pub mod view;

pub mod script;

pub mod cli;
