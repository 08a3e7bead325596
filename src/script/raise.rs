//! Errors between Rust and Lua: as objects a script can read, and with their place in the source.

use mlua::{AnyUserData, Function, IntoLuaMulti, Lua, MetaMethod, UserData, UserDataMethods, Value};

use super::fault::{Checked, Fault, Part};
use super::host::Host;
use super::records::lua_fault;
use super::source::{Spot, Target, Words, excerpt, file_of, whole_line};
use crate::error::{Error, Kind, Origin};

/// Chunk name of our own Lua, whose frames are never shown.
pub(super) const OURS: &str = "=[lvsh]";

/// An [`Error`] as a Lua value: `code, op, subject, message, hint, source, line, errno`.
pub(super) struct Raised(pub Error);

impl UserData for Raised {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: String| {
            let error = &this.0;
            let text = |text: &str| -> mlua::Result<Value> {
                if text.is_empty() { Ok(Value::Nil) } else { Ok(Value::String(lua.create_string(text)?)) }
            };
            match key.as_str() {
                "code" => text(&error.code),
                "op" => text(&error.op),
                "subject" => text(&error.subject),
                "message" => text(&error.message),
                "hint" => text(error.hint.as_deref().unwrap_or_default()),
                "source" => text(error.origin.as_ref().map_or("", |origin| &origin.file)),
                "line" => {
                    Ok(error.origin.as_ref().map_or(Value::Nil, |origin| Value::Integer(origin.line.into())))
                }
                "errno" => Ok(error.errno.map_or(Value::Nil, |errno| Value::Integer(errno.into()))),
                _ => Ok(Value::Nil),
            }
        });
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| Ok(one_line(&this.0)));
        methods.add_meta_function(MetaMethod::Concat, |_, (a, b): (Value, Value)| {
            Ok(format!("{}{}", a.to_string()?, b.to_string()?))
        });
    }
}

fn one_line(error: &Error) -> String {
    match &error.origin {
        Some(origin) => format!("{origin}: {}", error.message),
        None => error.message.clone(),
    }
}

/// One running function of the user's.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// As Lua names it: `@/etc/lvsh/web.lua`.
    pub chunk: String,
    /// As Lua's own messages write it.
    short: String,
    pub line: u32,
    name: Option<String>,
    main: bool,
}

impl Frame {
    pub fn origin(&self) -> Origin {
        Origin { file: file_of(&self.chunk).into(), line: self.line }
    }
}

/// The user's functions that run now, innermost first, at most `limit`.
pub(super) fn frames(lua: &Lua, limit: usize) -> Vec<Frame> {
    let mut out = Vec::new();
    for level in 0..200 {
        let seen = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let chunk = source.source.as_deref().unwrap_or_default();
            if source.what == "C" || chunk == OURS {
                return None;
            }
            let line = u32::try_from(debug.current_line()?).ok()?;
            let names = debug.names();
            Some(Frame {
                chunk: chunk.to_string(),
                short: source.short_src.as_deref().unwrap_or_default().to_string(),
                line,
                name: names.name.map(|name| name.to_string()),
                main: source.what == "main",
            })
        });
        match seen {
            None => break,
            Some(None) => {}
            Some(Some(frame)) => out.push(frame),
        }
        if out.len() >= limit {
            break;
        }
    }
    out
}

/// Where the user's code called the native that runs now.
pub(super) fn caller(lua: &Lua) -> Option<Origin> {
    frames(lua, 1).first().map(Frame::origin)
}

