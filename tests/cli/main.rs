//! The program as its users meet it: what it prints, its exit codes, and what it leaves behind.

mod commands;
mod documents;
mod foreign;
mod leftovers;
mod locks;
mod policies;
mod repl;
mod shared;
mod support;
mod trust;
mod wrong;
