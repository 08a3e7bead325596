//! From words to a command, in ipvsadm's order: which of several mistakes is told decides the exit code.

use std::net::{IpAddr, Ipv4Addr};

use super::number::leading;
use super::options::{Found, Opt, Scanner, Verb};
use super::rules::{self, Given};
use super::values::{endpoint, fwmark, netmask_v4, number, sched_flags, seconds};
use super::wrong::{Wrong, near};
use crate::model::{
    Family, Flags, Forwarding, Fwmark, IfName, Netmask, PeName, Persistence, Port, Protocol, Scheduler,
    Server, ServerKey, Service, ServiceKey, SyncDaemon, SyncRole, Timeouts, TunnelKind, Weight,
};
use crate::view::ipvsadm::Format;

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Version,
    AddService {
        key: ServiceKey,
        service: Service,
    },
    /// Replaces all that is said of it: what is not given gets its default.
    EditService {
        key: ServiceKey,
        service: Service,
    },
    DeleteService {
        key: ServiceKey,
    },
    Clear,
    AddServer {
        service: ServiceKey,
        key: ServerKey,
        server: Server,
    },
    /// As [`Command::EditService`].
    EditServer {
        service: ServiceKey,
        key: ServerKey,
        server: Server,
    },
    DeleteServer {
        service: ServiceKey,
        key: ServerKey,
    },
    List {
        what: Listing,
        format: Format,
    },
    Save {
        format: Format,
    },
    Restore,
    /// `None`: all services.
    Zero {
        service: Option<ServiceKey>,
    },
    /// 0 keeps what is.
    SetTimeouts(Timeouts),
    StartDaemon {
        role: SyncRole,
        daemon: SyncDaemon,
    },
    StopDaemon {
        role: SyncRole,
    },
}

/// What `-L` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    All,
    Service(ServiceKey),
    Connections,
    Timeouts,
    Daemons,
}

/// How far numbers may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As far as ipvsadm lets them.
    Ipvsadm,
    /// As far as the kernel does: for what was saved of a table that other programs made.
    Kernel,
}

/// Reads the words after the program's name. Names of hosts and services are looked up.
///
/// # Errors
/// The mistake that ipvsadm 1.31 would end with, told better.
pub fn parse(words: &[String], reach: Reach, program: &str) -> Result<Command, Wrong> {
    let mut scanner = Scanner::new(words);
    let verb = match scanner.option() {
        Some(Ok(Found { opt: Opt::Do(verb), value, word })) => (verb, value, word),
        first => return Err(no_command(first.is_some(), &scanner, words, program)),
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
            Wrong::popt(why, word, words.get(word).map_or("", String::as_str))
        })?;
        draft.option(found, words).map_err(|wrong| match wrong.word {
            Some(_) => wrong,
            None => wrong.at(found.word),
        })?;
    }
    let rest: Vec<(usize, &str)> = scanner.rest.iter().map(|word| (*word, words[*word].as_str())).collect();
    draft.end(verb, &rest)
}

