//! What can follow at the cursor: names, methods, keys, words and what is on the machine. All of it comes from the
//! registry, the VM and the machine.

use super::commands::{COMMANDS, Takes};
use super::core::Repl;
use super::live::{Value, settings, values};
use super::names::policies;
use crate::model::Sysctl;
use crate::script::schema::{Schema, Ty};
use crate::script::{Cursor, Entry, Expected, Inside, Seg, Slot, Word, cursor, expected, help};

/// One candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub shown: String,
    pub text: String,
}

/// The candidates, and the byte at which what they replace begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub at: usize,
    pub candidates: Vec<Candidate>,
}

fn plain(text: impl Into<String>) -> Candidate {
    let text = text.into();
    Candidate { shown: text.clone(), text }
}

pub fn complete(repl: &mut Repl<'_>, line: &str, pos: usize) -> Found {
    let typed = line.get(..pos).unwrap_or(line);
    if typed.trim_start().starts_with('.') {
        return command(repl, typed);
    }
    let cursor = cursor(line, pos);
    if cursor.nothing {
        return Found::default();
    }
    if let Some((path, sep, at)) = &cursor.base {
        let words = repl.look(path.clone()).words;
        return members(typed, &cursor, &words, *sep, *at);
    }
    if let Some(inside) = &cursor.inside
        && let Some(found) = argument(repl, &cursor, inside)
    {
        return found;
    }
    if cursor.quote.is_some() {
        return Found::default();
    }
    let words = repl.look(Vec::new()).words;
    let fits = words.iter().filter(|word| word.name.starts_with(&cursor.word));
    Found { at: cursor.at, candidates: fits.map(|word| plain(called(word))).collect() }
}

/// With the bracket that has to follow.
fn called(word: &Word) -> String {
    match (word.call, word.bare) {
        (true, true) => format!("{}()", word.name),
        (true, false) => format!("{}(", word.name),
        _ => word.name.clone(),
    }
}

/// After `.` and `:`. A method is offered after a dot too, and brings its colon.
fn members(typed: &str, cursor: &Cursor, words: &[Word], sep: char, at: usize) -> Found {
    let begin = typed[..at].rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |before| before + 1);
    let base = typed.get(begin..at).unwrap_or_default();
    let fits = words.iter().filter(|word| word.name.starts_with(&cursor.word) && (sep == '.' || word.call));
    let fits: Vec<&Word> = fits.collect();
    let colon = |word: &Word| if word.method || sep == ':' { ':' } else { '.' };
    let changes = fits.iter().any(|word| colon(word) != sep);
    let one = |word: &&Word| {
        let whole = format!("{}{}", colon(word), called(word));
        let text = if changes { whole.clone() } else { called(word) };
        Candidate { shown: format!("{base}{whole}"), text }
    };
    Found { at: if changes { at } else { cursor.at }, candidates: fits.iter().map(one).collect() }
}

/// Within a call; `None` when it is not one of the API, or anything may stand there.
fn argument(repl: &mut Repl<'_>, cursor: &Cursor, inside: &Inside) -> Option<Found> {
    if inside.callee == [Seg::Name("help".to_string())] && cursor.quote.is_some() {
        let names = help::names().filter(|name| name.starts_with(&cursor.word));
        return Some(quoted(cursor, names.map(str::to_string), ""));
    }
    let (entry, expected) = expected(inside)?;
    match expected? {
        Expected::Keys(schemas) if cursor.quote.is_none() => {
            let used = if let Slot::Key(used) = &inside.slot { used.as_slice() } else { &[] };
            let found = keys(&schemas, used, cursor);
            (!found.candidates.is_empty()).then_some(found)
        }
        Expected::Keys(_) => None,
        Expected::Names(ty, name) => names(repl, cursor, entry, inside, ty, name),
        Expected::Setting(known) => Some(setting(known, cursor)),
        Expected::Value(Ty::Setting, _) if cursor.quote.is_some() => {
            Some(quoted(cursor, settings(repl, &cursor.word).into_iter(), ""))
        }
        Expected::Value(ty, name) => {
            let of = service(repl, inside);
            let all = values(repl, ty, name, entry, of);
            let fits = all.into_iter().filter(|value| value.text.starts_with(&cursor.word));
            let found = match cursor.quote {
                Some(_) => quoted(cursor, fits.filter(|value| value.quoted).map(|value| value.text), ""),
                None => Found { at: cursor.at, candidates: fits.map(bare).collect() },
            };
            let free = found.candidates.is_empty() && cursor.quote.is_none();
            // A variable may stand there as well, once its first letter is typed.
            if free && (!cursor.word.is_empty() || matches!(ty, Ty::Any | Ty::Function)) {
                None
            } else {
                Some(found)
            }
        }
    }
}

