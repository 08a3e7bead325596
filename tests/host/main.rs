//! The host side against a real kernel: marks, addresses, announcements, sysctls, namespaces.
//!
//! Needs root and nf_tables, not IPVS. Each test works in a network namespace that it makes and that ends with it,
//! so nothing of the machine is touched and tests can run side by side.

// A test that fails should stop right there.
#![allow(clippy::unwrap_used)]

mod addresses;
mod checks;
mod marks;
mod paths;
mod settings;
mod speed;
mod support;
mod traffic;
