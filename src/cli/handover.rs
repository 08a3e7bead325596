//! What two policies have to do with each other: what one takes over leaves the other's state, and what both want
//! stays until the last of them gives it up.

use super::context::Context;
use super::stage::Past;
use super::store::{Saved, Store};
use crate::error::Result;
use crate::model::Timeouts;
use crate::plan::{Owned, Session};

/// Takes what `name` owns now out of the state of every other policy; only addresses and settings can be several
/// policies' at a time. Called under the lock of `name`, after its
/// changes were verified; a state that cannot be changed is warned of, because the machine is right already.
pub fn hand_over(context: &Context, store: &Store, name: &str, owned: &Owned) {
    for (other, saved) in store.others(name) {
        let taken = taken(&saved, owned);
        if taken.is_empty() {
            continue;
        }
        let services = taken.services.keys().map(|key| format!("service {key}"));
        let marks = taken.marks.keys().map(|key| format!("the mark for {key}"));
        let vips = taken.vips.keys().map(|key| format!("address {key}"));
        let what = services.chain(marks).chain(vips).collect::<Vec<_>>().join(", ");
        match forget(context, store, &other, owned) {
            Ok(()) => context.warn(&other, format!("'{name}' has {what} now")),
            Err(error) => {
                context.warn(
                    &other,
                    format!("'{name}' has {what} now, but stop {other} still removes it: {error}"),
                );
            }
        }
    }
}

/// What of a policy is somebody else's now. Its addresses stay its own as long as it has anything to do behind them.
fn taken(saved: &Saved, owned: &Owned) -> Owned {
    let left = saved.owned.beyond(owned);
    let mut taken = saved.owned.beyond(&left);
    (taken.sysctls, taken.timeouts, taken.syncs) = Default::default();
    (taken.rules, taken.routes, taken.tunnels, taken.fous) = Default::default();
    let bare = left.services.is_empty() && left.marks.is_empty();
    if !bare || taken.services.is_empty() && taken.marks.is_empty() {
        taken.vips.clear();
    }
    taken
}

fn forget(context: &Context, store: &Store, other: &str, owned: &Owned) -> Result<()> {
    let Ok(_lock) = context.lock(store, other)? else { return Ok(()) };
    // Read again: it may have changed before the lock was ours.
    let Some(mut saved) = store.load(other, false)?.saved else { return Ok(()) };
    let taken = taken(&saved, owned);
    saved.owned = saved.owned.beyond(&taken);
    let mut made = saved.made();
    made.services.retain(|key, _| !taken.services.contains_key(key));
    made.marks.retain(|key, _| !taken.marks.contains_key(key));
    made.vips.retain(|key, _| !taken.vips.contains_key(key));
    if saved.owned.is_empty() {
        return store.remove(other);
    }
    store.save(other, &saved.path, saved.started, saved.owned, made)
}

/// What another policy has to know of the machine as it was before both: it is that one's to bring back now.
#[derive(Debug)]
pub struct Heir {
    name: String,
    before: Owned,
}

