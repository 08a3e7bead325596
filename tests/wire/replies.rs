//! What kernels really answered is read as what it means, and written again as it was.

use std::collections::BTreeMap;

use super::capture::{assert_rewrites, messages, section};
use super::things;
use lvsh::kernel::ipvs::convert;
use lvsh::kernel::ipvs::message::Command;
use lvsh::model::*;

/// A release, and its three files.
struct Kernel {
    release: &'static str,
    services: &'static str,
    servers: &'static str,
    host: &'static str,
    /// Slots of the connection table.
    slots: u32,
}

macro_rules! kernel {
    ($release:literal, $slots:literal) => {
        Kernel {
            release: $release,
            services: include_str!(concat!("captures/linux-", $release, "/services.txt")),
            servers: include_str!(concat!("captures/linux-", $release, "/servers.txt")),
            host: include_str!(concat!("captures/linux-", $release, "/host.txt")),
            slots: $slots,
        }
    };
}

const KERNELS: [Kernel; 2] = [kernel!("6.1", 4096), kernel!("7.2", 256)];

/// In the order of a hash table, which is another on each kernel.
#[test]
fn services() {
    let mut expected = BTreeMap::from(things::services());
    expected.insert(things::services()[0].0, things::edited());
    for Kernel { release, services, .. } in KERNELS {
        let bytes = section(services, "GET_SERVICE, all");
        let mut found = BTreeMap::new();
        for message in messages(&bytes) {
            assert_eq!(message.command, Command::NewService);
            assert_rewrites(&message);
            let nest = message.service().expect("a service");
            let (key, service, stats) = convert::read_service(nest).expect("a service");
            assert_eq!(stats, Stats::default());
            found.insert(key, service);
        }
        assert_eq!(found, expected, "Linux {release}");
    }
}

/// The last one added comes first.
#[test]
fn servers() {
    for Kernel { release, servers, .. } in KERNELS {
        for (title, service) in [
            ("GET_DEST of fwm:3", things::mark(Family::Ipv4)),
            ("GET_DEST of tcp:198.51.100.1:80", things::tcp("198.51.100.1", 80)),
        ] {
            let bytes = section(servers, title);
            let mut found = Vec::new();
            for message in messages(&bytes) {
                assert_eq!(message.command, Command::NewDest);
                assert_rewrites(&message);
                let nest = message.dest().expect("a server");
                let (key, server, live) = convert::read_server(nest, service.family()).expect("a server");
                assert_eq!(live, ServerLive::default());
                found.push((service, key, server));
            }
            let expected = things::servers().into_iter().rev().filter(|(of, ..)| *of == service);
            assert_eq!(found, expected.collect::<Vec<_>>(), "Linux {release}");
        }
    }
}

/// What was left to the kernel is said: a master's maxlen, group, port and TTL.
#[test]
fn daemons() {
    let [(master, mut first), backup] = things::daemons();
    first.maxlen = 1472;
    for Kernel { release, host, .. } in KERNELS {
        let bytes = section(host, "GET_DAEMON");
        let mut found = Vec::new();
        for message in messages(&bytes) {
            assert_eq!(message.command, Command::NewDaemon);
            assert_rewrites(&message);
            found.push(convert::read_daemon(message.daemon().expect("a daemon")).expect("a daemon"));
        }
        assert_eq!(found, [(master, first.clone()), backup.clone()], "Linux {release}");
    }
}

#[test]
fn config_and_info() {
    for Kernel { release, host, slots, .. } in KERNELS {
        let bytes = section(host, "GET_CONFIG");
        let message = messages(&bytes).remove(0);
        assert_eq!(message.command, Command::SetConfig);
        assert_rewrites(&message);
        assert_eq!(convert::read_config(&message.attrs), Ok(things::timeouts()), "Linux {release}");

        let bytes = section(host, "GET_INFO");
        let message = messages(&bytes).remove(0);
        assert_eq!(message.command, Command::SetInfo);
        assert_rewrites(&message);
        assert_eq!(convert::read_info(&message.attrs), Ok(("1.2.1".to_string(), slots)), "Linux {release}");
    }
}
