//! The schedulers of current kernels and the methods of forwarding, with what is known of each.
//!
//! One table for checks, hints, completion and help.

use super::Flags;

/// A word of which one is chosen. A kernel may lack some schedulers.
#[derive(Debug)]
pub struct Choice {
    pub name: &'static str,
    /// The name spelled out.
    pub long: &'static str,
    /// What ipvsadm, ldirectord and keepalived call it, where that is another word.
    pub also: &'static [&'static str],
    /// What it does, and its trap.
    pub doc: &'static str,
}

const fn of(name: &'static str, long: &'static str, doc: &'static str) -> Choice {
    Choice { name, long, also: &[], doc }
}

const fn also(mut choice: Choice, words: &'static [&'static str]) -> Choice {
    choice.also = words;
    choice
}

/// The names alone.
pub(super) const fn names<const N: usize>(all: &[Choice; N]) -> [&'static str; N] {
    let mut out = [""; N];
    let mut at = 0;
    while at < N {
        out[at] = all[at].name;
        at += 1;
    }
    out
}

impl Choice {
    /// Whether a word means this one, here or in another program.
    pub fn is_called(&self, word: &str) -> bool {
        self.also.iter().chain([&self.name]).any(|known| known.eq_ignore_ascii_case(word))
    }

    /// The flags that are this scheduler's own.
    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        Flags::WORDS.into_iter().filter(|(_, _, owner)| *owner == Some(self.name)).map(|(word, ..)| word)
    }
}

/// Sorted by name. Sources: net/netfilter/ipvs/ip_vs_*.c of Linux 6.1 to 7.2.
pub static SCHEDULERS: [Choice; 15] = [
    of(
        "dh",
        "destination hashing",
        "A server for each address that clients ask for, by hashing; for caches behind one mark. With one address, \
         one server has all clients. Ignores weights other than 0, and refuses the clients of a server with weight \
         0.",
    ),
    of(
        "fo",
        "weighted failover",
        "All clients go to the server of the highest weight; the others wait until it has weight 0 or is at its \
         upper limit.",
    ),
    of(
        "lblc",
        "locality-based least connection",
        "A server for each address that clients ask for, kept until it has more active connections than its weight \
         and another has less than half of that; for caches behind one mark. Weights must be as large as \
         connections are many.",
    ),
    of(
        "lblcr",
        "locality-based least connection with replication",
        "As lblc, with a set of servers for each address, which grows when these have too much and shrinks with \
         time.",
    ),
    of(
        "lc",
        "least connection",
        "The server with the fewest connections; an active one counts as 256 inactive. Ignores weights other than \
         0: use wlc.",
    ),
    of(
        "mh",
        "Maglev hashing",
        "A server for each client address, as sh; when a server comes or goes, few clients of the others move. \
         Without mh-fallback, clients of a server with weight 0 are refused; mh-port looks at the client's port as \
         well.",
    ),
    of("none", "no scheduler", "The kernel's word for a service without scheduler: new clients are refused."),
    of(
        "nq",
        "never queue",
        "A server without active connections if there is one, whatever its weight, else as sed.",
    ),
    of(
        "ovf",
        "weighted overflow",
        "The server of the highest weight, until it has as many active connections as its weight; then the next \
         one. When all are full, new clients are refused.",
    ),
    of("rr", "round robin", "Each server in turn. Ignores weights other than 0: use wrr."),
    of(
        "sed",
        "shortest expected delay",
        "The server with the fewest active connections for its weight, the new one counted. With few connections, \
         servers of small weights get none.",
    ),
    of(
        "sh",
        "source hashing",
        "A server for each client address, by 256 buckets that weights share in runs: small weights share best. \
         Without sh-fallback, clients of a server with weight 0 are refused; sh-port looks at the client's port as \
         well.",
    ),
    of(
        "twos",
        "power of two choices",
        "Two servers are drawn by weight, and the one with fewer connections for its weight is taken.",
    ),
    of(
        "wlc",
        "weighted least connection",
        "The server with the fewest connections for its weight; an active one counts as 256 inactive. A server \
         that comes back empty gets all new clients until it has as many as the others: slow_start spares it.",
    ),
    of(
        "wrr",
        "weighted round robin",
        "Each server in turn, as often as its weight says, however many connections it still has.",
    ),
];

/// The default first.
pub static METHODS: [Choice; 3] = [
    also(
        of(
            "dr",
            "direct routing",
            "The packet goes to the server as it is, on the same link; the answer goes straight to the client. The \
             server must have the service's address, keep quiet about it in ARP (lvs.real_server), and listen on \
             the same port.",
        ),
        &["gate", "gatewaying", "direct", "route"],
    ),
    also(
        of(
            "nat",
            "network address translation",
            "The packet's destination becomes the server, on any port. Answers must come back through the \
             director: it is the servers' gateway, and clients in the servers' own network are not answered.",
        ),
        &["masq", "masquerade", "masquerading"],
    ),
    also(
        of(
            "tun",
            "tunnel",
            "The packet is wrapped (ipip, gue or gre) and goes to a server anywhere; the answer goes straight to \
             the client. The server must have the address and unpack (lvs.real_server), and wrapped packets must \
             fit the link's MTU.",
        ),
        &["ipip", "tunneling"],
    ),
];
