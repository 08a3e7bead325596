//! Checks: is a server well? Many at once, each within its deadline. What to do about the answer is not decided here.

mod agent;
mod der;
mod dns;
mod exec;
mod http;
mod judge;
mod outside;
mod ping;
mod run;
mod smtp;
mod socket;
mod steps;
mod stream;
mod tcp;
mod tls;
mod udp;

pub use dns::{Dns, Lookup, Record, RecordType};
pub use exec::{Exec, Program, Ran};
pub use http::Http;
pub use judge::judge;
pub use outside::{Heard, Question, Url, ask, machine};
pub use run::{Limits, probe_all};
pub use smtp::Smtp;
pub use steps::{StepOf, Steps};
pub use tls::{Tls, TlsOptions};
pub use udp::Udp;

use std::net::IpAddr;
use std::time::Duration;

use crate::model::IfName;

/// One check of one server.
#[derive(Clone, Debug)]
pub struct Job {
    /// Where to.
    pub addr: IpAddr,
    /// 0 for checks that have none.
    pub port: u16,
    pub check: Check,
    /// From the first packet to the verdict.
    pub timeout: Duration,
    pub route: Route,
}

/// How packets of a check leave this machine.
#[derive(Clone, Debug, Default)]
pub struct Route {
    /// Source address.
    pub from: Option<IpAddr>,
    /// `SO_BINDTODEVICE`; needed for link-local addresses.
    pub dev: Option<IfName>,
    /// `SO_MARK`: for policy routing, and for going through IPVS by a service of that mark.
    pub mark: Option<u32>,
    /// Without `from`: the source is the address from which this machine talks to that one. To an address that it has
    /// itself it would talk from the same address, and the answer would never come back.
    pub facing: Option<IpAddr>,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Check {
    /// It accepts a connection.
    Tcp,
    Http(Box<Http>),
    Dns(Dns),
    Smtp(Smtp),
    /// It answers an ICMP echo request.
    Ping,
    Udp(Udp),
    Exec(Exec),
    /// It says itself how it is, in one line, as HAProxy's agent-check has it.
    Agent {
        /// Sent first; many agents want nothing.
        send: Vec<u8>,
    },
    Steps(Steps),
}

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Good,
    Bad,
    /// It could not be asked from here (no descriptor, no route, no such program): that says nothing of the server.
    Unknown,
}

/// The answer to one [`Job`].
#[derive(Clone, Debug)]
pub struct Answer {
    pub verdict: Verdict,
    /// From the start of the check to its verdict.
    pub time: Duration,
    /// Why it is not good; empty when it is.
    pub err: String,
    pub seen: Seen,
}

/// What was seen on the way, as far as the check got.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// HTTP's, or the exit status of `exec`, or SMTP's.
    pub status: Option<u16>,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, the line of an agent, the output of a program, the reply of a datagram; at most [`SEEN_MOST`].
    pub body: Vec<u8>,
    /// Whole days until the server's certificate expires; negative when it has.
    pub cert_days: Option<i64>,
    /// An agent's opinion, in per cent of the configured weight.
    pub percent: Option<u32>,
    /// An agent's word on its state: `ready`, `drain`, `maint`, `up`, `down`, `fail`, `stopped`.
    pub word: Option<String>,
    /// A weight that a program gave, as keepalived's dynamic checks do.
    pub weight: Option<u32>,
    /// Records of a DNS answer.
    pub records: Vec<String>,
    /// What a conversation waits for, and how much of the body came before: the words for one that ends too late.
    pub waiting: Option<(String, usize)>,
}

/// Bytes of a body that are kept for the script to look at.
pub const SEEN_MOST: usize = 64 * 1024;

/// Why a check did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trouble {
    /// The server's fault.
    Bad(String),
    /// Ours.
    Blind(String),
}

impl Trouble {
    fn bad(text: impl Into<String>) -> Trouble {
        Trouble::Bad(text.into())
    }

    fn blind(text: impl Into<String>) -> Trouble {
        Trouble::Blind(text.into())
    }

    /// An error of the system while doing `what`. What has its cause on this machine says nothing of the server.
    fn of(what: &str, error: &std::io::Error) -> Trouble {
        let ours = [
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EADDRNOTAVAIL,
            libc::EADDRINUSE,
            libc::ENETUNREACH,
            libc::ENETDOWN,
            libc::EPERM,
            libc::EACCES,
            libc::ENODEV,
            libc::EINVAL,
            libc::EAFNOSUPPORT,
        ];
        let text = format!("{what}: {}", words(error));
        match error.raw_os_error() {
            Some(errno) if ours.contains(&errno) => Trouble::Blind(text),
            _ => Trouble::Bad(text),
        }
    }
}

/// `connection refused`, without the number.
fn words(error: &std::io::Error) -> String {
    let text = error.to_string();
    let bare = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = bare.chars();
    chars.next().map(|first| first.to_lowercase().collect::<String>() + chars.as_str()).unwrap_or_default()
}

/// Keeps what fits of a body.
fn keep(body: &mut Vec<u8>, part: &[u8]) {
    let room = SEEN_MOST.saturating_sub(body.len());
    body.extend_from_slice(&part[..part.len().min(room)]);
}

/// What was received, for a message: printable, on one line, not too long.
fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 80;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MOST)]);
    let more = if bytes.len() > MOST { "…" } else { "" };
    format!("\"{}{more}\"", text.trim_end().escape_debug())
}

/// Whether `needle` is in `hay`.
fn contains(hay: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return true };
    // One look for the first byte spares most of a long body the comparison at each of its bytes.
    hay.contains(first) && hay.windows(needle.len()).any(|part| part == needle)
}
