//! Checks through IPVS: to which address, by which mark, and who makes the services for it.
//!
//! A policy owns its ways as it owns its services: start makes them, stop removes them. A script that only asks makes
//! them for as long as it asks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::probes::{Passage, Target};
use crate::backend::{Services, Want};
use crate::model::{
    Family, Forwarding, Fwmark, IfName, MarkSelector, Server, ServerKey, ServiceEntry, ServiceKey, State,
    SysctlName, VipKey, WayMarks,
};
use crate::plan::{Action, Declared, Lent, Mode, Step, Thing};
use crate::script::build::{Probe, Via};
use crate::script::convert::{Row, Val};
use crate::script::fault::{Checked, Fault};
use crate::script::host::Host;

/// The way to one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way {
    pub vip: IpAddr,
    /// The service that a check's mark leads to.
    pub key: ServiceKey,
}

pub type Ways = BTreeMap<(ServiceKey, ServerKey), Way>;

/// The ways of a policy whose checks go through IPVS; they become part of what it declares.
pub fn declare(probes: &[Probe], health: &Row, policy: &str, declared: &mut Declared) -> Checked<Ways> {
    let asking: Vec<&Probe> = probes.iter().filter(|probe| probe.via.is_some()).collect();
    let Some(via) = asking.first().and_then(|probe| probe.via) else {
        return match health.has("marks") {
            true => Err(Fault::bad("'marks' are for checks with via = \"vip\"").under("marks")),
            false => Ok(Ways::new()),
        };
    };
    if asking.iter().any(|probe| probe.via != Some(via)) {
        return Err(
            Fault::bad("the checks of one policy that go through IPVS go to one address").under("via")
        );
    }
    let marks = range(health).map_err(|fault| fault.under("marks"))?;
    let mut pairs = Pairs::default();
    let mut ways: BTreeMap<(ServiceKey, ServerKey), (IpAddr, IpAddr)> = BTreeMap::new();
    for (key, entry) in &declared.services {
        let marked = declared.marks.iter().map(|(selector, mark)| (selector, *mark));
        let vip = address(via, key, marked, declared.vips.iter()).map_err(|fault| fault.under("via"))?;
        for (id, server) in &entry.servers {
            pairs.add(vip, id.addr, server).map_err(|fault| fault.under("via"))?;
            ways.insert((*key, *id), (vip, id.addr));
        }
    }
    let services = declared.services.keys().filter_map(|key| match key {
        ServiceKey::Mark { mark, .. } => Some(*mark),
        ServiceKey::Address { .. } => None,
    });
    let taken: BTreeSet<Fwmark> = services.chain(declared.marks.values().copied()).collect();
    let keys = pairs.keys(policy, marks, &taken).map_err(|fault| fault.under("marks"))?;
    for (pair, entry) in &pairs.0 {
        declared.ways.insert(keys[pair], Arc::new(entry.clone()));
    }
    let ways: Ways = ways.into_iter().map(|(of, pair)| (of, Way { vip: pair.0, key: keys[&pair] })).collect();
    for ((service, _), way) in &ways {
        if let Some(origin) = declared.origins.get(&Thing::Service(*service)).cloned() {
            declared.origins.entry(Thing::Service(way.key)).or_insert(origin);
        }
    }
    let dev = asking.iter().find_map(|probe| probe.route.dev.clone());
    for name in pairs.deaf(&declared.vips, dev.as_ref()).map_err(|fault| fault.under("via"))? {
        if !declared.sysctls.contains_key(&name) {
            declared.floors.entry(name).or_insert(1);
        }
    }
    Ok(ways)
}

/// `{ first, last }`
fn range(health: &Row) -> Checked<WayMarks> {
    match health.list("marks") {
        [] => Ok(WayMarks::default()),
        [Val::Int(first), Val::Int(last)] if first <= last => {
            let mark = |number: &i64| u32::try_from(*number).unwrap_or(u32::MAX);
            Ok(WayMarks { first: mark(first), last: mark(last) })
        }
        _ => {
            Err(Fault::bad("bad value for 'marks': it is a first and a last one")
                .hint("marks = { 1000, 1999 }"))
        }
    }
}

