//! Plans, desired states, transactions.

use std::cell::RefCell;

use mlua::{Lua, UserData, Value};

use super::policy::declared_of;
use super::{Call, here, read};
use crate::error::Kind;
use crate::plan::{Declared, Plan, Savepoint};
use crate::script::build;
use crate::script::convert::{Val, row};
use crate::script::fault::{Checked, Fault};
use crate::script::host::Host;
use crate::script::raise::Raised;
use crate::script::records::{Records, lua_fault};
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::{APPLY, DESIRED, PLAN_RECORD, STEP_RECORD, Ty};
use crate::view::{ipvsadm, step_text};

const GROUP: &str = "state of things";
static STATE: Ty = Ty::State(&DESIRED);
static STATE_OR_FUNCTION: Ty = Ty::Either(&[Ty::State(&DESIRED), Ty::Function]);
const WANTED: Param = Param::new("desired", &STATE, "What shall exist, as a table or as a policy.");

pub static ENTRIES: &[Entry] = &[
    Entry::new(
        "lvs.apply",
        GROUP,
        &[WANTED, Param::new("options", &Ty::Table(&APPLY), "owner").optional()],
        Run::Native(apply),
        "Makes things so, in place, with the least changes; what is not named is left alone.",
    )
    .changes(&["conflict", "EINVAL", "ENOENT"])
    .example("lvs.apply { service = { fwmark = 3, scheduler = \"sh\" } }"),
    Entry::new(
        "lvs.plan",
        GROUP,
        &[Param::new(
            "desired",
            &STATE_OR_FUNCTION,
            "As for lvs.apply, or a function whose changes are only collected.",
        )],
        Run::Lua,
        "What would be changed. Nothing is sent.",
    )
    .returns("LvsPlan")
    .example("print(lvs.plan(function() lvs.del_service { fwmark = 3 } end).count)"),
    Entry::new(
        "lvs.transaction",
        GROUP,
        &[Param::new("f", &Ty::Function, "What to do; its return values are returned.")],
        Run::Lua,
        "All or nothing: an error in f takes back what f changed, and is raised again.",
    )
    .returns("any")
    .example("lvs.transaction(function() lvs.del_service { fwmark = 3, missing_ok = true } end)"),
];

/// The state a value asks for: of a policy object, or of a table.
fn desired(lua: &Lua, records: &Records, value: Val) -> Checked<std::rc::Rc<Declared>> {
    let Val::Any(Value::Table(table)) = value else {
        return Err(Fault::bad("'desired' is a table, or a policy").arg(0));
    };
    if let Some(declared) = declared_of(lua, &table) {
        return Ok(declared);
    }
    let known = &|table: &mlua::Table| match records.id(table) {
        Some(crate::script::records::Id::Service(key)) => Some(key),
        _ => None,
    };
    let row = row(&table, &DESIRED, known).map_err(|fault| fault.arg(0))?;
    let origin = super::super::raise::caller(lua);
    let built = build::desired(&row, &mut |_, _| origin.clone()).map_err(|fault| fault.arg(0))?;
    Ok(std::rc::Rc::new(built))
}

fn apply(call: &mut Call<'_>) -> Checked<Value> {
    let wanted = call.take(0);
    let declared = desired(call.lua, call.records, wanted)?;
    let owner = match call.take(1) {
        Val::Row(row) => row.str("owner").map(str::to_string),
        _ => None,
    };
    let owner = owner.unwrap_or_else(|| call.host.owner.borrow().clone());
    let origin = call.origin();
    call.host
        .with(|session| session.declare(&declared, &owner, true))
        .map_err(|error| here(error, origin.as_ref()))?;
    Ok(Value::Nil)
}

/// `lvs.plan` of a table: declared on a copy.
pub fn plan_desired(lua: &Lua, host: &Host, records: &Records, value: Value) -> Checked<Value> {
    let declared = desired(lua, records, Val::Any(value))?;
    let owner = host.owner.borrow().clone();
    let plan = host.with(|session| {
        session.rehearse();
        let said = session.declare(&declared, &owner, true);
        let plan = session.rehearsed();
        said.map(|()| plan)
    })?;
    plan_record(lua, records, &plan)
}

/// A plan as a record.
pub fn plan_record(lua: &Lua, records: &Records, plan: &Plan) -> Checked<Value> {
    let mut steps = Vec::with_capacity(plan.len());
    for action in &plan.actions {
        let step = &action.step;
        let data = read::table(lua)?;
        read::set(&data, "op", step.verb())?;
        read::set(&data, "kind", step.kind())?;
        read::set(&data, "subject", step.subject())?;
        read::set(&data, "text", step_text(step))?;
        read::set(&data, "ipvsadm", ipvsadm(step))?;
        if let Some(origin) = &action.origin {
            read::set(&data, "source", origin.file.as_str())?;
            read::set(&data, "line", origin.line)?;
        }
        steps.push(records.plain(lua, &STEP_RECORD, data)?);
    }
    let data = read::table(lua)?;
    read::set(&data, "count", steps.len())?;
    read::set(&data, "steps", records.list(lua, steps)?)?;
    records.plain(lua, &PLAN_RECORD, data)
}

/// A place to go back to, as a Lua value.
pub struct Point(RefCell<Option<Savepoint>>);

impl UserData for Point {}

pub fn mark(lua: &Lua, host: &Host, body: &Value) -> Checked<Value> {
    if !matches!(body, Value::Function(_)) {
        let got = crate::script::convert::show(body);
        return Err(Fault::bad(format!("bad value for 'f': {got} is not a function")).arg(0));
    }
    let point = host.with(|session| Ok(session.mark()))?;
    let made = lua.create_userdata(Point(RefCell::new(Some(point)))).map_err(lua_fault)?;
    Ok(Value::UserData(made))
}

/// Goes back, and says so in the error that made it necessary. When going back fails, that is the error.
pub fn back(lua: &Lua, host: &Host, point: &Value, raised: &Value) -> Checked<Value> {
    let Value::UserData(point) = point else { return Ok(raised.clone()) };
    let point = point.borrow::<Point>().map_err(lua_fault)?.0.borrow_mut().take();
    let Some(point) = point else { return Ok(raised.clone()) };
    let Value::UserData(object) = raised else { return Ok(raised.clone()) };
    let mut error = object.borrow::<Raised>().map_err(lua_fault)?.0.clone();
    match host.with(|session| session.back_to(point)) {
        Ok(said) => error.aftermath = Some(said),
        Err(worse) => {
            error.kind = Kind::RollbackFailed;
            error.notes.extend(worse.notes);
            error.aftermath = Some(worse.message);
        }
    }
    lua.create_userdata(Raised(error)).map(Value::UserData).map_err(lua_fault)
}
