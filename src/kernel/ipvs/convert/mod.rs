//! Model to attributes and back; the only place that knows both.
//!
//! `put_*` append attributes to a buffer, `read_*` take a nest from a message. What the kernel adds by itself (HASHED,
//! timeout and netmask of services that are not persistent, forwarding bits above the method) stops here, so that
//! what was asked for compares equal to what is read back.

mod config;
mod daemon;
mod dest;
mod service;
mod stats;

pub use config::{put_config, read_config, read_info};
pub use daemon::{put_daemon, put_role, read_daemon};
pub use dest::{put_server, put_server_key, read_server};
pub use service::{put_service, put_service_key, read_service, read_service_key};
pub use stats::{put_stats, read_stats};

use std::net::IpAddr;

use super::attr::{Malformed, UnionAddr};
use crate::model::Family;

/// `AF_INET` and `AF_INET6` (linux/socket.h).
fn af_number(family: Family) -> u16 {
    match family {
        Family::Ipv4 => libc::AF_INET as u16,
        Family::Ipv6 => libc::AF_INET6 as u16,
    }
}

fn family(attr: &'static str, number: u16) -> Result<Family, Malformed> {
    match i32::from(number) {
        libc::AF_INET => Ok(Family::Ipv4),
        libc::AF_INET6 => Ok(Family::Ipv6),
        other => Err(Malformed::Value { attr, why: format!("{other} is not an address family of IPVS") }),
    }
}

fn address(family: Family, addr: UnionAddr) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(addr.v4()),
        Family::Ipv6 => IpAddr::V6(addr.v6()),
    }
}

/// `value`, or the complaint that the attribute is not there.
fn need<T>(attr: &'static str, value: Option<T>) -> Result<T, Malformed> {
    value.ok_or(Malformed::Missing(attr))
}

/// The complaint about a value that the model does not hold.
fn bad(attr: &'static str) -> impl FnOnce(String) -> Malformed {
    move |why| Malformed::Value { attr, why }
}