/// A native's fault as the value to raise, with the place and the caret. `call` is the function's last word.
pub(super) fn raise(lua: &Lua, host: &Host, call: &str, fault: Fault) -> mlua::Result<AnyUserData> {
    let frames = frames(lua, 4);
    let path = fault.path();
    let Fault { mut error, arg, at_key, label, .. } = fault;
    if let Some(frame) = frames.first()
        && error.origin.is_none()
    {
        let mut origin = frame.origin();
        if let Some(source) = host.sources.get(&frame.chunk) {
            let target = Target { call, line: frame.line, arg, path: &path, key: at_key };
            let words = Words::new(&source);
            // A metamethod has no name in the source, but what it was asked for has.
            let found = match path.last() {
                Some(Part::Field(name)) if call.starts_with("__") => words.word_on(name, frame.line),
                _ => words.find(target),
            };
            if let Some(spot) = found.or_else(|| whole_line(&source, frame.line)) {
                origin.line = spot.line;
                error.excerpt = Some(Box::new(excerpt(&source, spot, &label)));
            }
        }
        error.origin = Some(origin);
    }
    let error = called_from(host, error, &frames);
    lua.create_userdata(Raised(error))
}

/// `called from start(), line 31`, for each function above the innermost.
fn called_from(host: &Host, mut error: Error, frames: &[Frame]) -> Error {
    if frames.len() < 2 {
        return error;
    }
    let last = frames.len() - 1;
    for (at, frame) in frames.iter().enumerate().skip(1) {
        let entry = host.entry.borrow();
        let name = match &frame.name {
            Some(name) => format!("{name}()"),
            None if frame.main => "the file".to_string(),
            None if at == last && !entry.is_empty() => format!("{entry}()"),
            None => "a function".to_string(),
        };
        let file = if frame.chunk == frames[0].chunk {
            String::new()
        } else {
            format!(" of {}", file_of(&frame.chunk))
        };
        error.notes.push(format!("called from {name}, line {}{file}", frame.line));
    }
    error
}

/// The message handler at the boundary: makes one error of whatever was raised, while the stack still stands.
pub(super) fn caught(lua: &Lua, host: &Host, value: &Value) -> Error {
    if let Value::UserData(object) = value
        && let Ok(raised) = object.borrow::<Raised>()
    {
        return raised.0.clone();
    }
    let frames = frames(lua, 4);
    if let Some(stop) = host.stop() {
        return placed(host, stop, &frames, None, "");
    }
    let error = match value {
        Value::String(text) => of_text(host, &text.to_string_lossy(), &frames),
        Value::Error(error) => of_mlua(host, error, &frames),
        Value::Table(table) => {
            let field = |name: &str| table.raw_get::<Option<String>>(name).ok().flatten();
            let code = field("code").unwrap_or_else(|| "error".to_string());
            let plain = || match value.to_string() {
                Ok(text) if !text.starts_with("table: ") => text,
                _ if code != "error" => code.clone(),
                _ => "a table without 'message' was raised as an error".to_string(),
            };
            let text = field("message").unwrap_or_else(plain);
            placed(host, Error::new(Kind::Script, &code, text), &frames, None, "")
        }
        other => {
            let text = match other {
                Value::Nil => "nil was raised as an error".to_string(),
                other => other.to_string().unwrap_or_else(|_| "an error without words".to_string()),
            };
            placed(host, Error::new(Kind::Script, "error", text), &frames, None, "")
        }
    };
    called_from(host, error, &frames)
}

fn of_mlua(host: &Host, error: &mlua::Error, frames: &[Frame]) -> Error {
    match error {
        mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } => {
            of_mlua(host, cause, frames)
        }
        mlua::Error::ExternalError(inner) => match inner.downcast_ref::<Error>() {
            Some(error) => placed(host, error.clone(), frames, None, ""),
            None => of_text(host, &inner.to_string(), frames),
        },
        mlua::Error::MemoryError(_) => out_of_memory(host),
        mlua::Error::RuntimeError(text) => of_text(host, text, frames),
        other => of_text(host, &other.to_string(), frames),
    }
}

pub(super) fn out_of_memory(host: &Host) -> Error {
    let limit = host.memory / (1024 * 1024);
    Error::new(Kind::Script, "memory", format!("out of memory: a script may use {limit} MiB")).hint(
        "a table or string that grows in a loop without end, or a function that calls itself without end?",
    )
}

