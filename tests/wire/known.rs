//! Known bytes: what is written equals them, and they are read as what they mean.

use std::net::{IpAddr, Ipv4Addr};

use lvsh::kernel::ipvs::attr::{self, CmdAttr, Nested, ServiceAttr};
use lvsh::kernel::ipvs::convert;
use lvsh::kernel::ipvs::frame::{Body, Frames};
use lvsh::kernel::ipvs::message::{Command, Message};
use lvsh::kernel::ipvs::request::Request;
use lvsh::model::*;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
use netlink_packet_generic::GenlHeader;

fn mark_service() -> ServiceKey {
    ServiceKey::Mark { family: Family::Ipv4, mark: Fwmark::new(3).expect("not 0") }
}

#[rustfmt::skip]
const NEW_SERVICE: &[u8] = &[
    0x54, 0x00, 0x00, 0x00, // length 84
    0x1d, 0x00,             // type: the family, 29 here
    0x05, 0x00,             // NLM_F_REQUEST | NLM_F_ACK
    0x07, 0x00, 0x00, 0x00, // sequence 7
    0x00, 0x00, 0x00, 0x00, // port: the kernel
    0x01, 0x01, 0x00, 0x00, // IPVS_CMD_NEW_SERVICE, version 1
    0x40, 0x00, 0x01, 0x80, // 64, IPVS_CMD_ATTR_SERVICE | NLA_F_NESTED
    0x06, 0x00, 0x01, 0x00, // 6, IPVS_SVC_ATTR_AF
    0x02, 0x00, 0x00, 0x00, // AF_INET, host order; padding
    0x08, 0x00, 0x05, 0x00, // 8, IPVS_SVC_ATTR_FWMARK
    0x03, 0x00, 0x00, 0x00, // 3, host order
    0x07, 0x00, 0x06, 0x00, // 7, IPVS_SVC_ATTR_SCHED_NAME
    0x73, 0x68, 0x00, 0x00, // "sh", NUL; padding
    0x0c, 0x00, 0x07, 0x00, // 12, IPVS_SVC_ATTR_FLAGS
    0x09, 0x00, 0x00, 0x00, // IP_VS_SVC_F_PERSISTENT | IP_VS_SVC_F_SCHED1
    0xfd, 0xff, 0xff, 0xff, // mask: all but IP_VS_SVC_F_HASHED
    0x08, 0x00, 0x08, 0x00, // 8, IPVS_SVC_ATTR_TIMEOUT
    0x58, 0x02, 0x00, 0x00, // 600 s
    0x08, 0x00, 0x09, 0x00, // 8, IPVS_SVC_ATTR_NETMASK
    0xff, 0xff, 0xff, 0x00, // 255.255.255.0, network order
    0x08, 0x00, 0x0b, 0x00, // 8, IPVS_SVC_ATTR_PE_NAME
    0x73, 0x69, 0x70, 0x00, // "sip", NUL
];

#[test]
fn new_service() {
    let key = mark_service();
    let service = Service {
        scheduler: Scheduler::new("sh").expect("a name"),
        flags: Flags::SCHED1,
        persistence: Some(Persistence {
            timeout: 600,
            netmask: Netmask::V4(Ipv4Addr::new(255, 255, 255, 0)),
        }),
        pe: Some(PeName::new("sip").expect("a name")),
    };
    let (mut scratch, mut out) = (Vec::new(), Vec::new());
    let request = Request::NewService(&key, &service);
    request.message(&mut scratch).append(&mut out, 29, NLM_F_REQUEST | NLM_F_ACK, 7);
    assert_eq!(out, NEW_SERVICE);

    let frame = Frames::new(NEW_SERVICE).next().expect("one frame").expect("whole");
    let Body::Data(payload) = frame.body else { panic!("{frame:?}") };
    let message = Message::read(payload).expect("a message");
    assert_eq!((frame.sequence, message.command), (7, Command::NewService));
    let nest = message.service().expect("a service");
    assert_eq!(convert::read_service(nest), Ok((key, service, Stats::default())));

    // The generic netlink crate reads the same header.
    let generic = GenlHeader::parse(payload).expect("a header");
    assert_eq!((generic.cmd, generic.version), (1, 1));
}

