//! What a step does to a state, and what the kernel refuses: ip_vs_ctl.c and its neighbours as one function.
//!
//! `Memory` is this behind the backend trait; a session uses it to let a script see its own changes before they
//! are sent. The conformance table runs against this and against the kernel.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::Step;
use crate::model::{
    Family, Forwarding, Hook, IfName, MarkEntry, MarkSelector, Netmask, Server, ServerKey, Service,
    ServiceEntry, ServiceKey, State, SyncDaemon, Timeouts, TunnelDevice, TunnelKind, Vip,
};

/// What a state does not say about a machine: what could be loaded or named. `None` knows nothing and refuses
/// nothing, and leaves the last word to the kernel.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub schedulers: Option<BTreeSet<String>>,
    pub engines: Option<BTreeSet<String>>,
    pub devices: Option<BTreeSet<IfName>>,
}

/// Takes one step. On a refusal the state is as before and the errno is the kernel's.
pub fn advance(state: &mut State, step: &Step, world: &World) -> Result<(), i32> {
    use Step::*;
    match step {
        AddService { key, service } => {
            refuse(state.services.contains_key(key), libc::EEXIST)?;
            check_service(key, service, world)?;
            let entry = ServiceEntry { service: service.clone(), servers: Default::default() };
            state.services.insert(*key, Arc::new(entry));
        }
        SetService { key, to, .. } => {
            let entry = state.services.get_mut(key).ok_or(libc::ESRCH)?;
            check_service(key, to, world)?;
            Arc::make_mut(entry).service = to.clone();
        }
        DelService { key, .. } => {
            state.services.remove(key).ok_or(libc::ESRCH)?;
        }
        AddServer { service, key, server } => {
            let syncing = !state.syncs.is_empty();
            let entry = state.services.get_mut(service).ok_or(libc::ESRCH)?;
            check_server(service, key, server, syncing)?;
            refuse(entry.servers.contains_key(key), libc::EEXIST)?;
            refuse(!can_be_server(key.addr), libc::EINVAL)?;
            Arc::make_mut(entry).servers.insert(*key, *server);
        }
        SetServer { service, key, to, .. } => {
            let syncing = !state.syncs.is_empty();
            let entry = state.services.get_mut(service).ok_or(libc::ESRCH)?;
            check_server(service, key, to, syncing)?;
            refuse(!entry.servers.contains_key(key), libc::ENOENT)?;
            Arc::make_mut(entry).servers.insert(*key, *to);
        }
        DelServer { service, key, .. } => {
            let entry = state.services.get_mut(service).ok_or(libc::ESRCH)?;
            refuse(!entry.servers.contains_key(key), libc::ENOENT)?;
            Arc::make_mut(entry).servers.remove(key);
        }
        AddMark { selector, entry } => {
            refuse(selector.meets_any(&state.marks), libc::EEXIST)?;
            check_mark(selector, entry)?;
            state.marks.insert(selector.clone(), entry.clone());
        }
        SetMark { selector, to, .. } => {
            check_mark(selector, to)?;
            *state.marks.get_mut(selector).ok_or(libc::ENOENT)? = to.clone();
        }
        DelMark { selector, .. } => {
            state.marks.remove(selector).ok_or(libc::ENOENT)?;
        }
        AddVip { key, vip } => {
            refuse(!has_device(state, world, &key.dev), libc::ENODEV)?;
            refuse(state.vips.contains_key(key), libc::EEXIST)?;
            state.vips.insert(key.clone(), *vip);
        }
        SetVip { key, to, .. } => {
            *state.vips.get_mut(key).ok_or(libc::EADDRNOTAVAIL)? = Vip { proto: to.proto };
        }
        DelVip { key, .. } => {
            refuse(!has_device(state, world, &key.dev), libc::ENODEV)?;
            state.vips.remove(key).ok_or(libc::EADDRNOTAVAIL)?;
        }
        AddRule { key, rule } => {
            refuse(state.rules.contains_key(key), libc::EEXIST)?;
            state.rules.insert(*key, *rule);
        }
        DelRule { key, .. } => {
            state.rules.remove(key).ok_or(libc::ENOENT)?;
        }
        AddRoute { key, route } => {
            refuse(state.routes.contains_key(key), libc::EEXIST)?;
            state.routes.insert(*key, *route);
        }
        DelRoute { key, .. } => {
            state.routes.remove(key).ok_or(libc::ESRCH)?;
        }
        AddTunnel { dev, tunnel } => {
            let taken = world.devices.as_ref().is_some_and(|devices| devices.contains(dev));
            refuse(taken || state.tunnels.contains_key(dev), libc::EEXIST)?;
            // Of each kind one may take the packets of all (`ip_tunnel_newlink`, ip_tunnel.c).
            let is_it =
                |other: &TunnelDevice| tunnel.from_anyone && other.from_anyone && other.kind == tunnel.kind;
            refuse(state.tunnels.values().any(is_it), libc::EEXIST)?;
            state.tunnels.insert(dev.clone(), tunnel.clone());
        }
        SetTunnel { dev, to, .. } => {
            let there = state.tunnels.get_mut(dev).ok_or(libc::ENODEV)?;
            refuse(!there.is_kin(to), libc::EOPNOTSUPP)?;
            there.clone_from(to);
        }
        DelTunnel { dev, .. } => {
            state.tunnels.remove(dev).ok_or(libc::ENODEV)?;
            state.vips.retain(|key, _| key.dev != *dev);
        }
        AddFou { key, fou } => {
            refuse(state.fous.contains_key(key), libc::EADDRINUSE)?;
            state.fous.insert(*key, *fou);
        }
        DelFou { key, .. } => {
            state.fous.remove(key).ok_or(libc::EINVAL)?;
        }
        SetSysctl { name, to, .. } => {
            let value = state.sysctls.get_mut(name).ok_or(libc::ENOENT)?;
            let numeric = to.split_whitespace().all(|word| word.parse::<i64>().is_ok());
            refuse(!numeric || to.trim().is_empty(), libc::EINVAL)?;
            *value = to.clone();
        }
        SetTimeouts { to, .. } => {
            let all = [to.tcp, to.tcp_fin, to.udp];
            refuse(all.iter().any(|seconds| *seconds > Timeouts::MAX), libc::EINVAL)?;
            state.timeouts = to.over(state.timeouts);
        }
        StartSync { role, daemon } => {
            check_sync(state, daemon, world)?;
            refuse(state.syncs.contains_key(role), libc::EEXIST)?;
            state.syncs.insert(*role, daemon.clone());
        }
        StopSync { role, .. } => {
            state.syncs.remove(role).ok_or(libc::ESRCH)?;
        }
    }
    Ok(())
}

