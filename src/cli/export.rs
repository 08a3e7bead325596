//! export: the machine, or a part of it, as a policy, as what `ipvsadm -R` reads, or as JSON.

use std::collections::BTreeSet;

use super::context::Context;
use super::done::Done;
use super::policy::gone;
use super::store::Store;
use crate::backend::Want;
use crate::error::{Error, Kind, Result};
use crate::model::ServiceKey;
use crate::plan::Dump;
use crate::view::{Exported, Policy, json, json_value, policy, save};
use clap::{Args, ValueEnum};

/// What `lvsh export` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How it is written
    #[arg(long = "as", value_name = "FORMAT", default_value = "lua")]
    pub format: Format,
    /// Only this service, with the marks that lead to it: tcp:192.0.2.1:80, fwm:3; may be repeated
    #[arg(long, value_name = "KEY", conflicts_with = "policy")]
    pub service: Vec<ServiceKey>,
    /// Only what this policy owns
    #[arg(long, value_name = "NAME")]
    pub policy: Option<String>,
}

/// A format that is written and read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A policy file
    Lua,
    /// Lines for ipvsadm -R
    Ipvsadm,
    /// A complete document
    Json,
}

pub fn export(context: &Context, arguments: &Arguments) -> Result<Done> {
    let mut backend = context.backend(true)?;
    let mut see = |want: &Want| Ok(backend.snapshot(want)?.state);
    let dump = match &arguments.policy {
        None if arguments.service.is_empty() => Dump::whole(see(&Dump::want())?),
        None => {
            let state = see(&Dump::want())?;
            if let Some(missing) = arguments.service.iter().find(|key| !state.services.contains_key(key)) {
                let message = format!("there is no service {missing}");
                let error = Error::new(Kind::Usage, "ESRCH", message).about(missing.to_string());
                return Err(error.hint("lvsh list shows what there is"));
            }
            Dump::of_services(state, &BTreeSet::from_iter(arguments.service.iter().copied()))
        }
        Some(name) => {
            let saved = context.store.as_ref().and_then(|store: &Store| store.all().remove(name));
            let saved =
                saved.ok_or_else(|| gone(name).hint("lvsh start makes it exist; export shows what runs"))?;
            Dump::of_policy(&see(&Dump::want_of(&saved.owned))?, &saved.owned)
        }
    };
    let Exported { text, left_out } = match arguments.format {
        // The document of `--json` is the dump itself.
        Format::Json if context.common.json => {
            let fields = json_value(&dump).as_object().cloned().unwrap_or_default();
            return Ok(Done { fields, ..Done::default() });
        }
        Format::Json => return Ok(Done::answer(json(&dump))),
        Format::Lua => {
            let name = arguments.policy.clone().unwrap_or_else(|| name_of(&dump, None));
            let head = [format!("{name}: written by lvsh export.")];
            policy(&Policy { dump: &dump, name: &name, head: &head })
        }
        Format::Ipvsadm => save(&dump),
    };
    for line in &left_out {
        context.warn("not exported", line);
    }
    let done =
        if context.common.json { Done::default().with("script", text.as_str()) } else { Done::default() };
    Ok(Done { text, asked: true, ..done.with("left_out", left_out) })
}

/// What a policy of this dump is called when nobody says it: as the one policy that set its marks, as the file it came
/// from, or after what the machine is.
pub fn name_of(dump: &Dump, file: Option<&std::path::Path>) -> String {
    let owners: BTreeSet<&String> = dump.state.marks.values().map(|entry| &entry.owner).collect();
    let usable = |name: &str| crate::script::check_name(name).is_ok();
    if let Some(only) = owners.first().filter(|name| owners.len() == 1 && usable(name)) {
        return (*only).clone();
    }
    let stem = file.and_then(|file| file.file_stem()).map(|stem| stem.to_string_lossy().into_owned());
    stem.filter(|stem| usable(stem)).unwrap_or_else(|| "director".to_string())
}
