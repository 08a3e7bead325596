//! The bytes of IPVS messages: known and captured ones with a comment on every line, and round
//! trips of random ones.
//!
//! The bytes are those of a little-endian machine; on others only the random tests run.

#[cfg(target_endian = "little")]
mod capture;
#[cfg(target_endian = "little")]
mod known;
mod random;
#[cfg(target_endian = "little")]
mod replies;
#[cfg(target_endian = "little")]
mod requests;
mod strategies;
#[cfg(target_endian = "little")]
mod things;
mod wrong;

use lvsh::kernel::ipvs::attr::{self, Nested};
use lvsh::kernel::ipvs::message::Message;
use lvsh::kernel::ipvs::request::Request;

/// The attributes of a request, encoded.
pub fn attrs(request: Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    request.put_attrs(&mut out);
    out
}

/// The attributes of a request as a message that can be looked into.
pub fn message(request: Request<'_>) -> Message<'static> {
    Message { command: request.command(), attrs: attrs(request).into() }
}

/// A nest's bytes with one attribute appended.
pub fn with(nest: Nested<'_>, nla: &impl netlink_packet_core::Nla) -> Vec<u8> {
    let mut out = nest.0.to_vec();
    attr::put(&mut out, nla);
    out
}

/// Reads every attribute of a set and writes it again.
pub fn rewrite<'a, A: attr::Attribute<'a>>(bytes: &'a [u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for nla in attr::read::<A>(bytes) {
        attr::put(&mut out, &nla.expect("an attribute"));
    }
    out
}
