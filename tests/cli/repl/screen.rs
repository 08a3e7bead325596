//! Terminals of all sorts.

use super::director;
use super::pty::Pty;

#[test]
fn a_paste_of_two_hundred_lines_is_one_chunk() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.prompt();
    let mut text = String::from("local sum = 0\n");
    for number in 1..=197 {
        text.push_str(&format!("sum = sum + {number}  -- a line of {number}\n"));
    }
    text.push_str("do local inner = sum end\nprint(\"sum\", sum)");
    pty.paste(&text);
    pty.wait("print(\"sum\", sum)");
    pty.keys("\r");
    pty.wait("\nsum\u{20}    19503");
    pty.prompt();
    assert_eq!(pty.says("sum"), "19503");
}

#[test]
fn lines_sent_without_brackets_are_read_one_by_one() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.prompt();
    let lines: String = (1..=200).map(|number| format!("n{number} = {number}\r")).collect();
    pty.keys(&lines);
    pty.wait("n200 = 200");
    assert_eq!(pty.says("n1 + n200"), "201");
}

#[test]
fn the_window_changes_its_size() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.prompt();
    pty.keys("answer = 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 10 + 11 + 12 + 13 + 14 + 15 + 16 + 17");
    pty.typed("16 + 17");
    pty.resize(30, 60);
    pty.settle();
    pty.keys(" + 18\r");
    pty.prompt();
    assert_eq!(pty.says("answer"), "171");
    // Tables fit the new width.
    let narrow = pty.says("services()");
    assert!(!narrow.contains("inact") && narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    pty.resize(30, 120);
    pty.settle();
    let wide = pty.says("services()");
    assert!(wide.contains("inact"), "{wide}");
}

#[test]
fn sixty_columns_are_enough() {
    let here = director();
    let mut command = here.command(&["repl"]);
    command.env("NO_COLOR", "1");
    let mut pty = Pty::spawn(&here, command, 30, 60);
    pty.prompt();
    pty.says("web = get_service { fwmark = 3 }");
    let long = [
        "web:del_server \"192.168.1.17\"",
        "web:set_server(\"192.168.1.109\", { weight = 2 })",
        ".undo",
        "sysctl \"contrack\"",
    ];
    for typed in ["services()", "marks()", "help(add_server)", "web.servers"].iter().chain(&long) {
        let said = pty.says(typed);
        assert!(said.lines().all(|line| line.chars().count() <= 60), "{typed}:\n{said}");
        assert!(said.lines().count() >= 2, "{typed}:\n{said}");
        if typed.contains("weight = 2") {
            let moved = " ~ fwm:3 192.168.1.109  weight 8 -> 2\n     moves ";
            assert!(said.starts_with(moved), "{said}");
        }
    }
    pty.line(".help");
    let screen = pty.wait("more lines: Space, Enter, q --");
    pty.keys("q");
    let help = &screen[screen.rfind(".help    ").expect("the first command")..];
    assert!(help.lines().all(|line| line.chars().count() <= 60), "{help}");
    let wrapped =
        ".dry [off]                Collects changes from here on\n                          instead";
    assert!(help.contains(wrapped), "{help}");
    assert_eq!(pty.says("1"), "1");
}

#[test]
fn colours_only_where_they_are_wanted() {
    let here = director();
    let mut pty = Pty::spawn(&here, here.command(&["repl"]), 40, 100);
    pty.says("local x = \"a\" -- b");
    assert!(
        pty.raw().contains("\x1b[35mlocal\x1b[0m") && pty.raw().contains("\x1b[32m\"a\"\x1b[0m"),
        "{:?}",
        pty.raw()
    );
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("local x = \"a\" -- b");
    pty.says("nonsense");
    assert!(!has_colours(&pty.raw()), "{:?}", pty.raw());
    let mut pty = Pty::spawn(&here, here.command(&["repl", "--color", "never"]), 40, 100);
    pty.says("local x = \"a\"");
    assert!(!has_colours(&pty.raw()), "{:?}", pty.raw());
}

/// `ESC [ 1 ; 31 m`
fn has_colours(text: &str) -> bool {
    text.split("\x1b[")
        .skip(1)
        .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
}

#[test]
fn a_dumb_terminal_will_do() {
    let here = director();
    let mut command = here.command(&["repl"]);
    command.env("TERM", "dumb").env("NO_COLOR", "1");
    let mut pty = Pty::spawn(&here, command, 40, 100);
    pty.prompt();
    pty.keys("x = 20 + 1\n");
    pty.until("the next prompt", |screen| screen.matches("lvs (memory)>").count() == 2);
    pty.keys("for i = 1, 2 do\nprint(x + i)\nend\n");
    pty.wait("22");
    pty.wait("23");
    // What is watched comes line by line, and what is long is not held back.
    pty.keys(".watch x 0.1\n");
    pty.until("the second time", |screen| screen.matches("any key ends\n21").count() >= 2);
    pty.keys("q");
    pty.until("the next prompt", |screen| screen.ends_with("lvs (memory)>"));
    pty.keys("for i = 1, 90 do print(i) end\n");
    pty.until("all of it", |screen| screen.contains("\n90\n") && screen.ends_with("lvs (memory)>"));
    pty.keys("\x04");
    assert_eq!(pty.ended(), 0);
    assert!(!pty.raw().contains('\x1b'), "{:?}", pty.raw());
}

#[test]
fn long_output_is_paged_on_a_terminal() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.line("t = {} for i = 1, 90 do t[i] = (\"entry %d\"):format(i) .. (\" \"):rep(60) end return t");
    let screen = pty.wait("more lines: Space, Enter, q --");
    assert!(screen.contains("entry 38") && !screen.contains("entry 60"), "{screen}");
    pty.keys(" ");
    pty.wait("entry 60");
    pty.keys("\r");
    pty.keys("q");
    pty.prompt();
    assert_eq!(pty.says("1 + 1"), "2");
}
