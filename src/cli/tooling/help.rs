//! help: a verb as clap shows it, a name of the API as the registry knows it.

use clap::{Args, CommandFactory};

use super::command;
use crate::cli::args::Arguments;
use crate::cli::context::Context;
use crate::cli::done::Done;
use crate::error::{Error, Kind, Result, did_you_mean};
use crate::script::help::{contents, names, near, topic, topics};
use crate::view::{Topic, help_text};

/// Columns where there is no terminal to ask.
const WIDTH: u16 = 80;

/// Arguments of `lvsh help`.
#[derive(Clone, Debug, Args)]
pub struct Help {
    /// A command (start), a function (add_service), a table (server spec), a field (service.scheduler), or lvs for all
    #[arg(value_name = "NAME")]
    pub name: Vec<String>,
}

/// Shows what is known of a name; without one, the commands.
pub fn help(context: &Context, asked: &Help) -> Result<Done> {
    let name = asked.name.join(" ");
    let command = command();
    if command.get_subcommands().any(|verb| verb.get_name() == name) {
        let mut text = rendered(context, &["lvsh", &name, "--help"]);
        if let Some(page) = topic(&name) {
            text.push_str(&format!("\nIn Lua: lvsh help {}\n", page.name));
        }
        return Ok(Done::text(text.clone()).with("name", name).with("text", text));
    }
    if name.is_empty() {
        let text = format!(
            "{}\nIn Lua: lvsh help lvs shows all functions, lvsh help NAME one of them\n",
            rendered(context, &["lvsh", "--help"])
        );
        return Ok(Done::text(text.clone()).with("text", text));
    }
    let page = if name == "lvs" { Some(contents()) } else { topic(&name) };
    match page {
        Some(page) => Ok(shown(context, &page)),
        None => Err(unknown(&name, command.get_subcommands().map(|verb| verb.get_name()))),
    }
}

/// What clap answers to `--help`, to the letter.
fn rendered(context: &Context, words: &[&str]) -> String {
    let Err(answer) = Arguments::command().try_get_matches_from(words) else { return String::new() };
    let text = answer.render();
    if context.colored() { text.ansi().to_string() } else { text.to_string() }
}

fn shown(context: &Context, page: &Topic) -> Done {
    let text = help_text(page, context.width().unwrap_or(WIDTH), context.style());
    let value = serde_json::to_value(page).unwrap_or_default();
    Done::text(text).with("name", page.name.clone()).with("topic", value)
}

fn unknown<'a>(name: &str, verbs: impl Iterator<Item = &'a str>) -> Error {
    let error = Error::new(Kind::Usage, "unknown_name", format!("there is no help for '{name}'"));
    // A word that occurs is a better guess than one that is spelled like it.
    let within: Vec<&str> = names().filter(|known| known.contains(name)).take(5).collect();
    match did_you_mean(name, verbs).or_else(|| near(name)) {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None if !within.is_empty() => error.hint(format!("there is help for: {}", within.join(", "))),
        None => {
            let about: Vec<String> = topics()
                .into_iter()
                .filter(|page| page.doc.contains(name))
                .map(|page| page.name)
                .take(5)
                .collect();
            match about.is_empty() {
                true => error.hint("lvsh help lists the commands, lvsh help lvs the functions"),
                false => error.hint(format!("it occurs in the help for: {}", about.join(", "))),
            }
        }
    }
}
