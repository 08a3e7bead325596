//! From words to a command, in ipvsadm's order: which of several mistakes is told decides the exit code.

use std::net::{IpAddr, Ipv4Addr};

use super::command::{Command, Reach};
use super::number::leading;
use super::options::{Found, Opt, Scanner, Trouble, Verb};
use super::rules::Given;
use super::values::{endpoint, fwmark, netmask_v4, number, seconds};
use super::wrong::{Wrong, near};
use crate::model::{
    Family, Flags, Forwarding, Fwmark, Netmask, Port, Protocol, Server, ServerKey, SyncRole, TunnelKind,
    Weight,
};
use crate::view::ipvsadm::Format;

/// Reads the words after the program's name. Names of hosts and services are looked up.
///
/// # Errors
/// The mistake that ipvsadm 1.31 would end with, told better.
pub fn parse(words: &[&str], reach: Reach, program: &str) -> Result<Command, Wrong> {
    let mut scanner = Scanner::new(words);
    let verb = match scanner.option() {
        Some(Ok(Found { opt: Opt::Do(verb), value, word, .. })) => (verb, value, word),
        Some(Err(Trouble::NoValue)) => {
            let text = words.get(scanner.word()).copied().unwrap_or_default();
            let wrong = Wrong::no_command(program, format!("option '{text}' needs a value"));
            return Err(wrong.at(scanner.word()).hint(format!("{text} master, or {text} backup")));
        }
        _ => return Err(no_command(words, program)),
    };
    let (verb, value, word) = verb;
    let mut draft = Draft::new(reach);
    match verb {
        Verb::Help => return Ok(Command::Help),
        Verb::Version => return Ok(Command::Version),
        Verb::StartDaemon | Verb::StopDaemon => draft.role = role(verb, value.unwrap_or_default(), word)?,
        _ => {}
    }
    while let Some(step) = scanner.option() {
        let found = step.map_err(|why| {
            let word = scanner.word();
            Wrong::popt(why, word, words.get(word).copied().unwrap_or_default())
        })?;
        draft.option(found, words).map_err(|wrong| match wrong.word {
            Some(_) => wrong,
            None => wrong.at(found.word),
        })?;
    }
    let rest: Vec<(usize, &str)> = scanner.rest.iter().map(|word| (*word, words[*word])).collect();
    draft.end(verb, &rest)
}

/// popt finds no command at the beginning.
fn no_command(words: &[&str], program: &str) -> Wrong {
    let first = words.first().copied().unwrap_or_default();
    let message = match first.starts_with('-') {
        true => format!("'{first}' is no command, and a command comes first"),
        false => format!("'{first}' is no command"),
    };
    Wrong::no_command(program, message).at(0).hint(near(first).unwrap_or_else(|| {
        "begin with one of -A -E -D -C -a -e -d -L -Z -S -R --set --start-daemon --stop-daemon".to_string()
    }))
}

fn role(verb: Verb, text: &str, word: usize) -> Result<SyncRole, Wrong> {
    let theirs = match verb {
        Verb::StartDaemon => "illegal start-daemon parameter specified",
        _ => "illegal start_daemon specified",
    };
    match text {
        "master" => Ok(SyncRole::Master),
        "backup" => Ok(SyncRole::Backup),
        _ => Err(Wrong::new(theirs, format!("'{text}' is no sync daemon: master or backup")).at(word)),
    }
}

/// What ipvsadm fills while it reads options.
pub struct Draft {
    pub(super) reach: Reach,
    pub(super) given: Vec<Given>,
    pub(super) role: SyncRole,
    pub(super) protocol: Protocol,
    pub(super) addr: Option<IpAddr>,
    pub(super) port: u16,
    pub(super) mark: Option<Fwmark>,
    pub(super) family: Option<Family>,
    pub(super) netmask: Netmask,
    pub(super) scheduler: String,
    pub(super) flags: Flags,
    pub(super) persistent: Option<u32>,
    pub(super) engine: String,
    pub(super) sched_flags: Option<(String, usize)>,
    pub(super) server: ServerKey,
    pub(super) made: Server,
    pub(super) dev: String,
    pub(super) syncid: u32,
    pub(super) group: Option<IpAddr>,
    pub(super) mcast_port: Option<u16>,
    pub(super) ttl: Option<u8>,
    pub(super) maxlen: u16,
    pub(super) format: Format,
}

/// `strncpy` into an array of 16 bytes with its zero.
fn short(text: &str) -> String {
    let mut end = text.len().min(15);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_string()
}

