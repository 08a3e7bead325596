//! Banner and prompt.

use std::sync::LazyLock;

use clap::CommandFactory;

use super::commands::COMMANDS;
use super::core::Repl;
use super::names::{identifier, policies};
use crate::backend::Want;
use crate::cli::args::Arguments;
use crate::cli::machine::Machine;
use crate::error::{Error, Result, counted};
use crate::plan::Mode;

/// `lvs (live)> `, `lvs (memory, dry +1)> `
pub fn prompt(repl: &Repl<'_>) -> String {
    format!("lvs ({})> ", mode(repl))
}

/// What a change would meet: `live`, `memory`, `netns blue`, `dry +2`, `read-only`.
pub fn mode(repl: &Repl<'_>) -> String {
    let common = &repl.context.common;
    let memory = matches!(repl.context.machine, Machine::Memory(_));
    let mut words = Vec::new();
    if memory {
        words.push("memory".to_string());
    }
    words.extend(common.netns.as_ref().map(|name| format!("netns {name}")));
    match &repl.stage {
        Some(stage) => match stage.plan().len() {
            0 => words.push("dry".to_string()),
            count => words.push(format!("dry +{count}")),
        },
        None if common.read_only => words.push("read-only".to_string()),
        None if !memory => words.insert(0, "live".to_string()),
        None => {}
    }
    words.join(", ")
}

/// Whether a change reaches a kernel.
pub fn is_live(repl: &Repl<'_>) -> bool {
    repl.stage.is_none() && !repl.context.common.read_only && matches!(repl.context.machine, Machine::Kernel)
}

/// Two lines; what cannot be read is told apart.
pub fn banner(repl: &mut Repl<'_>) -> String {
    let mut parts = vec![format!("lvsh {}", env!("CARGO_PKG_VERSION"))];
    let seen = counts(repl);
    match &seen {
        Ok(words) => parts.extend(words.iter().filter(|word| !word.is_empty()).cloned()),
        Err(error) => repl.context.warn("", error.to_string()),
    }
    let names = policies(&repl.context.common.config_dir);
    if !names.is_empty() {
        const SHOWN: usize = 8;
        let more =
            if names.len() > SHOWN { format!(", … {} more", names.len() - SHOWN) } else { String::new() };
        parts.push(format!("policies: {}{more}", names[..names.len().min(SHOWN)].join(", ")));
    }
    let help = "help  or  help(x);  x? ;  .help for commands;  Ctrl-D leaves.";
    repl.fit(&format!("{}\n{help}        mode: {}\n\n", parts.join("   "), mode(repl)))
}

fn counts(repl: &mut Repl<'_>) -> Result<[String; 2]> {
    let mut session = repl.machines.session(repl.context, Mode::Live)?;
    let machine = session.capabilities()?;
    let state = session.see(&Want { services: crate::backend::Services::All, ..Want::default() })?;
    let servers: usize = state.services.values().map(|entry| entry.servers.len()).sum();
    let counts = format!("{}, {}", counted(state.services.len(), "service"), counted(servers, "server"));
    let kernel = match repl.context.machine {
        Machine::Kernel => format!("kernel {} IPVS {}", machine.release, machine.version),
        _ => String::new(),
    };
    Ok([kernel, counts])
}

/// The commands of the shell. Made once: it takes a while.
static VERBS: LazyLock<Vec<String>> = LazyLock::new(|| {
    Arguments::command().get_subcommands().map(|verb| verb.get_name().to_string()).collect()
});

/// What was meant by a word that is none of Lua's, but a command, a policy, or something for the shell.
pub fn meant(repl: &Repl<'_>, mut error: Error, code: &str) -> Error {
    let code = code.trim_start();
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(code.len());
    let (first, rest) = code.split_at(end);
    let unknown = error.message.strip_prefix("unknown name '").and_then(|text| text.strip_suffix('\''));
    let word = match (error.code.as_str(), unknown) {
        ("unknown_name", Some(name)) => name,
        // As for a shell: words one after the other.
        ("syntax", _) if rest.starts_with(' ') && rest.trim_start().starts_with(is_argument) => first,
        _ => return error,
    };
    let alone = word == first;
    let said = if alone && matches!(word, "exit" | "quit") {
        "Ctrl-D leaves, and .quit".to_string()
    } else if alone && COMMANDS.iter().any(|command| command.name.strip_prefix('.') == Some(word)) {
        format!("did you mean .{word}?")
    } else if policies(&repl.context.common.config_dir).iter().any(|name| identifier(name) == word) {
        format!(".load {word} gives that policy this name")
    } else if alone && VERBS.iter().any(|verb| verb == word) {
        format!("lvsh {word} is for the shell; help lists what there is here")
    } else {
        return error;
    };
    if let Some(excerpt) = &mut error.excerpt {
        excerpt.label.clone_from(&said);
    }
    error.hint = Some(said);
    error
}

fn is_argument(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '/')
}

/// A name as it stands where there is one in the API or the session, else as a string: for `help`.
pub fn quoted(name: &str) -> String {
    let bare = name.trim_matches('"');
    if bare.is_empty() {
        return String::new();
    }
    let known = crate::script::help::topic(bare).is_some();
    if known || name.starts_with('"') { format!("\"{bare}\"") } else { bare.replace(':', ".") }
}
