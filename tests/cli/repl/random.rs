//! Whatever is typed: no panic, no hang, no leak.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::Duration;

use lvsh::script::{Syntax, check_syntax};

use super::director;
use super::pty::Pty;

/// A generator of our own, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % sides as u64) as usize
    }
}

const WORDS: &[&str] = &[
    "web",
    ".servers",
    ":set_server",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "[[",
    "]]",
    ",",
    "=",
    "==",
    "..",
    "...",
    "1",
    "0",
    "-1",
    "2.5",
    "1e400",
    "0x",
    "nil",
    "true",
    "local",
    "function",
    "end",
    "for",
    "in",
    "do",
    "while",
    "if",
    "then",
    "else",
    "return",
    "break",
    "goto",
    "::x::",
    "repeat",
    "until",
    "and",
    "not",
    "#",
    "+",
    "//",
    "%",
    "~",
    "<",
    ">>",
    ";",
    "--",
    "--[[",
    "lvs",
    ".",
    ":",
    "services",
    "add_service",
    "fwmark",
    "weight",
    "addr",
    "\"192.168.1.107\"",
    "_",
    "_1",
    "_G",
    "help",
    "?",
    "!",
    "$",
    "\\",
    "é",
    "…",
    "\u{a0}",
    "日本",
    "pcall",
    "error",
    "print",
    "tostring",
    "setmetatable",
    "coroutine.wrap",
    "string.rep",
    "plan",
    "transaction",
    "policy",
    "log.info",
    ".dry",
    ".undo",
    ".discard",
    ".delta",
    ".json",
    ".help",
    ".history",
    ".time",
    "persistent",
    "scheduler",
    "\"sh\"",
    "<close>",
];

fn line(dice: &mut Dice) -> String {
    let count = 1 + dice.roll(12);
    let words: Vec<&str> = (0..count).map(|_| WORDS[dice.roll(WORDS.len())]).collect();
    words.join(if dice.roll(3) == 0 { "" } else { " " })
}

/// Resident kilobytes.
fn memory(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("a number")
}

/// Whether a line needs more of them, and whether it might never end, or for good reason.
fn judge(text: &str) -> Option<Syntax> {
    let endless = ["while", "repeat", "goto", "rep", ".edit", ".watch", ".quit"];
    (!endless.iter().any(|word| text.contains(word))).then(|| check_syntax(text))
}

/// Four times 2,500 lines, because they take their time.
#[test]
fn random_lines_1() {
    lines_of_anything(1);
}

#[test]
fn random_lines_2() {
    lines_of_anything(2);
}

#[test]
fn random_lines_3() {
    lines_of_anything(3);
}

#[test]
fn random_lines_4() {
    lines_of_anything(4);
}

fn lines_of_anything(seed: u64) {
    let here = director();
    // So low that nothing is paged, and without a history, which would be most of the work.
    let mut command = here.command(&["repl", "-n"]);
    command.env("NO_COLOR", "1").env("LVSH_HISTORY", "");
    let mut pty = Pty::spawn(&here, command, 3, 200);
    let mut dice = Dice(seed);
    let (mut count, mut keys) = (0, String::new());
    while count < 2_500 {
        let text = line(&mut dice);
        let Some(syntax) = judge(&text) else { continue };
        count += 1;
        keys.push_str(&format!("\x1b[200~{text}\x1b[201~"));
        let entered = syntax != Syntax::Incomplete || dice.roll(50) == 0;
        if dice.roll(8) == 0 {
            // Completion in the middle of it; no to a question of many candidates.
            keys.push_str("\x1b[D\tn");
        }
        // What wants more lines is most often erased: each is a Ctrl-C to wait for.
        keys.push_str(if entered { "\r" } else { "\x05\x15" });
        if (entered && syntax == Syntax::Incomplete) || keys.len() > 800 {
            pty.keys(&keys);
            keys.clear();
            answers(&mut pty);
        }
    }
    answers(&mut pty);
    assert!(!pty.wrote_since(0, "internal error"), "a panic");
}

/// Asks for a sum until it is answered. What is being typed is cleared first if there is no answer: by Ctrl-C, with which
/// a terminal drops what was typed ahead; a second one on an empty line would leave. It may have dropped the end of a
/// paste, without which all that follows is pasted too.
fn answers(pty: &mut Pty) {
    let seen = pty.written();
    for _ in 0..40 {
        pty.keys("\"sent\" .. 1\r");
        for _ in 0..500 {
            if pty.wrote_since(seen, "\"sent1\"") {
                return;
            }
            let screen = pty.screen();
            if screen.lines().last().unwrap_or_default().contains("..>") {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        pty.keys("\x1b[201~");
        pty.settle_for(50);
        let screen = pty.screen();
        let last = screen.lines().last().unwrap_or_default();
        if !(last.starts_with("lvs (") && last.ends_with(")>")) {
            pty.keys("\x03");
        }
        pty.settle_for(50);
    }
    panic!("it hangs:\n{}", pty.screen());
}

#[test]
fn ten_thousand_evaluations_take_no_memory() {
    let here = director();
    let mut child =
        here.command(&["repl"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program");
    let mut stdin = child.stdin.take().expect("stdin");
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout"));
    let mut run = |count: usize| {
        for number in 0..count {
            let line = format!(
                "x = {{ get_service {{ fwmark = 3 }}.servers[1].weight, {number}, \"text\" }} return x[2]\n"
            );
            stdin.write_all(line.as_bytes()).expect("a pipe");
            let mut said = String::new();
            stdout.read_line(&mut said).expect("a pipe");
            assert_eq!(said.trim(), number.to_string());
        }
        memory(child.id())
    };
    let first = run(1_000);
    let last = run(9_000);
    drop(stdin);
    assert!(child.wait().expect("an end").success());
    assert!(last * 10 <= first * 11, "{first} kB after 1000 lines, {last} kB after 10000");
}
