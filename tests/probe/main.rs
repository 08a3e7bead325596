//! Checks against servers on loopback that are well, and broken in every way.

mod encrypted;
mod faults;
mod http;
mod many;
mod outside;
mod routes;
mod support;
mod tls;
mod words;
