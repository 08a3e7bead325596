//! How a run ends: what goes to stdout, and the exit code.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::context::Context;
use super::log::{Entry, Priority};
use crate::error::{Error, Kind};
use crate::script::excerpt_of;
use crate::view::{document, error_text, error_value};

/// A run that went well.
#[derive(Debug, Default)]
pub struct Done {
    /// For people.
    pub text: String,
    /// For programs.
    pub fields: Map<String, Value>,
    /// Not 0 only with `--exit-code`, or when it was printed.
    pub code: u8,
    /// It went out already, while it was made.
    pub printed: bool,
    /// The text is what was asked for, and is printed with `--quiet` too.
    pub asked: bool,
}

impl Done {
    pub fn text(text: impl Into<String>) -> Done {
        Done { text: text.into(), ..Done::default() }
    }

    /// What went out already, and how it ended.
    pub fn printed(code: u8) -> Done {
        Done { code, printed: true, ..Done::default() }
    }

    /// A text that somebody will put into a file: an empty backup would be worse than a mail from cron.
    pub fn answer(text: impl Into<String>) -> Done {
        Done { asked: true, ..Done::text(text) }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Done {
        self.fields.insert(name.to_string(), value.into());
        self
    }

    /// The exit code that `--exit-code` asks for.
    #[must_use]
    pub fn code(mut self, context: &Context, code: u8) -> Done {
        if context.common.exit_code && code != 0 {
            self.code = code;
        }
        self
    }
}

/// Prints a good end.
pub fn finish(context: &Context, verb: &str, start: Instant, done: Done) -> ExitCode {
    if done.printed {
        return ExitCode::from(done.code);
    }
    let mut wrote = true;
    if context.common.json {
        let mut fields = done.fields;
        fields.insert("command".to_string(), json!(verb));
        fields.entry("ok").or_insert(json!(true));
        fields.insert("warnings".to_string(), json!(context.warnings()));
        fields.insert("duration_ms".to_string(), json!(start.elapsed().as_millis() as u64));
        wrote = print(&document(Value::Object(fields)));
    } else if !context.common.quiet || done.asked {
        wrote = print(&done.text);
    }
    ExitCode::from(if wrote { done.code } else { 1 })
}

/// Prints a bad end. `nothing`: what to say of the changes if the error does not.
pub fn fail(context: Option<&Context>, look: &Look<'_>, mut error: Error) -> ExitCode {
    // What a plan was refused for was said on a line of the policy too.
    if error.excerpt.is_none() {
        error.excerpt = error.origin.as_ref().and_then(excerpt_of).map(Box::new);
    }
    if let Some(context) = context
        && error.kind != Kind::Usage
    {
        let lost = error.kind == Kind::RollbackFailed;
        let priority = if lost { Priority::Critical } else { Priority::Error };
        // It is the end of the run, and so for who waits for it as well.
        context.log.tell(&Entry::new(priority, error.to_string()).with("COMMAND", context.command.as_str()));
    }
    if look.json {
        let fields = json!({
            "command": look.verb, "ok": false, "error": error_value(&error),
            "warnings": context.map(Context::warnings).unwrap_or_default(),
            "duration_ms": look.start.elapsed().as_millis() as u64,
        });
        print(&document(fields));
    } else {
        // Who mistyped a command knows that nothing happened.
        let nothing = if error.kind == Kind::Usage { "" } else { look.nothing };
        eprint!("{}", error_text(&error, nothing, look.style));
    }
    ExitCode::from(error.exit_code())
}

/// How an error is shown.
pub struct Look<'a> {
    pub verb: &'a str,
    pub json: bool,
    pub nothing: &'a str,
    pub style: crate::view::Style,
    pub start: Instant,
}

/// Writes to stdout. Who closes the pipe has read enough, which is no failure.
///
/// False when it could not be written, as on a full disk.
pub fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    let wrote = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if let Err(error) = wrote
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        eprintln!("lvsh: cannot write to stdout: {error}");
        return false;
    }
    true
}
