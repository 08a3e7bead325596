//! What stands in the table whatever the marks are: chains, maps, and the rules that look into the maps.

use netlink_packet_core::DefaultNla;
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, Hook as HookAttribute, HookNumber, InetHookNumber, MetaKey,
    NfTablesMessage, Operator, Register, RuleAttribute, RuleMessage, SetAttribute, SetDescription,
    SetElementList, SetElementMessage, SetFlags, SetMessage, TableAttribute, TableMessage,
};

use super::{expr, userdata};
use crate::model::{Family, Hook, MarkKind, MarkSelector};

/// Our table, of family inet. Nothing outside it is ever read or written.
pub const TABLE: &str = "lvsh";

/// `NF_IP_PRI_MANGLE` (linux/netfilter_ipv4.h): before IPVS, whose earliest hook is LOCAL_IN at 98.
const PRIORITY: i32 = -150;

/// One of the four maps of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Map {
    pub hook: Hook,
    pub range: bool,
    pub family: Family,
}

impl Map {
    /// The map that holds a selector; none for those that are rules.
    pub fn of(selector: &MarkSelector) -> Option<Map> {
        let range = match selector.kind() {
            MarkKind::Range => true,
            MarkKind::Exact => false,
            MarkKind::Rule => return None,
        };
        Some(Map { hook: selector.hook, range, family: selector.family })
    }

    /// A hook's maps in the order in which packets meet them: what is found later wins.
    pub fn of_hook(hook: Hook) -> [Map; 4] {
        let map = |range, family| Map { hook, range, family };
        [map(true, Family::Ipv4), map(true, Family::Ipv6), map(false, Family::Ipv4), map(false, Family::Ipv6)]
    }

    /// `prerouting_exact4`.
    pub fn name(self) -> String {
        let kind = if self.range { "range" } else { "exact" };
        let family = if self.family == Family::Ipv4 { 4 } else { 6 };
        format!("{}_{kind}{family}", self.hook)
    }

    /// Address, protocol and port, each padded to whole words.
    pub fn key_len(self) -> u32 {
        let (_, _, addr) = expr::addresses(self.family);
        addr + 4 + 4
    }

    /// Flags of the set behind the map.
    pub fn flags(self) -> SetFlags {
        if self.range { SetFlags::Map | SetFlags::Interval | SetFlags::Concat } else { SetFlags::Map }
    }
}

/// `table inet lvsh`
pub fn table() -> TableMessage {
    TableMessage { attributes: vec![TableAttribute::Name(TABLE.to_string())] }
}

/// A chain by its name alone, to look for it or to delete it with its rules.
pub fn chain_name(hook: Hook) -> ChainMessage {
    ChainMessage {
        attributes: vec![ChainAttribute::Table(TABLE.to_string()), ChainAttribute::Name(hook.to_string())],
    }
}

/// `type filter hook prerouting priority mangle; policy accept;` and
/// `type route hook output priority mangle; policy accept;`: only a chain of type route makes the kernel look for
/// the route again after the mark changed.
pub fn chain(hook: Hook) -> ChainMessage {
    const NF_ACCEPT: u32 = 1;
    let mut message = chain_name(hook);
    message.attributes.extend([
        ChainAttribute::Hook(vec![
            HookAttribute::Number(hook_number(hook)),
            HookAttribute::Priority(PRIORITY as u32),
        ]),
        ChainAttribute::Type(chain_type(hook).to_string()),
        ChainAttribute::Policy(NF_ACCEPT),
    ]);
    message
}

/// Whether a chain that the kernel showed is the one [`chain`] makes.
pub fn is_our_chain(hook: Hook, found: &[ChainAttribute]) -> bool {
    found.iter().any(|attribute| match attribute {
        ChainAttribute::Hook(parts) => {
            parts.contains(&HookAttribute::Number(hook_number(hook)))
                && parts.contains(&HookAttribute::Priority(PRIORITY as u32))
        }
        _ => false,
    }) && found.contains(&ChainAttribute::Type(chain_type(hook).to_string()))
}

fn chain_type(hook: Hook) -> &'static str {
    match hook {
        Hook::Prerouting => "filter",
        Hook::Output => "route",
    }
}

fn hook_number(hook: Hook) -> HookNumber {
    HookNumber::Inet(match hook {
        Hook::Prerouting => InetHookNumber::PreRouting,
        Hook::Output => InetHookNumber::LocalOut,
    })
}

