//! Reading what exists.
//!
//! The kernel has no transaction for readers: a dump that needs several datagrams resumes by index, so that an entry
//! added or deleted meanwhile makes it skip or repeat another, and nothing says so. Kernels with one table for all
//! network namespaces (6.1) even count the services of the others. Therefore:
//!
//! - Services are listed before and after their servers are read, and both lists must be equal.
//! - When they are not, lists are dumped until two in a row are equal. On a machine so busy that this does not come
//!   about, each service seen in any of the dumps is asked for by itself, which is exact.
//! - A server list that came in more than one datagram is read again until two readings are equal. One datagram is
//!   one hold of the kernel's lock and needs no second look.
//!
//! Three tries, then the last reading is taken and a note says so.

use std::collections::{BTreeMap, BTreeSet};

use super::Ipvs;
use super::attr::Malformed;
use super::convert;
use super::exchange::{Dumped, Verdict};
use super::message::{Command, Message};
use super::request::Request;
use super::socket::{lost, refused};
use crate::backend::Services;
use crate::error::Result;
use crate::model::{
    IfName, Listed, Observed, Server, ServerKey, ServerLive, Service, ServiceEntry, ServiceKey, Stats,
    SyncDaemon, SyncRole, Timeouts,
};

const TRIES: usize = 3;

/// With its place in the kernel's list.
type ListedService = (ServiceKey, (Service, Stats, usize));
type ListedServer = (ServerKey, (Server, ServerLive, usize));
/// A service with its servers.
type Whole = (ListedService, Vec<ListedServer>);

/// A sorted list without repetitions.
struct Listing<T> {
    entries: Vec<T>,
    /// Datagrams it came in.
    parts: usize,
    /// Nothing was repeated.
    steady: bool,
}

impl Ipvs {
    /// The services that are asked for, with their servers and counters. Of [`Services::Only`], those that do not
    /// exist are absent.
    pub fn services(&mut self, want: &Services) -> Result<(BTreeMap<ServiceKey, ServiceEntry>, Observed)> {
        let whole = self.read(want)?;
        let mut entries = Vec::with_capacity(whole.len());
        let mut service_stats = Vec::with_capacity(whole.len());
        let mut server_lives = Vec::new();
        for ((key, (service, stats, _)), listed) in whole {
            let mut servers = Vec::with_capacity(listed.len());
            for (id, (server, live, _)) in listed {
                servers.push((id, server));
                server_lives.push(((key, id), live));
            }
            service_stats.push((key, stats));
            entries.push((key, ServiceEntry { service, servers: BTreeMap::from_iter(servers) }));
        }
        // All lists are sorted by key, so the maps are built in one pass.
        let observed = Observed {
            services: BTreeMap::from_iter(service_stats),
            servers: BTreeMap::from_iter(server_lives),
        };
        Ok((BTreeMap::from_iter(entries), observed))
    }

    /// The same in the kernel's order: services as they lie in its table, servers the newest first.
    pub fn listing(&mut self, want: &Services) -> Result<Vec<Listed>> {
        let mut whole = self.read(want)?;
        whole.sort_by_key(|((_, (_, _, place)), _)| *place);
        let listed = |((key, (service, stats, _)), mut servers): Whole| {
            servers.sort_by_key(|(_, (_, _, place))| *place);
            let servers = servers.into_iter().map(|(id, (server, live, _))| (id, server, live)).collect();
            Listed { key, service, stats, servers }
        };
        Ok(whole.into_iter().map(listed).collect())
    }

    fn read(&mut self, want: &Services) -> Result<Vec<Whole>> {
        if *want == Services::None {
            return Ok(Vec::new());
        }
        let mut tries = 1;
        loop {
            let (before, whole) = self.list_services(want, tries > 1)?;
            let mut steady = whole;
            let mut found = Vec::with_capacity(before.len());
            for service in before {
                let listing = self.list_servers(&service.0)?;
                steady &= listing.steady;
                found.push((service, listing.entries));
            }
            let (after, whole) = self.list_services(want, tries > 1)?;
            let same = |(a, (b, _)): (&ListedService, &Whole)| a.0 == b.0 && a.1.0 == b.1.0;
            steady &= whole && after.len() == found.len() && after.iter().zip(&found).all(same);
            if steady || tries == TRIES {
                if !steady {
                    self.notes.push(format!(
                        "services changed during each of {TRIES} readings; the last one may mix before and after"
                    ));
                }
                return Ok(found);
            }
            tries += 1;
        }
    }

