//! man: the manual, one page per verb, one of the Lua API, one for each program that people come from.

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use clap::Args;

use super::peers::{PEERS, Peer};
use super::roff::Roff;
use super::{command, lua_manual};
use crate::cli::args::EXIT_CODES;
use crate::cli::context::Context;
use crate::cli::done::Done;
use crate::cli::whole::write_whole;
use crate::error::{Error, Kind, Result, did_you_mean};

/// Arguments of `lvsh man`.
#[derive(Clone, Debug, Args)]
pub struct Man {
    /// A command, lua for the API, keepalived or ldirectord for their words in lvsh's
    #[arg(value_name = "NAME", conflicts_with = "dir")]
    pub name: Option<String>,
    /// Write all pages into this folder, as DIR/man8/lvsh-start.8
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// One page of the manual.
struct Page {
    /// `lvsh-start`
    name: String,
    section: u8,
    text: String,
}

/// Shows one page, or writes all.
pub fn man(context: &Context, asked: &Man) -> Result<Done> {
    if let Some(dir) = &asked.dir {
        return written(context, dir);
    }
    let name = asked.name.as_deref();
    let wanted = match name {
        None => vec!["lvsh".to_string()],
        Some(name) => vec![name.to_string(), format!("lvsh-{name}"), format!("lvsh-from-{name}")],
    };
    let mut pages = pages();
    let Some(at) = pages.iter().position(|page| wanted.contains(&page.name)) else {
        let name = name.unwrap_or_default();
        let error =
            Error::new(Kind::Usage, "unknown_name", format!("there is no page '{name}' in the manual"));
        let names = pages.iter().filter_map(|page| page.name.strip_prefix("lvsh-"));
        let names = names.map(|name| name.trim_start_matches("from-"));
        return Err(match did_you_mean(name, names) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint("lvsh man lua is the API; lvsh help NAME knows single functions"),
        });
    };
    let page = pages.swap_remove(at);
    if !context.common.json && std::io::stdout().is_terminal() && through_man(&page.text) {
        return Ok(Done::default());
    }
    Ok(Done::text(page.text.clone())
        .with("name", page.name)
        .with("section", page.section)
        .with("roff", page.text))
}

/// Lets man(1) show a page; false where there is none.
fn through_man(text: &str) -> bool {
    let child = Command::new("man").args(["-l", "-"]).stdin(Stdio::piped()).spawn();
    let Ok(mut child) = child else { return false };
    // Who leaves the pager early closes the pipe.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(text.as_bytes()));
    child.wait().is_ok_and(|status| status.success())
}

fn written(context: &Context, dir: &std::path::Path) -> Result<Done> {
    let mut files = Vec::new();
    for page in pages() {
        let folder = dir.join(format!("man{}", page.section));
        let path = folder.join(format!("{}.{}", page.name, page.section));
        if !context.dry() {
            fs::create_dir_all(&folder).map_err(|error| Error::io("make", &folder, &error))?;
            write_whole(&path, page.text.as_bytes())?;
            super::types::readable(&path)?;
        }
        files.push(path.display().to_string());
    }
    let text = files.iter().map(|file| format!("{file}\n")).collect::<String>();
    Ok(Done::text(text).with("files", files).with("changed", !context.dry()))
}

fn pages() -> Vec<Page> {
    let command = command();
    let names: Vec<String> =
        command.get_subcommands().map(|verb| format!("lvsh-{}", verb.get_name())).collect();
    let page = |name: &str, text| Page { name: name.to_string(), section: 8, text };
    let mut pages = vec![page("lvsh", whole(&command))];
    pages.extend(
        command.get_subcommands().zip(&names).map(|(verb, name)| page(name, of_verb(&command, verb, name))),
    );
    pages.push(Page { name: "lvsh-lua".to_string(), section: 3, text: lua_manual::page() });
    let of_peer =
        |peer: &Peer| Page { name: format!("lvsh-from-{}", peer.name), section: 7, text: peer.page() };
    pages.extend(PEERS.iter().map(of_peer));
    pages
}