/// The address that clients of a service use.
fn address<'a>(
    via: Via,
    service: &ServiceKey,
    marks: impl Iterator<Item = (&'a MarkSelector, Fwmark)>,
    vips: impl Iterator<Item = &'a VipKey>,
) -> Checked<IpAddr> {
    let fits = |addr: &IpAddr| Family::of(*addr) == service.family();
    let single = |selector: &MarkSelector| {
        let net = selector.daddr.filter(|net| net.prefix_len() == net.max_prefix_len());
        net.map(|net| net.addr())
    };
    let found = match (via, service) {
        (Via::Addr(addr), _) => Some(addr).filter(fits),
        (Via::Vip, ServiceKey::Address { addr, .. }) => Some(*addr),
        (Via::Vip, ServiceKey::Mark { mark: wanted, .. }) => {
            let mut marked =
                marks.filter(|(_, mark)| mark == wanted).filter_map(|(selector, _)| single(selector));
            marked.find(fits).or_else(|| vips.map(|vip| vip.addr.addr()).find(fits))
        }
    };
    found.ok_or_else(|| {
        let why = format!("no address is known through which clients reach {service}");
        Fault::bad(why).hint("a mark with one daddr, a vip, or via = \"192.168.1.99\"")
    })
}

/// Servers by the address through which they are asked.
#[derive(Default)]
struct Pairs(BTreeMap<(IpAddr, IpAddr), ServiceEntry>);

impl Pairs {
    fn add(&mut self, vip: IpAddr, addr: IpAddr, server: &Server) -> Checked<()> {
        let way = ServiceEntry::way(addr, server);
        match self.0.get(&(vip, addr)) {
            Some(there) if *there != way => Err(Fault::bad(format!(
                "{addr} is reached by two methods behind {vip}: one check cannot go both ways"
            ))),
            _ => {
                self.0.insert((vip, addr), way);
                Ok(())
            }
        }
    }

    /// The services, each with its mark.
    fn keys(
        &self,
        of: &str,
        marks: WayMarks,
        taken: &BTreeSet<Fwmark>,
    ) -> Checked<BTreeMap<(IpAddr, IpAddr), ServiceKey>> {
        let names: Vec<String> = self.0.keys().map(|(vip, addr)| format!("{of} {vip} {addr}")).collect();
        let given = marks.spread(names.iter().map(String::as_str), taken).ok_or_else(|| {
            Fault::bad(format!(
                "bad value for 'marks': {} servers need one each; {} to {} are too few",
                names.len(),
                marks.first,
                marks.last
            ))
        })?;
        let key = |(vip, _): &(IpAddr, IpAddr), mark| ServiceKey::Mark { family: Family::of(*vip), mark };
        Ok(self.0.keys().zip(given).map(|(pair, mark)| (*pair, key(pair, mark))).collect())
    }

    /// Settings that must be 1: answers of direct routing and of tunnels come from an address that is this machine's
    /// own too, and IPv4 drops those.
    fn deaf<'a>(
        &self,
        vips: impl IntoIterator<Item = &'a VipKey> + Clone,
        dev: Option<&IfName>,
    ) -> Checked<BTreeSet<SysctlName>> {
        let mut names = BTreeSet::new();
        for ((vip, _), entry) in &self.0 {
            let direct = entry.servers.values().any(|server| server.method != Forwarding::Nat);
            let here = vips.clone().into_iter().find(|key| key.addr.addr() == *vip);
            let (true, true, Some(here)) = (direct, vip.is_ipv4(), here) else { continue };
            let dev = dev.unwrap_or(&here.dev).to_string();
            let separator = if dev.contains('.') { '/' } else { '.' };
            let name = ["net", "ipv4", "conf", &dev, "accept_local"].join(&separator.to_string());
            names.insert(SysctlName::new(&name).map_err(Fault::bad)?);
        }
        Ok(names)
    }
}

