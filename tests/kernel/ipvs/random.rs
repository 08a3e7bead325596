//! Random services and daemons are read as they were written.

use super::*;
use crate::support::{Cmd, seeded};
use proptest::prelude::*;
use std::cell::RefCell;

#[path = "../../wire/strategies.rs"]
#[allow(dead_code, reason = "shared with the wire tests, which use another part")]
mod strategies;

use strategies::accepted;

/// So many cases, each on an empty machine.
fn check<S: Strategy>(
    cases: u32,
    strategy: &S,
    test: impl Fn(&mut Ipvs, S::Value) -> Result<(), TestCaseError>,
) {
    let ipvs = RefCell::new(open());
    seeded(cases, strategy, |value| {
        let ipvs = &mut *ipvs.borrow_mut();
        clean(ipvs);
        test(ipvs, value)
    });
    clean(&mut ipvs.borrow_mut());
}

/// Daemons first: the kernel keeps them apart from servers of another family.
fn clean(ipvs: &mut Ipvs) {
    let running = ipvs.syncs().expect("reading");
    let stop: Vec<Step> = running.into_iter().map(|(role, daemon)| Step::StopSync { role, daemon }).collect();
    apply(ipvs, &stop);
    ipvs.flush().expect("flushing");
}

/// Applies, and says what was refused.
fn made(ipvs: &mut Ipvs, steps: &[Step]) -> Result<(), TestCaseError> {
    for (step, outcome) in steps.iter().zip(ipvs.apply(steps)) {
        prop_assert!(outcome.is_done(), "{step:?}: {outcome:?}");
    }
    Ok(())
}

fn some_services() -> impl Strategy<Value = BTreeMap<ServiceKey, ServiceEntry>> {
    let servers = proptest::collection::vec(strategies::server(), 0..4);
    let entry = (strategies::service(), servers).prop_map(|((key, service), servers)| {
        let servers = servers.into_iter().map(|one| accepted::server(&key, one)).collect();
        (key, ServiceEntry { service: accepted::service(service), servers })
    });
    proptest::collection::btree_map(0..8_u8, entry, 1..5).prop_map(|map| map.into_values().collect())
}

#[test]
fn services_and_servers() {
    needs!(ipvs);
    check(200, &(some_services(), some_services()), |ipvs, (first, second)| {
        made(ipvs, &adding(&first))?;
        prop_assert_eq!(&all(ipvs), &first);
        // The same keys with other values: every change is a change of all that is said.
        let mut steps = Vec::new();
        let mut after = first.clone();
        for ((key, entry), other) in after.iter_mut().zip(second.values()) {
            let mut to = other.service.clone();
            // A netmask is of the service's family.
            to.persistence = to.persistence.map(|one| Persistence::seconds(one.timeout, key.family()));
            let from = std::mem::replace(&mut entry.service, to.clone());
            steps.push(Step::SetService { key: *key, from, to });
            for ((id, server), (_, to)) in entry.servers.iter_mut().zip(&other.servers) {
                let (_, to) = accepted::server(key, (*id, *to));
                steps.push(Step::SetServer { service: *key, key: *id, from: *server, to });
                *server = to;
            }
        }
        made(ipvs, &steps)?;
        prop_assert_eq!(&all(ipvs), &after);
        let back: Vec<Step> = steps.iter().rev().flat_map(Step::inverse).collect();
        made(ipvs, &back)?;
        prop_assert_eq!(&all(ipvs), &first);
        Ok(())
    });
}

/// Of each role one, on a device whose MTU is not 1500.
#[test]
fn daemons() {
    needs!(ipvs);
    Cmd::here("ip link add d0 mtu 4000 type dummy").run();
    Cmd::here("ip address add 203.0.113.1/24 dev d0").run();
    Cmd::here("ip link set d0 up").run();
    let dev = IfName::new("d0").expect("a name");
    let both = proptest::collection::btree_map(
        prop_oneof![Just(SyncRole::Master), Just(SyncRole::Backup)],
        strategies::daemon().prop_map(|(_, daemon)| daemon),
        1..=2,
    );
    check(40, &both, |ipvs, daemons| {
        let canonical = |(role, daemon)| (role, accepted::daemon(role, daemon, &dev, 4000));
        let daemons: BTreeMap<_, _> = daemons.into_iter().map(canonical).collect();
        let start =
            daemons.iter().map(|(role, daemon)| Step::StartSync { role: *role, daemon: daemon.clone() });
        made(ipvs, &start.collect::<Vec<_>>())?;
        prop_assert_eq!(ipvs.syncs().expect("reading"), daemons);
        Ok(())
    });
}
