//! Elements of the maps: a mark's key as bytes, and back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{DefaultNla, NLA_TYPE_MASK};
use netlink_packet_netfilter::nftables::{DataAttribute, ListAttribute, SetElementAttribute};

use super::layout::Map;
use super::userdata;
use crate::model::{Family, Fwmark, MarkEntry, MarkSelector, PortRange, Protocol};

/// `enum nft_data_attributes`.
const NFTA_DATA_VALUE: u16 = 1;

/// One element, as the crate spells it.
pub type Element = ListAttribute<SetElementAttribute>;

/// `{ 192.168.1.99 . tcp . 80 : 3 comment "web" }`, or without its value to delete it.
///
/// `None` when the selector is not one of an element.
pub fn write(selector: &MarkSelector, entry: Option<&MarkEntry>) -> Option<Element> {
    let map = Map::of(selector)?;
    let (daddr, protocol) = (selector.daddr?, selector.protocol?);
    let ports = selector.dport.unwrap_or(PortRange::ALL);
    let start = key(daddr.network(), protocol, ports.first);
    let mut attributes = vec![SetElementAttribute::Key(DataAttribute::Value(start))];
    if map.range {
        let end = key(daddr.broadcast(), protocol, ports.last);
        attributes.push(SetElementAttribute::KeyEnd(vec![DefaultNla::new(NFTA_DATA_VALUE, end)]));
    }
    if let Some(entry) = entry {
        let mark = entry.mark.get().to_ne_bytes().to_vec();
        attributes.push(SetElementAttribute::Data(DataAttribute::Value(mark)));
        attributes.extend(userdata::comment(&entry.owner).map(SetElementAttribute::UserData));
    }
    Some(ListAttribute::Element(attributes))
}

/// Address, protocol and port in network order, each padded to whole words.
fn key(addr: IpAddr, protocol: Protocol, port: u16) -> Vec<u8> {
    let mut key = match addr {
        IpAddr::V4(addr) => addr.octets().to_vec(),
        IpAddr::V6(addr) => addr.octets().to_vec(),
    };
    key.extend_from_slice(&[protocol.number(), 0, 0, 0]);
    key.extend_from_slice(&port.to_be_bytes());
    key.extend_from_slice(&[0, 0]);
    key
}

/// The elements of an answer to `layout::all_elements`, each as its attributes.
///
/// Read from the bytes, because the crate's parser writes the whole answer into a message of an error that does not
/// happen, once per element: a second for a thousand of them.
pub fn list(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    const NFTA_SET_ELEM_LIST_ELEMENTS: u16 = 3;
    let lists = attributes(answer).filter(|(kind, _)| *kind == NFTA_SET_ELEM_LIST_ELEMENTS);
    lists.flat_map(|(_, list)| attributes(list).map(|(_, element)| element))
}

/// The value inside `NFTA_DATA_VALUE`.
fn data(bytes: &[u8]) -> &[u8] {
    attributes(bytes).find(|(kind, _)| *kind == NFTA_DATA_VALUE).map_or(&[], |(_, value)| value)
}

/// Attributes with their kinds (linux/netlink.h, struct nlattr); what is cut off ends the list.
fn attributes(mut rest: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let [a, b, c, d, ..] = *rest else { return None };
        let (length, kind) = (usize::from(u16::from_ne_bytes([a, b])), u16::from_ne_bytes([c, d]));
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & NLA_TYPE_MASK, value))
    })
}