/// popt finds no command at the beginning.
fn no_command(some: bool, scanner: &Scanner<'_>, words: &[String], program: &str) -> Wrong {
    let word = scanner.word();
    let text = words.get(word).map_or("", String::as_str);
    let wrong = if some || text.starts_with('-') && text.len() > 1 {
        Wrong::no_command(program, format!("'{text}' is no command, and a command comes first")).at(word)
    } else {
        let first = words.first().map_or("", String::as_str);
        Wrong::no_command(program, format!("'{first}' is no command")).at(0)
    };
    wrong.hint(near(text).unwrap_or_else(|| {
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
struct Draft {
    reach: Reach,
    given: Vec<Given>,
    role: SyncRole,
    protocol: Protocol,
    addr: Option<IpAddr>,
    port: u16,
    mark: Option<Fwmark>,
    family: Option<Family>,
    netmask: Netmask,
    scheduler: String,
    flags: Flags,
    persistent: Option<u32>,
    engine: String,
    sched_flags: Option<(String, usize)>,
    server: ServerKey,
    made: Server,
    dev: String,
    syncid: u32,
    group: Option<IpAddr>,
    mcast_port: Option<u16>,
    ttl: Option<u8>,
    maxlen: u16,
    format: Format,
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
            given: Vec::new(),
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
    fn most(&self, ipvsadm: u32, kernel: u32) -> u32 {
        if self.reach == Reach::Ipvsadm { ipvsadm } else { kernel }
    }

    fn option(&mut self, found: Found<'_>, words: &[String]) -> Result<(), Wrong> {
        let Found { opt, value, word } = found;
        let name = opt.name();
        if !name.is_empty() {
            if let Some((before, _)) = self.given.iter().find(|(before, _)| before.name() == name) {
                let message = if *before == opt {
                    format!("{} was given twice", opt.spelling())
                } else {
                    format!("{} and {} exclude each other", before.spelling(), opt.spelling())
                };
                let wrong = Wrong::new(format!("multiple '{name}' options specified"), message);
                return Err(wrong.hint("give one of the two"));
            }
            self.given.push((opt, word));
        }
        let text = value.unwrap_or_default();
        match opt {
            Opt::Do(_) => {
                let shown = &words[word];
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
                let most = self.most(65535, Weight::MAX);
                let weight = number(text, 0..=most, "weight", "illegal weight specified")?;
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

    /// Everything was read: the checks of the whole, and the command.
    fn end(mut self, verb: Verb, rest: &[(usize, &str)]) -> Result<Command, Wrong> {
        let mut rest = rest.iter();
        let mut timeouts = Timeouts::NONE;
        if verb == Verb::Set {
            let (Some(tcp), Some(fin), Some(udp)) = (rest.next(), rest.next(), rest.next()) else {
                let wrong = Wrong::new(
                    "--set option requires 3 timeout values",
                    "--set needs three timeouts: tcp, tcp after FIN, udp",
                );
                return Err(wrong.hint("seconds; 0 leaves one as it is: --set 900 120 300"));
            };
            let read = |(word, text): &(usize, &str)| {
                let most = self.most(crate::model::MAX_PERSIST_SECONDS, u32::MAX);
                let theirs = format!("invalid timeout value `{text}' specified");
                number(text, 0..=most, "timeout", &theirs).map_err(|wrong| wrong.at(*word))
            };
            timeouts = Timeouts { tcp: read(tcp)?, tcp_fin: read(fin)?, udp: read(udp)? };
        }
        if let Some((word, text)) = rest.next() {
            let wrong =
                Wrong::new(format!("unexpected argument {text}"), format!("'{text}' belongs to no option"));
            return Err(wrong.at(*word));
        }
        if let Some((text, word)) = self.sched_flags.take().filter(|(text, _)| !text.is_empty()) {
            let flags = sched_flags(&text, &self.scheduler).map_err(|wrong| wrong.at(word))?;
            self.flags = self.flags.with(flags);
        }
        rules::check(verb, &self.given)?;
        self.command(verb, timeouts)
    }

    fn command(self, verb: Verb, timeouts: Timeouts) -> Result<Command, Wrong> {
        Ok(match verb {
            Verb::Help => Command::Help,
            Verb::Version => Command::Version,
            Verb::AddService => Command::AddService { key: self.key(), service: self.new_service()? },
            Verb::EditService => Command::EditService { key: self.key(), service: self.new_service()? },
            Verb::DeleteService => Command::DeleteService { key: self.key() },
            Verb::Clear => Command::Clear,
            Verb::AddServer | Verb::EditServer => {
                let (service, key, server) = self.new_server()?;
                match verb {
                    Verb::AddServer => Command::AddServer { service, key, server },
                    _ => Command::EditServer { service, key, server },
                }
            }
            Verb::DeleteServer => Command::DeleteServer { service: self.key(), key: self.server },
            Verb::List => Command::List { what: self.listing()?, format: self.format },
            Verb::Save => Command::Save { format: self.format },
            Verb::Restore => Command::Restore,
            // What names nothing stands for everything, as no option does.
            Verb::Zero => Command::Zero { service: Some(self.key()).filter(|key| !is_nothing(key)) },
            Verb::Set => Command::SetTimeouts(timeouts),
            Verb::StartDaemon => Command::StartDaemon { role: self.role, daemon: self.daemon()? },
            Verb::StopDaemon => Command::StopDaemon { role: self.role },
        })
    }

    fn has(&self, opt: Opt) -> bool {
        self.given.iter().any(|(given, _)| *given == opt)
    }

    fn key(&self) -> ServiceKey {
        match self.mark {
            Some(mark) => ServiceKey::Mark { family: self.family.unwrap_or(Family::Ipv4), mark },
            None => ServiceKey::Address {
                protocol: self.protocol,
                addr: self.addr.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
                port: Port(self.port),
            },
        }
    }

    fn new_service(&self) -> Result<Service, Wrong> {
        if self.mark.is_none() && self.port == 0 && self.persistent.is_none() {
            let wrong = Wrong::new(
                "Zero port specified for non-persistent service",
                "a service without a port, or with port 0, stands for all ports and must be persistent",
            );
            return Err(wrong.hint("add the port, or -p"));
        }
        if self.flags.contains(Flags::ONE_PACKET) && self.mark.is_none() && self.protocol != Protocol::Udp {
            let wrong = Wrong::new(
                "One-Packet Scheduling is only for UDP virtual services",
                "one-packet scheduling (-o) is for UDP services and marks",
            );
            return Err(wrong.hint("leave -o out"));
        }
        let name = if self.scheduler.is_empty() { Scheduler::DEFAULT } else { &self.scheduler };
        let not_found = "Scheduler or persistence engine not found";
        let scheduler = Scheduler::new(name).map_err(|why| Wrong::refused(not_found, why))?;
        let pe = match self.engine.as_str() {
            "" => None,
            name => Some(PeName::new(name).map_err(|why| Wrong::refused(not_found, why))?),
        };
        let netmask = self.netmask;
        let persistence = self.persistent.map(|timeout| Persistence { timeout, netmask });
        Ok(Service { scheduler, flags: self.flags, persistence, pe })
    }

    fn new_server(mut self) -> Result<(ServiceKey, ServerKey, Server), Wrong> {
        let service = self.key();
        let tunneled = self.made.method == Forwarding::Tun;
        if self.mark.is_none() && self.made.method != Forwarding::Nat {
            self.server.port = Port(self.port);
        }
        if self.server.family() != service.family() && !tunneled {
            let wrong = Wrong::new(
                "Different address family is allowed only for tunneling servers",
                format!("server {} is not of the family of service {service}", self.server.addr),
            );
            return Err(wrong.hint("only a tunnel (-i) can reach a server of the other family"));
        }
        let tunnel = self.given.iter().find(|(opt, _)| opt.name().starts_with("tun-"));
        if let Some((opt, word)) = tunnel.filter(|_| !tunneled) {
            let message = format!("{} is for tunnels, and this server has none", opt.spelling());
            return Err(Wrong::new("Tunnel options conflict with forward method", message)
                .at(*word)
                .hint("add -i"));
        }
        rules::check_tunnel(&self.made.tunnel.kind.to_string(), &self.given)?;
        Ok((service, self.server, self.made))
    }

    fn listing(&self) -> Result<Listing, Wrong> {
        let Format { stats, rate, thresholds, persistent, .. } = self.format;
        let other = [Opt::Connection, Opt::Timeout, Opt::Daemon].into_iter().find(|opt| self.has(*opt));
        let columns = stats || rate || thresholds || (persistent && other != Some(Opt::Connection));
        if let Some(other) = other.filter(|_| columns) {
            let message = format!("{} lists no servers, so it has no columns for them", other.spelling());
            let wrong = Wrong::new("options conflicts in the list command", message);
            return Err(wrong.hint("leave out --stats, --rate, --thresholds and --persistent-conn"));
        }
        Ok(match other {
            Some(Opt::Connection) => Listing::Connections,
            Some(Opt::Timeout) => Listing::Timeouts,
            Some(_) => Listing::Daemons,
            None if self.family.is_some() => Listing::Service(self.key()),
            None => Listing::All,
        })
    }

    fn daemon(self) -> Result<SyncDaemon, Wrong> {
        let name = if self.dev.is_empty() { "eth0" } else { &self.dev };
        let dev = IfName::new(name).map_err(|why| Wrong::refused("No such device", why))?;
        let plain = SyncDaemon::new(dev, self.syncid);
        Ok(SyncDaemon {
            maxlen: self.maxlen,
            group: self.group.unwrap_or(plain.group),
            port: self.mcast_port.unwrap_or(plain.port),
            ttl: self.ttl.unwrap_or(plain.ttl),
            ..plain
        })
    }
}

fn is_nothing(key: &ServiceKey) -> bool {
    matches!(key, ServiceKey::Address { addr, port: Port(0), .. } if addr.is_unspecified())
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

impl Command {
    /// Whether the kernel's table may be another one afterwards.
    pub fn changes(&self) -> bool {
        use Command::*;
        !matches!(self, Help | Version | List { .. } | Save { .. })
    }
}