/// A map by its name alone, to delete it with its elements.
pub fn map_name(map: Map) -> SetMessage {
    SetMessage { attributes: vec![SetAttribute::Table(TABLE.to_string()), SetAttribute::Name(map.name())] }
}

/// ```text
/// map prerouting_exact4 {
///     type ipv4_addr . inet_proto . inet_service : mark
/// }
/// ```
/// and with `flags interval` for prefixes and port ranges, which then needs the length of each field
/// (`NFTA_SET_DESC_CONCAT`). `id` must be unique in the batch.
pub fn map(map: Map, id: u32) -> SetMessage {
    // TYPE_IPADDR, TYPE_IP6ADDR, TYPE_INET_PROTOCOL, TYPE_INET_SERVICE, TYPE_MARK and TYPE_BITS of nft's
    // include/datatype.h: the kernel keeps them so that nft can print values by their names.
    const INET_PROTOCOL: u32 = 12;
    const INET_SERVICE: u32 = 13;
    const MARK: u32 = 19;
    const TYPE_BITS: u32 = 6;
    const NFTA_SET_FIELD_LEN: u16 = 1;
    let addr_type = match map.family {
        Family::Ipv4 => 7,
        Family::Ipv6 => 8,
    };
    let mut message = map_name(map);
    message.attributes.extend([
        SetAttribute::Flags(map.flags()),
        SetAttribute::KeyType((addr_type << TYPE_BITS | INET_PROTOCOL) << TYPE_BITS | INET_SERVICE),
        SetAttribute::KeyLen(map.key_len()),
        SetAttribute::DataType(MARK),
        SetAttribute::DataLen(4),
        SetAttribute::Id(id),
        SetAttribute::UserData(userdata::byte_orders()),
    ]);
    if map.range {
        let (_, _, addr_len) = expr::addresses(map.family);
        let fields: Vec<DefaultNla> =
            [addr_len, 1, 2].into_iter().map(|len| expr::list_entry(NFTA_SET_FIELD_LEN, len)).collect();
        message.attributes.push(SetAttribute::Description(vec![SetDescription::Concat(fields)]));
    }
    message
}

/// `meta mark set ip daddr . meta l4proto . th dport map @prerouting_exact4`: no match leaves the mark alone.
pub fn look_up_rule(map: Map) -> RuleMessage {
    let (_, daddr, len) = expr::addresses(map.family);
    let (dport, dport_len) = expr::DPORT;
    // The key lies in a row of words: the address first, then one word each.
    let (proto_word, port_word) = match map.family {
        Family::Ipv4 => (Register::Reg32_01, Register::Reg32_02),
        Family::Ipv6 => (Register::Reg32_04, Register::Reg32_05),
    };
    rule(
        map.hook,
        vec![
            // meta nfproto ipv4: the header's shape must be known first; nft leaves it out when it prints
            expr::load_meta(MetaKey::Nfproto, Register::Reg1),
            expr::compare(Operator::Equal, vec![expr::nfproto(map.family)]),
            // ip daddr . meta l4proto . th dport
            expr::load_payload(expr::NETWORK, daddr, len, Register::Reg1),
            expr::load_meta(MetaKey::L4Proto, proto_word),
            expr::load_payload(expr::TRANSPORT, dport, dport_len, port_word),
            // map @prerouting_exact4
            expr::look_up(map.name()),
            // meta mark set
            expr::set_mark(),
        ],
    )
}

/// A rule of a hook's chain.
pub fn rule(hook: Hook, expressions: Vec<expr::Expr>) -> RuleMessage {
    RuleMessage {
        attributes: vec![
            RuleAttribute::Table(TABLE.to_string()),
            RuleAttribute::Chain(hook.to_string()),
            RuleAttribute::Expressions(expressions),
        ],
    }
}

/// Asks for everything of one kind in our table.
pub fn all_maps() -> NfTablesMessage {
    NfTablesMessage::GetSet(SetMessage { attributes: vec![SetAttribute::Table(TABLE.to_string())] })
}

pub fn all_rules() -> NfTablesMessage {
    NfTablesMessage::GetRule(RuleMessage { attributes: vec![RuleAttribute::Table(TABLE.to_string())] })
}

pub fn all_elements(map: Map) -> NfTablesMessage {
    NfTablesMessage::GetSetElement(SetElementMessage { attributes: element_list(map) })
}

/// The head of every message about elements.
pub fn element_list(map: Map) -> Vec<SetElementList> {
    vec![SetElementList::Table(TABLE.to_string()), SetElementList::Set(map.name())]
}
