//! What the line editor asks while a line is typed.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Cmd, ConditionalEventHandler, Context, Event, EventContext, Helper, Movement, RepeatCount};

use super::commands::COMMANDS;
use super::complete::{complete, words_of};
use super::core::Repl;
use crate::script::{Class, Expected, Slot, Syntax, check_syntax, classes, cursor, expected};

/// A margin before each further line of a chunk, as wide as the prompt, so that ` ..>` can be drawn there. It is made of
/// a space that nobody types.
pub const MARGIN: char = '\u{a0}';
const CONTINUED: &str = "..> ";

pub struct Asked<'a> {
    pub repl: Rc<RefCell<Repl<'a>>>,
    /// Whether there are colours.
    pub colored: bool,
    /// Whether the prompt warns: changes reach the kernel.
    pub live: Cell<bool>,
    /// Whether something was typed on the line, for Ctrl-C.
    pub typed: Cell<bool>,
    /// Columns of the prompt.
    pub prompt: Cell<usize>,
}

/// Without the margins.
pub fn code_of(line: &str) -> String {
    let lines = line.split('\n').map(|line| line.trim_start_matches(MARGIN));
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether a line is Lua, and not a command or a question for help.
pub fn is_lua(line: &str) -> bool {
    let line = line.trim();
    !(line.starts_with('.') || asks(line).is_some())
}

/// `x` of `x?`, of `?x` and of `help x`; empty for `help` and `?`.
pub fn asks(line: &str) -> Option<&str> {
    let line = line.trim();
    if line == "help" || line == "?" || line == "help()" {
        return Some("");
    }
    let help =
        || line.strip_prefix("help ").filter(|rest| !rest.trim_start().starts_with(['"', '\'', '[', '{']));
    let name = line.strip_suffix('?').or_else(|| line.strip_prefix('?')).or_else(help)?.trim();
    let path = |c: char| c.is_alphanumeric() || "_.:\"".contains(c);
    (!name.is_empty() && name.chars().all(path)).then_some(name)
}

impl Helper for Asked<'_> {}

impl Validator for Asked<'_> {
    fn validate(&self, ctx: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let code = code_of(ctx.input());
        let incomplete = is_lua(&code) && check_syntax(&code) == Syntax::Incomplete;
        Ok(if incomplete { ValidationResult::Incomplete } else { ValidationResult::Valid(None) })
    }
}

impl Completer for Asked<'_> {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let Ok(mut repl) = self.repl.try_borrow_mut() else { return Ok((pos, Vec::new())) };
        // As many bytes, so that places stay right.
        let spaced = line.replace(MARGIN, "  ");
        let found = complete(&mut repl, &spaced, pos);
        let pair = |it: super::complete::Candidate| Pair { display: it.shown, replacement: it.text };
        Ok((found.at, found.candidates.into_iter().map(pair).collect()))
    }
}

/// Shown behind or under the line; nothing of it can be taken over.
pub struct Remark(String);

impl Hint for Remark {
    fn display(&self) -> &str {
        &self.0
    }

    fn completion(&self) -> Option<&str> {
        None
    }
}

impl Hinter for Asked<'_> {
    type Hint = Remark;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<Remark> {
        self.typed.set(!line.is_empty());
        remark(line, pos).and_then(|text| self.fitted(line, text)).map(Remark)
    }
}

impl Asked<'_> {
    /// Behind the line as far as its row goes: a list of candidates begins in the next one.
    fn fitted(&self, line: &str, text: String) -> Option<String> {
        if text.starts_with('\n') {
            return Some(text);
        }
        let (_, columns) = super::keys::size();
        let before = if line.contains('\n') { 0 } else { self.prompt.get() };
        let used = before + line.rsplit('\n').next().unwrap_or_default().chars().count();
        let room = columns.max(1).saturating_sub(used % columns.max(1) + 1);
        (text.chars().count() <= room).then_some(text)
    }
}

