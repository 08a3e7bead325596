//! list: the whole machine, or a part of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::IpAddr;

use clap::{Args, ValueEnum};

use super::args::Spelling;
use super::connections;
use super::context::Context;
use super::done::Done;
use super::ipvsadm;
use super::look::with_state;
use super::policy::spell;
use crate::backend::{Backend, Services, Want};
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::model::{Fou, Fwmark, Port, ServiceKey, Snapshot, State, parse_endpoint};
use crate::plan::{Plan, diff, no_service};
use crate::view::ipvsadm::Format;
use crate::view::{Columns, ListView, SortKey, list_text, state_value};

/// List services, servers, marks and addresses of this machine, or its connections
#[derive(Clone, Debug, Args)]
#[command(after_help = HELP)]
pub struct ListArgs {
    /// Print the commands that would make all this
    #[arg(long = "as", value_name = "SPELLING", conflicts_with_all = ["wide", "stats", "rate", "thresholds", "connections"])]
    spelling: Option<Spelling>,
    /// Every column, every digit, whatever the width
    #[arg(long)]
    wide: bool,
    /// Totals: connections, packets, bytes
    #[arg(long)]
    stats: bool,
    /// The same per second, as the kernel estimates it
    #[arg(long)]
    rate: bool,
    /// Limits of servers, and what counts for them
    #[arg(long)]
    thresholds: bool,
    /// Connections and persistence templates, in the kernel's order, while they are read
    #[arg(long, conflicts_with_all = ["wide", "stats", "rate", "thresholds", "sort"])]
    connections: bool,
    /// The largest first; with --rate alone by the rates
    #[arg(long, value_name = "KEY")]
    sort: Option<Sort>,
    /// Byte for byte what ipvsadm -Ln prints; with --stats, --rate, --thresholds or --connections what it prints then
    #[arg(long, conflicts_with_all = ["spelling", "wide", "sort", "server", "policy", "mark"])]
    ipvsadm: bool,
    #[command(flatten)]
    only: Only,
}

const HELP: &str = "\
Counters are late: the kernel adds them up every 2 s, and its rates are smoothed over about 8 s. Numbers of active and
inactive connections and of templates are of this moment.

The kernel does not say which service made a connection. Where a mark did, it is worked out from the marks of lvsh, or
is the only mark service with that server; else it is left out.

Examples:
  lvsh list --json
  lvsh list --stats --sort bytes
  lvsh list --connections --server 192.168.1.109";

/// Which part of the machine.
#[derive(Clone, Debug, Default, Args)]
pub struct Only {
    /// Only this service: fwm:3, tcp:192.0.2.1:80
    #[arg(long, value_name = "KEY")]
    service: Option<ServiceKey>,
    /// Only this real server, in all services or on one port
    #[arg(long, value_name = "ADDR", value_parser = server)]
    server: Option<(IpAddr, Option<Port>)>,
    /// Only what this policy made
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Only services of this firewall mark
    #[arg(long, value_name = "N", value_parser = mark)]
    mark: Option<Fwmark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sort {
    Name,
    Weight,
    Active,
    Inactive,
    Templates,
    Conns,
    Packets,
    Bytes,
}

impl From<Sort> for SortKey {
    fn from(sort: Sort) -> SortKey {
        match sort {
            Sort::Name => SortKey::Name,
            Sort::Weight => SortKey::Weight,
            Sort::Active => SortKey::Active,
            Sort::Inactive => SortKey::Inactive,
            Sort::Templates => SortKey::Templates,
            Sort::Conns => SortKey::Conns,
            Sort::Packets => SortKey::Packets,
            Sort::Bytes => SortKey::Bytes,
        }
    }
}

fn server(text: &str) -> Result<(IpAddr, Option<Port>), String> {
    parse_endpoint(text)
}

fn mark(text: &str) -> Result<Fwmark, String> {
    let number = text.parse::<u32>().map_err(|_| "it is a number, 1..4294967295".to_string())?;
    Fwmark::new(number)
}

impl Only {
    /// For verbs that take one service at most.
    pub fn service(service: Option<ServiceKey>) -> Only {
        Only { service, ..Only::default() }
    }

    /// The service that was named.
    pub fn named(&self) -> Option<ServiceKey> {
        self.service
    }

    /// Whether the services are not all that are meant.
    pub fn is_of_services(&self) -> bool {
        self.service.is_some() || self.policy.is_some() || self.mark.is_some()
    }

    /// Whether it is about one service.
    fn names_one(&self) -> bool {
        self.service.is_some() || self.mark.is_some()
    }

    fn is_all(&self) -> bool {
        !self.is_of_services() && self.server.is_none()
    }

    /// The services to read.
    fn want(&self, owners: &BTreeMap<ServiceKey, String>) -> Services {
        match (&self.service, &self.policy) {
            (Some(key), _) => Services::Only([*key].into()),
            (None, Some(name)) => Services::Only(
                owners.iter().filter(|(_, owner)| *owner == name).map(|(key, _)| *key).collect(),
            ),
            (None, None) => Services::All,
        }
    }

    /// Whether a service is one that was asked for, as far as its key says it.
    pub fn takes(&self, key: &ServiceKey, owner: Option<&String>) -> bool {
        let marked = |mark: Fwmark| matches!(key, ServiceKey::Mark { mark: own, .. } if *own == mark);
        self.service.is_none_or(|wanted| wanted == *key)
            && self.mark.is_none_or(marked)
            && self.policy.as_ref().is_none_or(|name| owner == Some(name))
    }

    /// The server that was asked for.
    pub fn server(&self) -> Option<(IpAddr, Option<Port>)> {
        self.server
    }

