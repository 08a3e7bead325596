//! Checks against servers on loopback that are well, and broken in every way.

mod http;
mod many;
mod support;
mod tls;
mod words;