/// Keys of the user's choice, where it is known what they are names of.
fn names(
    repl: &mut Repl<'_>,
    cursor: &Cursor,
    entry: &Entry,
    inside: &Inside,
    ty: &Ty,
    name: &str,
) -> Option<Found> {
    let all: Vec<String> = match (ty, name) {
        (Ty::Settings(_), _) => settings(repl, &cursor.word),
        (_, "weights") => {
            let of = service(repl, inside);
            values(repl, &Ty::Endpoint, "addr", entry, of).into_iter().map(|value| value.text).collect()
        }
        _ => return cursor.quote.map(|_| Found::default()),
    };
    let used: &[String] = if let Slot::Key(used) = &inside.slot { used } else { &[] };
    let fits = all.into_iter().filter(|text| text.starts_with(&cursor.word) && !used.contains(text));
    let end = if cursor.quote.is_some() { "] = " } else { "" };
    if cursor.quote.is_some() || matches!(inside.slot, Slot::Bracket) {
        return Some(quoted(cursor, fits, end));
    }
    let key = |text: String| {
        let plain = text.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
        let key = if plain && !text.starts_with(|c: char| c.is_ascii_digit()) {
            text.clone()
        } else {
            format!("[\"{text}\"]")
        };
        Candidate { shown: key.clone(), text: format!("{key} = ") }
    };
    Some(Found { at: cursor.at, candidates: fits.map(key).collect() })
}

/// What a kernel setting may be, where that is few; else what it is when nobody set it.
fn setting(known: &Sysctl, cursor: &Cursor) -> Found {
    let few: Vec<String> = known.values.few().iter().map(ToString::to_string).collect();
    let all = if few.is_empty() && !known.default.is_empty() { vec![known.default.to_string()] } else { few };
    let fits = all.into_iter().filter(|text| text.starts_with(&cursor.word));
    match cursor.quote {
        Some(_) => quoted(cursor, fits, ""),
        None => Found { at: cursor.at, candidates: fits.map(plain).collect() },
    }
}

fn bare(value: Value) -> Candidate {
    if value.quoted { plain(format!("\"{}\"", value.text)) } else { plain(value.text) }
}

/// Whole strings, with the quote that was begun.
fn quoted(cursor: &Cursor, texts: impl Iterator<Item = String>, end: &str) -> Found {
    let quote = cursor.quote.unwrap_or('"');
    let one = |text: String| {
        let whole = format!("{quote}{text}{quote}");
        Candidate { text: format!("{whole}{end}"), shown: whole }
    };
    Found { at: cursor.at - usize::from(cursor.quote.is_some()), candidates: texts.map(one).collect() }
}

/// Keys that are not there yet, with their type and range.
fn keys(schemas: &[&'static Schema], used: &[String], cursor: &Cursor) -> Found {
    let fields = schemas.iter().flat_map(|schema| schema.fields);
    let fits = fields
        .filter(|field| field.name.starts_with(&cursor.word) && !used.iter().any(|name| name == field.name));
    let one = |field: &crate::script::schema::Field| {
        let shown = format!("{}: {}", field.name, words_of(&field.ty));
        Candidate { shown: shown.trim_end().to_string(), text: format!("{} = ", field.name) }
    };
    Found { at: cursor.at, candidates: fits.map(one).collect() }
}

/// `integer 0..65535`
pub fn words_of(ty: &Ty) -> String {
    let (short, range) = (ty.short(), ty.range());
    if range.is_empty() { short } else { format!("{short} {range}") }
}

/// The service that a method is called on.
fn service(repl: &mut Repl<'_>, inside: &Inside) -> Option<crate::model::ServiceKey> {
    let (last, base) = inside.callee.split_last()?;
    if base.is_empty() || !matches!(last, Seg::Field(_)) {
        return None;
    }
    repl.look(base.to_vec()).service
}

fn command(repl: &Repl<'_>, typed: &str) -> Found {
    let begin = typed.len() - typed.trim_start().len();
    let Some((name, rest)) = typed[begin..].split_once(char::is_whitespace) else {
        let fits = COMMANDS.iter().filter(|command| command.name.starts_with(&typed[begin..]));
        let one = |command: &super::commands::Command| {
            let space = if command.args.is_empty() { "" } else { " " };
            Candidate { shown: command.name.to_string(), text: format!("{}{space}", command.name) }
        };
        return Found { at: begin, candidates: fits.map(one).collect() };
    };
    let word = rest.trim_start();
    let at = typed.len() - word.len();
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else { return Found::default() };
    let mut names: Vec<String> = match command.takes {
        Takes::Words(words) => words.iter().map(ToString::to_string).collect(),
        Takes::Policy if !word.contains('/') => {
            let mut names = policies(&repl.context.common.config_dir);
            names
                .extend(files(word).into_iter().filter(|name| name.ends_with(".lua") || name.ends_with('/')));
            names
        }
        Takes::Policy | Takes::File => files(word),
        Takes::Nothing | Takes::Lua => Vec::new(),
    };
    names.retain(|name| name.starts_with(word));
    Found { at, candidates: names.into_iter().map(plain).collect() }
}

/// Paths that begin so; folders end with a slash.
fn files(word: &str) -> Vec<String> {
    let (folder, part) = word.rsplit_once('/').map_or(("", word), |(folder, part)| (folder, part));
    let shown = if word.contains('/') { format!("{folder}/") } else { String::new() };
    let real = super::commands::home(if shown.is_empty() { "." } else { &shown });
    let entries = std::fs::read_dir(real).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let hidden = name.starts_with('.') && !part.starts_with('.');
            let slash = if entry.path().is_dir() { "/" } else { "" };
            (!hidden && name.starts_with(part)).then(|| format!("{shown}{name}{slash}"))
        })
        .collect();
    names.sort();
    names
}
