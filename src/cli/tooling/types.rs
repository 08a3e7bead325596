//! types: what an editor needs to know the API, written beside the policies.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::stubs::{MARK, stubs};
use crate::cli::context::Context;
use crate::cli::done::Done;
use crate::cli::whole::write_whole;
use crate::error::{Error, Kind, Result};
use crate::script::Stdlib;

/// The language server's description of the API.
const STUBS: &str = "lvs.lua";
/// The language server's settings for the folder.
const SETTINGS: &str = ".luarc.json";

/// Arguments of `lvsh types`.
#[derive(Clone, Debug, Args)]
pub struct Types {
    /// The folder of the policies, made if it is not there [default: that of --config-dir]
    pub dir: Option<PathBuf>,
}

/// Writes both files, or neither: what is there and not ours stays.
pub fn types(context: &Context, asked: &Types) -> Result<Done> {
    let dir = asked.dir.as_deref().unwrap_or(&context.common.config_dir);
    let files = [
        (dir.join(STUBS), stubs(), is_our_stub as fn(&str) -> bool),
        (dir.join(SETTINGS), settings(context.common.stdlib.into()), is_our_setting),
    ];
    for (path, text, ours) in &files {
        check(path, text, *ours)?;
    }
    if !context.dry() {
        fs::create_dir_all(dir).map_err(|error| Error::io("make", dir, &error))?;
    }
    let mut said = String::new();
    for (path, text, _) in &files {
        if !context.dry() {
            write_whole(path, text.as_bytes())?;
            readable(path)?;
        }
        said.push_str(&format!("{}\n", path.display()));
    }
    let names: Vec<String> = files.iter().map(|(path, ..)| path.display().to_string()).collect();
    Ok(Done::text(said).with("files", names).with("changed", !context.dry()))
}

/// Editors and man do not run as root.
pub(super) fn readable(path: &Path) -> Result<()> {
    let mode = fs::Permissions::from_mode(0o644);
    fs::set_permissions(path, mode).map_err(|error| Error::io("write", path, &error))
}

fn check(path: &Path, text: &str, ours: fn(&str) -> bool) -> Result<()> {
    match fs::read_to_string(path) {
        Ok(there) if there == text || ours(&there) => Ok(()),
        Ok(_) => {
            let message = format!("{} is there and was not written by lvsh types", path.display());
            let error = Error::new(Kind::Refused, "EEXIST", message);
            Err(error
                .hint("lvsh types DIR writes into another folder; its .luarc.json shows what to take over"))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("read", path, &error)),
    }
}

fn is_our_stub(text: &str) -> bool {
    text.lines().take(3).any(|line| line.contains(MARK))
}

fn is_our_setting(text: &str) -> bool {
    let settings: Option<Value> = serde_json::from_str(text).ok();
    settings.is_some_and(|settings| settings["$comment"].as_str().is_some_and(|words| words.contains(MARK)))
}

/// What scripts do not have, the editor should not offer.
fn settings(stdlib: Stdlib) -> String {
    let builtin = match stdlib {
        Stdlib::Full => json!({}),
        Stdlib::Safe => json!({
            "io": "disable", "debug": "disable", "package": "disable", "ffi": "disable", "jit": "disable",
        }),
    };
    let settings = json!({
        "$comment": format!("{MARK}; written again by the next run of it."),
        "$schema": "https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json",
        "runtime.version": "Lua 5.4",
        "runtime.path": ["?.lua", "lib/?.lua"],
        "runtime.builtin": builtin,
        // EmmyLua's word for: servers[1] need not be checked for nil. LuaLS does not ask.
        "strict.arrayIndex": false,
        "workspace.checkThirdParty": false,
        "workspace.library": [STUBS],
    });
    format!("{settings:#}\n")
}