#[rustfmt::skip]
const SET_DEST: &[u8] = &[
    0x30, 0x00, 0x01, 0x80, // 48, IPVS_CMD_ATTR_SERVICE | NLA_F_NESTED
    0x06, 0x00, 0x01, 0x00, // 6, IPVS_SVC_ATTR_AF
    0x0a, 0x00, 0x00, 0x00, // AF_INET6; padding
    0x06, 0x00, 0x02, 0x00, // 6, IPVS_SVC_ATTR_PROTOCOL
    0x11, 0x00, 0x00, 0x00, // UDP, host order; padding
    0x14, 0x00, 0x03, 0x00, // 20, IPVS_SVC_ATTR_ADDR
    0x20, 0x01, 0x0d, 0xb8, // 2001:db8::
    0x00, 0x00, 0x00, 0x00, //
    0x00, 0x00, 0x00, 0x00, //
    0x00, 0x00, 0x00, 0x01, // …1
    0x06, 0x00, 0x04, 0x00, // 6, IPVS_SVC_ATTR_PORT
    0x00, 0x35, 0x00, 0x00, // 53, network order; padding
    0x60, 0x00, 0x02, 0x80, // 96, IPVS_CMD_ATTR_DEST | NLA_F_NESTED
    0x14, 0x00, 0x01, 0x00, // 20, IPVS_DEST_ATTR_ADDR
    0xc0, 0x00, 0x02, 0x07, // 192.0.2.7
    0x00, 0x00, 0x00, 0x00, // padded with zeros to 16
    0x00, 0x00, 0x00, 0x00, //
    0x00, 0x00, 0x00, 0x00, //
    0x06, 0x00, 0x02, 0x00, // 6, IPVS_DEST_ATTR_PORT
    0x14, 0xe9, 0x00, 0x00, // 5353, network order; padding
    0x06, 0x00, 0x0b, 0x00, // 6, IPVS_DEST_ATTR_ADDR_FAMILY
    0x02, 0x00, 0x00, 0x00, // AF_INET; padding
    0x08, 0x00, 0x03, 0x00, // 8, IPVS_DEST_ATTR_FWD_METHOD
    0x02, 0x00, 0x00, 0x00, // IP_VS_CONN_F_TUNNEL
    0x08, 0x00, 0x04, 0x00, // 8, IPVS_DEST_ATTR_WEIGHT
    0x2c, 0x01, 0x00, 0x00, // 300
    0x08, 0x00, 0x05, 0x00, // 8, IPVS_DEST_ATTR_U_THRESH
    0xe8, 0x03, 0x00, 0x00, // 1000
    0x08, 0x00, 0x06, 0x00, // 8, IPVS_DEST_ATTR_L_THRESH
    0x20, 0x03, 0x00, 0x00, // 800
    0x05, 0x00, 0x0d, 0x00, // 5, IPVS_DEST_ATTR_TUN_TYPE
    0x01, 0x00, 0x00, 0x00, // GUE; padding
    0x06, 0x00, 0x0e, 0x00, // 6, IPVS_DEST_ATTR_TUN_PORT
    0x15, 0xb3, 0x00, 0x00, // 5555, network order; padding
    0x06, 0x00, 0x0f, 0x00, // 6, IPVS_DEST_ATTR_TUN_FLAGS
    0x01, 0x00, 0x00, 0x00, // IP_VS_TUNNEL_ENCAP_FLAG_CSUM, host order; padding
];

#[test]
fn set_dest_of_the_other_family() {
    let addr = "2001:db8::1".parse().expect("an address");
    let service = ServiceKey::Address { protocol: Protocol::Udp, addr, port: Port(53) };
    let key = ServerKey { addr: IpAddr::from([192, 0, 2, 7]), port: Port(5353) };
    let server = Server {
        method: Forwarding::Tun,
        weight: Weight::new(300).expect("a weight"),
        upper: 1000,
        lower: 800,
        tunnel: Tunnel { kind: TunnelKind::Gue, port: Port(5555), flags: 1 },
    };
    assert_eq!(super::attrs(Request::SetDest(&service, &key, &server)), SET_DEST);

    let message = Message { command: Command::SetDest, attrs: SET_DEST.into() };
    assert_eq!(convert::read_service_key(message.service().expect("a service")), Ok(service));
    let read = convert::read_server(message.dest().expect("a server"), Family::Ipv6);
    assert_eq!(read, Ok((key, server, ServerLive::default())));
}

