//! Tests that need a real kernel. `tests/run` gives them one; `tests/README.md` says how.

#[macro_use]
mod support;

mod compat;
mod conformance;
mod cycle;
mod demo;
mod faults;
mod flood;
mod health;
mod hosts;
mod ipvs;
mod lab;
mod moving;
#[path = "../cli/repl/pty.rs"]
#[allow(dead_code, reason = "the tests without a kernel use the rest of it")]
mod pty;
mod reading;
mod repl;
mod rounds;
mod selftest;
mod site;
mod steady;
mod traffic;
mod trouble;
mod via;
mod web;
