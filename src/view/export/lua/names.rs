//! What gets a name: addresses and lists of servers that are used more than once.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::layout::{indent, rows};
use super::marks::mark_entries;
use super::services::{Servers, columns, servers};
use crate::model::{Family, MarkSelector, Port, ServiceKey, State, show_endpoint};
use crate::view::lua::quoted;

/// More names than this are harder to read than what they stand for.
const MOST_ADDRESSES: usize = 20;

/// A function of Lua has at most 200 locals; long before that a table reads better.
const MOST_POOLS: usize = 40;

/// Names of a file.
#[derive(Debug, Default)]
pub struct Names {
    addresses: BTreeMap<IpAddr, String>,
    /// In the order of their first service, each with what stands for it.
    pools: Vec<(Servers, String)>,
    /// Where in `pools` a list is.
    places: BTreeMap<Servers, usize>,
}

impl Names {
    pub fn of(state: &State) -> Names {
        let mut names = Names { addresses: addresses(state), ..Names::default() };
        names.find_pools(state);
        names
    }

    fn find_pools(&mut self, state: &State) {
        let mut users: BTreeMap<Servers, Vec<&ServiceKey>> = BTreeMap::new();
        let mut order = Vec::new();
        for (key, entry) in &state.services {
            let list = servers(key, entry);
            let found = users.entry(list.clone()).or_default();
            if found.is_empty() {
                order.push(list);
            }
            found.push(key);
        }
        // One server twice is said as quickly as its name.
        let shared = |list: &Servers| users[list].len() > 1 && (list.len() > 1 || users[list].len() > 3);
        let shared: Vec<Servers> =
            order.into_iter().filter(|list| !list.is_empty() && shared(list)).collect();
        let many = shared.len() > MOST_POOLS;
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        for (at, list) in shared.into_iter().enumerate() {
            let name = if many {
                format!("pool[{}]", at + 1)
            } else {
                let word = word_of(state, &users[&list]).map_or(String::new(), |word| format!("{word}_"));
                let word = format!("{word}servers");
                let count = taken.entry(word.clone()).or_default();
                *count += 1;
                if *count == 1 { word } else { format!("{word}{count}") }
            };
            self.places.insert(list.clone(), self.pools.len());
            self.pools.push((list, name));
        }
    }

    /// What stands for this list of servers.
    pub fn pool(&self, list: &Servers) -> Option<&str> {
        self.places.get(list).map(|at| self.pools[*at].1.as_str())
    }

    /// `VIP`, or `"192.168.1.99"`.
    pub fn address(&self, addr: IpAddr) -> String {
        self.addresses.get(&addr).cloned().unwrap_or_else(|| quoted(&addr.to_string()))
    }

    /// `VIP .. ":80"`, `"[" .. VIP6 .. "]:80"`, or `"192.168.1.99:80"`.
    pub fn endpoint(&self, addr: IpAddr, port: Port) -> String {
        match (self.addresses.get(&addr), addr) {
            (Some(name), IpAddr::V4(_)) => format!("{name} .. \":{port}\""),
            (Some(name), IpAddr::V6(_)) => format!("\"[\" .. {name} .. \"]:{port}\""),
            (None, _) => quoted(&show_endpoint(addr, port)),
        }
    }

    /// `VIP .. "/32"`, or `"192.168.1.99/32"`.
    pub fn net(&self, net: &ipnet::IpNet) -> String {
        match self.addresses.get(&net.addr()) {
            Some(name) => format!("{name} .. \"/{}\"", net.prefix_len()),
            None => quoted(&net.to_string()),
        }
    }

    /// The lines in front of the policy; the last one is empty if there are any.
    pub fn definitions(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let width = self.addresses.values().map(String::len).max().unwrap_or(0);
        for (addr, name) in &self.addresses {
            lines.push(format!("local {name:width$} = {}", quoted(&addr.to_string())));
        }
        if !lines.is_empty() {
            lines.push(String::new());
        }
        if self.pools.len() > MOST_POOLS {
            lines.push("local pool = {}".to_string());
            lines.push(String::new());
        }
        for (list, name) in &self.pools {
            let local = if self.pools.len() > MOST_POOLS { "" } else { "local " };
            lines.push(format!("{local}{name} = {{"));
            let (cells, uniform) = columns(list);
            lines.extend(indent(rows(&cells, uniform)));
            lines.push("}".to_string());
            lines.push(String::new());
        }
        lines
    }
}

