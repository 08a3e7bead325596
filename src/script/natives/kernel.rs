//! Kernel settings: sysctls, timeouts, sync daemons, and what this kernel is.

use mlua::Value;

use super::{Call, read};
use crate::backend::Want;
use crate::model::{IfName, SYSCTLS, SyncDaemon, Sysctl, SysctlName};
use crate::plan::{Step, refusal};
use crate::script::build;
use crate::script::convert::Val;
use crate::script::fault::{Checked, Fault};
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{
    INFO_RECORD, SYNC, SYNC_GONE, SYNC_RECORD, SYSCTL_RECORD, SYSCTL_VALUE, TIMEOUTS, TIMEOUTS_RECORD, Ty,
};

const GROUP: &str = "kernel";

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.sysctl",
        GROUP,
        &[
            Param::new("name", &Ty::Setting, "With dots; net.ipv4.vs. may be left out."),
            Param::new("value", &SYSCTL_VALUE, "The new value; left out, it is only read.").optional(),
        ],
        Run::Asks(sysctl),
        "Reads a kernel setting, or sets it. nil when this kernel does not have it, a string where it is not one number; \
         lvs.sysctls says what each does and costs.",
    )
    .returns("integer|string|nil")
    .changes(&["ENOENT", "EINVAL"])
    .like("sysctl net.ipv4.vs.conntrack")
    .example("if lvs.sysctl \"expire_quiescent_template\" == 0 then print \"templates stay\" end"),
    Entry::new(
        "lvs.sysctls",
        GROUP,
        &[Param::new("name", &Ty::Setting, "One of them; all when left out.").optional()],
        Run::Native(sysctls),
        "The settings that matter to a director: their value here (nil where this kernel lacks them), what they may be, \
         what they do, and what each choice costs.",
    )
    .returns("LvsSysctl[]")
    .like("sysctl -a -r ^net.ipv4.vs")
    .example("for _, s in ipairs(lvs.sysctls()) do print(s.name, s.value, s.doc, s.cost) end"),
    Entry::new("lvs.timeouts", GROUP, &[], Run::Native(timeouts), "Timeouts of connection entries, seconds.")
        .returns("LvsTimeouts")
        .like("ipvsadm -Ln --timeout")
        .example("print(lvs.timeouts().tcp)"),
    Entry::new(
        "lvs.set_timeouts",
        GROUP,
        &[Param::new("spec", &Ty::Table(&TIMEOUTS), "Those to change.")],
        Run::Native(set_timeouts),
        "Sets timeouts of connection entries; what is left out stays.",
    )
    .changes(&["EINVAL"])
    .like("ipvsadm --set 900 120 300")
    .example("lvs.set_timeouts { tcp = \"15m\", udp = 300 }"),
    Entry::new("lvs.syncs", GROUP, &[], Run::Native(syncs), "The sync daemons that run.")
        .returns("LvsSyncDaemon[]")
        .like("ipvsadm -Ln --daemon")
        .example("for _, d in ipairs(lvs.syncs()) do print(d.role, d.dev) end"),
    Entry::new(
        "lvs.start_sync",
        GROUP,
        &[Param::new("spec", &Ty::Table(&SYNC), "The daemon.")],
        Run::Native(start_sync),
        "Starts a sync daemon: master sends connections, backup receives them. Both may run.",
    )
    .changes(&["EEXIST", "ENODEV", "EINVAL"])
    .like("ipvsadm --start-daemon master --mcast-interface eth0 --syncid 1")
    .example("lvs.start_sync { role = \"master\", dev = \"eth0\", id = 1 }"),
    Entry::new(
        "lvs.stop_sync",
        GROUP,
        &[Param::new("spec", &Ty::Table(&SYNC_GONE), "Which one.")],
        Run::Native(stop_sync),
        "Stops a sync daemon.",
    )
    .changes(&["ESRCH"])
    .like("ipvsadm --stop-daemon master")
    .example("lvs.stop_sync { role = \"master\", missing_ok = true }"),
    Entry::new("lvs.info", GROUP, &[], Run::Native(info), "What this kernel's IPVS is and can do.")
        .returns("LvsInfo")
        .example("print(lvs.info().version)"),
];

fn want_host() -> Want {
    Want { host: true, ..Want::default() }
}

fn sysctl(call: &mut Call<'_>) -> Checked<Value> {
    let Val::Str(name) = call.take(0) else { return Ok(Value::Nil) };
    let name = SysctlName::new(&name).map_err(|why| Fault::bad(why).arg(0))?;
    let want = Want { sysctls: [name.clone()].into(), ..Want::default() };
    let from = call.host.with(|session| Ok(session.see(&want)?.sysctls.get(&name).cloned()))?;
    let value = call.take(1);
    if matches!(value, Val::Nil) {
        return match from.map(|text| (text.trim().parse::<i64>(), text)) {
            None => absent(&name),
            Some((Ok(number), _)) => Ok(Value::Integer(number)),
            Some((Err(_), text)) => read::text(call.lua, text.trim()),
        };
    }
    call.host.with(|session| session.may_change())?;
    let to = build::sysctl_value(&name, &value).map_err(|fault| fault.arg(1))?;
    match from {
        Some(from) if from.trim() == to => call.host.with(|session| {
            session.claim_sysctl(&name);
            Ok(())
        })?,
        Some(from) => call.effect(vec![Step::SetSysctl { name, from, to }])?,
        None => return Err(refusal(&Step::SetSysctl { name, from: String::new(), to }, libc::ENOENT).into()),
    }
    Ok(Value::Nil)
}