    /// Timeouts of connection entries, seconds.
    pub fn timeouts(&mut self) -> Result<Timeouts> {
        let mut found = None;
        self.socket.ask("read", "timeouts", Request::GetConfig, |message| {
            expect(message, Command::SetConfig)?;
            found = Some(convert::read_config(&message.attrs)?);
            Ok(())
        })?;
        found.ok_or_else(|| lost("read", "timeouts"))
    }

    /// The sync daemons that run. A maxlen that the kernel would choose is 0 ([`SyncDaemon::canonical`]).
    pub fn syncs(&mut self) -> Result<BTreeMap<SyncRole, SyncDaemon>> {
        let mut found = BTreeMap::new();
        self.socket.dump("sync daemons", Request::GetDaemon, |message| {
            expect(message, Command::NewDaemon)?;
            let (role, daemon) = convert::read_daemon(message.daemon()?)?;
            found.insert(role, daemon);
            Ok(())
        })?;
        let canonical = |(role, daemon): (SyncRole, SyncDaemon)| {
            let mtu = self.mtu(&daemon.dev);
            (role, daemon.canonical(role, mtu))
        };
        Ok(found.into_iter().map(canonical).collect())
    }

    /// A device's MTU; of a device that is not there the one that the kernel counts on.
    pub fn mtu(&self, dev: &IfName) -> u32 {
        self.socket.mtu(dev.name()).unwrap_or(SyncDaemon::DEFAULT_MTU)
    }

    /// The version of IPVS (`1.2.1`) and the slots of its connection table.
    pub fn info(&mut self) -> Result<(String, u32)> {
        let mut found = None;
        self.socket.ask("read", "IPVS version", Request::GetInfo, |message| {
            expect(message, Command::SetInfo)?;
            found = Some(convert::read_info(&message.attrs)?);
            Ok(())
        })?;
        found.ok_or_else(|| lost("read", "IPVS version"))
    }

    /// The services, and whether nothing spoke against the list. `careful` is slower and holds on a busy machine.
    fn list_services(&mut self, want: &Services, careful: bool) -> Result<(Vec<ListedService>, bool)> {
        match want {
            Services::None => Ok((Vec::new(), true)),
            Services::All if careful => Ok((self.list_carefully()?, true)),
            Services::All => self.dump_twice(),
            Services::Only(keys) => Ok((self.get_services(keys.iter())?, true)),
        }
    }

    /// A list that came in one datagram was made under the kernel's lock. One of several parts may miss entries
    /// that moved between them, and two such lists may miss the same; so it is made twice before the servers are
    /// read and twice after, and all four must agree.
    fn dump_twice(&mut self) -> Result<(Vec<ListedService>, bool)> {
        let first = self.dump_services()?;
        if first.parts <= 1 {
            return Ok((first.entries, first.steady));
        }
        let second = self.dump_services()?;
        let steady = first.steady && second.steady && same_services(&first.entries, &second.entries);
        Ok((second.entries, steady))
    }

    fn list_carefully(&mut self) -> Result<Vec<ListedService>> {
        let mut last = self.dump_services()?;
        let mut seen: BTreeSet<ServiceKey> = last.entries.iter().map(|entry| entry.0).collect();
        let mut agreed = 0;
        for _ in 0..2 * TRIES {
            let next = self.dump_services()?;
            agreed = match last.steady && next.steady && same_services(&last.entries, &next.entries) {
                true => agreed + 1,
                false => 0,
            };
            if agreed == 2 {
                return Ok(next.entries);
            }
            seen.extend(next.entries.iter().map(|entry| entry.0));
            last = next;
        }
        self.get_services(seen.iter())
    }