fn whole(command: &clap::Command) -> String {
    let mut page = Roff::new("lvsh", 8, &about(command));
    page.section("SYNOPSIS");
    page.text("lvsh [OPTIONS] COMMAND");
    page.section("DESCRIPTION");
    page.text(
        "A policy is a Lua file that says what shall exist: IPVS services and real servers, firewall marks, addresses, \
         sysctls. lvsh plans it against the kernel, makes it so, and takes it back, all or nothing.",
    );
    page.section("COMMANDS");
    for verb in command.get_subcommands() {
        page.item(&format!("lvsh-{}(8)", verb.get_name()), &sentence(&about(verb)));
    }
    common(&mut page, command);
    page.section("EXAMPLES");
    page.code("lvsh plan web\nlvsh start web");
    page.section("SEE ALSO");
    page.text(
        "lvsh-lua(3), lvsh-from-keepalived(7), lvsh-from-ldirectord(7), ipvsadm(8), nft(8), ip(8), sysctl(8)",
    );
    page.finish()
}

fn of_verb(command: &clap::Command, verb: &clap::Command, name: &str) -> String {
    let mut page = Roff::new(name, 8, &about(verb));
    page.section("SYNOPSIS");
    let usage = verb.clone().render_usage().to_string();
    page.text(usage.trim_start_matches("Usage: "));
    page.section("DESCRIPTION");
    let long =
        verb.get_long_about().or_else(|| verb.get_about()).map(ToString::to_string).unwrap_or_default();
    for paragraph in long.split("\n\n") {
        page.paragraph(&sentence(paragraph));
    }
    let own = |arg: &&clap::Arg| !arg.is_global_set() && !arg.is_hide_set();
    let own: Vec<&clap::Arg> = verb.get_arguments().filter(own).collect();
    if !own.is_empty() {
        page.section("OPTIONS");
        for arg in own {
            argument(&mut page, arg);
        }
    }
    common(&mut page, command);
    if let Some(example) = verb.get_after_help().map(ToString::to_string) {
        page.section("EXAMPLES");
        let lines: Vec<&str> =
            example.lines().filter(|line| !line.starts_with("Example")).map(str::trim).collect();
        page.code(&lines.join("\n"));
    }
    page.section("SEE ALSO");
    page.text("lvsh(8), lvsh-lua(3)");
    page.finish()
}

/// What is the same for every verb: options, exit codes, environment, files.
fn common(page: &mut Roff, command: &clap::Command) {
    page.section("COMMON OPTIONS");
    for arg in command.get_arguments().filter(|arg| arg.is_global_set()) {
        argument(page, arg);
    }
    page.section("EXIT STATUS");
    for (code, meaning) in EXIT_CODES {
        page.item(&code.to_string(), &sentence(meaning));
    }
    page.section("ENVIRONMENT");
    for arg in command.get_arguments() {
        if let (Some(name), Some(long)) = (arg.get_env(), arg.get_long()) {
            page.item(&name.to_string_lossy(), &format!("The same as --{long}."));
        }
    }
    page.item("NO_COLOR", "Without colours, as by --color never.");
    page.item("COLUMNS", "Width of tables and help, instead of the terminal's.");
    page.section("FILES");
    for (path, what) in FILES {
        page.item(path, what);
    }
}

/// Where things are, unless an option says otherwise.
const FILES: [(&str, &str); 5] = [
    ("/etc/lvsh/NAME.lua", "The policy NAME. Others must not be able to write it."),
    ("/etc/lvsh/lib/", "Modules for require, beside the policy's own folder."),
    ("/usr/share/lvsh/policies/", "Policies that packages bring."),
    (
        "/run/lvsh/",
        "State, locks and journals of started policies; gone with a reboot, as the kernel's tables are.",
    ),
    ("/var/lib/lvsh/", "What an operator decided, and what is to survive a reboot."),
];

fn argument(page: &mut Roff, arg: &clap::Arg) {
    let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let takes = arg.get_action().takes_values();
    let mut words = Vec::new();
    words.extend(arg.get_short().map(|short| format!("-{short}")));
    words.extend(arg.get_long().map(|long| format!("--{long}")));
    let mut head = words.join(", ");
    if let (true, Some(value)) = (takes, &value) {
        head = if head.is_empty() { value.clone() } else { format!("{head} {value}") };
    }
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut text = sentence(&help);
    let words: Vec<String> =
        arg.get_possible_values().iter().map(|value| value.get_name().to_string()).collect();
    if takes && !words.is_empty() {
        text.push_str(&format!(" One of {}.", words.join(", ")));
    }
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    if takes && !defaults.is_empty() {
        text.push_str(&format!(" Default: {}.", defaults.join(", ")));
    }
    page.item(&head, &text);
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn sentence(text: &str) -> String {
    if text.ends_with(['.', ']', ':']) { text.to_string() } else { format!("{text}.") }
}
