//! Several changes, one after the other, as what they come to.

use super::{Action, Plan, Step, World, advance, diff};
use crate::model::{Service, ServiceEntry, ServiceKey, State};

/// What the changes come to: 8 -> 4 and 4 -> 2 is 8 -> 2, and what was added and removed again is nothing.
pub fn fold(actions: &[Action]) -> Plan {
    let (mut was, mut now) = (State::default(), State::default());
    for action in actions {
        recall(&action.step, &mut was, &mut now);
        // A step of the past was possible then; where this picture is too small for it, it is as the step left it.
        if advance(&mut now, &action.step, &World::default()).is_err() {
            return Plan { actions: actions.to_vec() };
        }
    }
    diff(&was, &now).into_iter().collect()
}

/// The state before these changes, of the state after them.
pub fn before(after: &State, actions: &[Action]) -> State {
    let mut state = after.clone();
    for step in actions.iter().rev().flat_map(|action| action.step.inverse()) {
        // What others changed since is left as it is.
        let _ = advance(&mut state, &step, &World::default());
    }
    state
}

/// Puts what a step says of the time before it into both pictures, where nothing is known of it yet.
fn recall(step: &Step, was: &mut State, now: &mut State) {
    match step {
        Step::AddService { .. } | Step::AddMark { .. } | Step::AddVip { .. } | Step::StartSync { .. } => {}
        Step::AddRule { .. } | Step::AddRoute { .. } | Step::AddTunnel { .. } | Step::AddFou { .. } => {}
        Step::DelRule { key, rule } => {
            if !now.rules.contains_key(key) {
                for state in [was, now] {
                    state.rules.insert(*key, *rule);
                }
            }
        }
        Step::DelRoute { key, route } => {
            if !now.routes.contains_key(key) {
                for state in [was, now] {
                    state.routes.insert(*key, *route);
                }
            }
        }
        Step::SetTunnel { dev, from: tunnel, .. } | Step::DelTunnel { dev, tunnel } => {
            if !now.tunnels.contains_key(dev) {
                for state in [was, now] {
                    state.tunnels.insert(dev.clone(), tunnel.clone());
                }
            }
        }
        Step::DelFou { key, fou } => {
            if !now.fous.contains_key(key) {
                for state in [was, now] {
                    state.fous.insert(*key, *fou);
                }
            }
        }
        Step::SetService { key, from, .. } => {
            entry(*key, from.clone(), was, now);
            known(*key, from, was, now);
        }
        Step::DelService { key, entry } => {
            known(*key, &entry.service, was, now);
            if !now.services.contains_key(key) {
                was.services.insert(*key, entry.clone().into());
            } else if let Some(known) = was.services.get_mut(key) {
                // Of its servers only those may be known that were changed before.
                let known = std::sync::Arc::make_mut(known);
                let present = now.services.get(key);
                for (id, server) in &entry.servers {
                    if present.is_none_or(|present| !present.servers.contains_key(id)) {
                        known.servers.entry(*id).or_insert(*server);
                    }
                }
            }
            now.services.insert(*key, entry.clone().into());
        }
        Step::AddServer { service, .. } => entry(*service, Default::default(), was, now),
        Step::SetServer { service, key, from: server, .. } | Step::DelServer { service, key, server } => {
            entry(*service, Default::default(), was, now);
            if now.server(service, key).is_none() {
                for state in [was, now] {
                    if let Some(entry) = state.services.get_mut(service) {
                        std::sync::Arc::make_mut(entry).servers.insert(*key, *server);
                    }
                }
            }
        }
        Step::SetMark { selector, from: entry, .. } | Step::DelMark { selector, entry } => {
            if !now.marks.contains_key(selector) {
                for state in [was, now] {
                    state.marks.insert(selector.clone(), entry.clone());
                }
            }
        }
        Step::SetVip { key, from: vip, .. } | Step::DelVip { key, vip } => {
            if !now.vips.contains_key(key) {
                for state in [was, now] {
                    state.vips.insert(key.clone(), *vip);
                }
            }
        }
        Step::SetSysctl { name, from, .. } => {
            if !now.sysctls.contains_key(name) {
                for state in [was, now] {
                    state.sysctls.insert(name.clone(), from.clone());
                }
            }
        }
        Step::SetTimeouts { from, .. } => {
            if now.timeouts == State::default().timeouts {
                was.timeouts = *from;
            }
            now.timeouts = *from;
        }
        Step::StopSync { role, daemon } => {
            if !now.syncs.contains_key(role) {
                for state in [was, now] {
                    state.syncs.insert(*role, daemon.clone());
                }
            }
        }
    }
}

fn entry(key: ServiceKey, service: Service, was: &mut State, now: &mut State) {
    if now.services.contains_key(&key) {
        return;
    }
    for state in [was, now] {
        let servers = Default::default();
        state.services.insert(key, ServiceEntry { service: service.clone(), servers }.into());
    }
}

/// Of a service whose servers alone were told so far, the service itself.
fn known(key: ServiceKey, service: &Service, was: &mut State, now: &mut State) {
    let untold = |state: &State| state.services.get(&key).is_some_and(|it| it.service == Service::default());
    if untold(was) && untold(now) {
        for state in [was, now] {
            if let Some(entry) = state.services.get_mut(&key) {
                std::sync::Arc::make_mut(entry).service = service.clone();
            }
        }
    }
}
