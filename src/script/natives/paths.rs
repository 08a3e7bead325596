//! Local routes for marks, and what unpacks tunnels.

use mlua::Value;

use super::{Call, read};
use crate::backend::Want;
use crate::model::{Fou, Installed, State, TunnelDevice};
use crate::plan::{Step, refusal};
use crate::script::build;
use crate::script::fault::Checked;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{
    GUE_PORT, GUE_PORT_GONE, GUE_PORT_RECORD, LOCAL_ROUTE, LOCAL_ROUTE_GONE, ROUTE_RECORD, RULE_RECORD,
    TUNNEL_DEVICE, TUNNEL_DEVICE_GONE, TUNNEL_DEVICE_RECORD, Ty,
};

pub static ENTRIES: &[Entry] = &[
    Entry::new("lvs.rules", "routes", &[], Run::Native(rules), "Rules that send a mark to a routing table.")
        .returns("LvsRule[]")
        .like("ip rule; ip -6 rule")
        .example("for _, r in ipairs(lvs.rules()) do print(r.mark, r.table, r.ours) end"),
    Entry::new(
        "lvs.routes",
        "routes",
        &[],
        Run::Native(routes),
        "Routing tables that deliver every packet to this machine.",
    )
    .returns("LvsRoute[]")
    .like("ip route show table all type local")
    .example("for _, r in ipairs(lvs.routes()) do print(r.table, r.family, r.ours) end"),
    Entry::new(
        "lvs.add_local_route",
        "routes",
        &[Param::new("spec", &Ty::Table(&LOCAL_ROUTE), "The mark and the table.")],
        Run::Native(add_local_route),
        "Delivers marked packets to this machine although it does not have their address. \
         Several marks can share a table.",
    )
    .changes(&["EEXIST"])
    .like("ip route add local default dev lo table 100; ip rule add fwmark 3 lookup 100 priority 100")
    .example("lvs.add_local_route { mark = 3, table = 100 }"),
    Entry::new(
        "lvs.del_local_route",
        "routes",
        &[Param::new("spec", &Ty::Table(&LOCAL_ROUTE_GONE), "The mark and the table.")],
        Run::Native(del_local_route),
        "Removes the rule of a mark, and the route of ours when no other rule leads to it.",
    )
    .changes(&["ENOENT", "ESRCH"])
    .like("ip rule del fwmark 3 lookup 100 priority 100; ip route del local default dev lo table 100")
    .example("lvs.del_local_route { mark = 3, table = 100, missing_ok = true }"),
    Entry::new(
        "lvs.tunnels",
        "tunnels",
        &[],
        Run::Native(tunnels),
        "Devices of the kinds that unpack what a director sends.",
    )
    .returns("LvsTunnelDevice[]")
    .like("ip -d link show type ipip")
    .example("for _, t in ipairs(lvs.tunnels()) do print(t.dev, t.type, t.up) end"),
    Entry::new(
        "lvs.add_tunnel",
        "tunnels",
        &[Param::new("spec", &Ty::Table(&TUNNEL_DEVICE), "The device and its kind.")],
        Run::Native(add_tunnel),
        "Makes a device that unpacks tunnelled packets of any sender, and raises it. One of each kind can be.",
    )
    .changes(&["EEXIST", "EOPNOTSUPP"])
    .like("ip link add lvsh-ipip type ipip external; ip link set lvsh-ipip up")
    .example("lvs.add_tunnel { dev = \"lvsh-ipip\", type = \"ipip\" }"),
    Entry::new(
        "lvs.del_tunnel",
        "tunnels",
        &[Param::new("spec", &Ty::Table(&TUNNEL_DEVICE_GONE), "The device.")],
        Run::Native(del_tunnel),
        "Removes a tunnel device, and its addresses with it.",
    )
    .changes(&["ENODEV"])
    .like("ip link del lvsh-ipip")
    .example("lvs.del_tunnel { dev = \"lvsh-ipip\", missing_ok = true }"),
    Entry::new("lvs.gue_ports", "tunnels", &[], Run::Native(gue_ports), "UDP ports that unpack GUE.")
        .returns("LvsGUEPort[]")
        .like("ip fou show")
        .example("for _, g in ipairs(lvs.gue_ports()) do print(g.port, g.family) end"),
    Entry::new(
        "lvs.add_gue_port",
        "tunnels",
        &[Param::new("spec", &Ty::Table(&GUE_PORT), "The port.")],
        Run::Native(add_gue_port),
        "Opens a UDP port that unpacks GUE; a tunnel device gets what was in it.",
    )
    .changes(&["EADDRINUSE", "no_fou"])
    .like("ip fou add port 6080 gue")
    .example("lvs.add_gue_port { port = 6080 }"),
    Entry::new(
        "lvs.del_gue_port",
        "tunnels",
        &[Param::new("spec", &Ty::Table(&GUE_PORT_GONE), "The port.")],
        Run::Native(del_gue_port),
        "Closes such a port.",
    )
    .changes(&["EINVAL"])
    .like("ip fou del port 6080")
    .example("lvs.del_gue_port { port = 6080, missing_ok = true }"),
];

