//! `lvs.real_server`: what a machine behind a director needs, as a policy. What that is, is said in
//! `lua/real_server.lua`; here its arguments are checked.

use mlua::{Function, Lua, Table, Value};

use super::policy::{self, named};
use super::{Call, read};
use crate::model::{Family, IfName};
use crate::script::convert::{Row, Val, row};
use crate::script::fault::{Checked, Fault};
use crate::script::raise::OURS;
use crate::script::records::lua_fault;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{POLICY, REAL_SERVER, Ty};

pub static ENTRIES: &[Entry] = &[Entry::new(
    "lvs.real_server",
    "policies",
    &[Param::new("spec", &Ty::Table(&REAL_SERVER), "The addresses, and how packets for them come.")],
    Run::Native(real_server),
    "Declares a real server: addresses that nobody is told of, and what unpacks a tunnel. A policy like any other.",
)
.returns("LvsPolicy")
.like("ip addr add 192.168.1.99/32 dev lo; sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2")
.example("return lvs.real_server { vip = \"192.168.1.99\", method = \"dr\" }")];

const DECIDES: &str = "lvsh.real_server";

/// The Lua part, compiled by the first who needs it.
fn decides(lua: &Lua) -> mlua::Result<Function> {
    if let Value::Function(known) = lua.named_registry_value(DECIDES)? {
        return Ok(known);
    }
    let made: Function = lua.load(include_str!("../../../lua/real_server.lua")).set_name(OURS).call(())?;
    lua.set_named_registry_value(DECIDES, &made)?;
    Ok(made)
}

fn real_server(call: &mut Call<'_>) -> Checked<Value> {
    let mut spec = call.row(0)?;
    let name = named(call, &spec)?;
    let facts = facts(call.lua, &spec).map_err(|fault| fault.arg(0))?;
    let wanted: Table = decides(call.lua).and_then(|decide| decide.call(facts)).map_err(lua_fault)?;
    let mut wanted = row(&wanted, &POLICY, &|_| None)?;
    let hooks = policy::given(call.lua, &mut spec, &["on_start", "on_stop"])?;
    policy::make(call, "real_server", name, &mut wanted, hooks)
}

/// What the Lua part decides from: `vips` (each `addr` and `family`), `method`, `dev`, and of a tunnel `type`, `port`
/// `checksum` (whether GRE has one) and `outer`, the family of its packets if that was said.
fn facts(lua: &Lua, spec: &Row) -> Checked<Table> {
    let method = spec.str("method").unwrap_or("dr");
    let facts = read::table(lua)?;
    read::set(&facts, "method", method)?;
    read::set(&facts, "vips", vips(lua, spec)?)?;
    if method == "dr" {
        if spec.has("tunnel") {
            return Err(Fault::bad("'tunnel' is only for method \"tun\"").under("tunnel"));
        }
        let dev = IfName::new(spec.str("dev").unwrap_or("lo"))
            .map_err(|why| Fault::bad(format!("bad value for 'dev': {why}")).under("dev"))?;
        read::set(&facts, "dev", dev.name())?;
        return Ok(facts);
    }
    if spec.has("dev") {
        let why = "'dev' is only for method \"dr\": a tunnel's addresses are on its own device";
        return Err(Fault::bad(why).under("dev"));
    }
    let tunnel = spec.row("tunnel");
    let word = |name: &str| tunnel.and_then(|tunnel| tunnel.str(name));
    let port = tunnel.and_then(|tunnel| tunnel.u16("port"));
    let kind = word("type").unwrap_or("ipip");
    match (kind, port) {
        ("gue", None) => {
            return Err(Fault::bad("tunnel type gue needs 'port'")
                .hint("the port that the directors send to: tunnel = { type = \"gue\", port = 6080 }")
                .under("tunnel"));
        }
        ("gue", _) | (_, None) => {}
        (other, Some(_)) => {
            return Err(Fault::bad(format!("'port' is only for tunnel type gue, not {other}"))
                .under("port")
                .under("tunnel"));
        }
    }
    read::set(&facts, "type", kind)?;
    let checksum = word("checksum").unwrap_or("none");
    if kind == "gre" && checksum == "remcsum" || kind == "ipip" && checksum != "none" {
        return Err(Fault::bad(format!("tunnel type {kind} has no checksum \"{checksum}\""))
            .under("checksum")
            .under("tunnel"));
    }
    read::set(&facts, "checksum", kind == "gre" && checksum == "csum")?;
    read::set(&facts, "port", port)?;
    read::set(&facts, "outer", word("family"))?;
    Ok(facts)
}

fn vips(lua: &Lua, spec: &Row) -> Checked<Table> {
    let list = read::table(lua)?;
    for (at, val) in spec.list("vip").iter().enumerate() {
        let Val::Net(net) = val else { continue };
        if net.prefix_len() != net.max_prefix_len() {
            let why = format!(
                "bad value for 'vip': {net} is a network, and the machine would answer for all of it; write {}",
                net.addr()
            );
            return Err(Fault::bad(why).item(at + 1).under("vip"));
        }
        let vip = read::table(lua)?;
        read::set(&vip, "addr", net.to_string())?;
        read::set(&vip, "family", Family::of(net.addr()).to_string())?;
        list.raw_set(at + 1, vip).map_err(lua_fault)?;
    }
    match spec.list("vip") {
        [] => {
            Err(Fault::bad("'vip' is empty: a real server without an address takes no packets").under("vip"))
        }
        _ => Ok(list),
    }
}
