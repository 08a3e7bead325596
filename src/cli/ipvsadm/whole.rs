//! The end of a command line: the checks of the whole, and the command.

use std::net::Ipv4Addr;

use super::command::{Command, Listing};
use super::options::{Opt, Verb};
use super::parse::Draft;
use super::rules::{self, Given};
use super::values::{number, sched_flags};
use super::wrong::Wrong;
use crate::model::{
    Family, Flags, Forwarding, IfName, PeName, Persistence, Port, Protocol, Scheduler, Server, ServerKey,
    Service, ServiceKey, SyncDaemon, Timeouts,
};
use crate::view::ipvsadm::Format;

impl Draft {
    /// Everything was read: the checks of the whole, and the command.
    pub(super) fn end(mut self, verb: Verb, rest: &[(usize, &str)]) -> Result<Command, Wrong> {
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
        self.given.iter().any(|given| given.opt == opt)
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
        let tunnel = self.given.iter().find(|given| given.name.starts_with("tun-"));
        if let Some(Given { opt, word, .. }) = tunnel.filter(|_| !tunneled) {
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