fn want_routes() -> Want {
    Want { routes: true, ..Want::default() }
}

fn want_tunnels() -> Want {
    Want { tunnels: true, ..Want::default() }
}

/// Takes what is needed out of what the script sees.
fn seen<T>(call: &Call<'_>, want: &Want, take: impl FnOnce(&State) -> T) -> Checked<T> {
    Ok(call.host.with(|session| Ok(take(session.see(want)?)))?)
}

fn rules(call: &mut Call<'_>) -> Checked<Value> {
    let rules = seen(call, &want_routes(), |state| state.rules.clone())?;
    let mut out = Vec::with_capacity(rules.len());
    for (key, rule) in rules {
        let data = read::table(call.lua)?;
        read::set(&data, "mark", key.mark.get())?;
        read::set(&data, "table", key.table.get())?;
        read::set(&data, "family", key.family.to_string())?;
        read::set(&data, "priority", key.priority)?;
        read::set(&data, "ours", rule.is_ours())?;
        out.push(call.records.plain(call.lua, &RULE_RECORD, data)?);
    }
    call.records.list(call.lua, out)
}

fn routes(call: &mut Call<'_>) -> Checked<Value> {
    let routes = seen(call, &want_routes(), |state| state.routes.clone())?;
    let mut out = Vec::with_capacity(routes.len());
    for (key, route) in routes {
        let data = read::table(call.lua)?;
        read::set(&data, "table", key.table.get())?;
        read::set(&data, "family", key.family.to_string())?;
        read::set(&data, "ours", route.is_ours())?;
        out.push(call.records.plain(call.lua, &ROUTE_RECORD, data)?);
    }
    call.records.list(call.lua, out)
}

fn add_local_route(call: &mut Call<'_>) -> Checked<Value> {
    let (rule, route) = build::local_route(&call.row(0)?).map_err(|fault| fault.arg(0))?;
    let there = seen(call, &want_routes(), |state| state.routes.get(&route).copied())?;
    // One route of ours does for all rules that lead to it.
    let shared = rule.is_some() && there.is_some_and(Installed::is_ours);
    let mut steps = Vec::new();
    if !shared {
        steps.push(Step::AddRoute { key: route, route: Installed::ours() });
    }
    steps.extend(rule.map(|key| Step::AddRule { key, rule: Installed::ours() }));
    call.effect(steps)?;
    if shared {
        call.host.with(|session| {
            session.claim_route(&route);
            Ok(())
        })?;
    }
    Ok(Value::Nil)
}

fn del_local_route(call: &mut Call<'_>) -> Checked<Value> {
    let row = call.row(0)?;
    let missing_ok = row.bool("missing_ok") == Some(true);
    let (rule, route) = build::local_route(&row).map_err(|fault| fault.arg(0))?;
    let (rules, there) =
        seen(call, &want_routes(), |state| (state.rules.clone(), state.routes.get(&route).copied()))?;
    let mut steps = Vec::new();
    if let Some(key) = rule {
        match rules.get(&key) {
            Some(rule) => steps.push(Step::DelRule { key, rule: *rule }),
            None if missing_ok => {}
            None => {
                return Err(refusal(&Step::DelRule { key, rule: Installed::ours() }, libc::ENOENT).into());
            }
        }
        let leads = |other: &crate::model::RuleKey| {
            (other.family, other.table) == (route.family, route.table) && *other != key
        };
        let last = !rules.keys().any(leads);
        let ours = there.filter(|there| last && there.is_ours());
        steps.extend(ours.map(|there| Step::DelRoute { key: route, route: there }));
    } else {
        match there {
            Some(there) => steps.push(Step::DelRoute { key: route, route: there }),
            None if missing_ok => {}
            None => {
                let step = Step::DelRoute { key: route, route: Installed::ours() };
                return Err(refusal(&step, libc::ESRCH).into());
            }
        }
    }
    call.effect(steps)?;
    Ok(Value::Nil)
}

