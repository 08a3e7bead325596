//! Tests that need a real kernel. `tests/run` gives them one; `tests/README.md` says how.

#[macro_use]
mod support;

mod conformance;
mod cycle;
mod demo;
mod ipvs;
mod lab;
mod repl;
mod site;
mod trouble;
mod web;
