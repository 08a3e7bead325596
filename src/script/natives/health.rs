//! What the health part of a policy needs of Rust: its pool, asking it, and setting weights with their reasons.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use mlua::{Lua, Table, Value};

use super::policy::{Inner, Kept, kept};
use super::probes::{self, Target};
use super::read::{set, table};
use super::ways::{self, Ways};
use crate::backend::{Services, Want};
use crate::model::{Server, ServerKey, ServiceEntry, ServiceKey, Weight};
use crate::plan::{Action, Declared, Step, Thing};
use crate::probe::Check;
use crate::script::build::{self, Probe};
use crate::script::convert::{Row, Val};
use crate::script::fault::{Checked, Fault};
use crate::script::host::Host;
use crate::script::records::lua_fault;

/// How a policy cares for its servers, as far as Lua does not decide it.
#[derive(Debug, Default)]
pub struct Care {
    probes: Vec<Probe>,
    /// How servers are reached through IPVS, when checks go there.
    ways: Ways,
    /// For each service.
    sorry: BTreeMap<ServiceKey, (ServerKey, Server)>,
}

/// Reads what a policy says of health; the rules become a Lua table for `lua/health.lua`.
pub fn care(lua: &Lua, policy: &str, row: &mut Row, declared: &mut Declared) -> Checked<(Care, Table)> {
    let rules = table(lua)?;
    let mut care = Care::default();
    if let Val::Row(mut health) = row.take("health") {
        care.probes = probes_of(&mut health).map_err(|fault| fault.under("health"))?;
        let ways = ways::declare(&care.probes, &health, policy, declared);
        care.ways = ways.map_err(|fault| fault.under("health"))?;
        for name in ["rise", "fall", "min_up", "panic", "quorum", "hysteresis", "max_change"] {
            set(&rules, name, health.int(name))?;
        }
        for name in ["need", "initial", "down"] {
            set(&rules, name, health.str(name))?;
        }
        if let (Some(quorum), Some(hysteresis)) = (health.int("quorum").or(Some(1)), health.int("hysteresis"))
            && hysteresis >= quorum
        {
            let why = format!("bad value for 'hysteresis': {hysteresis} is not below the quorum ({quorum})");
            return Err(Fault::bad(why).under("hysteresis").under("health"));
        }
        if let Some(flap) = health.row("flap") {
            let inner = table(lua)?;
            set(&inner, "changes", flap.int("changes"))?;
            set(&inner, "within", flap.seconds("within"))?;
            set(&inner, "hold", flap.seconds("hold"))?;
            set(&rules, "flap", inner)?;
        }
    }
    if let Some(slow) = row.row("slow_start") {
        let inner = table(lua)?;
        set(&inner, "over", slow.seconds("over"))?;
        set(&inner, "from", slow.int("from").unwrap_or(1))?;
        set(&rules, "slow_start", inner)?;
    }
    if let Some(drain) = row.row("drain") {
        let inner = table(lua)?;
        set(&inner, "timeout", drain.seconds("timeout"))?;
        set(&inner, "remove", drain.bool("remove").unwrap_or(false))?;
        set(&inner, "evict", drain.bool("evict").unwrap_or(false))?;
        set(&rules, "drain", inner)?;
    }
    if let Some(sorry) = row.row("sorry") {
        for (key, entry) in &declared.services {
            let (server, value) = build::server(sorry, key).map_err(|fault| fault.under("sorry"))?;
            if entry.servers.contains_key(&server) {
                let why = format!("bad value for 'sorry': {server} is a real server of {key} already");
                return Err(Fault::bad(why).under("sorry"));
            }
            care.sorry.insert(*key, (server, value));
        }
        set(&rules, "sorry", true)?;
    }
    Ok((care, rules))
}

fn probes_of(health: &mut Row) -> Checked<Vec<Probe>> {
    let Val::List(list) = health.take("probes") else { return Ok(vec![build::probe(health)?]) };
    let mut probes = Vec::new();
    for (index, val) in list.into_iter().enumerate() {
        if let Val::Row(mut row) = val {
            probes.push(build::probe(&mut row).map_err(|fault| fault.item(index + 1).under("probes"))?);
        }
    }
    match probes.is_empty() {
        true => Err(Fault::bad("bad value for 'probes': there is no probe").under("probes")),
        false => Ok(probes),
    }
}

impl Care {
    /// Whether two servers of one address are one to the probes: none of them asks at the server's own port.
    fn by_address(&self) -> bool {
        let anywhere =
            |probe: &Probe| probe.port.is_some() || matches!(probe.check, Check::Ping | Check::Exec(_));
        !self.probes.is_empty() && self.probes.iter().all(anywhere)
    }

    /// A server to the probes, whichever way they take to it.
    fn server(&self, key: &ServerKey) -> String {
        if self.by_address() { key.addr.to_string() } else { key.to_string() }
    }

