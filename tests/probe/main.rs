//! Checks against servers on loopback that are well, and broken in every way.

mod faults;
mod http;
mod many;
mod outside;
mod support;
mod tls;
mod words;
