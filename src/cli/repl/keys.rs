//! Single keys from the terminal, outside of the line editor; the pager.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

/// The terminal without line editing, until it is dropped.
pub struct Keys(Termios);

impl Keys {
    /// Every key is only a key, also Ctrl-C. `None` where there is no terminal.
    pub fn new() -> Option<Keys> {
        Keys::without(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    /// Nothing is echoed, and Ctrl-C stops what runs.
    pub fn hidden() -> Option<Keys> {
        Keys::without(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    fn without(flags: LocalFlags) -> Option<Keys> {
        let stdin = std::io::stdin();
        let before = tcgetattr(&stdin).ok()?;
        let mut raw = before.clone();
        raw.local_flags.remove(flags);
        raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        tcsetattr(&stdin, SetArg::TCSADRAIN, &raw).ok()?;
        Some(Keys(before))
    }

    /// The next key; `None` when the time is over, or the terminal is gone.
    pub fn next(&self, wait: Option<Duration>) -> Option<u8> {
        let stdin = std::io::stdin();
        let timeout =
            wait.map_or(PollTimeout::NONE, |wait| PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX));
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, timeout).is_ok_and(|ready| ready == 0) {
            return None;
        }
        let mut byte = [0];
        // Past the buffer of stdin, which would take more than this key.
        let read = nix::unistd::read(stdin.as_fd(), &mut byte).ok()?;
        (read == 1).then_some(byte[0])
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

/// Rows and columns of the terminal.
pub fn size() -> (usize, usize) {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize, which lives until after the call.
    let answer = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    if answer == 0 && size.ws_row > 0 { (size.ws_row.into(), size.ws_col.into()) } else { (24, 80) }
}

/// Whether the terminal only writes, and knows no codes.
pub fn dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb")
}

/// Prints; what is longer than the screen page by page.
pub fn page(text: &str) {
    let (rows, columns) = size();
    let tall = |line: &str| line.chars().count().div_ceil(columns.max(1)).max(1);
    let fits = text.lines().map(tall).sum::<usize>() < rows;
    let terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal() && !dumb();
    let keys = if fits || !terminal || rows < 4 { None } else { Keys::new() };
    let Some(keys) = keys else {
        print(text);
        return;
    };
    let mut lines = text.lines().peekable();
    let mut room = rows - 1;
    let mut left = text.lines().count();
    while let Some(line) = lines.peek() {
        if tall(line) <= room {
            print(&format!("{line}\n"));
            room -= tall(line);
            left -= 1;
            lines.next();
            continue;
        }
        print(&format!("-- {left} more lines: Space, Enter, q --"));
        let key = keys.next(None);
        print("\r\x1b[K");
        room = match key {
            Some(b' ' | b'f') => rows - 1,
            Some(b'\r' | b'\n' | b'j') => tall(line),
            // q, Esc, Ctrl-C, Ctrl-D; and a terminal that is gone.
            None | Some(b'q' | 0x1b | 3 | 4) => return,
            Some(_) => continue,
        };
    }
}

pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    // Who is gone reads nothing.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
