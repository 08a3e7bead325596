//! What a rule of our chains means, read from its expressions.
//!
//! The expressions are the truth, not a copy of the selector in a comment: a rule that somebody edited is then
//! read as what it does, and one that says more than a selector can is reported and left alone. A small machine
//! follows the registers, so that rules written by nft itself are understood too (it loads only the bytes of a
//! prefix that are whole).

use std::collections::BTreeMap;

use ipnet::IpNet;
use netlink_packet_netfilter::nftables::{
    Bitwise, Cmp, DataAttribute, ExpressionAttribute, Expressions, Immediate, ListAttribute, Lookup, Meta,
    MetaKey, Operator, Payload, Register,
};

use super::expr::{self, Expr};
use crate::model::{Family, Fwmark, Hook, IfName, MarkSelector, PortRange, Protocol};

/// What a rule does.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It sets a mark on what the selector matches.
    Mark(MarkSelector, Fwmark),
    /// It sets the mark that a map of this name has.
    LookUp(String),
    /// Something that is not ours.
    Foreign,
}

/// Reads the expressions of a rule in the chain of `hook`.
pub fn meaning(hook: Hook, expressions: &[Expr]) -> Meaning {
    let mut machine = Machine::default();
    for expression in expressions {
        if machine.step(expression).is_none() {
            return Meaning::Foreign;
        }
    }
    machine.meaning(hook).unwrap_or(Meaning::Foreign)
}

/// What a register holds.
#[derive(Clone, Debug)]
enum Held {
    Meta(MetaKey),
    Header { base: u32, offset: u32, len: u32, mask: Option<Vec<u8>> },
    Constant(Vec<u8>),
    FromMap,
}

#[derive(Default)]
struct Machine {
    registers: BTreeMap<u32, Held>,
    family: Option<Family>,
    iif: Option<IfName>,
    saddr: Option<IpNet>,
    daddr: Option<IpNet>,
    protocol: Option<Protocol>,
    first: Option<u16>,
    last: Option<u16>,
    map: Option<String>,
    mark: Option<u32>,
    turned: bool,
    done: bool,
}

impl Machine {
    /// Follows one expression; `None` when it is not one of those our rules are made of.
    fn step(&mut self, expression: &Expr) -> Option<()> {
        let ListAttribute::Element(attributes) = expression else { return None };
        let data = attributes.iter().find_map(|attribute| match attribute {
            ExpressionAttribute::Data(data) => Some(data),
            _ => None,
        })?;
        if self.done {
            return None;
        }
        match data {
            Expressions::Meta(parts) => self.meta(parts),
            Expressions::Payload(parts) => self.payload(parts),
            Expressions::Bitwise(parts) => self.bitwise(parts),
            Expressions::Cmp(parts) => self.compare(parts),
            Expressions::Immediate(parts) => self.immediate(parts),
            Expressions::Lookup(parts) => self.look_up(parts),
            // nft 1.0.6 turns the one byte of a protocol round before it looks into an interval map.
            Expressions::Other { expression_type, .. } if expression_type == "byteorder" => {
                self.turned = true;
                Some(())
            }
            _ => None,
        }
    }

    fn meta(&mut self, parts: &[Meta]) -> Option<()> {
        let key = find(parts, |part| match part {
            Meta::Key(key) => Some(*key),
            _ => None,
        })?;
        let to = find(parts, |part| match part {
            Meta::DestinationRegister(register) => Some(number(*register)),
            _ => None,
        });
        if let Some(to) = to {
            self.registers.insert(to, Held::Meta(key));
            return Some(());
        }
        let from = find(parts, |part| match part {
            Meta::SourceRegister(register) => Some(number(*register)),
            _ => None,
        })?;
        if key != MetaKey::Mark {
            return None;
        }
        match self.registers.get(&from)? {
            Held::Constant(bytes) => {
                self.mark = Some(u32::from_ne_bytes(bytes.as_slice().try_into().ok()?));
            }
            Held::FromMap => {}
            _ => return None,
        }
        self.done = true;
        Some(())
    }

    fn payload(&mut self, parts: &[Payload]) -> Option<()> {
        let (mut to, mut base, mut offset, mut len) = (None, None, None, None);
        for part in parts {
            match part {
                Payload::DestinationRegister(register) => to = Some(number(*register)),
                Payload::Base(value) => base = Some(*value),
                Payload::Offset(value) => offset = Some(*value),
                Payload::Len(value) => len = Some(*value),
                _ => {}
            }
        }
        self.registers.insert(to?, Held::Header { base: base?, offset: offset?, len: len?, mask: None });
        Some(())
    }

    fn bitwise(&mut self, parts: &[Bitwise]) -> Option<()> {
        let (mut from, mut to, mut and) = (None, None, None);
        for part in parts {
            match part {
                Bitwise::SourceRegister(register) => from = Some(number(*register)),
                Bitwise::DestinationRegister(register) => to = Some(number(*register)),
                Bitwise::Mask(DataAttribute::Value(bytes)) => and = Some(bytes.clone()),
                Bitwise::Xor(DataAttribute::Value(bytes)) if bytes.iter().any(|byte| *byte != 0) => {
                    return None;
                }
                Bitwise::Op(op) if *op != 0 => return None,
                _ => {}
            }
        }
        match self.registers.get(&from?)?.clone() {
            Held::Header { base, offset, len, mask: None } => {
                self.registers.insert(to?, Held::Header { base, offset, len, mask: Some(and?) });
                Some(())
            }
            _ => None,
        }
    }

