//! Virtual services: their key and their configuration.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    Family, Fwmark, PeName, Persistence, Port, Protocol, SCHEDULERS, choice, parse_endpoint, show_endpoint,
};

/// What identifies a virtual service in the kernel (`ip_vs_service_find`, net/netfilter/ipvs/ip_vs_ctl.c).
///
/// The same mark may exist once per family: these are two services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceKey {
    Address { protocol: Protocol, addr: IpAddr, port: Port },
    Mark { family: Family, mark: Fwmark },
}

impl ServiceKey {
    pub fn family(&self) -> Family {
        match self {
            ServiceKey::Address { addr, .. } => Family::of(*addr),
            ServiceKey::Mark { family, .. } => *family,
        }
    }

    /// The service's own port; `None` for a mark service, whose packets may have any.
    pub fn port(&self) -> Option<Port> {
        match self {
            ServiceKey::Address { port, .. } => Some(*port),
            ServiceKey::Mark { .. } => None,
        }
    }
}

/// `fwm:3`, `fwm6:3`, `tcp:192.0.2.1:80`, `udp:[2001:db8::1]:53`: one word, used in every message.
impl fmt::Display for ServiceKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServiceKey::Address { protocol, addr, port } => {
                write!(out, "{protocol}:{}", show_endpoint(*addr, *port))
            }
            ServiceKey::Mark { family: Family::Ipv4, mark } => write!(out, "fwm:{mark}"),
            ServiceKey::Mark { family: Family::Ipv6, mark } => write!(out, "fwm6:{mark}"),
        }
    }
}

/// Reads what [`ServiceKey`] prints; an address without a protocol in front is TCP.
impl FromStr for ServiceKey {
    type Err = String;

    fn from_str(text: &str) -> Result<ServiceKey, String> {
        let family = match text.split_once(':') {
            Some(("fwm", _)) => Some(Family::Ipv4),
            Some(("fwm6", _)) => Some(Family::Ipv6),
            _ => None,
        };
        if let (Some(family), Some((_, number))) = (family, text.split_once(':')) {
            let number =
                number.parse::<u32>().map_err(|_| format!("'{number}' is not a mark, 1..4294967295"))?;
            return Ok(ServiceKey::Mark { family, mark: Fwmark::new(number)? });
        }
        let known =
            text.split_once(':').and_then(|(word, rest)| Some((word.parse::<Protocol>().ok()?, rest)));
        let (protocol, endpoint) = known.unwrap_or((Protocol::Tcp, text));
        let (addr, port) = parse_endpoint(endpoint).map_err(|why| {
            format!("{why}; a service is written fwm:3, tcp:192.0.2.1:80 or udp:[2001:db8::1]:53")
        })?;
        match port {
            Some(port) => Ok(ServiceKey::Address { protocol, addr, port }),
            None => Err(format!("'{text}' has no port; write {protocol}:{}", show_endpoint(addr, Port(80)))),
        }
    }
}

/// A scheduler's name, 1..15 bytes (`IP_VS_SCHEDNAME_MAXLEN` is 16 with the NUL, linux/ip_vs.h).
///
/// `none` is the kernel's word for a service without scheduler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scheduler(String);

impl Scheduler {
    /// ipvsadm's default.
    pub const DEFAULT: &'static str = "wlc";

