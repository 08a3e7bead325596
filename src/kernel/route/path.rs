//! Rules for marks and local routes: `ip rule`, `ip route … table`.

use std::collections::BTreeMap;

use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage};
use netlink_packet_route::route::{
    RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleFlags, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{Handle, IpVersion};

use super::{Errno, Link, answered, collect, errno_of};
use crate::model::{Family, Fwmark, Installed, RouteKey, RouteTable, RuleKey};

type Result<T> = std::result::Result<T, Errno>;

/// Rules that do nothing but send a whole mark to a table of somebody's; all others are not ours to understand.
pub async fn rules(handle: &Handle) -> Result<BTreeMap<RuleKey, Installed>> {
    let mut found = BTreeMap::new();
    for (family, version) in [(Family::Ipv4, IpVersion::V4), (Family::Ipv6, IpVersion::V6)] {
        let messages = none_without_family(collect(handle.rule().get(version).execute()).await)?;
        for (key, rule) in messages.iter().filter_map(|message| rule_of(family, message)) {
            // Two that differ only in who installed them: ours is the one that counts.
            let known: &mut Installed = found.entry(key).or_insert(rule);
            if rule.is_ours() {
                *known = rule;
            }
        }
    }
    Ok(found)
}

fn rule_of(family: Family, message: &RuleMessage) -> Option<(RuleKey, Installed)> {
    let header = &message.header;
    let plain = header.action == RuleAction::ToTable
        && (header.dst_len, header.src_len, header.tos) == (0, 0, 0)
        && !header.flags.contains(RuleFlags::Invert);
    if !plain {
        return None;
    }
    let (mut mark, mut table, mut priority) = (None, u32::from(header.table), 0);
    let mut rule = Installed::default();
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::FwMark(number) => mark = Fwmark::new(*number).ok(),
            RuleAttribute::Table(number) => table = *number,
            RuleAttribute::Priority(number) => priority = *number,
            RuleAttribute::Protocol(by) => rule.by = u8::from(*by),
            // What the kernel says of every rule.
            RuleAttribute::FwMask(u32::MAX)
            | RuleAttribute::SuppressPrefixLen(u32::MAX)
            | RuleAttribute::SuppressIfGroup(u32::MAX)
            | RuleAttribute::L3MDev(false) => {}
            _ => return None,
        }
    }
    let table = RouteTable::new(table).ok()?;
    Some((RuleKey { family, priority, mark: mark?, table }, rule))
}

fn rule_message(key: &RuleKey, rule: Installed) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = address_family(key.family);
    message.header.action = RuleAction::ToTable;
    message.attributes = vec![
        RuleAttribute::Table(key.table.get()),
        RuleAttribute::Priority(key.priority),
        RuleAttribute::FwMark(key.mark.get()),
        RuleAttribute::FwMask(u32::MAX),
        RuleAttribute::Protocol(RouteProtocol::from(rule.by)),
    ];
    message
}

/// `ip rule add fwmark 3 lookup 100 priority 100 proto 76`
pub async fn add_rule(handle: &Handle, key: &RuleKey, rule: Installed) -> Result<()> {
    let message = RouteNetlinkMessage::NewRule(rule_message(key, rule));
    ask(handle, message, NLM_F_CREATE | NLM_F_EXCL).await
}

/// The protocol is part of what is looked for, so nobody else's rule can go.
pub async fn del_rule(handle: &Handle, key: &RuleKey, rule: Installed) -> Result<()> {
    handle.rule().del(rule_message(key, rule)).execute().await.map_err(errno_of)
}

/// Default routes of type local that leave by `lo`.
pub async fn routes(handle: &Handle, links: &[Link]) -> Result<BTreeMap<RouteKey, Installed>> {
    let mut found = BTreeMap::new();
    for family in [Family::Ipv4, Family::Ipv6] {
        // The kernel picks the type; a router's table of a million routes stays there.
        let mut wanted = RouteMessage::default();
        wanted.header.address_family = address_family(family);
        wanted.header.kind = RouteType::Local;
        let all = none_without_family(collect(handle.route().get(wanted).execute()).await)?;
        found.extend(all.iter().filter_map(|message| route_of(family, message, loopback(links)?)));
    }
    Ok(found)
}

fn route_of(family: Family, message: &RouteMessage, lo: u32) -> Option<(RouteKey, Installed)> {
    let header = &message.header;
    let whole = (header.destination_prefix_length, header.source_prefix_length, header.tos) == (0, 0, 0);
    if header.kind != RouteType::Local || !whole {
        return None;
    }
    let (mut table, mut dev) = (u32::from(header.table), None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Oif(index) => dev = Some(*index),
            _ => {}
        }
    }
    let table = RouteTable::new(table).ok().filter(|_| dev == Some(lo))?;
    Some((RouteKey { family, table }, Installed { by: u8::from(header.protocol) }))
}

fn route_message(key: &RouteKey, route: Installed, links: &[Link]) -> Result<RouteMessage> {
    let mut message = RouteMessage::default();
    message.header.address_family = address_family(key.family);
    message.header.table = RouteHeader::RT_TABLE_UNSPEC;
    message.header.protocol = RouteProtocol::from(route.by);
    message.header.scope = RouteScope::Host;
    message.header.kind = RouteType::Local;
    let lo = loopback(links).ok_or(libc::ENODEV)?;
    message.attributes = vec![RouteAttribute::Table(key.table.get()), RouteAttribute::Oif(lo)];
    Ok(message)
}

/// `ip route add local default dev lo table 100 proto 76`
pub async fn add_route(handle: &Handle, links: &[Link], key: &RouteKey, route: Installed) -> Result<()> {
    let message = RouteNetlinkMessage::NewRoute(route_message(key, route, links)?);
    ask(handle, message, NLM_F_CREATE | NLM_F_EXCL).await
}

pub async fn del_route(handle: &Handle, links: &[Link], key: &RouteKey, route: Installed) -> Result<()> {
    handle.route().del(route_message(key, route, links)?).execute().await.map_err(errno_of)
}

fn loopback(links: &[Link]) -> Option<u32> {
    links.iter().find(|link| link.name == "lo").map(|link| link.index)
}

fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    }
}

/// A kernel without IPv6 has none of its rules and routes; a table that nobody made has no routes.
fn none_without_family<T>(read: Result<Vec<T>>) -> Result<Vec<T>> {
    match read {
        Err(libc::EAFNOSUPPORT | libc::EOPNOTSUPP | libc::ENOENT) => Ok(Vec::new()),
        read => read,
    }
}

async fn ask(handle: &Handle, message: RouteNetlinkMessage, flags: u16) -> Result<()> {
    let mut request = NetlinkMessage::from(message);
    request.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
    let mut handle = handle.clone();
    answered(handle.request(request).map_err(errno_of)?).await
}