/// Leaves what `name` gives up and another started policy still wants: an address stays, and so does a setting on
/// top of which another one set its own. Whoever stops last brings back what was there before all of them.
pub fn spare(
    context: &Context,
    name: &str,
    past: &Past,
    given_up: &Owned,
    session: &mut Session,
) -> Vec<Heir> {
    if given_up.is_empty() {
        return Vec::new();
    }
    let others = context.store.as_ref().map(|store| store.others(name)).unwrap_or_default();
    let mut others: Vec<Saved> = others.into_values().collect();
    others.sort_by(|a, b| a.started.total_cmp(&b.started));
    let mut shared = Owned::default();
    let mut heirs = Vec::new();
    let say = |what: String, other: &Saved| {
        context.warn(name, format!("{what} stays: '{}' wants it too", other.policy));
    };
    for key in given_up.vips.keys() {
        if let Some(other) = others.iter().find(|other| other.owned.vips.contains_key(key)) {
            shared.vips.insert(key.clone(), None);
            say(format!("address {key}"), other);
        }
    }
    for key in given_up.rules.keys() {
        if let Some(other) = others.iter().find(|other| other.owned.rules.contains_key(key)) {
            shared.rules.insert(*key, None);
            say(format!("rule {key}"), other);
        }
    }
    for key in given_up.routes.keys() {
        if let Some(other) = others.iter().find(|other| other.owned.routes.contains_key(key)) {
            shared.routes.insert(*key, None);
            say(format!("route {key}"), other);
        }
    }
    for dev in given_up.tunnels.keys() {
        if let Some(other) = others.iter().find(|other| other.owned.tunnels.contains_key(dev)) {
            shared.tunnels.insert(dev.clone(), None);
            say(format!("tunnel {dev}"), other);
        }
    }
    for (key, before) in given_up.fous.iter().filter(|(_, before)| before.is_none()) {
        if let Some(other) = others.iter().find(|other| other.owned.fous.contains_key(key)) {
            shared.fous.insert(*key, None);
            // It found the port open and would leave it; now it is its own to close.
            let before = Owned { fous: [(*key, *before)].into(), ..Owned::default() };
            heirs.push(Heir { name: other.policy.clone(), before });
            say(format!("gue port {key}"), other);
        }
    }
    let Some(mine) = &past.saved else {
        session.keep(&shared);
        return heirs;
    };
    for (setting, before) in &given_up.sysctls {
        let mine_made = mine.made();
        let Some(made) = mine_made.sysctls.get(setting) else { continue };
        let on_top = |other: &&Saved| {
            let left = other.made();
            let theirs = other.owned.sysctls.get(setting).zip(left.sysctls.get(setting));
            theirs.is_some_and(|theirs| stands_on(theirs, (before, made), other.started >= mine.started))
        };
        if let Some(other) = others.iter().find(on_top) {
            shared.sysctls.insert(setting.clone(), before.clone());
            let before = Owned { sysctls: [(setting.clone(), before.clone())].into(), ..Owned::default() };
            heirs.push(Heir { name: other.policy.clone(), before });
            say(format!("sysctl {setting}"), other);
        }
    }
    if let Some(before) = given_up.timeouts {
        let (before, made) = (each(before), each(mine.made().timeouts));
        let mut stay = [0; 3];
        for other in &others {
            let Some(theirs) = other.owned.timeouts else { continue };
            let (mut inherited, left) = (each(theirs), each(other.made().timeouts));
            for at in (0..3).filter(|at| before[*at] != 0) {
                let mine_at = (before[at], made[at]);
                if stay[at] == 0
                    && stands_on((inherited[at], left[at]), mine_at, other.started >= mine.started)
                {
                    (inherited[at], stay[at]) = (before[at], left[at]);
                }
            }
            if inherited != each(theirs) {
                let before = Owned { timeouts: Some(whole(inherited)), ..Owned::default() };
                heirs.push(Heir { name: other.policy.clone(), before });
                say("what was set of the timeouts".to_string(), other);
            }
        }
        shared.timeouts = Some(whole(stay));
    }
    session.keep(&shared);
    heirs
}

/// Whether their setting was made on top of mine; each is what was there before, and what was made of it. Two that
/// undo each other look alike from both sides: then the later one is on top.
fn stands_on<T: PartialEq>(theirs: (T, T), mine: (T, T), later: bool) -> bool {
    theirs.0 == mine.1 && (theirs.1 != mine.0 || later)
}

fn each(timeouts: Timeouts) -> [u32; 3] {
    [timeouts.tcp, timeouts.tcp_fin, timeouts.udp]
}

fn whole([tcp, tcp_fin, udp]: [u32; 3]) -> Timeouts {
    Timeouts { tcp, tcp_fin, udp }
}

/// Writes down for each heir what it brings back one day. Called after the changes were verified.
pub fn inherit(context: &Context, store: &Store, heirs: &[Heir]) {
    for heir in heirs {
        let write = || -> Result<()> {
            let Ok(_lock) = context.lock(store, &heir.name)? else { return Ok(()) };
            let Some(mut saved) = store.load(&heir.name, false)?.saved else { return Ok(()) };
            saved.owned.sysctls.extend(heir.before.sysctls.clone());
            saved.owned.fous.extend(heir.before.fous.clone());
            saved.owned.timeouts = heir.before.timeouts.or(saved.owned.timeouts);
            let made = saved.made();
            store.save(&heir.name, &saved.path, saved.started, saved.owned, made)
        };
        if let Err(error) = write() {
            context.warn(
                &heir.name,
                format!("stop {} will not bring back the settings of before: {error}", heir.name),
            );
        }
    }
}