/// Addresses that are written more than once.
fn addresses(state: &State) -> BTreeMap<IpAddr, String> {
    let mut uses: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let of_services = state.services.keys().filter_map(|key| match key {
        ServiceKey::Address { addr, .. } => Some(*addr),
        ServiceKey::Mark { .. } => None,
    });
    let entries = mark_entries(state);
    let of_marks = entries.iter().filter_map(|entry| entry.host());
    let of_vips = state.vips.iter().filter(|(_, vip)| vip.is_ours()).map(|(key, _)| key.addr.addr());
    for addr in of_services.chain(of_marks).chain(of_vips) {
        *uses.entry(addr).or_default() += 1;
    }
    let shared: Vec<IpAddr> = uses.into_iter().filter(|(_, uses)| *uses > 1).map(|(addr, _)| addr).collect();
    if shared.len() > MOST_ADDRESSES {
        return BTreeMap::new();
    }
    let both =
        [Family::Ipv4, Family::Ipv6].map(|family| shared.iter().any(|addr| Family::of(*addr) == family));
    let mut named: Vec<(IpAddr, String)> = Vec::new();
    for addr in &shared {
        // The only one needs no word of what it is for.
        let word = if shared.len() == 1 { None } else { word_of(state, &keys_on(state, *addr)) };
        let prefix = word.map_or(String::new(), |word| format!("{}_", word.to_uppercase()));
        let six = if both == [true, true] && addr.is_ipv6() { "6" } else { "" };
        named.push((*addr, format!("{prefix}VIP{six}")));
    }
    let mut out = BTreeMap::new();
    for (at, (addr, name)) in named.iter().enumerate() {
        let alone = named.iter().filter(|(_, other)| other == name).count() == 1;
        let number = 1 + named[..at].iter().filter(|(_, other)| other == name).count();
        out.insert(*addr, if alone { name.clone() } else { format!("{name}_{number}") });
    }
    out
}

/// Services that answer on this address, by themselves or by a mark.
fn keys_on(state: &State, here: IpAddr) -> Vec<&ServiceKey> {
    let marked = |selector: &MarkSelector| selector.daddr.is_some_and(|net| net.addr() == here);
    let marks: Vec<_> =
        state.marks.iter().filter(|(s, _)| marked(s)).map(|(s, e)| (s.family, e.mark)).collect();
    let on = |key: &&ServiceKey| match key {
        ServiceKey::Address { addr, .. } => *addr == here,
        ServiceKey::Mark { family, mark } => marks.contains(&(*family, *mark)),
    };
    state.services.keys().filter(on).collect()
}

/// Words for well-known ports.
const WORDS: [(&str, &[u16]); 13] = [
    ("web", &[80, 443, 8080, 8443]),
    ("dns", &[53, 853]),
    ("mail", &[25, 110, 143, 465, 587, 993, 995, 4190]),
    ("ldap", &[389, 636]),
    ("mysql", &[3306]),
    ("postgres", &[5432]),
    ("redis", &[6379]),
    ("sip", &[5060, 5061]),
    ("ftp", &[20, 21]),
    ("ssh", &[22]),
    ("ntp", &[123]),
    ("mqtt", &[1883, 8883]),
    ("radius", &[1812, 1813]),
];

/// `web` when all these services are web ports.
fn word_of(state: &State, keys: &[&ServiceKey]) -> Option<&'static str> {
    let word = |port: u16| WORDS.iter().find(|(_, ports)| ports.contains(&port)).map(|(word, _)| *word);
    let mut words = Vec::new();
    for key in keys {
        match key {
            ServiceKey::Address { port, .. } => words.push(word(port.0)),
            ServiceKey::Mark { family, mark } => {
                let ours = |selector: &MarkSelector| selector.family == *family;
                let marked = state.marks.iter().filter(|(selector, e)| ours(selector) && e.mark == *mark);
                let ports = marked.map(|(selector, _)| selector.dport.filter(|ports| ports.is_one()));
                words.extend(ports.map(|ports| ports.and_then(|ports| word(ports.first))));
            }
        }
    }
    let first = words.first().copied().flatten()?;
    words.iter().all(|word| *word == Some(first)).then_some(first)
}
