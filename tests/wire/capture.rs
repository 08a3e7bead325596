//! Reads the files under `captures/`.

use lvsh::kernel::ipvs::attr::{self, Attribute, CmdAttr, DaemonAttr, DestAttr, ServiceAttr, StatsAttr};
use lvsh::kernel::ipvs::frame::{Body, Frames};
use lvsh::kernel::ipvs::message::{Command, Message};
use netlink_packet_core::NLA_F_NESTED;

/// The headings of a file, in order, each with the bytes below it.
pub fn sections(text: &str) -> Vec<(&str, Vec<u8>)> {
    let mut found: Vec<(&str, Vec<u8>)> = Vec::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("== ") {
            found.push((title, Vec::new()));
            continue;
        }
        let hex = line.split('#').next().unwrap_or_default().split_whitespace();
        let bytes = hex.map(|byte| u8::from_str_radix(byte, 16).unwrap_or_else(|_| panic!("{line}")));
        match found.last_mut() {
            Some((_, section)) => section.extend(bytes),
            None => assert_eq!(bytes.count(), 0, "bytes in front of the first heading: {line}"),
        }
    }
    found
}

/// The bytes below one heading.
pub fn section(text: &str, title: &str) -> Vec<u8> {
    let found = sections(text).into_iter().find(|(heading, _)| *heading == title);
    found.unwrap_or_else(|| panic!("no '== {title}'")).1
}

/// The flags of the first message.
pub fn flags(bytes: &[u8]) -> u16 {
    u16::from_le_bytes([bytes[6], bytes[7]])
}

/// The messages of the family; what the kernel itself says is passed over, but must be well.
pub fn messages(bytes: &[u8]) -> Vec<Message<'_>> {
    let mut found = Vec::new();
    for frame in Frames::new(bytes) {
        match frame.expect("whole").body {
            Body::Data(payload) => found.push(Message::read(payload).expect("a message")),
            Body::Done { errno } | Body::Verdict { errno, .. } => assert_eq!(errno, 0),
            Body::Noop => {}
        }
    }
    assert!(!found.is_empty());
    found
}

/// Every attribute at every depth, as one line that names those it is in.
pub fn attributes(message: &Message<'_>) -> Vec<String> {
    fn each<'a, A: Attribute<'a> + std::fmt::Debug>(within: &str, bytes: &'a [u8]) -> Vec<String> {
        attr::read::<A>(bytes).map(|nla| format!("{within}{:?}", nla.expect("an attribute"))).collect()
    }
    let nests = message.attrs().flat_map(|nla| match nla.expect("an attribute") {
        CmdAttr::Service(nest) => each::<ServiceAttr<'_>>("Service.", nest.0),
        CmdAttr::Dest(nest) => each::<DestAttr<'_>>("Dest.", nest.0),
        CmdAttr::Daemon(nest) => each::<DaemonAttr<'_>>("Daemon.", nest.0),
        other => vec![format!("{other:?}")],
    });
    nests.collect()
}

/// Checks that reading every attribute, at every depth, and writing it again gives the same bytes. We do not keep
/// whether a nest had `NLA_F_NESTED`, which ipvsadm sets and the kernel does not.
pub fn assert_rewrites(message: &Message<'_>) {
    if message.command == Command::SetInfo {
        assert_eq!(super::rewrite::<attr::InfoAttr>(&message.attrs), *message.attrs);
        return;
    }
    let mut bytes = message.attrs.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let length = u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        bytes[at + 3] &= !(NLA_F_NESTED >> 8) as u8;
        at += usize::from(length).next_multiple_of(4);
    }
    assert_eq!(super::rewrite::<CmdAttr<'_>>(&message.attrs), bytes);
    for nla in message.attrs() {
        match nla.expect("an attribute") {
            CmdAttr::Service(nest) => {
                assert_eq!(super::rewrite::<ServiceAttr<'_>>(nest.0), nest.0);
                for nla in attr::read::<ServiceAttr<'_>>(nest.0) {
                    if let ServiceAttr::Stats(nest) | ServiceAttr::Stats64(nest) = nla.expect("an attribute")
                    {
                        assert_eq!(super::rewrite::<StatsAttr<'_>>(nest.0), nest.0);
                    }
                }
            }
            CmdAttr::Dest(nest) => {
                assert_eq!(super::rewrite::<DestAttr<'_>>(nest.0), nest.0);
                for nla in attr::read::<DestAttr<'_>>(nest.0) {
                    if let DestAttr::Stats(nest) | DestAttr::Stats64(nest) = nla.expect("an attribute") {
                        assert_eq!(super::rewrite::<StatsAttr<'_>>(nest.0), nest.0);
                    }
                }
            }
            CmdAttr::Daemon(nest) => assert_eq!(super::rewrite::<DaemonAttr<'_>>(nest.0), nest.0),
            _ => {}
        }
    }
}
