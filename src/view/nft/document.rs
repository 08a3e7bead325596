//! The typed document, as `nft -j list table inet lvsh` prints it (libnftables-json(5)).

use std::collections::HashSet;

use ipnet::IpNet;
use nftables::expr::{
    Elem, Expression, Map as MapExpression, Meta, MetaKey, NamedExpression, Payload, PayloadField, Prefix,
    Range,
};
use nftables::schema::{
    Chain, Map as MapObject, NfListObject, NfObject, Nftables, Rule, SetFlag, SetType, SetTypeValue, Table,
};
use nftables::stmt::{Mangle, Match, Operator, Statement};
use nftables::types::{NfChainPolicy, NfChainType, NfFamily, NfHook};

use super::{Map, Marks, TABLE, hooks, rules};
use crate::model::{Family, Hook, MarkEntry, MarkKind, MarkSelector, PortRange, Protocol};

/// The whole table: empty when there are no marks, as the table is then not there.
pub fn nft_document(marks: &Marks) -> Nftables<'static> {
    let mut objects = Vec::new();
    if !marks.is_empty() {
        let table = Table { family: NfFamily::INet, name: TABLE.into(), handle: None };
        objects.push(NfListObject::Table(table));
    }
    for hook in hooks(marks) {
        objects.extend(Map::of_hook(hook).map(|map| map_object(map, &map.marks(marks))));
        objects.push(chain(hook));
    }
    for hook in hooks(marks) {
        objects.extend(Map::of_hook(hook).map(|map| rule(hook, None, vec![look_up(map)])));
        let marks = rules(marks, hook);
        objects.extend(marks.map(|(selector, entry)| rule(hook, Some(entry), mark_rule(selector, entry))));
    }
    let objects: Vec<NfObject<'static>> = objects.into_iter().map(NfObject::ListObject).collect();
    Nftables { objects: objects.into() }
}

/// `map prerouting_exact4 { type ipv4_addr . inet_proto . inet_service : mark; elements = { … } }`
fn map_object(map: Map, marks: &[(&MarkSelector, &MarkEntry)]) -> NfListObject<'static> {
    let addr = if map.family == Family::Ipv4 { SetType::Ipv4Addr } else { SetType::Ipv6Addr };
    let elements: Vec<_> = marks.iter().map(|(selector, entry)| element(selector, entry)).collect();
    NfListObject::Map(Box::new(MapObject {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: map.name().into(),
        set_type: SetTypeValue::Concatenated(vec![addr, SetType::InetProto, SetType::InetService].into()),
        map: SetTypeValue::Single(SetType::Mark),
        flags: (map.kind == MarkKind::Range).then(|| HashSet::from([SetFlag::Interval])),
        elem: if elements.is_empty() { None } else { Some(elements.into()) },
        ..MapObject::default()
    }))
}

/// `192.168.1.99 . tcp . 80 comment "web" : 3`
fn element(selector: &MarkSelector, entry: &MarkEntry) -> Expression<'static> {
    let parts = [
        selector.daddr.as_ref().map(net),
        selector.protocol.map(protocol),
        Some(ports(selector.dport.unwrap_or(PortRange::ALL))),
    ];
    let key = Expression::Named(NamedExpression::Concat(parts.into_iter().flatten().collect()));
    let key = match entry.owner.is_empty() {
        true => key,
        false => Expression::Named(NamedExpression::Elem(Elem {
            val: Box::new(key),
            comment: Some(entry.owner.clone().into()),
            ..Elem::default()
        })),
    };
    Expression::List(vec![key, Expression::Number(entry.mark.get())])
}

/// `chain prerouting { type filter hook prerouting priority mangle; policy accept; }`
fn chain(hook: Hook) -> NfListObject<'static> {
    const MANGLE: i32 = -150;
    let (kind, nf_hook) = match hook {
        Hook::Prerouting => (NfChainType::Filter, NfHook::Prerouting),
        Hook::Output => (NfChainType::Route, NfHook::Output),
    };
    NfListObject::Chain(Chain {
        family: NfFamily::INet,
        table: TABLE.into(),
        name: hook.to_string().into(),
        _type: Some(kind),
        hook: Some(nf_hook),
        prio: Some(MANGLE),
        policy: Some(NfChainPolicy::Accept),
        ..Chain::default()
    })
}

