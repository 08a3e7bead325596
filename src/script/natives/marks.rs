//! Firewall marks and addresses.

use std::collections::BTreeMap;

use mlua::{Lua, Value};

use super::{Call, read};
use crate::backend::Want;
use crate::model::{Hook, MarkEntry, MarkSelector, Vip};
use crate::plan::{Step, refusal};
use crate::script::build::{self, Marks};
use crate::script::fault::Checked;
use crate::script::records::Records;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{MARK_GONE, MARK_RECORD, MARK_SPEC, Ty, VIP, VIP_GONE, VIP_RECORD};

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.marks",
        "marks",
        &[],
        Run::Native(list),
        "All marks that lvsh set, one record per match.",
    )
    .returns("LvsMark[]")
    .like("nft list table inet lvsh")
    .example("for _, m in ipairs(lvs.marks()) do print(m.mark, m.daddr, m.dports) end"),
    Entry::new(
        "lvs.add_mark",
        "marks",
        &[Param::new("spec", &Ty::Table(&MARK_SPEC), "The mark, and which packets get it.")],
        Run::Native(add),
        "Gives packets a firewall mark. Several protocols and ports are one change.",
    )
    .changes(&["EEXIST"])
    .like("nft add rule … ip daddr 192.168.1.99 tcp dport { 80, 443 } meta mark set 3")
    .example("lvs.add_mark { mark = 3, daddr = \"192.168.1.99\", proto = \"tcp\", dports = { 80, 443 } }"),
    Entry::new(
        "lvs.set_mark",
        "marks",
        &[Param::new("spec", &Ty::Table(&MARK_GONE), "The new mark, and the packets that have one already.")],
        Run::Native(set),
        "Gives another mark to packets that are marked already.",
    )
    .changes(&["ENOENT"])
    .example("lvs.set_mark { mark = 4, daddr = \"192.168.1.99\", proto = \"tcp\", dports = 80 }"),
    Entry::new(
        "lvs.del_mark",
        "marks",
        &[Param::new(
            "spec",
            &Ty::Table(&MARK_GONE),
            "The mark; with a match only that one, alone all of this policy.",
        )],
        Run::Native(del),
        "Takes marks away. The mark alone takes all of this policy with that mark.",
    )
    .changes(&["ENOENT"])
    .like("nft delete element inet lvsh …")
    .example("lvs.del_mark { mark = 3, missing_ok = true }"),
    Entry::new("lvs.vips", "addresses", &[], Run::Native(vips), "All addresses of this machine.")
        .returns("LvsVip[]")
        .like("ip addr")
        .example("for _, v in ipairs(lvs.vips()) do print(v.addr, v.dev, v.ours) end"),
    Entry::new(
        "lvs.add_vip",
        "addresses",
        &[Param::new("spec", &Ty::Table(&VIP), "The address and its device.")],
        Run::Native(add_vip),
        "Adds an address and announces it to the neighbours.",
    )
    .changes(&["EEXIST", "ENODEV"])
    .like("ip addr add 192.168.1.99/32 dev eth0")
    .example("lvs.add_vip { addr = \"192.168.1.99/32\", dev = \"eth0\" }"),
    Entry::new(
        "lvs.del_vip",
        "addresses",
        &[Param::new("spec", &Ty::Table(&VIP_GONE), "The address and its device.")],
        Run::Native(del_vip),
        "Removes an address.",
    )
    .changes(&["EADDRNOTAVAIL", "ENODEV"])
    .like("ip addr del 192.168.1.99/32 dev eth0")
    .example("lvs.del_vip { addr = \"192.168.1.99/32\", dev = \"eth0\", missing_ok = true }"),
];

fn want_marks() -> Want {
    Want { marks: true, ..Want::default() }
}

fn seen(call: &Call<'_>) -> Checked<BTreeMap<MarkSelector, MarkEntry>> {
    Ok(call.host.with(|session| Ok(session.see(&want_marks())?.marks.clone()))?)
}

fn list(call: &mut Call<'_>) -> Checked<Value> {
    let marks = seen(call)?;
    let made = marks.iter().map(|(selector, entry)| record(call.lua, call.records, selector, entry));
    call.records.list(call.lua, made.collect::<Checked<Vec<_>>>()?)
}

fn record(lua: &Lua, records: &Records, selector: &MarkSelector, entry: &MarkEntry) -> Checked<Value> {
    let data = read::table(lua)?;
    read::set(&data, "mark", entry.mark.get())?;
    read::set(&data, "owner", entry.owner.as_str())?;
    read::set(&data, "family", selector.family.to_string())?;
    read::set(&data, "daddr", selector.daddr.map(|net| show_net(&net)))?;
    read::set(&data, "saddr", selector.saddr.map(|net| show_net(&net)))?;
    read::set(&data, "iif", selector.iif.as_ref().map(|name| name.name().to_string()))?;
    read::set(&data, "proto", selector.protocol.map(|protocol| protocol.to_string()))?;
    match selector.dport {
        Some(ports) if ports.is_one() => read::set(&data, "dports", ports.first)?,
        Some(ports) => read::set(&data, "dports", ports.to_string())?,
        None => {}
    }
    read::set(&data, "output", selector.hook == Hook::Output)?;
    records.plain(lua, &MARK_RECORD, data)
}