fn tunnels(call: &mut Call<'_>) -> Checked<Value> {
    let tunnels = seen(call, &want_tunnels(), |state| state.tunnels.clone())?;
    let mut out = Vec::with_capacity(tunnels.len());
    for (dev, tunnel) in tunnels {
        let data = read::table(call.lua)?;
        read::set(&data, "dev", dev.name())?;
        read::set(&data, "type", tunnel.kind.name())?;
        read::set(&data, "from_anyone", tunnel.from_anyone)?;
        read::set(&data, "checksum", tunnel.checksum)?;
        read::set(&data, "up", tunnel.up)?;
        read::set(&data, "rp_filter", tunnel.rp_filter)?;
        read::set(&data, "ours", tunnel.is_ours())?;
        out.push(call.records.plain(call.lua, &TUNNEL_DEVICE_RECORD, data)?);
    }
    call.records.list(call.lua, out)
}

fn add_tunnel(call: &mut Call<'_>) -> Checked<Value> {
    let (dev, tunnel) = build::tunnel_device(&call.row(0)?).map_err(|fault| fault.arg(0))?;
    seen(call, &want_tunnels(), |_| ())?;
    call.effect(vec![Step::AddTunnel { dev, tunnel }])?;
    Ok(Value::Nil)
}

fn del_tunnel(call: &mut Call<'_>) -> Checked<Value> {
    let row = call.row(0)?;
    let dev = build::device(&row).map_err(|fault| fault.arg(0))?;
    // What goes with it must be known, so that it is not missed later.
    let want = Want { vips: true, ..want_tunnels() };
    match seen(call, &want, |state| state.tunnels.get(&dev).cloned())? {
        Some(tunnel) => call.effect(vec![Step::DelTunnel { dev, tunnel }])?,
        None if row.bool("missing_ok") == Some(true) => {}
        None => {
            let tunnel = TunnelDevice::ours(crate::model::DeviceKind::Ipip, false);
            return Err(refusal(&Step::DelTunnel { dev, tunnel }, libc::ENODEV).into());
        }
    }
    Ok(Value::Nil)
}

fn gue_ports(call: &mut Call<'_>) -> Checked<Value> {
    let fous = seen(call, &want_tunnels(), |state| state.fous.clone())?;
    let mut out = Vec::new();
    for (key, _) in fous.into_iter().filter(|(_, fou)| *fou == Fou::Gue) {
        let data = read::table(call.lua)?;
        read::set(&data, "port", key.port)?;
        read::set(&data, "family", key.family.to_string())?;
        out.push(call.records.plain(call.lua, &GUE_PORT_RECORD, data)?);
    }
    call.records.list(call.lua, out)
}

fn add_gue_port(call: &mut Call<'_>) -> Checked<Value> {
    let key = build::gue_port(&call.row(0)?);
    seen(call, &want_tunnels(), |_| ())?;
    call.effect(vec![Step::AddFou { key, fou: Fou::Gue }])?;
    Ok(Value::Nil)
}

fn del_gue_port(call: &mut Call<'_>) -> Checked<Value> {
    let row = call.row(0)?;
    let key = build::gue_port(&row);
    match seen(call, &want_tunnels(), |state| state.fous.get(&key).copied())? {
        Some(fou) => call.effect(vec![Step::DelFou { key, fou }])?,
        None if row.bool("missing_ok") == Some(true) => {}
        None => return Err(refusal(&Step::DelFou { key, fou: Fou::Gue }, libc::EINVAL).into()),
    }
    Ok(Value::Nil)
}