/// A syntax error under the line; else behind it the type of what is to be typed.
fn remark(line: &str, pos: usize) -> Option<String> {
    let code = code_of(line);
    if let Some(name) = code.strip_prefix('.') {
        let command = COMMANDS.iter().find(|command| command.name[1..] == *name.trim_end())?;
        let space = if name.ends_with(' ') { "" } else { " " };
        return (!command.args.is_empty()).then(|| format!("{space}{}", command.args));
    }
    if !is_lua(&code) {
        return None;
    }
    if let Syntax::Wrong(text) = check_syntax(&code)
        // It is being typed.
        && !text.contains("unfinished string")
    {
        return Some(format!("\n{text}"));
    }
    if pos < line.len() {
        return None;
    }
    let cursor = cursor(&code, code.len());
    let inside = cursor.inside.as_ref().filter(|_| cursor.base.is_none() && !cursor.nothing)?;
    let (entry, wanted) = expected(inside)?;
    match (&inside.slot, wanted?) {
        (Slot::Value(_), Expected::Value(ty, name)) => Some(format!("  ┊ {name}  {}", words_of(ty))),
        (Slot::Value(_), Expected::Keys(_)) | (Slot::Key(_), Expected::Keys(_)) if inside.path.is_empty() => {
            cursor.word.is_empty().then(|| format!("  ┊ {}", entry.signature()))
        }
        (_, Expected::Setting(known)) => {
            let unit = if known.unit.is_empty() { String::new() } else { format!(" {}", known.unit) };
            Some(format!("  ┊ {}  {}{unit}", known.name, known.values.describe()))
        }
        _ => None,
    }
}

impl Highlighter for Asked<'_> {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        let mut out = String::with_capacity(line.len() * 2);
        if self.colored && is_lua(line) {
            paint(line, &mut out);
        } else {
            out.push_str(line);
        }
        if line.contains(MARGIN) {
            out = out.split('\n').map(|line| margin(line, self.colored)).collect::<Vec<_>>().join("\n");
        }
        Cow::Owned(out)
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, default: bool) -> Cow<'b, str> {
        if !self.colored || !default {
            return Cow::Borrowed(prompt);
        }
        let code = if self.live.get() { "31" } else { "32" };
        Cow::Owned(format!("\x1b[{code}m{prompt}\x1b[0m"))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        match (self.colored, hint.starts_with('\n')) {
            (true, true) => Cow::Owned(format!("\x1b[31m{hint}\x1b[0m")),
            (true, false) => Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")),
            (false, _) => Cow::Borrowed(hint),
        }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        kind != CmdKind::MoveCursor
    }
}

fn paint(line: &str, out: &mut String) {
    let spaced = line.replace(MARGIN, "  ");
    let mut end = 0;
    for (at, class) in classes(&spaced) {
        let color = match class {
            Class::Keyword => "35",
            Class::Literal => "33",
            Class::String => "32",
            Class::Comment => "2",
            Class::Call => "36",
        };
        out.push_str(line.get(end..at.start).unwrap_or_default());
        out.push_str(&format!("\x1b[{color}m{}\x1b[0m", line.get(at.clone()).unwrap_or_default()));
        end = at.end;
    }
    out.push_str(line.get(end..).unwrap_or_default());
}

/// As many columns as it had.
fn margin(line: &str, colored: bool) -> String {
    let code = line.trim_start_matches(MARGIN);
    let width = line[..line.len() - code.len()].chars().count();
    if width < CONTINUED.len() {
        return line.to_string();
    }
    let (begin, end) = if colored { ("\x1b[2m", "\x1b[0m") } else { ("", "") };
    format!("{}{begin}{CONTINUED}{end}{code}", " ".repeat(width - CONTINUED.len()))
}

/// Enter: another line while the parser wants one.
pub struct Enter {
    /// Columns of the prompt.
    pub margin: usize,
}

impl ConditionalEventHandler for Enter {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext<'_>) -> Option<Cmd> {
        let code = code_of(ctx.line());
        let more = is_lua(&code) && check_syntax(&code) == Syntax::Incomplete;
        more.then(|| Cmd::Insert(1, format!("\n{}", MARGIN.to_string().repeat(self.margin))))
    }
}

/// Backspace just behind a margin joins the two lines.
pub struct Backspace;

impl ConditionalEventHandler for Backspace {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, ctx: &EventContext<'_>) -> Option<Cmd> {
        let before = ctx.line().get(..ctx.pos())?;
        let code = before.trim_end_matches(MARGIN);
        let columns = before[code.len()..].chars().count();
        (columns > 0 && code.ends_with('\n'))
            .then(|| Cmd::Kill(Movement::BackwardChar(RepeatCount::try_from(columns + 1).unwrap_or(1))))
    }
}
