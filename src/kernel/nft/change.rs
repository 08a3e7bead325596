//! From steps to the messages of one batch.
//!
//! Steps are first played through on what was read, so that only their net effect is sent; the kernel would
//! otherwise see an element come and go in one transaction.

use std::collections::BTreeMap;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Nla};
use netlink_packet_netfilter::nftables::{NfTablesMessage, SetElementList, SetElementMessage};

use super::element::{self, Element};
use super::layout::{self, Map};
use super::rule;
use super::socket::{Errno, Request};
use super::table::Table;
use crate::model::{Hook, MarkEntry, MarkSelector};
use crate::plan::{Step, check_mark};

/// All marks as they are to be.
pub type Marks = BTreeMap<MarkSelector, MarkEntry>;

/// A message and the marks it is about.
pub struct Part {
    pub request: Request,
    pub about: Vec<MarkSelector>,
}

/// How much of elements one message takes: an attribute's length has 16 bits.
pub const FULL: usize = 60_000;
/// One element per message: to learn which one the kernel refuses.
pub const SINGLE: usize = 0;

/// The mark that a step is about.
pub fn selector_of(step: &Step) -> Option<MarkSelector> {
    match step {
        Step::AddMark { selector, .. } | Step::SetMark { selector, .. } | Step::DelMark { selector, .. } => {
            Some(selector.clone().canonical())
        }
        _ => None,
    }
}

/// Plays one step through; the errno is the one the kernel has for it.
pub fn play(marks: &mut Marks, step: &Step) -> Result<(), Errno> {
    let selector = selector_of(step).ok_or(libc::EINVAL)?;
    match step {
        Step::AddMark { entry, .. } => {
            if selector.meets_any(marks) {
                return Err(libc::EEXIST);
            }
            check_mark(&selector, entry)?;
            marks.insert(selector, entry.clone());
        }
        Step::SetMark { to, .. } => {
            check_mark(&selector, to)?;
            *marks.get_mut(&selector).ok_or(libc::ENOENT)? = to.clone();
        }
        Step::DelMark { .. } => {
            marks.remove(&selector).ok_or(libc::ENOENT)?;
        }
        _ => return Err(libc::EINVAL),
    }
    Ok(())
}

/// The messages that make what was found into what is wanted.
pub fn parts(found: &Table, wanted: &Marks, limit: usize) -> Vec<Part> {
    let mut list = Vec::new();
    if wanted.is_empty() {
        if found.exists {
            // delete table inet lvsh
            list.push(part(NfTablesMessage::DeleteTable(layout::table()), 0));
        }
        return list;
    }
    if !found.exists {
        // add table inet lvsh
        list.push(part(NfTablesMessage::NewTable(layout::table()), NLM_F_CREATE));
    }
    for hook in [Hook::Prerouting, Hook::Output] {
        if !wanted.keys().any(|selector| selector.hook == hook) {
            list.extend(remove_hook(found, hook));
            continue;
        }
        let rebuild = !found.is_whole(hook);
        if rebuild {
            list.extend(build_hook(found, hook));
        }
        for map in Map::of_hook(hook) {
            list.extend(map_parts(found, wanted, map, limit));
        }
        list.extend(rule_parts(found, wanted, hook, rebuild));
    }
    list
}

fn remove_hook(found: &Table, hook: Hook) -> Vec<Part> {
    let mut list = Vec::new();
    if found.any_chains.contains(&hook) {
        // delete chain inet lvsh prerouting: its rules go with it
        list.push(part(NfTablesMessage::DeleteChain(layout::chain_name(hook)), 0));
    }
    for map in found.maps.iter().filter(|map| map.hook == hook) {
        // delete map inet lvsh prerouting_exact4: its elements go with it
        list.push(part(NfTablesMessage::DeleteSet(layout::map_name(*map)), 0));
    }
    list
}

/// Everything of a hook but its marks; a chain that is there in another shape is made anew, maps stay.
fn build_hook(found: &Table, hook: Hook) -> Vec<Part> {
    let mut list = Vec::new();
    if found.any_chains.contains(&hook) {
        list.push(part(NfTablesMessage::DeleteChain(layout::chain_name(hook)), 0));
    }
    list.push(part(NfTablesMessage::NewChain(layout::chain(hook)), NLM_F_CREATE | NLM_F_EXCL));
    for (map, id) in Map::of_hook(hook).into_iter().zip(1..) {
        if !found.maps.contains(&map) {
            let id = if hook == Hook::Output { id + 4 } else { id };
            list.push(part(NfTablesMessage::NewSet(layout::map(map, id)), NLM_F_CREATE | NLM_F_EXCL));
        }
    }
    for map in Map::of_hook(hook) {
        let rule = NfTablesMessage::NewRule(layout::look_up_rule(map));
        list.push(part(rule, NLM_F_CREATE | NLM_F_APPEND));
    }
    list
}

