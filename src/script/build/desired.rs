//! What shall exist, from a row of `DESIRED` or `POLICY`.

use std::collections::btree_map::Entry;

use super::super::convert::{Row, Val};
use super::super::fault::{Checked, Fault};
use super::{gue_port, local_route, marks, service, sync, sysctl_value, timeouts, tunnel_device, vip};
use crate::error::Origin;
use crate::model::SysctlName;
use crate::plan::{Declared, Thing};

/// Builds it. `place` gives the file and line of `field` or of `field[index]`, where it is known.
pub fn desired(row: &Row, place: &mut dyn FnMut(&str, usize) -> Option<Origin>) -> Checked<Declared> {
    let mut out = Declared::default();
    let mut note = |out: &mut Declared, field: &str, index: usize, thing: &dyn Fn() -> Thing| {
        if let Some(origin) = place(field, index) {
            out.origins.insert(thing(), origin);
        }
    };
    for (at, row) in rows(row, "service") {
        let here = |fault: Box<Fault>| inside(fault, row.1, "service", at);
        let (key, entry) = service(row.0).map_err(here)?;
        match out.services.entry(key) {
            Entry::Vacant(place) => place.insert(entry.into()),
            Entry::Occupied(_) => return Err(here(Fault::bad(format!("service {key} is declared twice")))),
        };
        note(&mut out, "service", at, &|| Thing::Service(key));
    }
    for (at, row) in rows(row, "mark") {
        let here = |fault: Box<Fault>| inside(fault, row.1, "mark", at);
        let spec = marks(row.0).map_err(here)?;
        for selector in spec.selectors {
            let mark = spec.mark;
            if let Some(other) = out.marks.insert(selector.clone(), mark) {
                return Err(here(Fault::bad(format!("{selector} is marked twice: {other} and {mark}"))));
            }
            note(&mut out, "mark", at, &|| Thing::Mark(selector.clone()));
        }
    }
    for (at, row) in rows(row, "vip") {
        let here = |fault: Box<Fault>| inside(fault, row.1, "vip", at);
        let key = vip(row.0).map_err(here)?;
        if !out.vips.insert(key.clone()) {
            return Err(here(Fault::bad(format!("vip {key} is declared twice"))));
        }
        out.devices.insert(key.dev.clone());
        note(&mut out, "vip", at, &|| Thing::Vip(key.clone()));
    }
    paths(row, &mut out, &mut note)?;
    if let Val::Map(pairs) = row.get("sysctls") {
        for (name, value) in pairs {
            let here = |fault: Box<Fault>| fault.under(name).under("sysctls");
            let full = SysctlName::new(name).map_err(|why| here(Fault::bad(why)))?;
            match value {
                Val::Row(row) => {
                    out.floors.insert(full.clone(), row.int("min").unwrap_or(i64::MIN));
                }
                value => {
                    out.sysctls.insert(full.clone(), sysctl_value(&full, value).map_err(here)?);
                }
            }
            note(&mut out, "sysctls", 1, &|| Thing::Sysctl(full.clone()));
        }
    }
    if let Some(row) = row.row("timeouts") {
        out.timeouts = Some(timeouts(row));
        note(&mut out, "timeouts", 1, &|| Thing::Timeouts);
    }
    for (at, row) in rows(row, "sync") {
        let here = |fault: Box<Fault>| inside(fault, row.1, "sync", at);
        let (role, daemon) = sync(row.0).map_err(here)?;
        out.devices.insert(daemon.dev.clone());
        if out.syncs.insert(role, daemon).is_some() {
            return Err(here(Fault::bad(format!("sync {role} is declared twice"))));
        }
        note(&mut out, "sync", at, &|| Thing::Sync(role));
    }
    Ok(out)
}

/// Writes down where a thing was said.
type Note<'a> = dyn FnMut(&mut Declared, &str, usize, &dyn Fn() -> Thing) + 'a;

/// Local routes, tunnel devices, GUE ports.
fn paths(row: &Row, out: &mut Declared, note: &mut Note<'_>) -> Checked<()> {
    for (at, row) in rows(row, "local_route") {
        let here = |fault: Box<Fault>| inside(fault, row.1, "local_route", at);
        let (rule, route) = local_route(row.0).map_err(here)?;
        // One route does for all marks of a table.
        let mut new = out.routes.insert(route);
        note(out, "local_route", at, &|| Thing::Route(route));
        if let Some(rule) = rule {
            new = out.rules.insert(rule);
            note(out, "local_route", at, &|| Thing::Rule(rule));
        }
        if !new {
            let what = rule.map_or(format!("route {route}"), |rule| format!("rule {rule}"));
            return Err(here(Fault::bad(format!("{what} is declared twice"))));
        }
    }
    for (at, row) in rows(row, "tunnel") {
        let here = |fault: Box<Fault>| inside(fault, row.1, "tunnel", at);
        let (dev, tunnel) = tunnel_device(row.0).map_err(here)?;
        let kind = tunnel.kind;
        if out.tunnels.values().any(|other| other.kind == kind) || out.tunnels.contains_key(&dev) {
            let why =
                format!("tunnel {dev} of type {kind}: a second of this name or type; one takes all packets");
            return Err(here(Fault::bad(why)));
        }
        out.devices.insert(dev.clone());
        out.tunnels.insert(dev.clone(), tunnel);
        note(out, "tunnel", at, &|| Thing::Tunnel(dev.clone()));
    }
    for (at, row) in rows(row, "gue_port") {
        let key = gue_port(row.0);
        if !out.gue_ports.insert(key) {
            let why = Fault::bad(format!("gue port {key} is declared twice"));
            return Err(inside(why, row.1, "gue_port", at));
        }
        note(out, "gue_port", at, &|| Thing::Fou(key));
    }
    Ok(())
}

/// The rows of a field that is one table or a list of them, counted from 1, and whether it is alone.
fn rows<'a>(row: &'a Row, field: &str) -> impl Iterator<Item = (usize, (&'a Row, bool))> {
    let list = row.list(field);
    let alone = list.len() == 1;
    let each = list.iter().enumerate();
    each.filter_map(
        move |(at, val)| if let Val::Row(row) = val { Some((at + 1, (row, alone))) } else { None },
    )
}

/// One table alone has no index in the file; a list of one has, and the search looks for both.
fn inside(fault: Box<Fault>, alone: bool, field: &str, at: usize) -> Box<Fault> {
    if alone { fault.under(field) } else { fault.item(at).under(field) }
}