fn show_net(net: &ipnet::IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

fn spec(call: &mut Call<'_>) -> Checked<(Marks, bool)> {
    let row = call.row(0)?;
    let missing_ok = row.has("missing_ok") && row.bool("missing_ok") == Some(true);
    Ok((build::marks(&row).map_err(|fault| fault.arg(0))?, missing_ok))
}

fn add(call: &mut Call<'_>) -> Checked<Value> {
    let (marks, _) = spec(call)?;
    call.host.with(|session| session.see(&want_marks()).map(|_| ()))?;
    let entry = MarkEntry { mark: marks.mark, owner: call.host.owner.borrow().clone() };
    let step = |selector| Step::AddMark { selector, entry: entry.clone() };
    call.effect(marks.selectors.into_iter().map(step).collect())?;
    Ok(Value::Nil)
}

fn set(call: &mut Call<'_>) -> Checked<Value> {
    let (marks, missing_ok) = spec(call)?;
    let there = seen(call)?;
    let mut steps = Vec::new();
    for selector in marks.selectors {
        let to = MarkEntry { mark: marks.mark, owner: call.host.owner.borrow().clone() };
        match there.get(&selector) {
            Some(from) if *from == to => {}
            Some(from) => steps.push(Step::SetMark { selector, from: from.clone(), to }),
            None if missing_ok => {}
            None => {
                let from = to.clone();
                return Err(refusal(&Step::SetMark { selector, from, to }, libc::ENOENT).into());
            }
        }
    }
    call.effect(steps)?;
    Ok(Value::Nil)
}

fn del(call: &mut Call<'_>) -> Checked<Value> {
    let (marks, missing_ok) = spec(call)?;
    let there = seen(call)?;
    let owner = call.host.owner.borrow().clone();
    let gone = |selector: MarkSelector| {
        let entry = MarkEntry { mark: marks.mark, owner: owner.clone() };
        refusal(&Step::DelMark { selector, entry }, libc::ENOENT)
    };
    let mut steps = Vec::new();
    if marks.bare {
        for (selector, entry) in &there {
            if entry.mark == marks.mark && entry.owner == owner {
                steps.push(Step::DelMark { selector: selector.clone(), entry: entry.clone() });
            }
        }
        if let (true, false, Some(selector)) = (steps.is_empty(), missing_ok, marks.selectors.first()) {
            let mut error = gone(selector.clone());
            error.subject = marks.mark.to_string();
            error.message =
                format!("cannot delete mark {}: '{owner}' has no packets marked so (ENOENT)", marks.mark);
            return Err(error.into());
        }
    } else {
        for selector in &marks.selectors {
            match there.get(selector) {
                Some(entry) if entry.mark == marks.mark => {
                    steps.push(Step::DelMark { selector: selector.clone(), entry: entry.clone() });
                }
                _ if missing_ok => {}
                _ => return Err(gone(selector.clone()).into()),
            }
        }
    }
    call.effect(steps)?;
    Ok(Value::Nil)
}

fn want_vips() -> Want {
    Want { vips: true, ..Want::default() }
}

fn vips(call: &mut Call<'_>) -> Checked<Value> {
    let vips = call.host.with(|session| Ok(session.see(&want_vips())?.vips.clone()))?;
    let mut out = Vec::with_capacity(vips.len());
    for (key, vip) in vips {
        let data = read::table(call.lua)?;
        read::set(&data, "addr", key.addr.to_string())?;
        read::set(&data, "dev", key.dev.name())?;
        read::set(&data, "ours", vip.is_ours())?;
        out.push(call.records.plain(call.lua, &VIP_RECORD, data)?);
    }
    call.records.list(call.lua, out)
}

fn add_vip(call: &mut Call<'_>) -> Checked<Value> {
    let key = build::vip(&call.row(0)?).map_err(|fault| fault.arg(0))?;
    call.host.with(|session| session.see(&want_vips()).map(|_| ()))?;
    call.effect(vec![Step::AddVip { key, vip: Vip::ours() }])?;
    Ok(Value::Nil)
}

fn del_vip(call: &mut Call<'_>) -> Checked<Value> {
    let row = call.row(0)?;
    let key = build::vip(&row).map_err(|fault| fault.arg(0))?;
    let there = call.host.with(|session| Ok(session.see(&want_vips())?.vips.get(&key).copied()))?;
    match there {
        Some(vip) => call.effect(vec![Step::DelVip { key, vip }])?,
        None if row.bool("missing_ok") == Some(true) => {}
        None => return Err(refusal(&Step::DelVip { key, vip: Vip::ours() }, libc::EADDRNOTAVAIL).into()),
    }
    Ok(Value::Nil)
}
