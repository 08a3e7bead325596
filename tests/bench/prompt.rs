//! From a key to the screen: a prompt on a machine in memory with 10,000 services, and how soon Ctrl-C ends a line.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};

const SERVICES: usize = 10_000;
const ROUNDS: usize = 15;
const STOPS: usize = 5;

/// Types what was asked for and waits for words on the screen.
struct Prompt {
    master: File,
    seen: String,
}

impl Prompt {
    fn until(&mut self, keys: &str, words: &str) -> Duration {
        // Without keys it is about what was read already.
        if !keys.is_empty() {
            self.seen.clear();
        }
        let start = Instant::now();
        self.master.write_all(keys.as_bytes()).expect("keys");
        let mut buffer = [0; 65536];
        while !self.seen.contains(words) {
            let count = self.master.read(&mut buffer).expect("the prompt");
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
            assert!(start.elapsed() < Duration::from_secs(20), "{words:?} did not come: {}", self.seen);
        }
        start.elapsed()
    }
}

pub fn prompt(lvsh: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let machine = folder.path().join("big.json");
    let code = format!(
        "local all = {{}} for i = 1, {SERVICES} do all[i] = {{ fwmark = i, scheduler = \"wlc\", servers = {{ \
         {{ addr = \"10.0.0.1\" }}, {{ addr = \"10.0.0.2\" }} }} }} end lvs.apply {{ service = all }}"
    );
    let made = Command::new(lvsh).arg("--memory").arg(&machine).args(["eval", &code]).status();
    assert!(made.expect("lvsh").success());
    let size = Winsize { ws_row: 40, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let pair = openpty(Some(&size), None).expect("a terminal");
    let stdio = || Stdio::from(pair.slave.try_clone().expect("a descriptor"));
    let mut command = Command::new(lvsh);
    command.arg("--memory").arg(&machine).arg("repl").stdin(stdio()).stdout(stdio()).stderr(stdio());
    command.env("TERM", "xterm").env("NO_COLOR", "1").env("LVSH_HISTORY", "");
    // Ctrl-C is for the session that the terminal belongs to.
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
    let mut child = command.spawn().expect("lvsh");
    let mut prompt = Prompt { master: File::from(pair.master), seen: String::new() };
    prompt.until("", "lvs (memory)> ");
    let (mut first, mut again, mut member, mut page) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // After a line that ran, nothing is known of the machine.
        prompt.until("1\r", "\n1\r\n");
        prompt.until("get_service { fwmark = 999", "999");
        first.push(prompt.until("\t", "9999"));
        again.push(prompt.until("\t", "9999"));
        prompt.until("\x15web = get_service { fwmark = 7 }", "7 }");
        prompt.until("\r", "lvs (memory)> ");
        prompt.until("web.se", "web.se");
        member.push(prompt.until("\t", "set_weights"));
        prompt.until("\x15services()", "services()");
        page.push(prompt.until("\r", "more lines"));
        prompt.until("q", "lvs (memory)> ");
    }
    let stops = stops(&mut prompt);
    // It has nothing to lose.
    child.kill().expect("a signal");
    child.wait().expect("an end");
    let show = |what: &str, times: &mut Vec<Duration>| {
        times.sort();
        let ms = |at: usize| times[at].as_secs_f64() * 1e3;
        println!("  {what:<44} {:>7.1} ms   worst {:>7.1} ms", ms(times.len() / 2), ms(times.len() - 1));
    };
    println!("a prompt on {SERVICES} services, key to screen, median of {ROUNDS}");
    show("completion of a mark, machine read anew", &mut first);
    show("completion of a mark, again", &mut again);
    show("completion of fields and methods", &mut member);
    show("services(), first page", &mut page);
    println!("from Ctrl-C to the words that it ended, median of {STOPS}");
    for (what, mut times) in stops {
        show(what, &mut times);
    }
}

/// Ctrl-C in each state in which a prompt can be; every line has changed something that is taken back.
fn stops(prompt: &mut Prompt) -> Vec<(&'static str, Vec<Duration>)> {
    // It takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let probe = format!("probe(\"127.0.0.1\", {{ http = {{ port = {port} }}, timeout = 60 }})");
    let pattern = "string.find((\"a\"):rep(40), (\"a?\"):rep(40) .. (\"a\"):rep(40) .. \"b\")";
    let states = [
        ("a loop", "while true do end".to_string()),
        ("a loop of pcall", "while true do pcall(function() while true do end end) end".to_string()),
        ("a blocked probe", probe.clone()),
        ("a blocked probe in a loop of pcall", format!("while true do pcall(function() {probe} end) end")),
        ("a pattern inside C, given a second", pattern.to_string()),
    ];
    let mut out = vec![("a line that is being typed", Vec::new())];
    for _ in 0..STOPS {
        prompt.until("web = nonsense(", "nonsense(");
        out[0].1.push(prompt.until("\x03", "lvs (memory)> "));
    }
    for (what, code) in states {
        let mut times = Vec::new();
        for _ in 0..STOPS {
            prompt.until(&format!("del_service {{ fwmark = 7 }} {code}"), &code[code.len() - 8..]);
            prompt.until("\r", "\n");
            std::thread::sleep(Duration::from_millis(300));
            times.push(prompt.until("\x03", "rolled back 1 change"));
            prompt.until("", "lvs (memory)> ");
        }
        out.push((what, times));
    }
    out
}
