//! Random things survive the way to the wire and back; random bytes do no harm.

use lvsh::kernel::ipvs::attr::{
    self, CmdAttr, DaemonAttr, DestAttr, InfoAttr, Nested, ServiceAttr, StatsAttr,
};
use lvsh::kernel::ipvs::frame::{Body, Frames};
use lvsh::kernel::ipvs::message::{Command, Message};
use lvsh::kernel::ipvs::request::Request;
use lvsh::kernel::ipvs::{convert, family};
use lvsh::model::*;
use proptest::prelude::*;

use crate::strategies::*;

proptest! {
    #[test]
    fn services((key, service) in service(), stats in stats()) {
        let message = super::message(Request::SetService(&key, &service));
        let nest = message.service().expect("a service");
        prop_assert_eq!(convert::read_service_key(nest), Ok(key));
        prop_assert_eq!(crate::rewrite::<ServiceAttr<'_>>(nest.0), nest.0);
        // With counters behind, as the kernel answers.
        let mut bytes = nest.0.to_vec();
        attr::put_nested(&mut bytes, lvsh::kernel::ipvs::consts::IPVS_SVC_ATTR_STATS64, |out| {
            convert::put_stats(out, &stats);
        });
        prop_assert_eq!(convert::read_service(Nested(&bytes)), Ok((key, service, stats)));
    }

    #[test]
    fn servers(service in service_key(), (key, server) in server(), live in any::<[u32; 3]>(), stats in stats()) {
        let message = super::message(Request::NewDest(&service, &key, &server));
        let nest = message.dest().expect("a server");
        prop_assert_eq!(convert::read_service_key(message.service().expect("its service")), Ok(service));
        prop_assert_eq!(crate::rewrite::<DestAttr<'_>>(nest.0), nest.0);
        let [active, inactive, persist] = live;
        let mut bytes = nest.0.to_vec();
        attr::put(&mut bytes, &DestAttr::ActiveConns(active));
        attr::put(&mut bytes, &DestAttr::InactConns(inactive));
        attr::put(&mut bytes, &DestAttr::PersistConns(persist));
        attr::put_nested(&mut bytes, lvsh::kernel::ipvs::consts::IPVS_DEST_ATTR_STATS64, |out| {
            convert::put_stats(out, &stats);
        });
        let live = ServerLive { active, inactive, persist, stats };
        prop_assert_eq!(convert::read_server(Nested(&bytes), service.family()), Ok((key, server, live)));
    }

    #[test]
    fn daemons((role, daemon) in daemon()) {
        let message = super::message(Request::NewDaemon(role, &daemon));
        let nest = message.daemon().expect("a daemon");
        prop_assert_eq!(crate::rewrite::<DaemonAttr<'_>>(nest.0), nest.0);
        prop_assert_eq!(convert::read_daemon(nest), Ok((role, daemon)));
    }

    #[test]
    fn timeouts(tcp: u32, tcp_fin: u32, udp: u32) {
        let timeouts = Timeouts { tcp, tcp_fin, udp };
        prop_assert_eq!(convert::read_config(&super::attrs(Request::SetConfig(&timeouts))), Ok(timeouts));
    }

    /// Whole messages come back from a datagram of several, in order and with their numbers.
    #[test]
    fn datagrams(keys in proptest::collection::vec(service_key(), 1..10), first: u32) {
        let (mut scratch, mut out) = (Vec::new(), Vec::new());
        for (index, key) in keys.iter().enumerate() {
            let sequence = first.wrapping_add(index as u32);
            Request::DelService(key).message(&mut scratch).append(&mut out, 29, 1, sequence);
        }
        let frames: Vec<_> = Frames::new(&out).map(|frame| frame.expect("whole")).collect();
        prop_assert_eq!(frames.len(), keys.len());
        for (index, (frame, key)) in frames.iter().zip(&keys).enumerate() {
            prop_assert_eq!(frame.sequence, first.wrapping_add(index as u32));
            let Body::Data(payload) = frame.body else { panic!("{frame:?}") };
            let message = Message::read(payload).expect("a message");
            prop_assert_eq!(message.command, Command::DelService);
            prop_assert_eq!(convert::read_service_key(message.service().expect("a service")), Ok(*key));
        }
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        harmless(&bytes);
    }

    /// Nearer to the truth: a good message with some bytes changed, and perhaps cut short.
    #[test]
    fn damaged_messages_do_no_harm(
        (key, service) in service(),
        (id, server) in server(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
        cut in any::<proptest::sample::Index>(),
    ) {
        let (mut scratch, mut out) = (Vec::new(), Vec::new());
        Request::NewService(&key, &service).message(&mut scratch).append(&mut out, 29, 0x305, 1);
        Request::NewDest(&key, &id, &server).message(&mut scratch).append(&mut out, 2, 0x305, 2);
        for (at, byte) in changes {
            let at = at.index(out.len());
            out[at] = byte;
        }
        harmless(&out);
        harmless(&out[..cut.index(out.len())]);
    }
}

/// Everything that reads bytes, on these.
fn harmless(bytes: &[u8]) {
    for frame in Frames::new(bytes).flatten() {
        if let Body::Data(payload) = frame.body {
            look(payload);
        }
    }
    look(bytes);
}

fn look(payload: &[u8]) {
    let _ = family::answer(payload);
    if let Ok(message) = Message::read(payload) {
        for nest in [message.service(), message.dest(), message.daemon()].into_iter().flatten() {
            nests(nest);
        }
        let _ = message.attrs().count();
    }
    nests(Nested(payload));
}

fn nests(nest: Nested<'_>) {
    let _ = convert::read_service(nest);
    let _ = convert::read_server(nest, Family::Ipv6);
    let _ = convert::read_daemon(nest);
    let _ = convert::read_stats(nest);
    let _ = convert::read_config(nest.0);
    let _ = convert::read_info(nest.0);
    let _ = attr::read::<CmdAttr<'_>>(nest.0).count();
    let _ = attr::read::<StatsAttr<'_>>(nest.0).count();
    let _ = attr::read::<InfoAttr>(nest.0).count();
}
