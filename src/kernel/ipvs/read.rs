//! Reading what exists.
//!
//! The kernel has no transaction for readers: a dump that needs several datagrams resumes by index, so that an entry
//! added or deleted meanwhile makes it skip or repeat another, and nothing says so. Two dumps may even skip the same.
//! Kernels with one table for all network namespaces (6.1) count the services of the others, too. Therefore:
//!
//! - A list that came in one datagram was made under the kernel's lock and is right.
//! - Of a longer one no key is trusted to be missing: what is known by another way and not in the list is asked for by
//!   itself, which is exact. Known are the keys that the caller named, those that an earlier dump of this reading had,
//!   and the IPv4 services that [`super::pieces`] tells in one piece.
//! - Services are listed before and after their servers are read, and both lists must be equal.
//! - A server list that came in more than one datagram is read again until two readings are equal.
//!
//! Three tries, then the last reading is taken and a note says so.
//!
//! A long reading without counters takes from [`super::pieces`] what that can tell: the lists before and after, and the
//! servers of IPv4, which are nearly all of a big director. It is the same in a fifth of the time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Ipvs;
use super::attr::Malformed;
use super::convert;
use super::exchange::{Dumped, Verdict};
use super::message::{Command, Message};
use super::pieces::Piece;
use super::request::Request;
use super::socket::{lost, refused};
use crate::backend::Services;
use crate::error::Result;
use crate::model::{
    Family, IfName, Listed, Observed, Server, ServerKey, ServerLive, Service, ServiceEntry, ServiceKey,
    Stats, SyncDaemon, SyncRole, Timeouts,
};

