//! What the tests of the kernel are written with. A test starts with `needs!(ipvs)`, builds a [`Topology`], and talks
//! to its hosts.

// Not everything here is used at every time.
#![allow(dead_code, unused_imports)]

#[macro_use]
mod needs;
mod answer;
mod client;
mod clients;
mod cmd;
mod conns;
pub mod datagrams;
mod ftp;
mod host;
mod isolate;
mod load;
mod namespace;
mod raw;
mod rt;
mod seeded;
mod serve;
mod snapshot;
mod topology;

pub use answer::Answer;
pub use client::Failure;
pub use clients::{Clients, PACE, Request};
pub use cmd::{Cmd, Output, split as words};
pub use conns::Conn;
pub use ftp::Fetched;
pub use host::Host;
pub use isolate::isolate;
pub use load::{Load, runs};
pub use namespace::Namespace;
pub use needs::ipvs as needs_ipvs;
pub use raw::Raw;
pub use seeded::seeded;
pub use serve::{Fault, trusted};
pub use topology::{Net, Topology};

use std::time::{Duration, Instant};

/// Waits for something that the kernel does in its own time (counters are up to 2.5 s late). Panics after `limit`.
#[track_caller]
pub fn eventually<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
