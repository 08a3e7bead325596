//! import: a policy file from the running machine or from what was saved; or straight back onto the machine.

mod apply;
mod source;

pub use source::json as read_json;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json as value;

use super::context::Context;
use super::done::Done;
use super::export::{Format, name_of};
use crate::error::{Error, Kind, Result};
use crate::model::Fou;
use crate::plan::Dump;
use crate::view::{Exported, Policy, policy};

/// What `lvsh import` takes.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What to read: ipvsadm -S, lvsh export or a policy; - is stdin; left out, the running machine
    pub file: Option<PathBuf>,
    /// What the file is, where it cannot be guessed
    #[arg(long = "as", value_name = "FORMAT")]
    pub format: Option<Format>,
    /// The policy's name
    #[arg(long, value_name = "NAME", conflicts_with = "apply")]
    pub name: Option<String>,
    /// Write the policy to this file, which must not exist yet
    #[arg(short, long, value_name = "FILE", conflicts_with = "apply")]
    pub output: Option<PathBuf>,
    /// Make it so on this machine instead, all or nothing; what the file does not name stays
    #[arg(long, requires = "file")]
    pub apply: bool,
    /// With --apply: remove what the file speaks of and does not name
    #[arg(long, requires = "apply")]
    pub replace: bool,
}

pub fn import(context: &Context, arguments: &Arguments) -> Result<Done> {
    let Arguments { file, format, name, output, apply, replace } = arguments;
    let mut dump = match file {
        Some(file) => source::read(context, file, *format)?,
        None => Dump::whole(context.backend(true)?.snapshot(&Dump::want())?.state),
    };
    if *apply {
        return apply::apply(context, &dump, *replace);
    }
    let ways = dump.state.hide_ways();
    if ways > 0 {
        let what = if ways == 1 { "1 service" } else { &format!("{ways} services") };
        context.warn(
            "not imported",
            format!("{what} that health checks go through; health = {{ via = \"vip\" }} makes them"),
        );
    }
    let read = file.as_deref().filter(|file| *file != Path::new("-"));
    let name = name.clone().unwrap_or_else(|| name_of(&dump, output.as_deref().or(read)));
    crate::script::check_name(&name)
        .map_err(|why| Error::new(Kind::Usage, "bad_value", why).hint("give --name"))?;
    let Exported { text, left_out } =
        policy(&Policy { dump: &dump, name: &name, head: &head(file, output, &name) });
    for line in &left_out {
        context.warn("not imported", line);
    }
    let done = match output {
        None => Done::answer(text.clone()).with("script", text),
        Some(path) => {
            write(path, &text)?;
            let said = format!("{} written: {}\n", path.display(), counted(&dump));
            Done::text(said).with("path", path.display().to_string())
        }
    };
    Ok(done.with("policy", name).with("left_out", value!(left_out)))
}

/// What the reader of the file wants to know first.
fn head(file: &Option<PathBuf>, output: &Option<PathBuf>, name: &str) -> Vec<String> {
    let from = match file {
        None => "the running machine".to_string(),
        Some(path) if path == Path::new("-") => "stdin".to_string(),
        Some(path) => path.display().to_string(),
    };
    let path = output.as_ref().map_or_else(|| name.to_string(), |path| path.display().to_string());
    vec![
        format!("{name}: written by lvsh import from {from}."),
        format!(
            "lvsh plan {path} says what would change; lvsh apply {path} takes over what is there already."
        ),
    ]
}

/// Never over a file that is there: it may be somebody's work.
fn write(path: &Path, text: &str) -> Result<()> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    let mut file = open().map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Error::new(Kind::Usage, "EEXIST", format!("{} exists and is not overwritten", path.display()))
                .hint("give another file, or remove it first")
        }
        _ => Error::io("write", path, &error),
    })?;
    file.write_all(text.as_bytes()).map_err(|error| Error::io("write", path, &error))
}

/// `12 services with 40 servers, 3 marks, 1 address`
fn counted(dump: &Dump) -> String {
    let state = &dump.state;
    let servers: usize = state.services.values().map(|entry| entry.servers.len()).sum();
    let ours = state.vips.values().filter(|vip| vip.is_ours()).count();
    let plural =
        |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let services = plural(state.services.len(), "service", "services");
    let mut out = format!("{services} with {}", plural(servers, "server", "servers"));
    let routes = state.routes.values().filter(|route| route.is_ours()).count();
    let tunnels = state.tunnels.values().filter(|tunnel| tunnel.is_ours()).count();
    let ports = state.fous.values().filter(|fou| **fou == Fou::Gue).count();
    for (count, one, many) in [
        (state.marks.len(), "mark", "marks"),
        (ours, "address", "addresses"),
        (routes, "local route", "local routes"),
        (tunnels, "tunnel device", "tunnel devices"),
        (ports, "GUE port", "GUE ports"),
    ] {
        if count > 0 {
            out.push_str(&format!(", {}", plural(count, one, many)));
        }
    }
    out
}