const TRIES: usize = 3;
/// As many services are asked for one by one. In a dump one costs a third of that, but the dump has all of them.
const FEW: usize = 64;

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
    /// The services that are asked for, with their servers; of [`Services::Only`], those that do not exist are absent.
    /// `observed` takes their counters.
    pub fn services(
        &mut self,
        want: &Services,
        observed: Option<&mut Observed>,
    ) -> Result<BTreeMap<ServiceKey, Arc<ServiceEntry>>> {
        let whole = self.read(want, observed.is_some())?;
        // All lists are sorted by key, so the maps are built in one pass.
        if let Some(observed) = observed {
            let lives = |((key, _), servers): &Whole| {
                let key = *key;
                let live = move |(id, (_, live, _)): &ListedServer| ((key, *id), *live);
                servers.iter().map(live).collect::<Vec<_>>()
            };
            observed.services = whole.iter().map(|((key, (_, stats, _)), _)| (*key, *stats)).collect();
            observed.servers = whole.iter().flat_map(lives).collect();
        }
        let entry = |((key, (service, ..)), servers): Whole| {
            let servers = servers.into_iter().map(|(id, (server, ..))| (id, server)).collect();
            (key, Arc::new(ServiceEntry { service, servers }))
        };
        Ok(whole.into_iter().map(entry).collect())
    }

    /// The same in the kernel's order: services as they lie in its table, servers the newest first.
    pub fn listing(&mut self, want: &Services) -> Result<Vec<Listed>> {
        let mut whole = self.read(want, true)?;
        whole.sort_by_key(|((_, (_, _, place)), _)| *place);
        let listed = |((key, (service, stats, _)), mut servers): Whole| {
            servers.sort_by_key(|(_, (_, _, place))| *place);
            let servers = servers.into_iter().map(|(id, (server, live, _))| (id, server, live)).collect();
            Listed { key, service, stats, servers }
        };
        Ok(whole.into_iter().map(listed).collect())
    }

    fn read(&mut self, want: &Services, counters: bool) -> Result<Vec<Whole>> {
        let long = match want {
            Services::None => return Ok(Vec::new()),
            Services::Only(keys) => keys.len() > FEW,
            Services::All => true,
        };
        // Every key that any dump of this reading had.
        let mut known = BTreeSet::new();
        let mut tries = 1;
        loop {
            let pieces = if long && !counters { self.pieces.services() } else { None };
            let before = self.list_services(want, &mut known, pieces.as_deref())?;
            let mut steady = true;
            let mut found: Vec<Whole> = Vec::with_capacity(before.len());
            for service in before {
                let listing = self.list_servers(&service.0, pieces.as_deref())?;
                steady &= listing.steady;
                found.push((service, listing.entries));
            }
            steady &= self.unchanged(want, &mut known, &found, pieces)?;
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

    /// Whether the services are still those that were listed before their servers were read.
    fn unchanged(
        &mut self,
        want: &Services,
        known: &mut BTreeSet<ServiceKey>,
        found: &[Whole],
        pieces: Option<Vec<Piece>>,
    ) -> Result<bool> {
        if let Some(pieces) = pieces {
            let same = self.pieces.services().is_some_and(|after| after == pieces);
            // Of IPv6 they say nothing.
            if !same || found.iter().all(|(service, _)| service.0.family() == Family::Ipv4) {
                return Ok(same);
            }
        }
        let after = self.list_services(want, known, None)?;
        let same = |(a, (b, _)): (&ListedService, &Whole)| a.0 == b.0 && a.1.0 == b.1.0;
        Ok(after.len() == found.len() && after.iter().zip(found).all(same))
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

    /// The services that are there, sorted by key; none that stays is missing. `known` gathers keys for the next list.
    fn list_services(
        &mut self,
        want: &Services,
        known: &mut BTreeSet<ServiceKey>,
        pieces: Option<&[Piece]>,
    ) -> Result<Vec<ListedService>> {
        match want {
            Services::None => Ok(Vec::new()),
            Services::Only(keys) if keys.len() <= FEW => self.get_services(keys.iter()),
            Services::Only(keys) => {
                let mut listing = self.dump_services()?;
                listing.entries.retain(|entry| keys.contains(&entry.0));
                self.complete(listing, keys)
            }
            Services::All => {
                let listing = self.dump_services()?;
                if listing.parts > 1 {
                    known.extend(listing.entries.iter().map(|entry| entry.0));
                    match pieces {
                        Some(pieces) => known.extend(pieces.iter().map(|piece| piece.key)),
                        None => {
                            known.extend(self.pieces.services().into_iter().flatten().map(|piece| piece.key))
                        }
                    }
                }
                self.complete(listing, known)
            }
        }
    }

    /// Asks for what is not in a list of several parts and may have been skipped.
    fn complete(
        &mut self,
        listing: Listing<ListedService>,
        known: &BTreeSet<ServiceKey>,
    ) -> Result<Vec<ListedService>> {
        let mut entries = listing.entries;
        if listing.parts <= 1 {
            return Ok(entries);
        }
        let listed = |key: &&ServiceKey| entries.binary_search_by(|entry| entry.0.cmp(key)).is_ok();
        let doubtful: Vec<ServiceKey> = known.iter().filter(|key| !listed(key)).copied().collect();
        if !doubtful.is_empty() {
            entries.extend(self.get_services(doubtful.iter())?);
            entries.sort_by_key(|entry| entry.0);
        }
        Ok(entries)
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

    fn list_servers(
        &mut self,
        service: &ServiceKey,
        pieces: Option<&[Piece]>,
    ) -> Result<Listing<ListedServer>> {
        if let Some(servers) = self.servers_in_one_piece(service, pieces) {
            let entry = |(place, (key, server))| (key, (server, ServerLive::default(), place));
            let entries = servers.into_iter().enumerate().map(entry).collect();
            return Ok(Listing { entries, parts: 1, steady: true });
        }
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
            if listing.parts > 1 {
                self.socket.read_long();
            }
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

    /// Without counters; `None` when the servers have to be asked for with all their attributes.
    fn servers_in_one_piece(
        &mut self,
        service: &ServiceKey,
        pieces: Option<&[Piece]>,
    ) -> Option<Vec<(ServerKey, Server)>> {
        let pieces = pieces?;
        let place = pieces.binary_search_by_key(service, |piece| piece.key).ok()?;
        self.pieces.servers(service, pieces.get(place)?.servers)
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
