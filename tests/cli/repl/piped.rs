//! Without a terminal: no prompt, no banner, the first error ends it. `run -` and `eval` beside it.

use std::io::Write;
use std::process::Stdio;

use super::director;
use crate::support::{Ended, Playground};

fn feed(here: &Playground, words: &[&str], text: &str) -> Ended {
    let mut child = here
        .command(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    child.stdin.take().expect("stdin").write_all(text.as_bytes()).expect("a pipe");
    let ended = child.wait_with_output().expect("an end");
    Ended {
        code: ended.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&ended.stdout).into_owned(),
        err: String::from_utf8_lossy(&ended.stderr).into_owned(),
    }
}

#[test]
fn lines_are_run_and_printed_and_nothing_else() {
    let here = director();
    let text = "1 + 1\nlocal n = 3\nfor i = 1, n do\n  print(i)\nend\n\nn\n.delta\nget_service { fwmark = 3 }:set_server(\"192.168.1.109\", { weight = 4 })\n";
    let ended = feed(&here, &["repl"], text).ok();
    assert_eq!(
        ended.out,
        "2\n1\n2\n3\n3\nnothing was changed in this session\n ~ fwm:3 192.168.1.109  weight 8 -> 4          moves 50 % of client buckets (sh)\n"
    );
    assert_eq!(ended.err, "");
    assert!(!ended.out.contains('\x1b'));
    // However much it is.
    let ended =
        feed(&here, &["repl"], "t = {} for i = 1, 90 do t[i] = (\"x\"):rep(50) end return t\nhelp()\n").ok();
    assert!(ended.out.lines().count() > 90 && !ended.out.contains("more lines"), "{}", ended.out);
}

#[test]
fn the_first_error_ends_it_with_the_code_of_run() {
    let here = director();
    let ended = feed(&here, &["repl"], "1\nnonsense()\n2\n");
    assert_eq!((ended.code, ended.out.as_str()), (3, "1\n"));
    assert!(ended.err.starts_with("stdin:2: unknown name 'nonsense'"), "{}", ended.err);
    assert!(ended.err.ends_with("nothing was changed\n"), "{}", ended.err);
    // What was not finished is told by the parser.
    let ended = feed(&here, &["repl"], "1\nfor i = 1, 2 do\n");
    assert_eq!((ended.code, ended.out.as_str()), (3, "1\n"));
    assert!(ended.err.contains("'end' expected"), "{}", ended.err);
    let ended = feed(&here, &["repl"], "add_service { fwmark = 9 }\nadd_service { fwmark = 9 }\n");
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("stdin:2: cannot add service fwm:9: it exists (EEXIST)"), "{}", ended.err);
    assert!(ended.err.ends_with("1 change of earlier lines stay\n"), "{}", ended.err);
    let ended = feed(&here, &["repl"], ".watch 1\n");
    assert_eq!(ended.code, 2);
    assert_eq!(feed(&here, &["repl", "--json"], "1\n").code, 2);
}

#[test]
fn run_reads_a_script_from_stdin() {
    let here = director();
    let before = here.state_text();
    let ended = feed(
        &here,
        &["run", "-", "a", "b"],
        "#!/usr/bin/env -S lvsh run\nprint(#lvs.services(), ...)\nreturn arg[1]\n",
    )
    .ok();
    assert_eq!(ended.out, "3\ta\tb\n\"a\"\n");
    // As a whole: what it did before the error is taken back.
    let ended = feed(&here, &["run", "-"], "lvs.del_service { fwmark = 3 }\nerror \"no\"\n");
    assert_eq!(ended.code, 3);
    assert!(ended.err.starts_with("stdin:2: no"), "{}", ended.err);
    assert!(ended.err.ends_with("rolled back: 1 change; the system is as before\n"), "{}", ended.err);
    assert_eq!(here.state_text(), before);
    assert_eq!(feed(&here, &["eval", "1 +"], "").code, 3);
}

#[test]
fn without_a_terminal_lvsh_alone_says_what_there_is() {
    let here = director();
    let ended = feed(&here, &[], "1 + 1\n");
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("Usage: lvsh"), "{}", ended.err);
}