#[rustfmt::skip]
const NEW_DAEMON: &[u8] = &[
    0x38, 0x00, 0x03, 0x80, // 56, IPVS_CMD_ATTR_DAEMON | NLA_F_NESTED
    0x08, 0x00, 0x01, 0x00, // 8, IPVS_DAEMON_ATTR_STATE
    0x01, 0x00, 0x00, 0x00, // IP_VS_STATE_MASTER
    0x09, 0x00, 0x02, 0x00, // 9, IPVS_DAEMON_ATTR_MCAST_IFN
    0x65, 0x74, 0x68, 0x30, // "eth0"
    0x00, 0x00, 0x00, 0x00, // NUL; padding
    0x08, 0x00, 0x03, 0x00, // 8, IPVS_DAEMON_ATTR_SYNC_ID
    0x07, 0x00, 0x00, 0x00, // 7
    0x08, 0x00, 0x05, 0x00, // 8, IPVS_DAEMON_ATTR_MCAST_GROUP
    0xe0, 0x00, 0x00, 0x51, // 224.0.0.81, network order
    0x06, 0x00, 0x07, 0x00, // 6, IPVS_DAEMON_ATTR_MCAST_PORT
    0x90, 0x22, 0x00, 0x00, // 8848, host order; padding
    0x05, 0x00, 0x08, 0x00, // 5, IPVS_DAEMON_ATTR_MCAST_TTL
    0x01, 0x00, 0x00, 0x00, // 1; padding
];

#[test]
fn new_daemon() {
    let daemon = SyncDaemon::new(IfName::new("eth0").expect("a name"), 7);
    assert_eq!(super::attrs(Request::NewDaemon(SyncRole::Master, &daemon)), NEW_DAEMON);
    let message = Message { command: Command::NewDaemon, attrs: NEW_DAEMON.into() };
    let read = convert::read_daemon(message.daemon().expect("a daemon"));
    assert_eq!(read, Ok((SyncRole::Master, daemon)));
}

/// As the kernel answers: HASHED, no persistence but a timeout and a netmask, both kinds of counters.
#[rustfmt::skip]
const SERVICE_ANSWER: &[u8] = &[
    0x06, 0x00, 0x01, 0x00, // 6, IPVS_SVC_ATTR_AF
    0x02, 0x00, 0x00, 0x00, // AF_INET; padding
    0x06, 0x00, 0x02, 0x00, // 6, IPVS_SVC_ATTR_PROTOCOL
    0x06, 0x00, 0x00, 0x00, // TCP; padding
    0x14, 0x00, 0x03, 0x00, // 20, IPVS_SVC_ATTR_ADDR
    0xc6, 0x33, 0x64, 0x01, // 198.51.100.1
    0x00, 0x00, 0x00, 0x00, //
    0x00, 0x00, 0x00, 0x00, //
    0x00, 0x00, 0x00, 0x00, //
    0x06, 0x00, 0x04, 0x00, // 6, IPVS_SVC_ATTR_PORT
    0x00, 0x50, 0x00, 0x00, // 80, network order; padding
    0x08, 0x00, 0x06, 0x00, // 8, IPVS_SVC_ATTR_SCHED_NAME
    0x77, 0x6c, 0x63, 0x00, // "wlc", NUL
    0x0c, 0x00, 0x07, 0x00, // 12, IPVS_SVC_ATTR_FLAGS
    0x06, 0x00, 0x00, 0x00, // IP_VS_SVC_F_ONEPACKET | IP_VS_SVC_F_HASHED
    0xff, 0xff, 0xff, 0xff, // mask
    0x08, 0x00, 0x08, 0x00, // 8, IPVS_SVC_ATTR_TIMEOUT
    0x0a, 0x00, 0x00, 0x00, // 10 s, means nothing
    0x08, 0x00, 0x09, 0x00, // 8, IPVS_SVC_ATTR_NETMASK
    0xff, 0x00, 0x00, 0x00, // 255.0.0.0, means nothing
    0x1c, 0x00, 0x0a, 0x00, // 28, IPVS_SVC_ATTR_STATS, without NLA_F_NESTED
    0x08, 0x00, 0x01, 0x00, // 8, IPVS_STATS_ATTR_CONNS
    0x05, 0x00, 0x00, 0x00, // 5, wrapped
    0x04, 0x00, 0x0b, 0x00, // 4, IPVS_STATS_ATTR_PAD
    0x0c, 0x00, 0x04, 0x00, // 12, IPVS_STATS_ATTR_INBYTES
    0x09, 0x00, 0x00, 0x00, // 9
    0x00, 0x00, 0x00, 0x00, //
    0x1c, 0x00, 0x0c, 0x00, // 28, IPVS_SVC_ATTR_STATS64
    0x0c, 0x00, 0x01, 0x00, // 12, IPVS_STATS_ATTR_CONNS
    0x05, 0x00, 0x00, 0x00, // 2^32 + 5
    0x01, 0x00, 0x00, 0x00, //
    0x0c, 0x00, 0x09, 0x00, // 12, IPVS_STATS_ATTR_INBPS
    0x0b, 0x00, 0x00, 0x00, // 11
    0x00, 0x00, 0x00, 0x00, //
];

