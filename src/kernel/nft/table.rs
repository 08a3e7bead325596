//! What is in our table now.

use std::collections::{BTreeMap, BTreeSet};

use netlink_packet_netfilter::nftables::{NfTablesMessage, RuleAttribute, SetAttribute};

use super::decode::{self, Meaning};
use super::layout::{self, Map};
use super::socket::{Answer, Errno, NftSocket};
use super::{element, userdata};
use crate::model::{Hook, MarkEntry, MarkSelector};

/// A mark as it stands in the kernel.
#[derive(Clone, Debug)]
pub struct Standing {
    pub entry: MarkEntry,
    /// Of rules only: the kernel's number for it.
    pub handle: Option<u64>,
}

/// One reading of the table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub exists: bool,
    /// Chains of the right shape.
    pub chains: BTreeSet<Hook>,
    /// Chains of our names, whatever their shape.
    pub any_chains: BTreeSet<Hook>,
    /// Maps of the right shape.
    pub maps: BTreeSet<Map>,
    /// Which maps the rules look into, in their order.
    pub look_ups: Vec<Map>,
    pub marks: BTreeMap<MarkSelector, Standing>,
    /// What was found in the table and is not ours, or is missing.
    pub notes: Vec<String>,
}

impl Table {
    /// Reads the whole table; no table is an empty one.
    pub fn read(socket: &mut NftSocket) -> Result<Table, Errno> {
        let mut table = Table::default();
        if socket.get(NfTablesMessage::GetTable(layout::table()))?.is_none() {
            return Ok(table);
        }
        table.exists = true;
        for hook in [Hook::Prerouting, Hook::Output] {
            let question = NfTablesMessage::GetChain(layout::chain_name(hook));
            if let Some(Answer::Object(NfTablesMessage::NewChain(chain))) = socket.get(question)? {
                table.any_chains.insert(hook);
                if layout::is_our_chain(hook, &chain.attributes) {
                    table.chains.insert(hook);
                }
            }
        }
        for answer in socket.dump(&layout::all_maps())? {
            if let Answer::Object(NfTablesMessage::NewSet(set)) = answer {
                table.take_map(&set.attributes);
            }
        }
        for map in table.maps.clone() {
            for answer in socket.dump(&layout::all_elements(map))? {
                if let Answer::Elements(list) = answer {
                    table.take_elements(map, &list);
                }
            }
        }
        for answer in socket.dump(&layout::all_rules())? {
            if let Answer::Object(NfTablesMessage::NewRule(rule)) = answer {
                table.take_rule(&rule.attributes);
            }
        }
        for hook in [Hook::Prerouting, Hook::Output] {
            if table.has_parts(hook) && !table.is_whole(hook) {
                table.notes.push(format!(
                    "table inet {}: the part for {hook} is not whole, its marks may not be set; the next change of \
                     a mark repairs it",
                    layout::TABLE
                ));
            }
        }
        Ok(table)
    }

    /// Whether anything of a hook's part is there.
    pub fn has_parts(&self, hook: Hook) -> bool {
        self.any_chains.contains(&hook) || self.maps.iter().any(|map| map.hook == hook)
    }

    /// Whether a hook's chain, maps and look-up rules are all there, in order.
    pub fn is_whole(&self, hook: Hook) -> bool {
        let wanted = Map::of_hook(hook);
        self.chains.contains(&hook)
            && wanted.iter().all(|map| self.maps.contains(map))
            && self.look_ups.iter().filter(|map| map.hook == hook).eq(wanted.iter())
    }

    fn take_map(&mut self, attributes: &[SetAttribute]) {
        let name = attributes.iter().find_map(|attribute| match attribute {
            SetAttribute::Name(name) => Some(name.as_str()),
            _ => None,
        });
        let ours = [Hook::Prerouting, Hook::Output].into_iter().flat_map(Map::of_hook);
        let Some(map) = ours.into_iter().find(|map| Some(map.name().as_str()) == name) else {
            return self.foreign(format!("set {}", name.unwrap_or("without a name")));
        };
        let flags = attributes.iter().find_map(|attribute| match attribute {
            SetAttribute::Flags(flags) => Some(*flags),
            _ => None,
        });
        if flags == Some(map.flags()) && attributes.contains(&SetAttribute::KeyLen(map.key_len())) {
            self.maps.insert(map);
        } else {
            self.foreign(format!("map {} of another type", map.name()));
        }
    }

    fn take_elements(&mut self, map: Map, answer: &[u8]) {
        for element in element::list(answer) {
            match element::read(map, element) {
                Ok((selector, entry)) => {
                    self.marks.insert(selector, Standing { entry, handle: None });
                }
                Err(why) => self.foreign(format!("an element of {}: {why}", map.name())),
            }
        }
    }

    fn take_rule(&mut self, attributes: &[RuleAttribute]) {
        let (mut chain, mut handle, mut expressions, mut owner) = ("", None, None, String::new());
        for attribute in attributes {
            match attribute {
                RuleAttribute::Chain(name) => chain = name.as_str(),
                RuleAttribute::Handle(number) => handle = Some(*number),
                RuleAttribute::Expressions(list) => expressions = Some(list),
                RuleAttribute::UserData(data) => owner = userdata::read_comment(data).unwrap_or_default(),
                _ => {}
            }
        }
        let hook = [Hook::Prerouting, Hook::Output].into_iter().find(|hook| hook.to_string() == chain);
        let (Some(hook), Some(expressions)) = (hook, expressions) else {
            return self.foreign(format!("a rule of chain {chain}"));
        };
        let unreadable = format!("rule {} of chain {chain}", handle.unwrap_or_default());
        match decode::meaning(hook, expressions) {
            Meaning::Mark(selector, mark) => {
                let standing = Standing { entry: MarkEntry { mark, owner }, handle };
                if Map::of(&selector).is_some() || self.marks.contains_key(&selector) {
                    self.foreign(unreadable);
                } else {
                    self.marks.insert(selector, standing);
                }
            }
            Meaning::LookUp(name) => match Map::of_hook(hook).into_iter().find(|map| map.name() == name) {
                Some(map) => self.look_ups.push(map),
                None => self.foreign(unreadable),
            },
            Meaning::Foreign => self.foreign(unreadable),
        }
    }

    fn foreign(&mut self, what: String) {
        self.notes.push(format!("table inet {}: {what} is not from lvsh; left alone", layout::TABLE));
    }
}
