//! The bytes of IPVS messages: known ones with a comment on every line, and round trips of random ones.
//!
//! The bytes are those of a little-endian machine; on others only the random tests run.

#[cfg(target_endian = "little")]
mod known;
mod random;
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
