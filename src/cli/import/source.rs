//! What is imported: JSON, a policy, or what ipvsadm saved.

use std::io::Read;
use std::path::Path;

use super::super::context::Context;
use super::super::export::Format;
use super::super::find;
use super::super::ipvsadm::restore;
use super::super::stage::{Open, Past, load, stage_start};
use crate::backend::{Backend, Memory};
use crate::error::{Error, Kind, Result};
use crate::model::{State, Timeouts};
use crate::plan::{Dump, Journal, NoJournal, Says};
use crate::view::read_json;

pub fn read(context: &Context, file: &Path, format: Option<Format>) -> Result<Dump> {
    let stdin = file == Path::new("-");
    if format == Some(Format::Lua) {
        return policy(context, file);
    }
    let bytes = if stdin {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| Error::io("read", file, &error))?;
        bytes
    } else {
        std::fs::read(file).map_err(|error| Error::io("read", file, &error))?
    };
    let shown = if stdin { "stdin".to_string() } else { file.display().to_string() };
    let text = String::from_utf8(bytes)
        .map_err(|_| Error::new(Kind::Script, "bad_file", format!("{shown} is not text in UTF-8")))?;
    match format.unwrap_or_else(|| guess(&text)) {
        Format::Json => json(&text, &shown),
        Format::Ipvsadm => saved(&text, &shown),
        Format::Lua => policy(context, file),
    }
}

/// A dump in JSON; `shown` names it in errors.
pub fn json(text: &str, shown: &str) -> Result<Dump> {
    read_json(text).map_err(|why| {
        let error =
            Error::new(Kind::Script, "bad_file", format!("{shown} is not what lvsh export writes: {why}"));
        error.about(shown).hint("lvsh export --as json writes it")
    })
}

/// Lines of ipvsadm. Timeouts and daemons are said where a line says them.
fn saved(text: &str, shown: &str) -> Result<Dump> {
    let empty = State { timeouts: Timeouts::NONE, ..State::default() };
    let state = restore::replay(&unsigned(text), shown, empty).map_err(|refused| *refused.error)?.state;
    let says = Says {
        timeouts: state.timeouts != Timeouts::NONE,
        syncs: !state.syncs.is_empty(),
        ..Says::default()
    };
    Ok(Dump { state, says })
}

/// `ipvsadm -S` prints marks above 2^31-1 as negative numbers, which nobody takes; what was meant is known.
fn unsigned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let found = ["-f -", "--fwmark-service -"].iter().find_map(|option| {
            let at = line.find(option)? + option.len() - 1;
            let number = line[at..].split_whitespace().next()?;
            Some((at, number.len(), number.parse::<i32>().ok()?))
        });
        match found {
            Some((at, len, mark)) => {
                out.push_str(&format!("{}{}{}", &line[..at], mark.cast_unsigned(), &line[at + len..]));
            }
            None => out.push_str(line),
        }
    }
    out
}

/// By the first line that says something.
fn guess(text: &str) -> Format {
    let mut lines = text.lines().map(str::trim);
    let Some(first) = lines.find(|line| !line.is_empty() && !line.starts_with('#')) else {
        return Format::Ipvsadm;
    };
    if first.starts_with('{') {
        return Format::Json;
    }
    let word = first.split_whitespace().next().unwrap_or_default();
    // `-- words` is a comment of Lua; `--set` and `-A` are options.
    let option =
        word.starts_with('-') && word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_alphabetic());
    if option || word.rsplit('/').next() == Some("ipvsadm") { Format::Ipvsadm } else { Format::Lua }
}

/// A policy is run on an empty machine; what stands there then is what it says.
fn policy(context: &Context, file: &Path) -> Result<Dump> {
    if file == Path::new("-") {
        let message =
            "a policy is not read from stdin: it runs with your rights, and is checked as a file first";
        return Err(Error::new(Kind::Usage, "not_a_file", message).hint("give its path"));
    }
    find::check(file)?;
    let path = std::path::absolute(file).map_err(|error| Error::io("read", file, &error))?;
    let mut policy = load(context, &path.to_string_lossy())?;
    let open: Open<'_> =
        &|| Ok((Box::new(Memory::default()) as Box<dyn Backend>, Box::new(NoJournal) as Box<dyn Journal>));
    let staged = stage_start(context, &mut policy, open, &Past::default(), true)?;
    let mut state = staged.session.view().clone();
    let said = staged.owned.timeouts.unwrap_or(Timeouts::NONE);
    state.timeouts = state.timeouts.only(said);
    let says =
        Says { timeouts: staged.owned.timeouts.is_some(), syncs: !state.syncs.is_empty(), ..Says::ALL };
    Ok(Dump { state, says })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_marks_are_big_ones() {
        let text = "-A -f -1294967296 -s rr\r\n-a -f -1 -r 10.0.0.1 -g\n-A -t 10.0.0.1:80 -s rr";
        let meant = "-A -f 3000000000 -s rr\r\n-a -f 4294967295 -r 10.0.0.1 -g\n-A -t 10.0.0.1:80 -s rr";
        assert_eq!(unsigned(text), meant);
        assert_eq!(unsigned("-A -f -x -s rr\n-A -f"), "-A -f -x -s rr\n-A -f");
    }

    #[test]
    fn formats_are_told_apart() {
        for (text, format) in [
            ("{ \"format_version\": \"1.0\" }", Format::Json),
            ("\n  -A -t 10.0.0.1:80 -s rr\r\n", Format::Ipvsadm),
            ("--set 900 120 300\n", Format::Ipvsadm),
            ("# saved\nipvsadm -A -f 3\n", Format::Ipvsadm),
            ("", Format::Ipvsadm),
            ("-- web\nreturn lvs.policy {}\n", Format::Lua),
            ("#!/usr/bin/env lvsh\nreturn lvs.policy {}\n", Format::Lua),
            ("--[[ a long\ncomment ]]\n", Format::Lua),
        ] {
            assert_eq!(guess(text), format, "{text}");
        }
    }
}