/// Lua's own message: the place in front of it is taken off, and its caret is put under the name it complains of.
fn of_text(host: &Host, text: &str, frames: &[Frame]) -> Error {
    let text = text.split("\nstack traceback:").next().unwrap_or_default();
    if text.ends_with("not enough memory") {
        return out_of_memory(host);
    }
    let located = frames.iter().find_map(|frame| {
        let rest = text.strip_prefix(&frame.short)?.strip_prefix(':')?;
        let (line, message) = rest.split_once(": ")?;
        Some((Frame { line: line.parse().ok()?, ..frame.clone() }, message))
    });
    let (frame, message) = match located {
        Some((frame, message)) => (Some(frame), message),
        None => (None, text),
    };
    let message = message.trim_end();
    let word = quoted(message).unwrap_or_default().to_string();
    let error = Error::new(Kind::Script, "error", message);
    let mut frames = frames.to_vec();
    if let Some(frame) = frame {
        frames.insert(0, frame);
    }
    placed(host, error, &frames, None, &word)
}

/// The last `'name'` of a message.
fn quoted(message: &str) -> Option<&str> {
    let end = message.rfind('\'')?;
    let begin = message[..end].rfind('\'')?;
    Some(&message[begin + 1..end])
}

/// Gives an error the innermost place, with the caret under `word` or the whole line.
pub(super) fn placed(
    host: &Host,
    mut error: Error,
    frames: &[Frame],
    spot: Option<Spot>,
    word: &str,
) -> Error {
    let Some(frame) = frames.first() else { return error };
    if error.origin.is_some() {
        return error;
    }
    if let Some(source) = host.sources.get(&frame.chunk) {
        let by_word = || if word.is_empty() { None } else { Words::new(&source).word_on(word, frame.line) };
        let spot = spot.or_else(by_word).or_else(|| whole_line(&source, frame.line));
        error.excerpt = spot.map(|spot| Box::new(excerpt(&source, spot, "")));
    }
    error.at(Some(&frame.origin()))
}

/// Calls a function of the user's from within a native. Its errors keep their place and their object.
pub(super) fn call_back(lua: &Lua, function: Function, args: impl IntoLuaMulti) -> Checked<Value> {
    let call = || -> mlua::Result<(bool, Value)> {
        let xpcall: Function = lua.named_registry_value("lvsh.xpcall")?;
        let handler: Function = lua.named_registry_value("lvsh.caught")?;
        let mut all = args.into_lua_multi(lua)?;
        all.push_front(Value::Function(handler));
        all.push_front(Value::Function(function));
        xpcall.call(all)
    };
    let (ok, value) = call().map_err(lua_fault)?;
    if ok {
        return Ok(value);
    }
    let raised =
        value.as_userdata().and_then(|object| object.borrow::<Raised>().ok().map(|raised| raised.0.clone()));
    Err(Fault::new(raised.unwrap_or_else(|| Error::new(Kind::Script, "error", "the script failed"))))
}

/// What Lua says of a chunk that does not compile.
pub(super) fn syntax(host: &Host, chunk: &str, error: &mlua::Error) -> Error {
    let text = match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        other => other.to_string(),
    };
    // `path:12: what is wrong`; the path may be shortened, and may have colons.
    let (line, message) = split_line(&text).unwrap_or((0, text.clone()));
    let mut error = Error::new(Kind::Script, "syntax", message.clone());
    error.origin = Some(Origin { file: file_of(chunk).into(), line: line.max(1) });
    if let Some(source) = host.sources.get(chunk) {
        let near = message.rsplit_once("near '").map(|(_, word)| word.trim_end_matches('\''));
        let by_word = near.and_then(|word| Words::new(&source).word_on(word, line));
        let spot = by_word.or_else(|| whole_line(&source, line));
        error.excerpt = spot.map(|spot| Box::new(excerpt(&source, spot, "")));
    }
    error
}

fn split_line(text: &str) -> Option<(u32, String)> {
    let mut from = 0;
    while let Some(found) = text[from..].find(':') {
        let rest = &text[from + found + 1..];
        if let Some((digits, message)) = rest.split_once(": ")
            && let Ok(line) = digits.parse()
        {
            return Some((line, message.to_string()));
        }
        from += found + 1;
    }
    None
}
