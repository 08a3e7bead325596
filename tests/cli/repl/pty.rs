//! A terminal of its own for the program: keys go in, a screen comes out.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::pty::{OpenptyResult, Winsize, openpty};

/// How long the program may take for anything, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub const UP: &str = "\x1b[A";
pub const LEFT: &str = "\x1b[D";
pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";
pub const CTRL_R: &str = "\x12";
pub const TAB: &str = "\t";

pub struct Pty {
    master: File,
    child: Child,
    parser: Arc<Mutex<vt100::Parser>>,
    /// Everything the program wrote, as bytes.
    raw: Arc<Mutex<Vec<u8>>>,
}

/// From the last prompt on.
fn now(screen: &str) -> &str {
    screen.rfind("lvs (").map_or(screen, |at| &screen[at..])
}

/// Bytes of an update that is not whole yet, as a terminal that knows synchronized output holds them back.
fn unfinished(bytes: &[u8]) -> usize {
    const BEGIN: &[u8] = b"\x1b[?2026h";
    const END: &[u8] = b"\x1b[?2026l";
    let last = |what: &[u8]| bytes.windows(what.len()).rposition(|part| part == what);
    match (last(BEGIN), last(END)) {
        (Some(begin), None) => bytes.len() - begin,
        (Some(begin), Some(end)) if begin > end => bytes.len() - begin,
        _ => 0,
    }
}

fn winsize(rows: u16, cols: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: cols, ws_xpixel: 0, ws_ypixel: 0 }
}

fn cells(count: u16) -> NonZero<u16> {
    NonZero::new(count).expect("a size")
}

impl Pty {
    /// A program on a screen of its own.
    pub fn on(mut command: Command, rows: u16, cols: u16) -> Pty {
        let OpenptyResult { master, slave } = openpty(Some(&winsize(rows, cols)), None).expect("a terminal");
        let stdio = |fd: &OwnedFd| Stdio::from(fd.try_clone().expect("a descriptor"));
        command.stdin(stdio(&slave)).stdout(stdio(&slave)).stderr(stdio(&slave));
        if command.get_envs().all(|(name, _)| name != "TERM") {
            command.env("TERM", "xterm");
        }
        // SAFETY: both calls are async-signal-safe, and stdin is the terminal by then.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                if libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let child = command.spawn().expect("the program");
        // Its copies would keep the terminal open after the program has ended.
        drop(command);
        drop(slave);
        let master = File::from(master);
        let parser = Arc::new(Mutex::new(vt100::Parser::new(cells(rows), cells(cols), 10_000)));
        let raw = Arc::new(Mutex::new(Vec::new()));
        let (mut from, screen, bytes) =
            (master.try_clone().expect("a descriptor"), parser.clone(), raw.clone());
        std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            let mut held = Vec::new();
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                bytes.lock().expect("the bytes").extend_from_slice(&buffer[..count]);
                held.extend_from_slice(&buffer[..count]);
                let whole = held.len() - unfinished(&held);
                screen.lock().expect("the screen").process(&held[..whole]);
                held.drain(..whole);
            }
        });
        Pty { master, child, parser, raw }
    }

    pub fn keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("keys");
    }

    /// Waits for the prompt, types a line, presses Enter.
    #[track_caller]
    pub fn line(&mut self, text: &str) {
        self.prompt();
        self.keys(text);
        // Seen as typed before it is sent: the editor draws it.
        let end: String = text.chars().skip(text.chars().count().saturating_sub(8)).collect();
        self.until(text, |screen| now(screen).contains(&end));
        self.keys("\r");
    }

    /// Pastes text as a terminal does.
    pub fn paste(&mut self, text: &str) {
        self.keys(&format!("\x1b[200~{text}\x1b[201~"));
    }

    pub fn resize(&mut self, rows: u16, cols: u16) {
        let size = winsize(rows, cols);
        // SAFETY: TIOCSWINSZ reads one winsize.
        let done = unsafe { libc::ioctl(self.master.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
        assert_eq!(done, 0, "the size of the terminal");
        self.parser.lock().expect("the screen").screen_mut().set_size(cells(rows), cells(cols));
    }

    /// The screen as it is, without blank lines at its end.
    pub fn screen(&self) -> String {
        let parser = self.parser.lock().expect("the screen");
        let text = parser.screen().contents();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_string()
    }

    /// Everything that was written so far, with the terminal's own codes.
    pub fn raw(&self) -> String {
        String::from_utf8_lossy(&self.raw.lock().expect("the bytes")).into_owned()
    }

    /// Bytes the program wrote so far.
    pub fn written(&self) -> usize {
        self.raw.lock().expect("the bytes").len()
    }

    /// Whether it wrote a text after so many bytes.
    pub fn wrote_since(&self, begin: usize, text: &str) -> bool {
        let bytes = self.raw.lock().expect("the bytes");
        String::from_utf8_lossy(&bytes[begin..]).contains(text)
    }

    #[track_caller]
    pub fn until(&self, what: &str, test: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if test(&screen) {
                return screen;
            }
            assert!(start.elapsed() < PATIENCE, "{what} did not come:\n{screen}\n");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a text on the screen.
    #[track_caller]
    pub fn wait(&self, text: &str) -> String {
        self.until(&format!("{text:?}"), |screen| screen.contains(text))
    }

    /// Waits for an empty prompt.
    #[track_caller]
    pub fn prompt(&self) -> String {
        self.until("a prompt", |screen| {
            let last = screen.lines().last().unwrap_or_default();
            last.starts_with("lvs (") && last.ends_with(")>")
        })
    }

    /// What a line prints, once the next prompt is there.
    #[track_caller]
    pub fn says(&mut self, text: &str) -> String {
        self.line(text);
        // The prompt that was there went with the line.
        let screen = self.until("an answer", |screen| {
            let last = screen.lines().last().unwrap_or_default();
            last.starts_with("lvs (") && last.ends_with(")>")
        });
        let lines: Vec<&str> = screen.lines().collect();
        let prompts: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].starts_with("lvs (")).collect();
        let begin = prompts.len().checked_sub(2).map_or(0, |at| prompts[at]);
        // What the terminal wrapped is one line here.
        lines[begin + 1..lines.len() - 1].join("\n")
    }

    /// The exit code, once the program has ended.
    #[track_caller]
    pub fn ended(&mut self) -> i32 {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("the program") {
                // What it wrote last is still on its way.
                std::thread::sleep(Duration::from_millis(50));
                return status.code().unwrap_or(-1);
            }
            assert!(start.elapsed() < PATIENCE, "it did not end:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // Most have ended by themselves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pty {
    /// Waits until a text stands behind the last prompt.
    #[track_caller]
    pub fn typed(&self, text: &str) {
        let end: String =
            text.trim_end().chars().skip(text.trim_end().chars().count().saturating_sub(8)).collect();
        self.until(text, |screen| now(screen).contains(&end));
    }

    /// Waits until nothing more comes.
    pub fn settle(&self) {
        self.settle_for(150);
    }

    pub fn settle_for(&self, quiet: u64) {
        let (mut last, mut since) = (self.written(), Instant::now());
        while since.elapsed() < Duration::from_millis(quiet) {
            std::thread::sleep(Duration::from_millis(2));
            let now = self.written();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }

    /// Whether keys reach the program one by one.
    pub fn is_raw(&self) -> bool {
        let terminal = nix::sys::termios::tcgetattr(&self.master).expect("a terminal");
        !terminal.local_flags.contains(nix::sys::termios::LocalFlags::ICANON)
    }
}
