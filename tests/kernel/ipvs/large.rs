//! Many at once: 250 services with 10 servers each, long server lists, and readers while others write.

use super::*;
use crate::support::{Cmd, eventually};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

fn many(services: u32, servers: u32) -> BTreeMap<ServiceKey, ServiceEntry> {
    let backend = |number: u32| {
        let addr = IpAddr::V4(Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 1, 0, 0)) + number + 1));
        (ServerKey { addr, port: Port(80) }, Server::default())
    };
    let entry = || ServiceEntry { service: service("wlc"), servers: (0..servers).map(backend).collect() };
    (1..=services).map(|number| (mark(Family::Ipv4, number), entry())).collect()
}

/// The same as `ipvsadm -Sn` says it.
fn rules(services: &BTreeMap<ServiceKey, ServiceEntry>) -> String {
    let mut text = String::new();
    for (key, entry) in services {
        let ServiceKey::Mark { mark, .. } = key else { unreachable!("only marks") };
        text += &format!("-A -f {mark} -s wlc\n");
        for id in entry.servers.keys() {
            text += &format!("-a -f {mark} -r {}:{} -g -w 1\n", id.addr, id.port);
        }
    }
    text
}

#[test]
fn thousands_of_changes_and_a_reading() {
    needs!(ipvs);
    let mut ipvs = open();
    let wanted = many(250, 10);
    apply(&mut ipvs, &adding(&wanted));
    assert_eq!(all(&mut ipvs), wanted);

    // More than are asked for one by one, among them some that are not there.
    let some: BTreeMap<_, _> = wanted.iter().step_by(3).map(|(key, entry)| (*key, entry.clone())).collect();
    let mut keys: BTreeSet<ServiceKey> = some.keys().copied().collect();
    keys.extend((2001..2010).map(|number| mark(Family::Ipv4, number)));
    let read = ipvs.services(&Services::Only(keys), None).expect("reading");
    assert_eq!(bare(read), some);

    // What another reader finds, line for line. Not always the first time: Linux 6.1 has one table for all namespaces,
    // and ipvsadm's list skips services while other tests change theirs.
    let lines = |text: &str| text.lines().map(str::to_string).collect::<BTreeSet<_>>();
    let rules = lines(&rules(&wanted));
    eventually(Duration::from_secs(60), "ipvsadm lists the same", || {
        let listed = Cmd::here("ipvsadm -Sn").limit(Duration::from_secs(60)).run();
        (lines(&listed) == rules).then_some(())
    });

    ipvs.flush().expect("flushing");
    assert!(all(&mut ipvs).is_empty());
}

/// More servers than fit into one datagram.
#[test]
fn long_server_lists() {
    needs!(ipvs);
    let mut ipvs = open();
    let wanted = many(2, 700);
    apply(&mut ipvs, &adding(&wanted));
    assert_eq!(all(&mut ipvs), wanted);
}

/// Services and servers come and go while the table is read: what was there all the time is in every reading.
#[test]
fn readers_see_what_stays_while_others_write() {
    needs!(ipvs);
    let (mut reader, mut writer) = (open(), open());
    let staying = many(300, 2);
    apply(&mut reader, &adding(&staying));
    let passing = many(340, 2).split_off(&mark(Family::Ipv4, 301));
    let coming = adding(&passing);
    let going: Vec<Step> = coming.iter().rev().flat_map(Step::inverse).collect();
    let done = AtomicBool::new(false);
    let mut missed = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                apply(&mut writer, &coming);
                apply(&mut writer, &going);
            }
        });
        for _ in 0..10 {
            let read = reader.services(&Services::All, None);
            let notes = reader.take_notes();
            let services = match read {
                Ok(read) => read,
                Err(error) => {
                    done.store(true, Ordering::Relaxed);
                    panic!("{error}");
                }
            };
            missed.push((staying.keys().filter(|key| !services.contains_key(key)).count(), notes));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(missed.iter().all(|(missing, _)| *missing == 0), "{missed:?}");
    assert_eq!(all(&mut reader), staying);
}
