//! The machine as a text.

use mlua::Value;

use super::{Call, read};
use crate::plan::Dump;
use crate::script::convert::Val;
use crate::script::fault::Checked;
use crate::script::registry::{Entry, Param, Run};
use crate::script::schema::Ty;
use crate::view::{Exported, Policy, json, policy, save};

const FORMAT: &Ty = &Ty::Enum(&["lua", "ipvsadm", "json"]);

pub static ENTRIES: &[Entry] = &[Entry::new(
    "lvs.export",
    "kernel",
    &[Param::new("format", FORMAT, "A policy (lua, unless said otherwise), lines for ipvsadm -R, or JSON.")
        .optional()],
    Run::Native(export),
    "The machine as a text that makes it again. JSON says everything; what a policy or ipvsadm has no words for is a \
     comment in the one, and a warning beside the other.",
)
.returns("string")
.like("ipvsadm -Sn")
.example("print(lvs.export \"ipvsadm\")")];

fn export(call: &mut Call<'_>) -> Checked<Value> {
    let format = call.take(0);
    let state = call.host.with(|session| Ok(session.see(&Dump::want())?.clone()))?;
    let dump = Dump::whole(state);
    let text = match format {
        Val::Word("json") => json(&dump),
        Val::Word("ipvsadm") => {
            let Exported { text, left_out } = save(&dump);
            let words = left_out.into_iter().map(|line| format!("not exported: {line}"));
            call.host.warnings.borrow_mut().extend(words);
            text
        }
        _ => {
            let name = call.host.owner.borrow().clone();
            let head = [format!("{name}: written by lvs.export.")];
            policy(&Policy { dump: &dump, name: &name, head: &head }).text
        }
    };
    read::text(call.lua, &text)
}