impl Draft {
    fn new(reach: Reach) -> Draft {
        Draft {
            reach,
            given: Vec::with_capacity(8),
            role: SyncRole::Master,
            protocol: Protocol::Other(0),
            addr: None,
            port: 0,
            mark: None,
            family: None,
            netmask: Netmask::host(Family::Ipv4),
            scheduler: String::new(),
            flags: Flags::default(),
            persistent: None,
            engine: String::new(),
            sched_flags: None,
            server: ServerKey { addr: Ipv4Addr::UNSPECIFIED.into(), port: Port(0) },
            made: Server::default(),
            dev: String::new(),
            syncid: 0,
            group: None,
            mcast_port: None,
            ttl: None,
            maxlen: 0,
            format: Format::default(),
        }
    }

    /// `ipvsadm` where ipvsadm is stricter than the kernel.
    pub(super) fn most(&self, ipvsadm: u32, kernel: u32) -> u32 {
        if self.reach == Reach::Ipvsadm { ipvsadm } else { kernel }
    }

    fn option(&mut self, found: Found<'_>, words: &[&str]) -> Result<(), Wrong> {
        let Found { opt, name, value, word } = found;
        if !name.is_empty() {
            if let Some(Given { opt: before, .. }) = self.given.iter().find(|before| before.name == name) {
                let message = if *before == opt {
                    format!("{} was given twice", opt.spelling())
                } else {
                    format!("{} and {} exclude each other", before.spelling(), opt.spelling())
                };
                let wrong = Wrong::new(format!("multiple '{name}' options specified"), message);
                return Err(wrong.hint("give one of the two"));
            }
            self.given.push(Given { opt, name, word });
        }
        let text = value.unwrap_or_default();
        match opt {
            Opt::Do(_) => {
                let shown = words[word];
                let message =
                    format!("'{shown}' is a second command; a command line has one, as its first option");
                return Err(Wrong::new(format!("invalid option `{shown}'"), message));
            }
            Opt::Tcp => self.service(Protocol::Tcp, text)?,
            Opt::Udp => self.service(Protocol::Udp, text)?,
            Opt::Sctp => self.service(Protocol::Sctp, text)?,
            Opt::Mark => {
                self.family = Some(Family::Ipv4);
                self.protocol = Protocol::Tcp;
                self.mark = Fwmark::new(fwmark(text)?).ok();
            }
            Opt::Ipv6 if self.mark.is_some() => {
                self.family = Some(Family::Ipv6);
                self.netmask = Netmask::host(Family::Ipv6);
            }
            Opt::Ipv6 => {
                let wrong = Wrong::new("-6 used before -f\n", "-6 stands before the mark that it is about");
                return Err(wrong.hint("write -f MARK -6; for addresses -6 is not needed"));
            }
            Opt::Scheduler => self.scheduler = short(text),
            Opt::Persistent => self.persistent = Some(self.persistence(value)?),
            Opt::Netmask => self.netmask = self.mask(text)?,
            Opt::Server => self.server(text)?,
            Opt::Nat => self.made.method = Forwarding::Nat,
            Opt::Tun => self.made.method = Forwarding::Tun,
            Opt::Dr => self.made.method = Forwarding::Dr,
            Opt::Weight => {
                // Debian's; the author's own stops at 65535.
                let weight = number(text, 0..=Weight::MAX, "weight", "illegal weight specified")?;
                self.made.weight = Weight::new(weight).unwrap_or_default();
            }
            Opt::Upper => {
                self.made.upper = threshold(text, "upper threshold", "illegal u_threshold specified")?
            }
            Opt::Lower => {
                self.made.lower = threshold(text, "lower threshold", "illegal l_threshold specified")?
            }
            Opt::Ops => self.flags = self.flags.with(Flags::ONE_PACKET),
            Opt::Engine => self.engine = text.to_string(),
            Opt::SchedFlags => self.sched_flags = Some((text.to_string(), word)),
            Opt::Numeric => self.format.numeric = true,
            Opt::Stats => self.format.stats = true,
            Opt::Rate => self.format.rate = true,
            Opt::Thresholds => self.format.thresholds = true,
            Opt::PersistentConn => self.format.persistent = true,
            Opt::TunInfo => self.format.tunnels = true,
            Opt::NoSort => self.format.unsorted = true,
            Opt::Exact => self.format.exact = true,
            Opt::Connection | Opt::Timeout | Opt::Daemon | Opt::Sort => {}
            Opt::McastInterface => self.dev = short(text),
            Opt::SyncId => {
                self.syncid =
                    number(text, 0..=self.most(255, u32::MAX), "sync id", "illegal syncid specified")?;
            }
            Opt::McastGroup => self.group = Some(multicast(text)?),
            Opt::McastPort => {
                let port = number(text, 1..=65535, "multicast port", "illegal mcast-port specified")?;
                self.mcast_port = u16::try_from(port).ok();
            }
            Opt::McastTtl => {
                let ttl = number(text, 1..=255, "multicast ttl", "illegal mcast-ttl specified")?;
                self.ttl = u8::try_from(ttl).ok();
            }
            Opt::SyncMaxlen => {
                let most = 65535 - 20 - 8;
                let maxlen = number(text, 1..=most, "sync message length", "illegal sync-maxlen specified")?;
                self.maxlen = u16::try_from(maxlen).unwrap_or_default();
            }
            Opt::TunType => self.made.tunnel.kind = tunnel_kind(text)?,
            Opt::TunPort => {
                let port = number(text, 1..=65535, "tunnel port", "illegal tunnel port specified")?;
                self.made.tunnel.port = Port(u16::try_from(port).unwrap_or_default());
            }
            Opt::TunNoCsum => {}
            Opt::TunCsum => self.made.tunnel.flags |= 1,
            Opt::TunRemCsum => self.made.tunnel.flags |= 2,
        }
        Ok(())
    }