    /// Leaves of a state what was asked for.
    fn cut(&self, state: &mut State, owners: &BTreeMap<ServiceKey, String>) {
        if self.is_all() {
            return;
        }
        state.services.retain(|key, entry| {
            if !self.takes(key, owners.get(key)) {
                return false;
            }
            let Some((addr, port)) = self.server else { return true };
            let mut cut = entry.as_ref().clone();
            cut.servers.retain(|id, _| id.addr == addr && port.is_none_or(|port| id.port == port));
            let any = !cut.servers.is_empty();
            *entry = cut.into();
            any
        });
        let marks: Vec<Fwmark> = state
            .services
            .keys()
            .filter_map(|key| match key {
                ServiceKey::Mark { mark, .. } => Some(*mark),
                ServiceKey::Address { .. } => None,
            })
            .collect();
        state.marks.retain(|_, entry| {
            let named = self.policy.as_ref().is_some_and(|name| entry.owner == *name);
            named || self.mark == Some(entry.mark) || marks.contains(&entry.mark)
        });
        state.vips.clear();
        state.rules.clear();
        state.routes.clear();
        state.tunnels.clear();
        state.fous.clear();
        state.syncs.clear();
    }
}

/// Reads what is asked for, and who made it.
pub fn read(
    context: &Context,
    backend: &mut dyn Backend,
    only: &Only,
    want: Want,
) -> Result<(Snapshot, BTreeMap<ServiceKey, String>)> {
    let owners = context.store.as_ref().map(|store| store.owners()).unwrap_or_default();
    let mut seen = backend.snapshot(&Want { services: only.want(&owners), ..want })?;
    if let Some(key) = only.service
        && seen.state.service(&key).is_none()
    {
        return Err(unknown(backend, &key)?);
    }
    only.cut(&mut seen.state, &owners);
    let state = &seen.state;
    seen.observed.services.retain(|key, _| state.services.contains_key(key));
    seen.observed.servers.retain(|(key, id), _| state.server(key, id).is_some());
    Ok((seen, owners))
}

/// ESRCH, with the services that are there.
pub fn unknown(backend: &mut dyn Backend, key: &ServiceKey) -> Result<Error> {
    let all = backend.snapshot(&Want { services: Services::All, ..Want::default() })?.state.services;
    let names: Vec<String> = all.keys().map(ServiceKey::to_string).collect();
    let error = no_service("list", key);
    Ok(match did_you_mean(&key.to_string(), names.iter().map(String::as_str)) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None if names.is_empty() => error.note("this machine has no services"),
        None => error.note(format!("services: {}", names.join(", "))),
    })
}

pub fn list(context: &Context, args: ListArgs) -> Result<Done> {
    let mut backend = context.backend(true)?;
    if args.ipvsadm {
        return in_ipvsadms_words(context, backend.as_mut(), &args);
    }
    if args.connections {
        return connections::list(context, backend.as_mut(), &args.only);
    }
    let (seen, owners) = read(context, backend.as_mut(), &args.only, Want::all())?;
    if let Some(spelling) = args.spelling {
        let mut all = seen.state.clone();
        all.vips.retain(|_, vip| vip.is_ours());
        all.rules.retain(|_, rule| rule.is_ours());
        all.routes.retain(|_, route| route.is_ours());
        all.tunnels.retain(|_, tunnel| tunnel.is_ours());
        all.fous.retain(|_, fou| *fou == Fou::Gue);
        // Only what differs from an empty machine; the timeouts are the kernel's own unless changed.
        let plan: Plan = diff(&State::default(), &all).into_iter().collect();
        let text = spell("this machine, by lvsh list", &plan, &State::default(), &all, spelling);
        return Ok(Done::text(text.clone()).with("script", text));
    }
    let owner = |key: &_| owners.get(key).cloned();
    let ListArgs { wide, stats, rate, thresholds, .. } = args;
    let mut shown = seen.state.clone();
    // Who names one wants to see it.
    let hidden = if args.only.names_one() { 0 } else { shown.hide_ways() };
    let view = ListView {
        state: &shown,
        live: &seen.observed,
        owner: &owner,
        columns: Columns { wide, stats, rate, thresholds },
        sort: args.sort.map(SortKey::from).unwrap_or_default(),
        hidden,
        width: context.width(),
    };
    let done = Done::text(list_text(&view, context.style()));
    Ok(with_state(done, state_value(&seen.state, &seen.observed, owner)))
}

/// The listing that scripts have learnt to read.
fn in_ipvsadms_words(context: &Context, backend: &mut dyn Backend, args: &ListArgs) -> Result<Done> {
    if context.common.json {
        return Err(Error::new(Kind::Usage, "usage", "--ipvsadm is ipvsadm's text; leave it out for --json"));
    }
    let ListArgs { stats, rate, thresholds, .. } = *args;
    let format = Format { stats, rate, thresholds, numeric: true, ..Format::default() };
    let what = match args.only.service {
        _ if args.connections => ipvsadm::Listing::Connections,
        Some(key) => ipvsadm::Listing::Service(key),
        None => ipvsadm::Listing::All,
    };
    let mut out = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut wrote = Ok(());
    ipvsadm::list(backend, what, format, &mut |text| {
        wrote = out.write_all(text.as_bytes());
        wrote.is_ok()
    })?;
    match wrote.and_then(|()| out.flush()) {
        // Who closes the pipe has read enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("lvsh: cannot write to stdout: {error}");
            Ok(Done::printed(1))
        }
        _ => Ok(Done::printed(0)),
    }
}