    fn immediate(&mut self, parts: &[Immediate]) -> Option<()> {
        let to = find(parts, |part| match part {
            Immediate::DestinationRegister(register) => Some(number(*register)),
            _ => None,
        })?;
        let value = find(parts, |part| match part {
            Immediate::Data(DataAttribute::Value(bytes)) => Some(bytes.clone()),
            _ => None,
        })?;
        self.registers.insert(to, Held::Constant(value));
        Some(())
    }

    fn look_up(&mut self, parts: &[Lookup]) -> Option<()> {
        let (mut map, mut to) = (None, None);
        for part in parts {
            match part {
                Lookup::Set(name) => map = Some(name.clone()),
                Lookup::DestinationRegister(register) => to = Some(number(*register)),
                Lookup::Flags(flags) if *flags != 0 => return None,
                _ => {}
            }
        }
        self.registers.insert(to?, Held::FromMap);
        self.map = Some(map?);
        Some(())
    }

    fn compare(&mut self, parts: &[Cmp]) -> Option<()> {
        let (mut from, mut op, mut value) = (None, None, None);
        for part in parts {
            match part {
                Cmp::SourceRegister(register) => from = Some(number(*register)),
                Cmp::Op(found) => op = Some(*found),
                Cmp::Data(DataAttribute::Value(bytes)) => value = Some(bytes.as_slice()),
                _ => {}
            }
        }
        let (op, value) = (op?, value?);
        let held = self.registers.get(&from?)?.clone();
        if op != Operator::Equal {
            return self.port_limit(&held, op, value);
        }
        match held {
            Held::Meta(MetaKey::Nfproto) => {
                let family = [Family::Ipv4, Family::Ipv6].into_iter().find(|f| [expr::nfproto(*f)] == *value);
                set(&mut self.family, family?)
            }
            Held::Meta(MetaKey::L4Proto) => match value {
                [number] => set(&mut self.protocol, Protocol::from_number(*number)),
                _ => None,
            },
            Held::Meta(MetaKey::Iifname) => {
                // A shorter value would be a beginning of names ("eth*").
                let end = value.iter().position(|byte| *byte == 0)?;
                let name = std::str::from_utf8(value.get(..end)?).ok()?;
                set(&mut self.iif, IfName::new(name).ok()?)
            }
            Held::Header { base: expr::NETWORK, offset, len, mask } => {
                let family = self.family?;
                let net = expr::net_compared(family, len, mask, value)?;
                match (offset, expr::addresses(family)) {
                    (offset, (saddr, _, _)) if offset == saddr => set(&mut self.saddr, net),
                    (offset, (_, daddr, _)) if offset == daddr => set(&mut self.daddr, net),
                    _ => None,
                }
            }
            held @ Held::Header { .. } => {
                let port = dport(&held, value)?;
                set(&mut self.first, port)?;
                set(&mut self.last, port)
            }
            _ => None,
        }
    }

    /// `dport >= 80`, `dport <= 89`
    fn port_limit(&mut self, held: &Held, op: Operator, value: &[u8]) -> Option<()> {
        let port = dport(held, value)?;
        match op {
            Operator::GreatherThanEqual => set(&mut self.first, port),
            Operator::LessThanEqual => set(&mut self.last, port),
            _ => None,
        }
    }

    fn meaning(self, hook: Hook) -> Option<Meaning> {
        if !self.done {
            return None;
        }
        let Some(mark) = self.mark else {
            return Some(Meaning::LookUp(self.map?));
        };
        let dport = match (self.first, self.last) {
            (None, None) => None,
            (first, last) => Some(PortRange::new(first.unwrap_or(0), last.unwrap_or(u16::MAX)).ok()?),
        };
        let selector = MarkSelector {
            hook,
            family: self.family?,
            daddr: self.daddr,
            protocol: self.protocol,
            dport,
            saddr: self.saddr,
            iif: self.iif,
        };
        // Ports without a protocol match what no selector can say.
        let sound = self.map.is_none() && !self.turned && (dport.is_none() || selector.protocol.is_some());
        Some(Meaning::Mark(selector, Fwmark::new(mark).ok()?)).filter(|_| sound)
    }
}

/// A second test of the same thing is not a selector of ours.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

fn find<T, U>(parts: &[T], pick: impl Fn(&T) -> Option<U>) -> Option<U> {
    parts.iter().find_map(pick)
}

/// `NFT_REG_1` and `NFT_REG32_00` are the same place.
fn number(register: Register) -> u32 {
    match u32::from(register) {
        wide @ 1..=4 => 8 + (wide - 1) * 4,
        word => word,
    }
}

fn dport(held: &Held, value: &[u8]) -> Option<u16> {
    match held {
        Held::Header { base: expr::TRANSPORT, offset, len, mask: None } if (*offset, *len) == expr::DPORT => {
            Some(u16::from_be_bytes(value.try_into().ok()?))
        }
        _ => None,
    }
}