    /// The names of [`SCHEDULERS`].
    pub const KNOWN: [&'static str; 15] = choice::names(&SCHEDULERS);

    pub fn new(name: &str) -> Result<Scheduler, String> {
        module_name("a scheduler's name", name).map(Scheduler)
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// `rr`, `lc` and `dh` look at weights only to skip 0.
    pub fn ignores_weights(&self) -> bool {
        matches!(self.0.as_str(), "rr" | "lc" | "dh")
    }

    /// `sh` and `mh` refuse clients whose bucket belongs to a server of weight 0, unless `*-fallback` is set.
    pub fn hashes_sources(&self) -> bool {
        matches!(self.0.as_str(), "sh" | "mh")
    }
}

impl Default for Scheduler {
    fn default() -> Self {
        Scheduler(Self::DEFAULT.to_string())
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

/// Names that the kernel turns into module names: it stores any byte, we keep to what a module can be called.
pub(super) fn module_name(what: &str, name: &str) -> Result<String, String> {
    let fits = (1..=15).contains(&name.len());
    let clean = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits && clean {
        Ok(name.to_string())
    } else {
        Err(format!("'{name}' is not {what}: 1 to 15 letters, digits, '_' or '-'"))
    }
}

/// Service flags without the two that are not the user's: PERSISTENT (told by [`Service::persistence`]) and
/// HASHED (the kernel's own, set in every reply). Unknown bits are carried, so that an edit never drops them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flags(u32);

impl Flags {
    /// `IP_VS_SVC_F_ONEPACKET`, linux/ip_vs.h:23
    pub const ONE_PACKET: Flags = Flags(0x4);
    /// `IP_VS_SVC_F_SCHED1`: `sh-fallback`, `mh-fallback`
    pub const SCHED1: Flags = Flags(0x8);
    /// `IP_VS_SVC_F_SCHED2`: `sh-port`, `mh-port`
    pub const SCHED2: Flags = Flags(0x10);
    /// `IP_VS_SVC_F_SCHED3`
    pub const SCHED3: Flags = Flags(0x20);
    const NOT_OURS: u32 = 0x1 | 0x2;

    /// ipvsadm's words for `--sched-flags`, with the bit each one is and the scheduler it belongs to.
    pub const WORDS: [(&'static str, Flags, Option<&'static str>); 7] = [
        ("sh-fallback", Flags::SCHED1, Some("sh")),
        ("sh-port", Flags::SCHED2, Some("sh")),
        ("mh-fallback", Flags::SCHED1, Some("mh")),
        ("mh-port", Flags::SCHED2, Some("mh")),
        ("flag-1", Flags::SCHED1, None),
        ("flag-2", Flags::SCHED2, None),
        ("flag-3", Flags::SCHED3, None),
    ];

    pub fn from_bits(bits: u32) -> Flags {
        Flags(bits & !Self::NOT_OURS)
    }

    pub fn bits(self) -> u32 {
        self.0
    }

    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// Bits that no word and no option of ipvsadm stands for.
    pub fn without_words(self) -> u32 {
        let named = Flags::SCHED1.with(Flags::SCHED2).with(Flags::SCHED3).with(Flags::ONE_PACKET);
        self.without(named).bits()
    }

    /// The scheduler flags as ipvsadm spells them for this scheduler, in bit order.
    pub fn words(self, scheduler: &Scheduler) -> Vec<&'static str> {
        [Flags::SCHED1, Flags::SCHED2, Flags::SCHED3]
            .into_iter()
            .filter(|bit| self.contains(*bit))
            .filter_map(|bit| {
                let named = |(_, flag, owner): &&(&str, Flags, Option<&str>)| {
                    *flag == bit && *owner == Some(scheduler.name())
                };
                let plain = |(_, flag, owner): &&(&str, Flags, Option<&str>)| *flag == bit && owner.is_none();
                let words = &Flags::WORDS;
                words.iter().find(named).or_else(|| words.iter().find(plain)).map(|word| word.0)
            })
            .collect()
    }
}

/// The configuration of one virtual service, apart from its key, its servers and its counters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Service {
    pub scheduler: Scheduler,
    pub flags: Flags,
    /// `None`: each connection is scheduled anew.
    pub persistence: Option<Persistence>,
    /// Persistence engine; the only one in the kernel is `sip`.
    pub pe: Option<PeName>,
}

impl Service {
    pub fn one_packet(&self) -> bool {
        self.flags.contains(Flags::ONE_PACKET)
    }

    /// Whether clients of a server at weight 0 are sent to another one (`sh-fallback`, `mh-fallback`).
    pub fn falls_back(&self) -> bool {
        self.flags.contains(Flags::SCHED1)
    }
}

/// `sh sh-fallback, persistent 600`: what a plan and a table print of a service.
impl fmt::Display for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scheduler.fmt(out)?;
        for word in self.flags.words(&self.scheduler) {
            write!(out, " {word}")?;
        }
        if self.one_packet() {
            out.write_str(" ops")?;
        }
        if let Some(persistence) = &self.persistence {
            write!(out, ", persistent {persistence}")?;
        }
        match &self.pe {
            Some(pe) => write!(out, ", pe {pe}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_round_trip() {
        for text in
            ["fwm:3", "fwm6:4294967295", "tcp:192.0.2.1:80", "udp:[2001:db8::1]:53", "proto-99:192.0.2.1:0"]
        {
            assert_eq!(text.parse::<ServiceKey>().expect(text).to_string(), text);
        }
        assert_eq!("192.0.2.1:80".parse::<ServiceKey>().expect("tcp").to_string(), "tcp:192.0.2.1:80");
    }

    #[test]
    fn what_is_no_key_says_how_one_is_written() {
        for (text, part) in [
            ("fwm:0", "use 1..4294967295"),
            ("fwm:web", "'web' is not a mark"),
            ("tcp:192.0.2.1", "write tcp:192.0.2.1:80"),
            ("tpc:192.0.2.1:80", "fwm:3"),
            ("www.example.org:80", "names are not looked up"),
        ] {
            let error = text.parse::<ServiceKey>().expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
