//! The prompt on a terminal: reads lines, runs them, prints what they say.

use std::cell::{Cell, RefCell};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{ColorMode, CompletionType, Config, Editor, EventHandler, KeyCode, KeyEvent, Modifiers};

use super::commands::{self, Next};
use super::core::Repl;
use super::helper::{Asked, Backspace, Enter, asks, code_of};
use super::keys::{Keys, dumb, page, print, size};
use super::{history, words};
use crate::cli::context::{Context, stopped};
use crate::cli::done::Done;
use crate::error::{Error, Kind, Result};

type Line<'a> = Editor<Asked<'a>, FileHistory>;

pub fn run<'a>(context: &'a Context, mut repl: Repl<'a>, loaded: &str) -> Result<Done> {
    let leave = Leave::on_signals();
    print(&words::banner(&mut repl));
    print(loaded);
    let repl = Rc::new(RefCell::new(repl));
    let mut line = editor(context, &repl)?;
    let path = history::file();
    if let Some(path) = &path {
        // Nothing is lost without it.
        let _ = line.load_history(path);
    }
    let mut last = String::new();
    let mut initial = String::new();
    let mut asked_to_leave = false;
    loop {
        let prompt = words::prompt(&repl.borrow());
        ready(&mut line, &repl.borrow(), &prompt);
        leave.at_prompt.store(true, Ordering::SeqCst);
        let read = line.readline_with_initial(&prompt, (&std::mem::take(&mut initial), ""));
        leave.at_prompt.store(false, Ordering::SeqCst);
        let typed = match read {
            Ok(typed) => typed,
            Err(ReadlineError::Interrupted) => {
                let empty = line.helper().is_some_and(|helper| !helper.typed.get());
                if empty && asked_to_leave {
                    break;
                }
                if empty {
                    print("(Ctrl-D leaves; Ctrl-C again, too)\n");
                }
                asked_to_leave = empty;
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => {
                return Err(Error::new(Kind::Io, "io", format!("cannot read the terminal: {error}")));
            }
        };
        asked_to_leave = false;
        let code = code_of(&typed);
        if code.trim().is_empty() {
            continue;
        }
        remember(&mut line, path.as_deref(), &code);
        let next = one(&repl, &code);
        if !code.trim_start().starts_with('.') {
            last = code;
        }
        if leave.asked.load(Ordering::SeqCst) {
            print(&goodbye(&repl.borrow()));
            return Err(stopped(Kind::Interrupted));
        }
        match next {
            Next::Print(text) => page(&text),
            Next::Leave => break,
            Next::Edit => match edit(&last) {
                Ok(text) => initial = text.trim_end().to_string(),
                Err(error) => print(&repl.borrow().error(&error, "")),
            },
            Next::Watch { code, every } => watch(&repl, &code, every),
        }
    }
    print(&goodbye(&repl.borrow()));
    let code = repl.borrow().worst;
    Ok(Done { code, ..Done::default() })
}

fn goodbye(repl: &Repl<'_>) -> String {
    let mut text = repl.changes.goodbye(repl.context.store.as_ref());
    if let Some(stage) = repl.stage.as_ref().map(|stage| stage.plan().len()).filter(|count| *count > 0) {
        text.push_str(&format!("{} staged and not sent\n", super::stage::changes(stage)));
    }
    repl.fit(&text)
}

fn editor<'a>(context: &Context, repl: &Rc<RefCell<Repl<'a>>>) -> Result<Line<'a>> {
    let wrong =
        |error: ReadlineError| Error::new(Kind::Io, "io", format!("cannot use the terminal: {error}"));
    let config = Config::builder()
        .max_history_size(history::LINES)
        .map_err(wrong)?
        .history_ignore_dups(true)
        .map_err(wrong)?
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .completion_prompt_limit(200)
        .bell_style(BellStyle::None)
        // Without colours the margin of further lines is drawn all the same.
        .color_mode(ColorMode::Forced)
        .tab_stop(8)
        .build();
    let mut line: Line<'a> = Editor::with_config(config).map_err(wrong)?;
    let colored = context.style() != crate::view::Style::plain();
    line.set_helper(Some(Asked {
        repl: Rc::clone(repl),
        colored,
        live: Cell::new(false),
        typed: Cell::new(false),
        prompt: Cell::new(0),
    }));
    line.bind_sequence(
        KeyEvent(KeyCode::Backspace, Modifiers::NONE),
        EventHandler::Conditional(Box::new(Backspace)),
    );
    Ok(line)
}

fn ready(line: &mut Line<'_>, repl: &Repl<'_>, prompt: &str) {
    if let Some(helper) = line.helper_mut() {
        helper.live.set(words::is_live(repl));
        helper.typed.set(false);
        helper.prompt.set(prompt.chars().count());
    }
    let margin = prompt.chars().count();
    for key in [KeyEvent(KeyCode::Enter, Modifiers::NONE), KeyEvent(KeyCode::Char('J'), Modifiers::CTRL)] {
        line.bind_sequence(key, EventHandler::Conditional(Box::new(Enter { margin })));
    }
}

