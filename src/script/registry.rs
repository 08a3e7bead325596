//! The one description of the API. Natives are bound from it; help, completion, stubs and the manual are made of it.

use std::sync::LazyLock;

use mlua::Value;

use super::fault::Checked;
use super::natives::{self, Call};
use super::schema::Ty;

/// One function of the API.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// `lvs.add_service`, `service:set_server`, `policy:start`
    pub name: &'static str,
    pub group: &'static str,
    pub params: &'static [Param],
    /// In the words of the Lua language server: `LvsService[]`, `integer|string|nil`. Empty when it returns nothing.
    pub returns: &'static str,
    /// It changes the machine: refused while a policy loads, staged in a plan.
    pub effect: bool,
    /// Codes it may raise beside `bad_value` and `unknown_field`.
    pub raises: &'static [&'static str],
    /// The same with ipvsadm, nft, ip or sysctl; empty when there is none.
    pub like: &'static str,
    pub doc: &'static str,
    /// Lua that can be run where its names exist.
    pub example: &'static str,
    pub(super) run: Run,
}

/// One parameter.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    pub ty: &'static Ty,
    pub optional: bool,
    /// Takes all arguments that are left.
    pub rest: bool,
    pub doc: &'static str,
}

/// What carries a function out.
#[derive(Clone, Copy)]
pub(super) enum Run {
    Native(fn(&mut Call<'_>) -> Checked<Value>),
    /// Whether it changes something depends on its arguments; it asks itself whether it may.
    Asks(fn(&mut Call<'_>) -> Checked<Value>),
    /// It is written in `lua/`.
    Lua,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Run::Native(_) => "Native",
            Run::Asks(_) => "Asks",
            Run::Lua => "Lua",
        })
    }
}

impl Param {
    pub(super) const fn new(name: &'static str, ty: &'static Ty, doc: &'static str) -> Param {
        Param { name, ty, optional: false, rest: false, doc }
    }

    pub(super) const fn optional(mut self) -> Param {
        self.optional = true;
        self
    }

    pub(super) const fn rest(mut self) -> Param {
        self.optional = true;
        self.rest = true;
        self
    }
}

impl Entry {
    /// A function that reads; [`Entry::changes`] and the others say more.
    pub(super) const fn new(
        name: &'static str,
        group: &'static str,
        params: &'static [Param],
        run: Run,
        doc: &'static str,
    ) -> Entry {
        Entry {
            name,
            group,
            params,
            returns: "",
            effect: false,
            raises: &[],
            like: "",
            doc,
            example: "",
            run,
        }
    }

    pub(super) const fn returns(mut self, what: &'static str) -> Entry {
        self.returns = what;
        self
    }

    pub(super) const fn changes(mut self, raises: &'static [&'static str]) -> Entry {
        self.effect = true;
        self.raises = raises;
        self
    }

    pub(super) const fn like(mut self, command: &'static str) -> Entry {
        self.like = command;
        self
    }

    pub(super) const fn example(mut self, lua: &'static str) -> Entry {
        self.example = lua;
        self
    }

    /// `set_server` of `service:set_server`.
    pub fn last(&self) -> &'static str {
        self.name.rsplit(['.', ':']).next().unwrap_or(self.name)
    }

    /// `lvs`, `lvs.log`, `service` or `policy`: what it is found in.
    pub fn owner(&self) -> &'static str {
        self.name.rsplit_once(['.', ':']).map_or("", |(owner, _)| owner)
    }

    /// `lvs.add_service(spec)`, `lvs.services([filter])`
    pub fn signature(&self) -> String {
        let mut text = format!("{}(", self.name);
        for (at, param) in self.params.iter().enumerate() {
            if param.optional {
                text.push('[');
            }
            if at > 0 {
                text.push_str(", ");
            }
            text.push_str(if param.rest { "..." } else { param.name });
        }
        text.push_str(&"]".repeat(self.params.iter().filter(|param| param.optional).count()));
        text.push(')');
        text
    }
}

/// Every function of the API, by group, in the order of the manual.
pub fn registry() -> &'static [Entry] {
    static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| natives::ENTRIES.concat());
    &ALL
}
