//! Ways: how a health check goes to one real server through IPVS, as a client's packet does.
//!
//! A check of a server's own address does not prove that it answers for the virtual one, and in direct routing just
//! that breaks. So each server gets a mark of its own and a service of this mark that has no other server: a check
//! sets the mark on its socket and connects to the virtual address.
//!
//! IPVS has no room for a comment. What tells a way from a user's service is a scheduler flag that `rr` does not look
//! at.

use std::collections::BTreeSet;

use super::{Flags, Fwmark, Scheduler, Server, Service, ServiceEntry, ServiceKey, Weight};

impl ServiceEntry {
    /// The way to one server, forwarded as `server` is.
    pub fn way(addr: std::net::IpAddr, server: &Server) -> ServiceEntry {
        let service = Service {
            scheduler: Scheduler::new("rr").unwrap_or_default(),
            flags: Flags::SCHED3,
            ..Service::default()
        };
        let key = super::ServerKey { addr, port: super::Port(0) };
        let server = Server {
            method: server.method,
            tunnel: server.tunnel,
            weight: Weight::default(),
            ..Server::default()
        };
        ServiceEntry { service, servers: [(key, server)].into() }
    }
}

impl Service {
    /// Whether only checks use it.
    pub fn is_way(&self, key: &ServiceKey) -> bool {
        matches!(key, ServiceKey::Mark { .. })
            && self.scheduler.name() == "rr"
            && self.flags.contains(Flags::SCHED3)
            && self.persistence.is_none()
    }
}

/// Which marks ways may have, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayMarks {
    pub first: u32,
    pub last: u32,
}

impl Default for WayMarks {
    /// 16 million at a place where nobody else is: Kubernetes and Calico have bits 14 to 31 of 0x4000 and 0xffff0000
    /// by their masks, and a host that runs these gives its own range.
    fn default() -> WayMarks {
        WayMarks { first: 0x7600_0000, last: 0x76ff_ffff }
    }
}

impl WayMarks {
    /// A mark for each name. A name has the same mark as long as it is not taken, whatever the others are: a policy
    /// that gets a server leaves the ways to the others as they are. `None` when there are not enough marks.
    pub fn spread<'a>(
        self,
        names: impl IntoIterator<Item = &'a str>,
        taken: &BTreeSet<Fwmark>,
    ) -> Option<Vec<Fwmark>> {
        let count = u64::from(self.last.checked_sub(self.first)?) + 1;
        let mut used = taken.clone();
        let mut next = |name: &str| {
            let begin = hash(name) % count;
            let turn = |step: u64| (u64::from(self.first) + (begin + step) % count).try_into().ok();
            let mut marks = (0..count).filter_map(|step| Fwmark::new(turn(step)?).ok());
            marks.find(|mark| used.insert(*mark))
        };
        names.into_iter().map(&mut next).collect()
    }
}

/// FNV-1a. Of a fixed form, because the marks it leads to are in the kernel from one version to the next.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_mark_when_others_come() {
        let marks = WayMarks::default();
        let none = BTreeSet::new();
        let some = marks.spread(["web b", "web c"], &none).expect("marks");
        let more = marks.spread(["web a", "web b", "web c", "web d"], &none).expect("marks");
        assert_eq!(some, more[1..3]);
        assert!(more.iter().all(|mark| (marks.first..=marks.last).contains(&mark.get())));
    }

    #[test]
    fn marks_are_different_and_may_run_out() {
        let marks = WayMarks { first: 10, last: 13 };
        let taken = [Fwmark::new(11).expect("a mark")].into();
        let mut given: Vec<u32> =
            marks.spread(["a", "b", "c"], &taken).expect("three").iter().map(|mark| mark.get()).collect();
        given.sort_unstable();
        assert_eq!(given, [10, 12, 13]);
        assert_eq!(marks.spread(["a", "b", "c", "d"], &taken), None);
        assert_eq!(WayMarks { first: 5, last: 4 }.spread(["a"], &taken), None);
    }

    #[test]
    fn a_way_is_told_from_a_service() {
        let key: ServiceKey = "fwm:7".parse().expect("a key");
        let way = ServiceEntry::way([192, 0, 2, 1].into(), &Server::default());
        assert!(way.service.is_way(&key));
        assert!(!Service { scheduler: Scheduler::new("rr").expect("rr"), ..Service::default() }.is_way(&key));
        assert!(!way.service.is_way(&"tcp:192.0.2.1:80".parse().expect("a key")));
    }
}