/// What an element of a map says; `Err` says why it cannot be one of ours.
pub fn read(map: Map, element: &[u8]) -> Result<(MarkSelector, MarkEntry), &'static str> {
    // include/uapi/linux/netfilter/nf_tables.h, enum nft_set_elem_attributes
    const NFTA_SET_ELEM_KEY: u16 = 1;
    const NFTA_SET_ELEM_DATA: u16 = 2;
    const NFTA_SET_ELEM_USERDATA: u16 = 6;
    const NFTA_SET_ELEM_KEY_END: u16 = 10;
    let (mut start, mut end, mut mark, mut owner) = (None, None, None, String::new());
    for (kind, value) in attributes(element) {
        match kind {
            NFTA_SET_ELEM_KEY => start = read_key(map.family, data(value)),
            NFTA_SET_ELEM_KEY_END => end = read_key(map.family, data(value)),
            NFTA_SET_ELEM_DATA => mark = data(value).try_into().ok().map(u32::from_ne_bytes),
            NFTA_SET_ELEM_USERDATA => owner = userdata::read_comment(value).unwrap_or_default(),
            _ => {}
        }
    }
    let (first, protocol, first_port) = start.ok_or("its key cannot be read")?;
    let (last, last_protocol, last_port) = end.unwrap_or((first, protocol, first_port));
    let daddr = net_of(first, last).ok_or("its addresses are not one network")?;
    if last_protocol != protocol {
        return Err("it spans several protocols");
    }
    let ports = PortRange::new(first_port, last_port).map_err(|_| "its ports run backwards")?;
    let mark = Fwmark::new(mark.unwrap_or(0)).map_err(|_| "it sets no mark")?;
    let selector = MarkSelector {
        hook: map.hook,
        family: map.family,
        daddr: Some(daddr),
        protocol: Some(Protocol::from_number(protocol)),
        dport: Some(ports).filter(|ports| *ports != PortRange::ALL),
        saddr: None,
        iif: None,
    };
    if Map::of(&selector) != Some(map) {
        return Err("it belongs into the map of single addresses and ports");
    }
    Ok((selector, MarkEntry { mark, owner }))
}

fn read_key(family: Family, bytes: &[u8]) -> Option<(IpAddr, u8, u16)> {
    let (addr, rest) = match family {
        Family::Ipv4 => {
            let (addr, rest) = bytes.split_first_chunk::<4>()?;
            (IpAddr::V4(Ipv4Addr::from(*addr)), rest)
        }
        Family::Ipv6 => {
            let (addr, rest) = bytes.split_first_chunk::<16>()?;
            (IpAddr::V6(Ipv6Addr::from(*addr)), rest)
        }
    };
    match rest {
        [protocol, _, _, _, high, low, _, _] => Some((addr, *protocol, u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

/// The network from `first` to `last`, if the two are the ends of one.
fn net_of(first: IpAddr, last: IpAddr) -> Option<IpNet> {
    let (differing, bits) = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => (u128::from(u32::from(first) ^ u32::from(last)), 32),
        (IpAddr::V6(first), IpAddr::V6(last)) => (u128::from(first) ^ u128::from(last), 128),
        _ => return None,
    };
    let host_bits = 128 - differing.leading_zeros();
    let prefix = u8::try_from(bits - host_bits).ok()?;
    let net = IpNet::new(first, prefix).ok()?;
    (net.network() == first && net.broadcast() == last).then_some(net)
}

#[cfg(test)]
mod tests {
    use netlink_packet_core::Nla;

    use super::*;
    use crate::model::Hook;

    #[test]
    fn an_element_comes_back_from_its_attributes() {
        let cases = [
            ("192.168.1.99/32", Some(PortRange::one(80))),
            ("10.0.0.0/8", None),
            ("0.0.0.0/0", Some(PortRange { first: 1, last: 1023 })),
            ("2001:db8::1/128", Some(PortRange::one(443))),
            ("2001:db8::/32", Some(PortRange::one(443))),
            ("::/0", None),
        ];
        for (net, dport) in cases {
            let net: IpNet = net.parse().unwrap();
            let selector = MarkSelector {
                hook: Hook::Output,
                family: Family::of(net.addr()),
                daddr: Some(net),
                protocol: Some(Protocol::Tcp),
                dport,
                saddr: None,
                iif: None,
            };
            let entry = MarkEntry { mark: Fwmark::new(0x1234_5678).unwrap(), owner: "web".to_string() };
            let element = write(&selector, Some(&entry)).unwrap();
            let mut bytes = vec![0; element.value_len()];
            element.emit_value(&mut bytes);
            let map = Map::of(&selector).unwrap();
            assert_eq!(read(map, &bytes), Ok((selector, entry)));
            for cut in 0..bytes.len() {
                let _ = read(map, &bytes[..cut]);
            }
        }
    }
}