    fn service(&mut self, protocol: Protocol, text: &str) -> Result<(), Wrong> {
        self.protocol = protocol;
        let (addr, port) = endpoint(text, protocol).map_err(|why| {
            Wrong::new(
                "illegal virtual server address[:port] specified",
                format!("bad virtual service: {why}"),
            )
        })?;
        self.addr = Some(addr);
        self.family = Some(Family::of(addr));
        self.port = port.unwrap_or(self.port);
        if addr.is_ipv6() {
            self.netmask = Netmask::host(Family::Ipv6);
        }
        Ok(())
    }

    /// The port of the service is taken where none is given, as far as the service is known yet.
    fn server(&mut self, text: &str) -> Result<(), Wrong> {
        let (addr, port) = endpoint(text, self.protocol).map_err(|why| {
            Wrong::new("illegal real server address[:port] specified", format!("bad real server: {why}"))
        })?;
        self.server = ServerKey { addr, port: Port(port.unwrap_or(self.port)) };
        Ok(())
    }

    fn persistence(&self, text: Option<&str>) -> Result<u32, Wrong> {
        match (self.reach, text) {
            (Reach::Kernel, Some(text)) => number(
                text,
                0..=u32::MAX,
                "persistence timeout",
                &format!("invalid timeout value `{text}' specified"),
            ),
            _ => seconds(text, 1, "persistence timeout"),
        }
    }

    fn mask(&self, text: &str) -> Result<Netmask, Wrong> {
        if self.family != Some(Family::Ipv6) {
            return netmask_v4(text).ok_or_else(|| {
                let wrong = Wrong::new(
                    "illegal virtual server persistent mask specified",
                    format!("'{text}' is not a netmask"),
                );
                wrong.hint("write it as 255.255.255.0; for IPv6 as a prefix length, after the service")
            });
        }
        // ipvsadm keeps the low 32 bits.
        match leading(text) as i32 {
            length @ 1..=128 => Ok(Netmask::V6(length as u8)),
            _ => Err(Wrong::new(
                "illegal ipv6 netmask specified",
                format!("'{text}' is not a prefix length 1..128, which an IPv6 service needs"),
            )),
        }
    }
}

fn threshold(text: &str, what: &str, theirs: &str) -> Result<u32, Wrong> {
    number(text, 0..=i32::MAX as u32, what, theirs)
}

fn multicast(text: &str) -> Result<IpAddr, Wrong> {
    let version = if text.contains(':') { "IPv6" } else { "IPv4" };
    let group = text.parse::<IpAddr>().ok().filter(IpAddr::is_multicast);
    group.ok_or_else(|| {
        let wrong = Wrong::new(
            format!("invalid {version} mcast-group `{text}'"),
            format!("'{text}' is not a multicast address"),
        );
        wrong.hint("224.0.0.0/4 or ff00::/8; the default is 224.0.0.81")
    })
}

fn tunnel_kind(text: &str) -> Result<TunnelKind, Wrong> {
    let kinds = [TunnelKind::Ipip, TunnelKind::Gue, TunnelKind::Gre];
    kinds.into_iter().find(|kind| kind.to_string() == text).ok_or_else(|| {
        Wrong::new(
            "illegal tunnel type specified",
            format!("'{text}' is no type of tunnel: ipip, gue or gre"),
        )
    })
}