fn sysctls(call: &mut Call<'_>) -> Checked<Value> {
    let only = match call.take(0) {
        Val::Str(name) => Some(SysctlName::new(&name).map_err(|why| Fault::bad(why).arg(0))?),
        _ => None,
    };
    let rows: Vec<(&Sysctl, SysctlName)> = match only {
        Some(name) => match Sysctl::of(&name) {
            Some(known) => vec![(known, name)],
            None => return absent(&name).and_then(|_| call.records.list(call.lua, Vec::new())),
        },
        // Of those that each device has, the one that counts for all of them.
        None => SYSCTLS
            .iter()
            .filter_map(|known| Some((known, SysctlName::new(&known.full_name().replace('*', "all")).ok()?)))
            .collect(),
    };
    let want = Want { sysctls: rows.iter().map(|(_, name)| name.clone()).collect(), ..Want::default() };
    let values = call.host.with(|session| Ok(session.see(&want)?.sysctls.clone()))?;
    let mut out = Vec::with_capacity(rows.len());
    for (known, name) in rows {
        let data = read::table(call.lua)?;
        read::set(&data, "name", name.name())?;
        read::set(&data, "value", values.get(&name).map(String::as_str))?;
        read::set(&data, "values", known.values.describe())?;
        for (field, text) in [("default", known.default), ("unit", known.unit), ("since", known.since)] {
            read::set(&data, field, Some(text).filter(|text| !text.is_empty()))?;
        }
        read::set(&data, "doc", known.doc)?;
        read::set(&data, "cost", known.cost)?;
        out.push(call.records.plain(call.lua, &SYSCTL_RECORD, data)?);
    }
    call.records.list(call.lua, out)
}

/// A setting that this kernel does not have is nil, as kernels differ; a name that is nearly another's is a mistake.
fn absent(name: &SysctlName) -> Checked<Value> {
    let error = refusal(
        &Step::SetSysctl { name: name.clone(), from: String::new(), to: String::new() },
        libc::ENOENT,
    );
    match (Sysctl::of(name), &error.hint) {
        (None, Some(near)) => {
            let text = format!("unknown sysctl '{name}'  {near}");
            let mut fault = Fault::bad(text).arg(0);
            fault.label.clone_from(near);
            Err(fault)
        }
        _ => Ok(Value::Nil),
    }
}

fn timeouts(call: &mut Call<'_>) -> Checked<Value> {
    let now = call.host.with(|session| Ok(session.see(&want_host())?.timeouts))?;
    let data = read::table(call.lua)?;
    read::set(&data, "tcp", now.tcp)?;
    read::set(&data, "tcp_fin", now.tcp_fin)?;
    read::set(&data, "udp", now.udp)?;
    call.records.plain(call.lua, &TIMEOUTS_RECORD, data)
}

fn set_timeouts(call: &mut Call<'_>) -> Checked<Value> {
    let asked = build::timeouts(&call.row(0)?);
    let from = call.host.with(|session| Ok(session.see(&want_host())?.timeouts))?;
    let to = asked.over(from);
    if from != to {
        call.effect(vec![Step::SetTimeouts { from, to }])?;
    }
    call.host.with(|session| {
        session.claim_timeouts(asked);
        Ok(())
    })?;
    Ok(Value::Nil)
}

fn syncs(call: &mut Call<'_>) -> Checked<Value> {
    let now = call.host.with(|session| Ok(session.see(&want_host())?.syncs.clone()))?;
    let mut out = Vec::new();
    for (role, daemon) in now {
        let data = read::table(call.lua)?;
        read::set(&data, "role", role.to_string())?;
        read::set(&data, "dev", daemon.dev.name())?;
        read::set(&data, "id", daemon.id)?;
        read::set(&data, "group", daemon.group.to_string())?;
        read::set(&data, "port", daemon.port)?;
        read::set(&data, "ttl", daemon.ttl)?;
        read::set(&data, "maxlen", daemon.maxlen)?;
        out.push(call.records.plain(call.lua, &SYNC_RECORD, data)?);
    }
    call.records.list(call.lua, out)
}

fn start_sync(call: &mut Call<'_>) -> Checked<Value> {
    let (role, daemon) = build::sync(&call.row(0)?).map_err(|fault| fault.arg(0))?;
    call.host.with(|session| session.see(&want_host()).map(|_| ()))?;
    call.effect(vec![Step::StartSync { role, daemon }])?;
    Ok(Value::Nil)
}

fn stop_sync(call: &mut Call<'_>) -> Checked<Value> {
    let row = call.row(0)?;
    let role = build::sync_role(&row);
    let there = call.host.with(|session| Ok(session.see(&want_host())?.syncs.get(&role).cloned()))?;
    match there {
        Some(daemon) => call.effect(vec![Step::StopSync { role, daemon }])?,
        None if row.bool("missing_ok") == Some(true) => {}
        None => {
            let dev = IfName::new("none").map_err(Fault::bad)?;
            return Err(
                refusal(&Step::StopSync { role, daemon: SyncDaemon::new(dev, 0) }, libc::ESRCH).into()
            );
        }
    }
    Ok(Value::Nil)
}

fn info(call: &mut Call<'_>) -> Checked<Value> {
    let can = call.host.with(|session| session.capabilities())?;
    let data = read::table(call.lua)?;
    read::set(&data, "version", can.version)?;
    read::set(&data, "release", can.release)?;
    read::set(&data, "conn_tab_size", can.conn_tab_size)?;
    read::set(&data, "lvsh", env!("CARGO_PKG_VERSION"))?;
    if let Some(names) = can.schedulers {
        let names = names.iter().map(|name| read::text(call.lua, name)).collect::<Checked<Vec<_>>>()?;
        read::set(&data, "schedulers", call.records.list(call.lua, names)?)?;
    }
    call.records.plain(call.lua, &INFO_RECORD, data)
}