#[test]
fn service_answer() {
    let addr = IpAddr::from([198, 51, 100, 1]);
    let key = ServiceKey::Address { protocol: Protocol::Tcp, addr, port: Port(80) };
    let service = Service { flags: Flags::ONE_PACKET, ..Service::default() };
    let stats = Stats { conns: (1 << 32) + 5, in_bytes_per_s: 11, ..Stats::default() };
    assert_eq!(convert::read_service(Nested(SERVICE_ANSWER)), Ok((key, service, stats)));

    // Attribute by attribute, what is read is written as it was.
    let mut out = Vec::new();
    for nla in attr::read::<ServiceAttr<'_>>(SERVICE_ANSWER) {
        attr::put(&mut out, &nla.expect("an attribute"));
    }
    assert_eq!(out, SERVICE_ANSWER);
}

#[rustfmt::skip]
const CONFIG: &[u8] = &[
    0x08, 0x00, 0x04, 0x00, // 8, IPVS_CMD_ATTR_TIMEOUT_TCP
    0x84, 0x03, 0x00, 0x00, // 900 s
    0x08, 0x00, 0x05, 0x00, // 8, IPVS_CMD_ATTR_TIMEOUT_TCP_FIN
    0x78, 0x00, 0x00, 0x00, // 120 s
    0x08, 0x00, 0x06, 0x00, // 8, IPVS_CMD_ATTR_TIMEOUT_UDP
    0x2c, 0x01, 0x00, 0x00, // 300 s
];

#[rustfmt::skip]
const INFO: &[u8] = &[
    0x08, 0x00, 0x01, 0x00, // 8, IPVS_INFO_ATTR_VERSION
    0x01, 0x02, 0x01, 0x00, // 0x010201
    0x08, 0x00, 0x02, 0x00, // 8, IPVS_INFO_ATTR_CONN_TAB_SIZE
    0x00, 0x10, 0x00, 0x00, // 4096
];

#[test]
fn config_and_info() {
    let timeouts = Timeouts::default();
    assert_eq!(super::attrs(Request::SetConfig(&timeouts)), CONFIG);
    assert_eq!(convert::read_config(CONFIG), Ok(timeouts));
    let first = attr::read::<CmdAttr<'_>>(CONFIG).next().expect("one").expect("whole");
    assert_eq!(first, CmdAttr::TimeoutTcp(900));
    assert_eq!(convert::read_info(INFO), Ok(("1.2.1".to_string(), 4096)));
}

#[rustfmt::skip]
const REFUSAL: &[u8] = &[
    0x2c, 0x00, 0x00, 0x00, // length 44
    0x02, 0x00,             // NLMSG_ERROR
    0x00, 0x03,             // NLM_F_CAPPED | NLM_F_ACK_TLVS
    0x09, 0x00, 0x00, 0x00, // sequence 9
    0x00, 0x00, 0x00, 0x00, // port
    0xef, 0xff, 0xff, 0xff, // -17, EEXIST
    0x54, 0x00, 0x00, 0x00, // the request's header: length 84
    0x1d, 0x00, 0x05, 0x00, // its type and flags
    0x09, 0x00, 0x00, 0x00, // its sequence
    0x00, 0x00, 0x00, 0x00, // its port
    0x07, 0x00, 0x01, 0x00, // 7, NLMSGERR_ATTR_MSG
    0x6e, 0x6f, 0x00, 0x00, // "no", NUL; padding
];

#[test]
fn refusal_with_words() {
    let frame = Frames::new(REFUSAL).next().expect("one frame").expect("whole");
    assert_eq!(frame.sequence, 9);
    assert_eq!(frame.body, Body::Verdict { errno: 17, text: Some("no") });
}
