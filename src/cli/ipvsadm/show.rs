//! `-L` and `-S`: what is read, and how it is written.

use std::ops::ControlFlow;

use super::command::Listing;
use super::names::Resolver;
use crate::backend::{Backend, Services, Want};
use crate::error::{Error, Kind, Result};
use crate::model::{Listed, ServiceKey, Timeouts};
use crate::plan::no_service;
use crate::view::ipvsadm::{
    Faithful, Format, Names, Numeric, Saved, connection_text, connections_title, daemon_text, head_text,
    save_text, service_text, settings_text, sort_servers, sort_services, timeouts_text, title_text,
};

/// Takes text piece by piece; false when nobody wants more.
pub type Sink<'a> = &'a mut dyn FnMut(&str) -> bool;

/// `ipvsadm -L` of this machine.
pub fn list(backend: &mut dyn Backend, what: Listing, format: Format, out: Sink<'_>) -> Result<()> {
    let names = names(format);
    match what {
        Listing::All => all(backend, format, names, out),
        Listing::Service(key) => one(backend, key, format, names, out),
        Listing::Connections => connections(backend, format, names, out),
        Listing::Timeouts => {
            let seen = backend.snapshot(&Want { host: true, ..Want::default() })?;
            out(&timeouts_text(seen.state.timeouts));
            Ok(())
        }
        Listing::Daemons => {
            let seen = backend.snapshot(&Want { host: true, ..Want::default() })?;
            for (role, daemon) in &seen.state.syncs {
                out(&daemon_text(*role, daemon, backend.mtu(&daemon.dev)));
            }
            Ok(())
        }
    }
}

fn names(format: Format) -> Box<dyn Names> {
    if format.numeric { Box::new(Numeric) } else { Box::new(Resolver::default()) }
}

fn sorted(backend: &mut dyn Backend, services: &Services, format: Format) -> Result<Vec<Listed>> {
    let mut found = backend.listing(services)?;
    if !format.unsorted {
        sort_services(&mut found);
        found.iter_mut().for_each(|listed| sort_servers(&mut listed.servers));
    }
    Ok(found)
}

fn all(backend: &mut dyn Backend, format: Format, mut names: Box<dyn Names>, out: Sink<'_>) -> Result<()> {
    let (version, size) = backend.version()?;
    let found = sorted(backend, &Services::All, format)?;
    out(&(head_text(&version, size) + &title_text(format)));
    for listed in &found {
        if !out(&service_text(listed, format, names.as_mut())) {
            break;
        }
    }
    Ok(())
}

fn one(
    backend: &mut dyn Backend,
    key: ServiceKey,
    format: Format,
    mut names: Box<dyn Names>,
    out: Sink<'_>,
) -> Result<()> {
    let found = sorted(backend, &Services::Only([key].into()), format)?;
    let listed = found.first().ok_or_else(|| no_service("list", &key))?;
    out(&(title_text(format) + &service_text(listed, format, names.as_mut())));
    Ok(())
}

fn connections(
    backend: &mut dyn Backend,
    format: Format,
    mut names: Box<dyn Names>,
    out: Sink<'_>,
) -> Result<()> {
    out(&connections_title(format));
    backend.connections(&mut |connection| match out(&connection_text(&connection, format, names.as_mut())) {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    })
}

/// `ipvsadm -S`; what the rules cannot say is given back.
pub fn save(
    backend: &mut dyn Backend,
    format: Format,
    faithful: Faithful,
    out: Sink<'_>,
) -> Result<Vec<String>> {
    let mut names = names(format);
    let found = sorted(backend, &Services::All, format)?;
    let mut lost = Vec::new();
    if faithful == Faithful::ToTable {
        let seen = backend.snapshot(&Want { host: true, ..Want::default() })?;
        // As ipvsadm writes them where nobody set any: not at all.
        let timeouts =
            if seen.state.timeouts == Timeouts::default() { Timeouts::NONE } else { seen.state.timeouts };
        let (text, more) = settings_text(timeouts, &seen.state.syncs);
        lost = more;
        out(&text);
    }
    for listed in &found {
        let servers = listed.servers.iter().map(|(id, server, _)| (id, server)).collect();
        let saved = Saved { key: &listed.key, service: &listed.service, servers };
        let (text, more) = save_text(&saved, faithful, names.as_mut());
        lost.extend(more);
        if !out(&text) {
            break;
        }
    }
    Ok(lost)
}

/// The error of a listing of what is not there has ipvsadm's exit code 1.
pub fn is_missing(error: &Error) -> bool {
    error.kind == Kind::Refused && error.errno == Some(libc::ESRCH)
}
