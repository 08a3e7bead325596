//! Entries of the connection table: connections, and the templates that persistence makes of them.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Family, Fwmark, Port, Protocol, ServerKey, show_endpoint};

/// One entry, as `/proc/net/ip_vs_conn` has it (`ip_vs_conn_seq_show`, net/netfilter/ipvs/ip_vs_conn.c).
///
/// The kernel does not say which service made an entry; [`super::Makers`] can nearly always.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Connection {
    /// Number 0 (`IP`) for the template of a firewall-mark service.
    pub protocol: Protocol,
    /// Of a template: masked by the service's netmask.
    pub client: IpAddr,
    /// 0 for a template.
    pub client_port: Port,
    #[serde(rename = "virtual")]
    pub target: Target,
    /// As the entry has it: in direct routing its port is the virtual one; 65535 in a template that was given up.
    pub server: ServerKey,
    pub state: ConnectionState,
    /// Seconds until it expires, if nothing restarts its timer.
    pub expires: u32,
    /// What a persistence engine found in the packets; it identifies the template instead of the client's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pe: Option<PeData>,
}

/// What the client asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Port 0 in the templates of a service of every port and of FTP; 65535 in a template that was given up.
    Address { addr: IpAddr, port: Port },
    /// Of a template only: connections of a firewall-mark service show the address the client asked for.
    Mark { family: Family, mark: Fwmark },
}

/// `192.0.2.99:80`, `[2001:db8::99]:80`, `fwm:3`, `fwm6:3`.
impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Address { addr, port } => out.write_str(&show_endpoint(*addr, *port)),
            Target::Mark { family: Family::Ipv4, mark } => write!(out, "fwm:{mark}"),
            Target::Mark { family: Family::Ipv6, mark } => write!(out, "fwm6:{mark}"),
        }
    }
}

/// A persistence engine and its datum: `sip`, and a Call-ID.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PeData {
    pub name: String,
    /// From packets: bytes that are not UTF-8 are replaced.
    pub data: String,
}

/// The kernel's word: `ESTABLISHED`, `FIN_WAIT`, `UDP`; of a template `ASSURED` or `NONE`.
///
/// A word that is not known here is kept as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionState(Cow<'static, str>);

impl ConnectionState {
    /// `tcp_state_name_table`, `udp_state_name_table`, `sctp_state_name` (ip_vs_proto_*.c), and `ip_vs_state_name`.
    pub const KNOWN: [&'static str; 26] = [
        "ESTABLISHED",
        "FIN_WAIT",
        "TIME_WAIT",
        "SYN_RECV",
        "SYN_SENT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "SYNACK",
        "UDP",
        "NONE",
        "ASSURED",
        "INIT",
        "INIT1",
        "COOKIE",
        "COOKIE_SENT",
        "COOKIE_WAIT",
        "COOKIE_ECHOED",
        "COOKIE_REPLIED",
        "SHUTDOWN_SENT",
        "SHUTDOWN_RECEIVED",
        "SHUTDOWN_ACK_SENT",
        "REJECTED",
        "CLOSED",
        "ERR!",
    ];

    pub fn new(word: &str) -> ConnectionState {
        match Self::KNOWN.iter().find(|known| **known == word) {
            Some(known) => ConnectionState(Cow::Borrowed(known)),
            None => ConnectionState(Cow::Owned(word.to_string())),
        }
    }

    pub fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad`, so that a width in the format is obeyed.
        out.pad(&self.0)
    }
}

impl Connection {
    /// The port of a template that the kernel gave up (`ip_vs_check_template`): its server is gone or takes none.
    pub const GIVEN_UP: Port = Port(0xffff);

    /// Whether this is no connection but the memory that a client belongs to a server. An FTP data connection whose
    /// client port is not known yet has port 0 too, and another state.
    pub fn is_template(&self) -> bool {
        self.client_port == Port(0) && matches!(self.state.name(), "ASSURED" | "NONE")
    }

    /// A template that no client will use again; it is there until its timer ends.
    pub fn is_given_up(&self) -> bool {
        self.is_template() && self.server.port == Self::GIVEN_UP
    }

    /// Established, as the kernel counts it: of TCP and SCTP `ESTABLISHED`, of UDP all (`ip_vs_bind_dest`).
    pub fn is_active(&self) -> bool {
        !self.is_template() && matches!(self.state.name(), "ESTABLISHED" | "UDP")
    }

    pub fn family(&self) -> Family {
        Family::of(self.client)
    }
}