    /// What is asked for a server of a service: one target that several services share is one question.
    fn target(&self, service: &ServiceKey, key: &ServerKey) -> String {
        let bare = self.server(key);
        match self.ways.get(&(*service, *key)) {
            Some(way) => format!("{bare} via {}", way.vip),
            None => bare,
        }
    }
}

pub const INNER: &[(&str, Inner)] = &[
    ("now", |_, host, _| Ok(Value::Number(host.outside.clock.since_boot().as_secs_f64()))),
    // A weight that a hook gave, or why it is none.
    ("whole", |_, _, args| match args.first() {
        None | Some(Value::Nil) => Ok(Value::Nil),
        Some(value) => {
            let number = match value {
                Value::Integer(number) => Some(*number as f64),
                Value::Number(number) => Some(*number),
                _ => None,
            };
            let number = number.filter(|number| (0.0..=65535.0).contains(number));
            let number = number.ok_or_else(|| {
                let shown = crate::script::convert::show(value);
                Fault::bad(format!("weight() returned {shown}: it returns a number 0..65535, or nil"))
            })?;
            Ok(Value::Integer(number.round() as i64))
        }
    }),
    ("pool", |lua, host, args| pool(lua, host, &kept(args.first())?)),
    ("ask", |lua, host, args| ask(lua, host, &kept(args.first())?)),
    ("weights", |_, host, args| weights(host, &kept(args.first())?, args.get(1))),
];

/// All declared servers by service, with what is in the table now.
fn pool(lua: &Lua, host: &Rc<Host>, kept: &Kept) -> Checked<Value> {
    let services: BTreeSet<ServiceKey> = kept.declared.services.keys().copied().collect();
    let want = Want { services: Services::Only(services), ..Want::default() };
    let (state, observed) = host.with(|session| {
        let (state, observed) = session.see_live(&want)?;
        Ok((state.clone(), observed.clone()))
    })?;
    let out = table(lua)?;
    for (key, entry) in &kept.declared.services {
        let servers = table(lua)?;
        for (id, server) in &entry.servers {
            let one = table(lua)?;
            set(&one, "id", id.to_string())?;
            set(&one, "addr", id.addr.to_string())?;
            set(&one, "target", kept.care.target(key, id))?;
            set(&one, "base", server.weight.get())?;
            set(&one, "weight", state.server(key, id).map(|server| server.weight.get()))?;
            let live = observed.servers.get(&(*key, *id)).copied().unwrap_or_default();
            set(&one, "active", live.active)?;
            set(&one, "inactive", live.inactive)?;
            set(&one, "persist", live.persist)?;
            servers.raw_push(one).map_err(lua_fault)?;
        }
        let service = table(lua)?;
        set(&service, "service", key.to_string())?;
        set(&service, "servers", servers)?;
        out.raw_push(service).map_err(lua_fault)?;
    }
    Ok(Value::Table(out))
}

/// Asks each target once with all probes, all at the same time: one target shared by several services is one
/// question. Nothing when the policy has no probes.
fn ask(lua: &Lua, host: &Rc<Host>, kept: &Kept) -> Checked<Value> {
    let care = &kept.care;
    if care.probes.is_empty() {
        return Ok(Value::Nil);
    }
    let passages = match care.ways.is_empty() {
        true => BTreeMap::new(),
        false => ways::standing(host, &kept.declared, &care.ways)?,
    };
    let mut targets: BTreeMap<String, Target> = BTreeMap::new();
    for (service, entry) in &kept.declared.services {
        for key in entry.servers.keys() {
            let own =
                [key.port.0, service.port().map_or(0, |port| port.0)].into_iter().find(|port| *port != 0);
            let name = care.target(service, key);
            let way = care.ways.get(&(*service, *key)).and_then(|way| passages.get(way)).cloned();
            let server = care.server(key);
            let target = Target { name: name.clone(), server, addr: key.addr, port: own, service: None, way };
            targets.entry(name).or_insert(target);
        }
    }
    let targets: Vec<Target> = targets.into_values().collect();
    let questions: Vec<(&Target, &Probe)> =
        targets.iter().flat_map(|target| care.probes.iter().map(move |probe| (target, probe))).collect();
    let answers = probes::ask_all(host, &questions)?;
    let out = table(lua)?;
    for ((target, probe), answer) in questions.iter().zip(&answers) {
        let list = match out.raw_get::<Option<Table>>(target.name.as_str()).map_err(lua_fault)? {
            Some(list) => list,
            None => {
                let list = table(lua)?;
                set(&out, &target.name, &list)?;
                list
            }
        };
        let shown = probes::shown(lua, probe, answer)?;
        list.raw_push(shown).map_err(lua_fault)?;
    }
    Ok(Value::Table(out))
}

/// One line of a verdict: the weight of a server, `None` for not in the table, and why.
struct Said {
    service: ServiceKey,
    server: ServerKey,
    weight: Option<Weight>,
    why: String,
}

