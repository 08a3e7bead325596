//! The expressions that our rules are made of, one constructor each.
//!
//! `include/uapi/linux/netfilter/nf_tables.h`: registers are 32-bit words from `NFT_REG32_00` (8) on; `NFT_REG_1`
//! is the first four of them.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::DefaultNla;
use netlink_packet_netfilter::nftables::{
    Bitwise, Cmp, DataAttribute, ExpressionAttribute, Expressions, Immediate, ListAttribute, Lookup, Meta,
    MetaKey, Operator, Payload, Register,
};

use crate::model::Family;

/// One expression of a rule, as the crate spells it.
pub type Expr = ListAttribute<ExpressionAttribute>;

/// `NFT_PAYLOAD_NETWORK_HEADER`.
pub const NETWORK: u32 = 1;
/// `NFT_PAYLOAD_TRANSPORT_HEADER`.
pub const TRANSPORT: u32 = 2;
/// Where TCP, UDP and SCTP have their destination port, and its length.
pub const DPORT: (u32, u32) = (2, 2);
/// `IFNAMSIZ` (linux/if.h).
pub const IFNAMSIZ: usize = 16;

/// `NFPROTO_IPV4` and `NFPROTO_IPV6` (linux/netfilter.h).
pub fn nfproto(family: Family) -> u8 {
    match family {
        Family::Ipv4 => 2,
        Family::Ipv6 => 10,
    }
}

/// Where a header has its source address, its destination, and their length (`struct iphdr`, `struct ipv6hdr`).
pub fn addresses(family: Family) -> (u32, u32, u32) {
    match family {
        Family::Ipv4 => (12, 16, 4),
        Family::Ipv6 => (8, 24, 16),
    }
}

/// `meta KEY` into a register.
pub fn load_meta(key: MetaKey, to: Register) -> Expr {
    Expressions::Meta(vec![Meta::Key(key), Meta::DestinationRegister(to)]).into()
}

/// Bytes of a header into a register.
pub fn load_payload(base: u32, offset: u32, len: u32, to: Register) -> Expr {
    Expressions::Payload(vec![
        Payload::DestinationRegister(to),
        Payload::Base(base),
        Payload::Offset(offset),
        Payload::Len(len),
    ])
    .into()
}

/// `reg 1 OP value`, else the rule ends.
pub fn compare(op: Operator, value: Vec<u8>) -> Expr {
    Expressions::Cmp(vec![
        Cmp::SourceRegister(Register::Reg1),
        Cmp::Op(op),
        Cmp::Data(DataAttribute::Value(value)),
    ])
    .into()
}

/// `reg 1 & mask`.
pub fn mask(mask: Vec<u8>) -> Expr {
    let zeros = vec![0; mask.len()];
    Expressions::Bitwise(vec![
        Bitwise::SourceRegister(Register::Reg1),
        Bitwise::DestinationRegister(Register::Reg1),
        Bitwise::Length(mask.len() as u32),
        Bitwise::Mask(DataAttribute::Value(mask)),
        Bitwise::Xor(DataAttribute::Value(zeros)),
    ])
    .into()
}

/// The value that a map has for the key in reg 1, into reg 1; else the rule ends.
pub fn look_up(map: String) -> Expr {
    Expressions::Lookup(vec![
        Lookup::Set(map),
        Lookup::SourceRegister(Register::Reg1),
        Lookup::DestinationRegister(Register::Reg1),
    ])
    .into()
}

/// A constant into reg 1.
pub fn load_value(value: Vec<u8>) -> Expr {
    Expressions::Immediate(vec![
        Immediate::DestinationRegister(Register::Reg1),
        Immediate::Data(DataAttribute::Value(value)),
    ])
    .into()
}

/// `meta mark set reg 1`.
pub fn set_mark() -> Expr {
    Expressions::Meta(vec![Meta::Key(MetaKey::Mark), Meta::SourceRegister(Register::Reg1)]).into()
}

/// A list entry (`NFTA_LIST_ELEM`) with one 32-bit attribute in it.
pub fn list_entry(kind: u16, value: u32) -> DefaultNla {
    const NFTA_LIST_ELEM: u16 = 1;
    let mut bytes = 8u16.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&value.to_be_bytes());
    DefaultNla::new(NFTA_LIST_ELEM | netlink_packet_core::NLA_F_NESTED, bytes)
}

/// The network that a comparison of `len` bytes of an address means.
pub fn net_compared(family: Family, len: u32, mask: Option<Vec<u8>>, value: &[u8]) -> Option<IpNet> {
    let mut bytes = [0u8; 16];
    let len = usize::try_from(len).ok()?;
    let (_, _, full) = addresses(family);
    if value.len() != len || len > full as usize {
        return None;
    }
    bytes.get_mut(..len)?.copy_from_slice(value);
    let prefix = match mask {
        None => len * 8,
        Some(mask) => {
            let ones = mask.iter().map(|byte| byte.leading_ones()).sum::<u32>() as usize;
            let set = mask.iter().map(|byte| byte.count_ones()).sum::<u32>() as usize;
            let leading = mask.iter().position(|byte| *byte != 0xff).unwrap_or(mask.len());
            let clean = mask.iter().skip(leading + 1).all(|byte| *byte == 0);
            if ones != set || !clean {
                return None;
            }
            ones
        }
    };
    let addr = match family {
        Family::Ipv4 => IpAddr::from(*bytes.first_chunk::<4>()?),
        Family::Ipv6 => IpAddr::from(bytes),
    };
    IpNet::new(addr, u8::try_from(prefix).ok()?).ok()
}
