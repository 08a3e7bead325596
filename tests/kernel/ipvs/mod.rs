//! The IPVS room against the kernel itself, without any other program in between.

mod large;
mod random;
mod refusals;
mod round;
mod sync;

use lvsh::backend::{Outcome, Services};
use lvsh::kernel::ipvs::Ipvs;
use lvsh::model::*;
use lvsh::plan::Step;
use std::collections::BTreeMap;
use std::sync::Arc;

fn open() -> Ipvs {
    Ipvs::open().unwrap_or_else(|error| panic!("{error}: {:?}", error.notes))
}

fn all(ipvs: &mut Ipvs) -> BTreeMap<ServiceKey, ServiceEntry> {
    let mut observed = Observed::default();
    let services = ipvs.services(&Services::All, Some(&mut observed)).expect("reading");
    assert_eq!(ipvs.take_notes(), Vec::<String>::new());
    assert!(observed.services.keys().eq(services.keys()), "counters for every service");
    let servers: usize = services.values().map(|entry| entry.servers.len()).sum();
    assert_eq!(observed.servers.len(), servers, "counters for every server");
    let services = bare(services);
    // The short way says the same, but for settings of a tunnel that a server does not use.
    let used = |mut services: BTreeMap<ServiceKey, ServiceEntry>| {
        let servers = services.values_mut().flat_map(|entry| entry.servers.values_mut());
        servers.for_each(|server| *server = server.used());
        services
    };
    let brief = bare(ipvs.services(&Services::All, None).expect("reading"));
    assert_eq!(used(brief), used(services.clone()));
    services
}

fn bare(services: BTreeMap<ServiceKey, Arc<ServiceEntry>>) -> BTreeMap<ServiceKey, ServiceEntry> {
    services.into_iter().map(|(key, entry)| (key, Arc::unwrap_or_clone(entry))).collect()
}

/// Applies, and expects everything to be done.
#[track_caller]
fn apply(ipvs: &mut Ipvs, steps: &[Step]) {
    let outcomes = ipvs.apply(steps);
    assert_eq!(outcomes.len(), steps.len());
    for (step, outcome) in steps.iter().zip(outcomes) {
        if let Outcome::Failed(error) = outcome {
            panic!("{step:?}: {error}");
        }
        assert!(outcome.is_done(), "{step:?}: {outcome:?}");
    }
}

fn address(protocol: Protocol, addr: &str, port: u16) -> ServiceKey {
    ServiceKey::Address { protocol, addr: addr.parse().expect("an address"), port: Port(port) }
}

fn mark(family: Family, mark: u32) -> ServiceKey {
    ServiceKey::Mark { family, mark: Fwmark::new(mark).expect("not 0") }
}

fn service(scheduler: &str) -> Service {
    Service { scheduler: Scheduler::new(scheduler).expect("a name"), ..Service::default() }
}

fn server(addr: &str, port: u16) -> (ServerKey, Server) {
    (ServerKey { addr: addr.parse().expect("an address"), port: Port(port) }, Server::default())
}

/// The steps that make all of this from nothing.
fn adding(services: &BTreeMap<ServiceKey, ServiceEntry>) -> Vec<Step> {
    let mut steps = Vec::new();
    for (key, entry) in services {
        steps.push(Step::AddService { key: *key, service: entry.service.clone() });
        for (id, server) in &entry.servers {
            steps.push(Step::AddServer { service: *key, key: *id, server: *server });
        }
    }
    steps
}