/// How each target is asked now: on a way that is not in the kernel as it is declared, a check would ask another
/// server, or nobody.
pub fn standing(host: &Host, declared: &Declared, ways: &Ways) -> Checked<BTreeMap<Way, Passage>> {
    let want = Want { services: Services::of(declared.ways.keys()), ..Want::default() };
    let state = host.with(|session| Ok(session.see(&want)?.clone()))?;
    let passage = |way: &Way| match (&way.key, state.services.get(&way.key) == declared.ways.get(&way.key)) {
        (ServiceKey::Mark { mark, .. }, true) => Passage::Open { vip: way.vip, mark: mark.get() },
        (key, _) => Passage::Shut(format!(
            "{key}, through which it is asked, is not in the kernel as it should be; lvsh apply makes it"
        )),
    };
    Ok(ways.values().map(|way| (*way, passage(way))).collect())
}

/// Makes the ways that a script's checks need, and says so in its targets. They are to be given back.
pub fn lend(host: &Host, spec: &Probe, targets: &mut [Target]) -> Checked<Option<Lent>> {
    let Some(via) = spec.via else { return Ok(None) };
    let staged = host.with(|session| Ok(session.mode() == Mode::Staged))?;
    if staged {
        for target in targets {
            let why =
                "a check through IPVS needs a service of its own, which a plan does not make".to_string();
            target.way = Some(Passage::Shut(why));
        }
        return Ok(None);
    }
    let want = Want { services: Services::All, marks: true, vips: true, ..Want::default() };
    let state: State = host.with(|session| Ok(session.see(&want)?.clone()))?;
    let mut pairs = Pairs::default();
    let mut asked = Vec::new();
    for target in targets.iter() {
        let found = target.service.and_then(|(key, id)| Some((key, id, *state.server(&key, &id)?)));
        let Some((service, id, server)) = found else {
            let why = format!(
                "{} is no server of a service: via = \"vip\" needs to know which service",
                target.name
            );
            return Err(Fault::bad(why)
                .hint("lvs.get_service { fwmark = 3 }.servers has such records")
                .under("via"));
        };
        let marked = state.marks.iter().map(|(selector, entry)| (selector, entry.mark));
        let vip = address(via, &service, marked, state.vips.keys()).map_err(|fault| fault.under("via"))?;
        pairs.add(vip, id.addr, &server).map_err(|fault| fault.under("via"))?;
        asked.push((vip, id.addr));
    }
    let services = state.services.keys().filter_map(|key| match key {
        ServiceKey::Mark { mark, .. } => Some(*mark),
        ServiceKey::Address { .. } => None,
    });
    let taken = services.chain(state.marks.values().map(|entry| entry.mark)).collect();
    let keys = pairs.keys("", WayMarks::default(), &taken)?;
    for (target, pair) in targets.iter_mut().zip(&asked) {
        if let ServiceKey::Mark { mark, .. } = keys[pair] {
            target.way = Some(Passage::Open { vip: pair.0, mark: mark.get() });
        }
    }
    let mut steps = Vec::new();
    for (pair, entry) in &pairs.0 {
        let service = keys[pair];
        steps.push(Step::AddService { key: service, service: entry.service.clone() });
        steps.extend(entry.servers.iter().map(|(key, server)| Step::AddServer {
            service,
            key: *key,
            server: *server,
        }));
    }
    let names = pairs.deaf(state.vips.keys(), spec.route.dev.as_ref())?;
    let want = Want { sysctls: names.clone(), ..Want::default() };
    let lent = host.with(|session| {
        let now = session.see(&want)?.sysctls.clone();
        let off = names.iter().filter_map(|name| Some((name, now.get(name).filter(|value| *value != "1")?)));
        steps.extend(off.map(|(name, from)| Step::SetSysctl {
            name: name.clone(),
            from: from.clone(),
            to: "1".to_string(),
        }));
        session.lend(steps.into_iter().map(Action::from).collect())
    })?;
    Ok(Some(lent))
}