    fn dump_services(&mut self) -> Result<Listing<ListedService>> {
        let mut entries = Vec::new();
        let end = self.socket.dump("services", Request::GetService(None), |message| {
            entries.push(service_of(message, entries.len())?);
            Ok(())
        })?;
        Ok(settle(entries, end))
    }

    /// One GET_SERVICE per key, many in a datagram. ESRCH is "there is none".
    fn get_services<'k>(&mut self, keys: impl Iterator<Item = &'k ServiceKey>) -> Result<Vec<ListedService>> {
        let requests: Vec<Request<'_>> = keys.map(|key| Request::GetService(Some(key))).collect();
        let mut entries = Vec::with_capacity(requests.len());
        for window in requests.chunks(self.socket.window()) {
            let verdicts = self.socket.exchange(window, |_, message| {
                entries.push(service_of(message, entries.len())?);
                Ok(())
            });
            let verdicts = verdicts.map_err(|errno| refused("read", "services", errno as i32, None))?;
            for verdict in verdicts {
                match verdict {
                    Verdict::Done | Verdict::Failed { errno: libc::ESRCH, .. } => {}
                    Verdict::Failed { errno, text } => {
                        return Err(refused("read", "services", errno, text.as_deref()));
                    }
                    Verdict::Unknown => return Err(lost("read", "services")),
                }
            }
        }
        Ok(entries)
    }

    fn list_servers(&mut self, service: &ServiceKey) -> Result<Listing<ListedServer>> {
        let mut last: Option<Listing<ListedServer>> = None;
        for _ in 0..=TRIES {
            let mut entries = Vec::with_capacity(16);
            let end = self.socket.dump("servers", Request::GetDest(service), |message| {
                expect(message, Command::NewDest)?;
                let (key, server, live) = convert::read_server(message.dest()?, service.family())?;
                entries.push((key, (server, live, entries.len())));
                Ok(())
            })?;
            let listing = settle(entries, end);
            let again = last.as_ref().is_some_and(|last| {
                let config = |entry: &ListedServer| (entry.0, entry.1.0);
                last.steady && last.entries.iter().map(config).eq(listing.entries.iter().map(config))
            });
            if listing.steady && (listing.parts <= 1 || again) {
                return Ok(listing);
            }
            last = Some(listing);
        }
        let entries = last.map(|listing| listing.entries).unwrap_or_default();
        Ok(Listing { entries, parts: 0, steady: false })
    }
}

fn service_of(message: &Message<'_>, place: usize) -> Result<ListedService, Malformed> {
    expect(message, Command::NewService)?;
    let (key, service, stats) = convert::read_service(message.service()?)?;
    Ok((key, (service, stats, place)))
}

fn expect(message: &Message<'_>, command: Command) -> Result<(), Malformed> {
    if message.command == command {
        Ok(())
    } else {
        let (got, want) = (message.command.name(), command.name());
        Err(Malformed::Frame(format!("{got} in place of {want}")))
    }
}

fn same_services(a: &[ListedService], b: &[ListedService]) -> bool {
    let same = |(a, b): (&ListedService, &ListedService)| a.0 == b.0 && a.1.0 == b.1.0;
    a.len() == b.len() && a.iter().zip(b).all(same)
}

/// Sorts by key; of a repeated key the later entry stays, and the list is not steady.
fn settle<K: Ord, V>(mut entries: Vec<(K, V)>, end: Dumped) -> Listing<(K, V)> {
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    let found = entries.len();
    entries.dedup_by(|later, kept| {
        let twice = later.0 == kept.0;
        if twice {
            std::mem::swap(later, kept);
        }
        twice
    });
    Listing { parts: end.parts, steady: !end.interrupted && entries.len() == found, entries }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_entries_are_told() {
        let whole = Dumped { parts: 1, interrupted: false };
        let listing = settle(vec![(2, 'a'), (1, 'b'), (2, 'c')], whole);
        assert_eq!(listing.entries, [(1, 'b'), (2, 'c')]);
        assert!(!listing.steady);
        assert!(settle(vec![(2, 'a'), (1, 'b')], whole).steady);
        assert!(!settle(vec![(2, 'a')], Dumped { interrupted: true, ..whole }).steady);
    }
}
