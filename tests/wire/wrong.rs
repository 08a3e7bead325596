//! Bytes that should not be: named, skipped, or refused, but never a panic.

use lvsh::kernel::ipvs::attr::{
    self, DaemonAttr, DestAttr, InfoAttr, Malformed, Nested, ServiceAttr, StatsAttr,
};
use lvsh::kernel::ipvs::consts::*;
use lvsh::kernel::ipvs::convert;
use lvsh::kernel::ipvs::request::Request;
use lvsh::model::*;
use netlink_packet_core::DefaultNla;

fn nest(kind: u16, length: usize) -> Vec<u8> {
    let mut out = Vec::new();
    attr::put(&mut out, &DefaultNla::new(kind, vec![0; length]));
    out
}

fn complaint<'a, A: attr::Attribute<'a>>(bytes: &'a [u8]) -> String {
    match attr::read::<A>(bytes).next() {
        Some(Err(error)) => error.to_string(),
        _ => "no complaint".to_string(),
    }
}

#[test]
fn wrong_lengths_name_the_constant() {
    let cases: &[(&str, String)] = &[
        (
            "IPVS_DEST_ATTR_WEIGHT: 2 bytes, expected 4",
            complaint::<DestAttr<'_>>(&nest(IPVS_DEST_ATTR_WEIGHT, 2)),
        ),
        (
            "IPVS_DEST_ATTR_ADDR: 5 bytes, expected 4 or 16",
            complaint::<DestAttr<'_>>(&nest(IPVS_DEST_ATTR_ADDR, 5)),
        ),
        (
            "IPVS_DEST_ATTR_PORT: 4 bytes, expected 2",
            complaint::<DestAttr<'_>>(&nest(IPVS_DEST_ATTR_PORT, 4)),
        ),
        (
            "IPVS_DEST_ATTR_TUN_TYPE: 0 bytes, expected 1",
            complaint::<DestAttr<'_>>(&nest(IPVS_DEST_ATTR_TUN_TYPE, 0)),
        ),
        (
            "IPVS_SVC_ATTR_FWMARK: 2 bytes, expected 4",
            complaint::<ServiceAttr<'_>>(&nest(IPVS_SVC_ATTR_FWMARK, 2)),
        ),
        (
            "IPVS_SVC_ATTR_FLAGS: 4 bytes, expected 8",
            complaint::<ServiceAttr<'_>>(&nest(IPVS_SVC_ATTR_FLAGS, 4)),
        ),
        (
            "IPVS_SVC_ATTR_FLAGS: 12 bytes, expected 8",
            complaint::<ServiceAttr<'_>>(&nest(IPVS_SVC_ATTR_FLAGS, 12)),
        ),
        (
            "IPVS_DAEMON_ATTR_MCAST_GROUP6: 4 bytes, expected 16",
            complaint::<DaemonAttr<'_>>(&nest(IPVS_DAEMON_ATTR_MCAST_GROUP6, 4)),
        ),
        (
            "IPVS_STATS_ATTR_CONNS: 2 bytes, expected 4 or 8",
            complaint::<StatsAttr<'_>>(&nest(IPVS_STATS_ATTR_CONNS, 2)),
        ),
        (
            "IPVS_INFO_ATTR_VERSION: 8 bytes, expected 4",
            complaint::<InfoAttr>(&nest(IPVS_INFO_ATTR_VERSION, 8)),
        ),
    ];
    for (expected, got) in cases {
        assert_eq!(got, expected);
    }
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(convert::read_service_key(Nested(&[])), Err(Malformed::Missing("IPVS_SVC_ATTR_AF")));
    let missing = convert::read_server(Nested(&[]), Family::Ipv4).expect_err("nothing there");
    assert_eq!(missing.to_string(), "IPVS_DEST_ATTR_ADDR: missing");
}

/// What a later kernel adds is passed over, with and without NLA_F_NESTED, and kept as it is.
#[test]
fn unknown_attributes_are_no_error() {
    let key = ServiceKey::Mark { family: Family::Ipv6, mark: Fwmark::new(u32::MAX).expect("not 0") };
    let message = super::message(Request::NewService(&key, &Service::default()));
    let nest = message.service().expect("a service");
    for kind in [200, 200 | netlink_packet_core::NLA_F_NESTED] {
        let new = DefaultNla::new(kind, vec![1, 2, 3, 4, 5]);
        let bytes = super::with(nest, &new);
        assert_eq!(convert::read_service(Nested(&bytes)), Ok((key, Service::default(), Stats::default())));
        let last = attr::read::<ServiceAttr<'_>>(&bytes).last().expect("some").expect("whole");
        assert_eq!(last, ServiceAttr::Other(new));
    }
}

/// A server that does not say its family (kernels before 3.18) has its service's.
#[test]
fn servers_without_a_family() {
    let mut bytes = Vec::new();
    attr::put(&mut bytes, &DefaultNla::new(IPVS_DEST_ATTR_ADDR, vec![192, 0, 2, 1]));
    attr::put(&mut bytes, &DefaultNla::new(IPVS_DEST_ATTR_PORT, vec![0, 80]));
    attr::put(&mut bytes, &DestAttr::FwdMethod(0x103));
    attr::put(&mut bytes, &DestAttr::Weight(1));
    let (key, server, _) = convert::read_server(Nested(&bytes), Family::Ipv4).expect("a server");
    assert_eq!(key.to_string(), "192.0.2.1:80");
    assert_eq!(server.method, Forwarding::Dr, "bits above the method are not the method's");
}