fn map_parts(found: &Table, wanted: &Marks, map: Map, limit: usize) -> Vec<Part> {
    let of_map = |selector: &&MarkSelector| Map::of(selector) == Some(map);
    let standing = |selector: &MarkSelector| found.marks.get(selector).map(|standing| &standing.entry);
    let mut gone: Vec<&MarkSelector> = found
        .marks
        .keys()
        .filter(of_map)
        .filter(|selector| wanted.get(selector) != standing(selector))
        .collect();
    let mut come: Vec<&MarkSelector> =
        wanted.keys().filter(of_map).filter(|selector| wanted.get(selector) != standing(selector)).collect();
    if map.range && !come.is_empty() {
        // Of overlapping elements the kernel takes the one that came first, and refuses one that begins or ends
        // inside another. So wider ones that are there step back and come again after the new, narrower ones.
        let stays = found.marks.keys().filter(of_map).filter(|one| wanted.get(one) == standing(one));
        let wider: Vec<_> = stays
            .filter(|one| come.iter().any(|new| new.width() < one.width() && new.shares_packets(one)))
            .collect();
        gone.extend(&wider);
        come.extend(&wider);
        come.sort_by_key(|selector| (selector.width(), *selector));
    }
    let mut list = chunks(&gone, |_| None, map, limit, NfTablesMessage::DeleteSetElement, 0);
    let add_flags = NLM_F_CREATE | NLM_F_EXCL;
    list.extend(chunks(&come, |one| wanted.get(one), map, limit, NfTablesMessage::NewSetElement, add_flags));
    list
}

/// Elements by the message, as many as fit.
fn chunks<'a>(
    selectors: &[&MarkSelector],
    entry: impl Fn(&MarkSelector) -> Option<&'a MarkEntry>,
    map: Map,
    limit: usize,
    message: fn(SetElementMessage) -> NfTablesMessage,
    flags: u16,
) -> Vec<Part> {
    let mut list = Vec::new();
    let (mut elements, mut about, mut size) = (Vec::<Element>::new(), Vec::new(), 0);
    let mut flush = |elements: &mut Vec<Element>, about: &mut Vec<MarkSelector>| {
        if !elements.is_empty() {
            let mut attributes = layout::element_list(map);
            attributes.push(SetElementList::Elements(std::mem::take(elements)));
            let request = Request { message: message(SetElementMessage { attributes }), flags };
            list.push(Part { request, about: std::mem::take(about) });
        }
    };
    for selector in selectors {
        let Some(element) = element::write(selector, entry(selector)) else { continue };
        let length = element.value_len() + 8;
        if size + length > limit {
            flush(&mut elements, &mut about);
            size = 0;
        }
        size += length;
        elements.push(element);
        about.push((*selector).clone());
    }
    flush(&mut elements, &mut about);
    list
}

/// Rules stand in the order of their selectors, so that which of two wins does not depend on history.
fn rule_parts(found: &Table, wanted: &Marks, hook: Hook, rebuild: bool) -> Vec<Part> {
    let mut list = Vec::new();
    let of_hook = |selector: &&MarkSelector| selector.hook == hook && Map::of(selector).is_none();
    let handle = |selector: &MarkSelector| found.marks.get(selector).and_then(|standing| standing.handle);
    // A chain that is made anew has lost its rules.
    let standing: Vec<(&MarkSelector, u64)> = match rebuild {
        true => Vec::new(),
        false => found.marks.keys().filter(of_hook).filter_map(|one| Some((one, handle(one)?))).collect(),
    };
    for (selector, handle) in &standing {
        if !wanted.contains_key(selector) {
            // delete rule inet lvsh prerouting handle 7
            let rule = rule::with_handle(layout::rule(hook, Vec::new()), *handle);
            list.push(about(NfTablesMessage::DeleteRule(rule), 0, selector));
        }
    }
    let stays: BTreeMap<&MarkSelector, u64> =
        standing.into_iter().filter(|(selector, _)| wanted.contains_key(selector)).collect();
    for (selector, entry) in wanted.iter().filter(|(selector, _)| of_hook(selector)) {
        let rule = rule::write(selector, entry);
        let later = stays.range::<MarkSelector, _>(selector..).next().map(|(next, handle)| (*next, *handle));
        let (rule, flags) = match later {
            Some((next, _)) if next == selector && found.marks.get(next).map(|s| &s.entry) == Some(entry) => {
                continue;
            }
            // replace rule inet lvsh prerouting handle 7 …
            Some((next, handle)) if next == selector => {
                (rule::with_handle(rule, handle), NLM_F_CREATE | NLM_F_REPLACE)
            }
            // insert rule inet lvsh prerouting position 7 …
            Some((_, handle)) => (rule::before(rule, handle), NLM_F_CREATE),
            // add rule inet lvsh prerouting …
            None => (rule, NLM_F_CREATE | NLM_F_APPEND),
        };
        list.push(about(NfTablesMessage::NewRule(rule), flags, selector));
    }
    list
}

fn part(message: NfTablesMessage, flags: u16) -> Part {
    Part { request: Request { message, flags }, about: Vec::new() }
}

fn about(message: NfTablesMessage, flags: u16, selector: &MarkSelector) -> Part {
    Part { request: Request { message, flags }, about: vec![selector.clone()] }
}
