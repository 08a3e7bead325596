//! IPVS over generic netlink.
//!
//! ```text
//! Ipvs ──┬ read    services, timeouts, daemons: looked at twice ── pieces  lists of IPv4, each in one piece
//!        └ write   steps: many requests per datagram
//!            │
//!         request  what is asked, in the model's words     convert  model ⇄ attributes, the only place
//!            │                                                │
//!         exchange ── socket ── frame                       attr     one row per attribute: name, number, shape
//!                       └ family                            consts   linux/ip_vs.h
//! ```
//!
//! Errors: [`crate::plan::refusal`] for a step, with the kernel's own words as a note; kind `Unable` for a kernel without
//! IPVS, for missing privileges and for answers that cannot be read.

pub mod attr;
pub mod consts;
pub mod convert;
mod exchange;
pub mod family;
pub mod frame;
pub mod message;
mod pieces;
mod read;
pub mod request;
pub(super) mod socket;
mod write;

use crate::error::Result;

/// IPVS of the network namespace in which this was opened. Blocking, but nothing waits: the kernel answers within
/// the call.
pub struct Ipvs {
    socket: socket::GenlSocket,
    pieces: pieces::Pieces,
    notes: Vec<String>,
}

impl Ipvs {
    /// Finds the family, loading `ip_vs` if the kernel does not do so by itself. Needs no privilege yet.
    pub fn open() -> Result<Ipvs> {
        Ok(Ipvs { socket: socket::GenlSocket::open()?, pieces: pieces::Pieces::open(), notes: Vec::new() })
    }

    /// What is to be said about the readings since the last call; nearly always nothing.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    /// On a kernel without IPVS the reason and the remedy are told; on others it opens.
    #[test]
    fn opening_works_or_says_why_not() {
        if let Err(error) = Ipvs::open() {
            assert_eq!(error.kind, Kind::Unable, "{error}");
            assert!(
                error.to_string().starts_with("the kernel has no IPVS: modprobe ip_vs failed: "),
                "{error}"
            );
            assert!(error.hint.is_some());
        }
    }
}