fn rule(hook: Hook, entry: Option<&MarkEntry>, expr: Vec<Statement<'static>>) -> NfListObject<'static> {
    let owner = entry.map(|entry| entry.owner.clone()).filter(|owner| !owner.is_empty());
    NfListObject::Rule(Rule {
        family: NfFamily::INet,
        table: TABLE.into(),
        chain: hook.to_string().into(),
        expr: expr.into(),
        comment: owner.map(Into::into),
        ..Rule::default()
    })
}

/// `meta mark set ip daddr . meta l4proto . th dport map @prerouting_exact4`
fn look_up(map: Map) -> Statement<'static> {
    let key = vec![field(map.family.nft(), "daddr"), meta(MetaKey::L4proto), field("th", "dport")];
    set_mark(Expression::Named(NamedExpression::Map(Box::new(MapExpression {
        key: Expression::Named(NamedExpression::Concat(key)),
        data: Expression::String(format!("@{}", map.name()).into()),
    }))))
}

/// `iifname "eth0" ip saddr 10.0.0.0/8 ip daddr 192.0.2.1 tcp dport 80-89 meta mark set 3`
fn mark_rule(selector: &MarkSelector, entry: &MarkEntry) -> Vec<Statement<'static>> {
    let family = selector.family;
    let mut list = Vec::new();
    if let Some(iif) = &selector.iif {
        list.push(equal(meta(MetaKey::Iifname), Expression::String(iif.name().to_string().into())));
    }
    if selector.saddr.is_none() && selector.daddr.is_none() {
        list.push(equal(meta(MetaKey::Nfproto), Expression::String(family.to_string().into())));
    }
    for (addr, name) in [(&selector.saddr, "saddr"), (&selector.daddr, "daddr")] {
        if let Some(addr) = addr {
            list.push(equal(field(family.nft(), name), net(addr)));
        }
    }
    match (selector.protocol, selector.dport.filter(|ports| *ports != PortRange::ALL)) {
        (Some(Protocol::Other(number)), Some(range)) => {
            list.push(equal(meta(MetaKey::L4proto), Expression::Number(number.into())));
            list.push(equal(field("th", "dport"), ports(range)));
        }
        (Some(known), Some(range)) => {
            let header = Payload::PayloadField(PayloadField {
                protocol: known.to_string().into(),
                field: "dport".into(),
            });
            list.push(equal(Expression::Named(NamedExpression::Payload(header)), ports(range)));
        }
        (Some(alone), None) => list.push(equal(meta(MetaKey::L4proto), protocol(alone))),
        (None, _) => {}
    }
    list.push(set_mark(Expression::Number(entry.mark.get())));
    list
}

fn set_mark(value: Expression<'static>) -> Statement<'static> {
    Statement::Mangle(Mangle { key: meta(MetaKey::Mark), value })
}

fn equal(left: Expression<'static>, right: Expression<'static>) -> Statement<'static> {
    Statement::Match(Match { left, right, op: Operator::EQ })
}

fn meta(key: MetaKey) -> Expression<'static> {
    Expression::Named(NamedExpression::Meta(Meta { key }))
}

fn field(protocol: &'static str, field: &'static str) -> Expression<'static> {
    let field = PayloadField { protocol: protocol.into(), field: field.into() };
    Expression::Named(NamedExpression::Payload(Payload::PayloadField(field)))
}

fn net(net: &IpNet) -> Expression<'static> {
    let addr = Expression::String(net.network().to_string().into());
    if net.prefix_len() == net.max_prefix_len() {
        return addr;
    }
    Expression::Named(NamedExpression::Prefix(Prefix { addr: Box::new(addr), len: net.prefix_len().into() }))
}

fn protocol(protocol: Protocol) -> Expression<'static> {
    match protocol {
        Protocol::Other(number) => Expression::Number(number.into()),
        known => Expression::String(known.to_string().into()),
    }
}

fn ports(ports: PortRange) -> Expression<'static> {
    let number = |port: u16| Expression::Number(port.into());
    if ports.is_one() {
        return number(ports.first);
    }
    Expression::Range(Box::new(Range { range: [number(ports.first), number(ports.last)] }))
}