/// Also a wrong line: it is the one that is wanted again.
fn remember(line: &mut Line<'_>, path: Option<&std::path::Path>, code: &str) {
    let added = line.add_history_entry(code).unwrap_or(false);
    if let Some(path) = path.filter(|_| added) {
        // A full disk must not keep anyone from a live machine.
        let _ = line.append_history(path);
    }
}

/// Runs a line; what is wrong with it is text as well.
fn one(repl: &Rc<RefCell<Repl<'_>>>, code: &str) -> Next {
    let mut repl = repl.borrow_mut();
    let line = code.trim();
    if line.starts_with('.') {
        return commands::run(&mut repl, line).unwrap_or_else(|error| Next::Print(said(&repl, &error, "")));
    }
    let name = repl.next_name();
    let help = asks(line).map(|name| format!("help({})", words::quoted(name)));
    let text = match repl.evaluate(help.as_deref().unwrap_or(code), &name) {
        Ok(ran) => ran.text,
        Err(error) => said(&repl, &error, &name),
    };
    Next::Print(text)
}

fn said(repl: &Repl<'_>, error: &Error, name: &str) -> String {
    // The terminal has written ^C, and stands behind it.
    let line = if error.kind == Kind::Interrupted { "\n" } else { "" };
    format!("{line}{}", repl.error(error, name))
}

/// The last line in the user's editor.
fn edit(last: &str) -> Result<String> {
    let path = std::env::temp_dir().join(format!("lvsh-{}.lua", std::process::id()));
    let wrong = |error: std::io::Error| Error::io("edit", &path, &error);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(wrong)?;
    let written = file.write_all(last.as_bytes()).and_then(|()| file.write_all(b"\n"));
    drop(file);
    let words = ["VISUAL", "EDITOR"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|text| !text.trim().is_empty()));
    let words = words.unwrap_or_else(|| "vi".to_string());
    let mut words = words.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let ended = written.and_then(|()| std::process::Command::new(program).args(words).arg(&path).status());
    let text = std::fs::read_to_string(&path);
    // The next .edit needs the name.
    let _ = std::fs::remove_file(&path);
    let ended = ended.map_err(|error| {
        Error::new(Kind::Io, "io", format!("cannot run {program}: {error}")).hint("set EDITOR to an editor")
    })?;
    if !ended.success() {
        return Err(Error::new(
            Kind::Io,
            "io",
            format!("{program} ended with {ended}; nothing was taken over"),
        ));
    }
    text.map_err(wrong)
}

/// Draws anew until a key is pressed. Only looks: effects are refused.
fn watch(repl: &Rc<RefCell<Repl<'_>>>, code: &str, every: Duration) {
    let Some(_hidden) = Keys::hidden() else {
        print("error: .watch needs a terminal\n");
        return;
    };
    let mut repl = repl.borrow_mut();
    let style = repl.style;
    loop {
        let (rows, _) = size();
        let (text, failed) = match repl.watch(code) {
            Ok(ran) => (ran.text, false),
            Err(error) => (repl.error(&error, "watch"), true),
        };
        let head = format!("every {} s: {code}    any key ends", every.as_secs_f64());
        let mut lines: Vec<&str> = text.lines().collect();
        lines.truncate(rows.saturating_sub(2));
        // A terminal that only writes gets one below the other.
        let clear = if dumb() { "" } else { "\x1b[H\x1b[2J" };
        print(&format!("{clear}{}\n{}\n", style.dim(&head), lines.join("\n")));
        if failed || Keys::new().is_none_or(|keys| keys.next(Some(every)).is_some()) {
            return;
        }
    }
}

/// SIGTERM and SIGHUP: at the prompt they end the program at once, with the terminal as it was; while a line runs they
/// end the line, and then the program.
struct Leave {
    at_prompt: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
}

impl Leave {
    fn on_signals() -> Leave {
        use signal_hook::consts::{SIGHUP, SIGTERM};
        let leave = Leave { at_prompt: Arc::default(), asked: Arc::default() };
        let Ok(terminal) = nix::sys::termios::tcgetattr(std::io::stdin()) else { return leave };
        let terminal: libc::termios = terminal.into();
        for signal in [SIGTERM, SIGHUP] {
            let at_prompt = Arc::clone(&leave.at_prompt);
            let restore = move || {
                if at_prompt.load(Ordering::SeqCst) {
                    // SAFETY: tcsetattr may be called from a signal handler (POSIX), and reads what the closure owns.
                    unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, &raw const terminal) };
                }
            };
            // Registering fails only for signals that cannot be caught.
            let _ = signal_hook::flag::register(signal, Arc::clone(&leave.asked));
            // SAFETY: the handler loads an atomic and calls tcsetattr.
            let _ = unsafe { signal_hook::low_level::register(signal, restore) };
            let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&leave.at_prompt));
        }
        leave
    }
}