fn said(declared: &Declared, found: Option<&Value>) -> Checked<(Vec<Said>, BTreeSet<ServiceKey>)> {
    let Some(Value::Table(found)) = found else { return Ok(Default::default()) };
    type Servers = BTreeMap<String, ServerKey>;
    let named = |(key, entry): (&ServiceKey, &Arc<ServiceEntry>)| {
        let servers = entry.servers.keys().map(|server| (server.to_string(), *server));
        (key.to_string(), (*key, servers.collect()))
    };
    let services: BTreeMap<String, (ServiceKey, Servers)> = declared.services.iter().map(named).collect();
    let list: Table = found.get("weights").map_err(lua_fault)?;
    let mut out = Vec::new();
    for row in list.sequence_values::<Table>() {
        let row = row.map_err(lua_fault)?;
        let text = |name: &str| row.get::<String>(name).map_err(lua_fault);
        let Some((service, servers)) = services.get(&text("service")?) else { continue };
        let Some(server) = servers.get(&text("server")?) else { continue };
        let weight = row.get::<Option<u32>>("weight").map_err(lua_fault)?;
        let weight = weight.map(Weight::new).transpose().map_err(Fault::bad)?;
        let (reason, detail) = (text("reason")?, text("detail")?);
        let why = if detail.is_empty() { reason } else { format!("{reason}: {detail}") };
        out.push(Said { service: *service, server: *server, weight, why });
    }
    let sorry: Table = found.get("sorry").map_err(lua_fault)?;
    let wants = |key: &&ServiceKey| sorry.get::<bool>(key.to_string()).unwrap_or(false);
    Ok((out, declared.services.keys().filter(wants).copied().collect()))
}

/// What is declared, with the weights of a verdict.
pub fn weighed(kept: &Kept, found: Option<&Value>) -> Checked<Rc<Declared>> {
    if found.is_none_or(Value::is_nil) {
        return Ok(Rc::clone(&kept.declared));
    }
    let mut declared = (*kept.declared).clone();
    let (said, sorry) = said(&kept.declared, found)?;
    for one in said {
        let Some(entry) = declared.services.get_mut(&one.service) else { continue };
        let entry = Arc::make_mut(entry);
        match (one.weight, entry.servers.get_mut(&one.server)) {
            (Some(weight), Some(server)) if server.weight != weight => {
                server.weight = weight;
                declared.reasons.insert(Thing::Server(one.service, one.server), one.why);
            }
            (None, Some(_)) => {
                entry.servers.remove(&one.server);
                declared.reasons.insert(Thing::Server(one.service, one.server), one.why);
            }
            _ => {}
        }
    }
    for key in sorry {
        if let (Some((id, server)), Some(entry)) =
            (kept.care.sorry.get(&key), declared.services.get_mut(&key))
        {
            Arc::make_mut(entry).servers.insert(*id, *server);
            declared.reasons.insert(Thing::Server(key, *id), "sorry server".to_string());
        }
    }
    Ok(Rc::new(declared))
}

/// Sets the weights of a verdict on what is in the table; what is missing there otherwise is left to apply.
fn weights(host: &Rc<Host>, kept: &Kept, found: Option<&Value>) -> Checked<Value> {
    let (said, sorry) = said(&kept.declared, found)?;
    let services: BTreeSet<ServiceKey> = kept.declared.services.keys().copied().collect();
    let want = Want { services: Services::Only(services), ..Want::default() };
    let state = host.with(|session| Ok(session.see(&want)?.clone()))?;
    let mut actions: Vec<Action> = Vec::new();
    let mut push = |step: Step, why: String| actions.push(Action { step, origin: None, reason: Some(why) });
    for one in said {
        let (service, key) = (one.service, one.server);
        let Some(entry) = state.service(&service) else { continue };
        let declared = kept.declared.services.get(&service).and_then(|entry| entry.servers.get(&key));
        match (entry.servers.get(&key).copied(), one.weight, declared) {
            (Some(from), Some(weight), _) if from.weight != weight => {
                push(Step::SetServer { service, key, from, to: Server { weight, ..from } }, one.why);
            }
            (Some(server), None, _) => push(Step::DelServer { service, key, server }, one.why),
            (None, Some(weight), Some(declared)) => {
                push(Step::AddServer { service, key, server: Server { weight, ..*declared } }, one.why);
            }
            _ => {}
        }
    }
    for (service, (key, server)) in &kept.care.sorry {
        let Some(entry) = state.service(service) else { continue };
        let (service, key, server) = (*service, *key, *server);
        match (sorry.contains(&service), entry.servers.get(&key).copied()) {
            (true, None) => push(Step::AddServer { service, key, server }, "sorry server".to_string()),
            (false, Some(server)) => {
                push(Step::DelServer { service, key, server }, "the service is up again".to_string());
            }
            _ => {}
        }
    }
    // New and stronger servers first: the pool is never empty on the way.
    actions.sort_by_key(|action| crate::plan::rank(&action.step));
    host.with(|session| session.effect(actions))?;
    Ok(Value::Nil)
}
