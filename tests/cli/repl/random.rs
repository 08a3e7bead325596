//! Whatever is typed: no panic, no hang, no leak.

use super::director;
use super::pty::{Pty, TAB};

/// A generator of our own, so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((self.0 >> 33) % sides as u64) as usize
    }
}

const WORDS: &[&str] = &[
    "web", ".servers", ":set_server", "(", ")", "{", "}", "[", "]", "\"", "'", "[[", "]]", ",", "=", "==", "..", "...",
    "1", "0", "-1", "2.5", "1e400", "0x", "nil", "true", "local", "function", "end", "for", "in", "do", "while", "if",
    "then", "else", "return", "break", "goto", "::x::", "repeat", "until", "and", "not", "#", "+", "//", "%", "~", "<",
    ">>", ";", "--", "--[[", "lvs", ".", ":", "services", "add_service", "fwmark", "weight", "addr", "\"192.168.1.107\"",
    "_", "_1", "_G", "help", "?", "!", "$", "\\", "é", "…", "\u{a0}", "日本", "pcall", "error", "print", "tostring",
    "setmetatable", "coroutine.wrap", "string.rep", "plan", "transaction", "policy", "log.info", ".dry", ".undo",
    ".discard", ".delta", ".json", ".help", ".history", ".time", "persistent", "scheduler", "\"sh\"", "<close>",
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

/// Types a batch of lines, each cleared or entered, and waits until the prompt answers again.
fn batch(pty: &mut Pty, dice: &mut Dice, lines: usize) {
    let mut keys = String::new();
    for _ in 0..lines {
        let text = line(dice);
        // A reading of a loop without end would be no fault of ours, and a long output no news.
        if ["while", "repeat", "goto", "rep"].iter().any(|word| text.contains(word)) {
            continue;
        }
        keys.push_str(&text);
        if dice.roll(4) == 0 {
            keys.push_str(TAB);
            // No to a question of many candidates; else a letter more.
            keys.push('n');
        }
        keys.push_str(if dice.roll(8) == 0 { "\x03" } else { "\r\x03" });
        // A pager, if there is one.
        keys.push_str("q\x03");
    }
    pty.keys(&keys);
    pty.keys("\x03\x15\r\"sent\" .. 1\r");
    pty.wait("\"sent1\"");
    pty.keys("\x0c");
    pty.until("a clear screen", |screen| !screen.contains("sent1"));
}

#[test]
fn ten_thousand_lines_of_anything() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl", "-n"]);
    pty.says("web = get_service { fwmark = 3 }");
    let mut dice = Dice(42);
    for _ in 0..100 {
        batch(&mut pty, &mut dice, 100);
    }
    assert!(!pty.raw().contains("internal error"), "a panic");
    assert_eq!(pty.says("7 * 6"), "42");
}

#[test]
fn ten_thousand_evaluations_take_no_memory() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("web = get_service { fwmark = 3 }");
    let run = |pty: &mut Pty, count: usize| {
        for _ in 0..count / 100 {
            let lines: String = (0..100).map(|n| format!("x{n} = {{ web.servers[1].weight, {n}, \"text\" }}\r")).collect();
            pty.keys(&lines);
            pty.keys("\"sent\" .. 1\r");
            pty.wait("\"sent1\"");
            pty.keys("\x0c");
            pty.until("a clear screen", |screen| !screen.contains("sent1"));
        }
        memory(pty.pid())
    };
    let first = run(&mut pty, 1_000);
    let last = run(&mut pty, 9_000);
    assert!(last * 10 <= first * 11, "{first} kB after 1000 lines, {last} kB after 10000");
}
