//! Tests that need a real kernel. `tests/run` gives them one; `tests/README.md` says how.

#[macro_use]
mod support;

mod compat;
mod conformance;
mod cycle;
mod demo;
mod ipvs;
mod lab;
mod moving;
mod site;
mod trouble;
mod web;