fn refuse(when: bool, errno: i32) -> Result<(), i32> {
    if when { Err(errno) } else { Ok(()) }
}

fn known<T: Ord>(list: &Option<BTreeSet<T>>, item: &T) -> bool {
    list.as_ref().is_none_or(|list| list.contains(item))
}

fn has_device(state: &State, world: &World, dev: &IfName) -> bool {
    known(&world.devices, dev) || state.tunnels.contains_key(dev)
}

/// `ip_vs_add_service`, `ip_vs_edit_service`: modules first, then the IPv6 prefix.
fn check_service(key: &ServiceKey, service: &Service, world: &World) -> Result<(), i32> {
    let scheduler = service.scheduler.name().to_string();
    refuse(scheduler != "none" && !known(&world.schedulers, &scheduler), libc::ENOENT)?;
    if let Some(pe) = &service.pe {
        refuse(!known(&world.engines, &pe.name().to_string()), libc::ENOENT)?;
    }
    let Some(persistence) = &service.persistence else { return Ok(()) };
    let fits = match (key.family(), persistence.netmask) {
        (Family::Ipv4, Netmask::V4(_)) => true,
        (Family::Ipv6, Netmask::V6(length)) => (1..=128).contains(&length),
        _ => false,
    };
    refuse(!fits, libc::EINVAL)
}

/// `ip_vs_genl_set_cmd` and the head of `ip_vs_add_dest` and `ip_vs_edit_dest`, in their order.
fn check_server(service: &ServiceKey, key: &ServerKey, server: &Server, syncing: bool) -> Result<(), i32> {
    refuse(server.upper > i32::MAX as u32, libc::EINVAL)?;
    if key.family() != service.family() {
        refuse(syncing || server.method != Forwarding::Tun, libc::EINVAL)?;
    }
    refuse(server.lower > server.upper, libc::ERANGE)?;
    refuse(server.tunnel.kind == TunnelKind::Gue && server.tunnel.port.0 == 0, libc::EINVAL)
}

/// `ip_vs_new_dest`: local or unicast, and for IPv6 not link-local.
fn can_be_server(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => !addr.is_multicast() && !addr.is_broadcast() && addr.octets()[0] != 0,
        IpAddr::V6(addr) => !addr.is_multicast() && !addr.is_unspecified() && !addr.is_unicast_link_local(),
    }
}

/// What nf_tables could store but would not mean what was asked: networks of the other family, a device for packets
/// that come from none, a port of no protocol, an owner that does not fit beside the element.
pub fn check_mark(selector: &MarkSelector, entry: &MarkEntry) -> Result<(), i32> {
    let nets = selector.daddr.iter().chain(&selector.saddr);
    let other_family = nets.into_iter().any(|net| net.max_prefix_len() != selector.family.max_prefix());
    let device_at_output = selector.hook == Hook::Output && selector.iif.is_some();
    let port_alone = selector.dport.is_some() && selector.protocol.is_none();
    refuse(other_family || device_at_output || port_alone || !entry.owner_fits(), libc::EINVAL)
}

/// `start_sync_thread`: the device, the group, and no server of another family.
fn check_sync(state: &State, daemon: &SyncDaemon, world: &World) -> Result<(), i32> {
    refuse(state.services.iter().any(|(key, entry)| mixes_families(key, entry)), libc::EINVAL)?;
    refuse(!known(&world.devices, &daemon.dev), libc::ENODEV)?;
    refuse(!daemon.group.is_multicast(), libc::EINVAL)
}

fn mixes_families(key: &ServiceKey, entry: &ServiceEntry) -> bool {
    entry.servers.keys().any(|server| server.family() != key.family())
}
