//! The command line itself: help, usage, run, eval, exit codes.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Playground, WEB};

#[test]
fn help() {
    let here = Playground::new();
    insta::assert_snapshot!(here.run(&["--help"]).ok().out);
    insta::assert_snapshot!(here.run(&["plan", "-h"]).ok().out);
    assert!(here.run(&["--version"]).ok().out.starts_with("lvsh 0."));
}

#[test]
fn wrong_usage_is_two_and_says_what_was_meant() {
    let here = Playground::new();
    let ended = here.run(&["strat", "web"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("start"), "{}", ended.err);
    let ended = here.run(&["start", "--dryrun", "web"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("--dry-run"), "{}", ended.err);
    assert_eq!(here.run(&["start"]).code, 2);
    assert_eq!(here.run(&[]).code, 2);
}

#[test]
fn unknown_policies_are_wrong_usage() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.policy("mail", WEB);
    let ended = here.run(&["start", "wbe"]);
    assert_eq!(ended.code, 2);
    insta::assert_snapshot!(ended.err);
}

#[test]
fn eval_prints_lua_that_can_be_read_back() {
    let here = Playground::new();
    assert_eq!(here.run(&["eval", "1 + 1"]).ok().out, "2\n");
    assert_eq!(here.run(&["eval", "nil"]).ok().out, "");
    let json = here.run(&["eval", "--json", "{ b = 1, a = { 1, 2 } }"]).ok().json();
    assert_eq!(json["values"], serde_json::json!([{ "a": [1, 2], "b": 1 }]));
    let wrong = here.run(&["eval", "lvs.get_servce { fwmark = 3 }"]);
    assert_eq!(wrong.code, 3, "{}", wrong.all());
}

#[test]
fn scripts_run_at_once_and_are_taken_back() {
    let here = Playground::new();
    let script = here.policy(
        "job",
        "#!/usr/bin/env -S lvsh run\nlvs.add_service { fwmark = 9, scheduler = 'rr' }\nprint(...)\n",
    );
    let script = script.to_string_lossy().into_owned();
    let ended = here.run(&["run", &script, "one", "--two"]).ok();
    assert_eq!(ended.out, "one\t--two\n");
    let before = here.bytes();
    assert!(!before.is_empty());
    here.policy("job", "lvs.add_service { fwmark = 8, scheduler = 'rr' }\nerror('enough')\n");
    let ended = here.run(&["run", &script]);
    assert_eq!(ended.code, 3);
    insta::assert_snapshot!(ended.err);
    assert_eq!(before, here.bytes());
    assert_eq!(here.state_files(), ["run-eval.lock", "run-job.lock"].map(String::from)[1..]);
}

#[test]
fn dry_and_read_only_scripts() {
    let here = Playground::new();
    let code = "lvs.add_service { fwmark = 9, scheduler = 'rr' }";
    let ended = here.run(&["eval", "-n", code]).ok();
    assert!(ended.out.contains("+ service fwm:9   rr"), "{}", ended.all());
    let ended = here.run(&["eval", "--read-only", code]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    insta::assert_snapshot!(ended.err);
    assert!(!String::from_utf8_lossy(&here.bytes()).contains("\"mark\""));
}

#[test]
fn endless_scripts_end() {
    let here = Playground::new();
    let start = Instant::now();
    let ended = here.run(&["eval", "--timeout", "200ms", "while true do end"]);
    assert_eq!(ended.code, 124, "{}", ended.all());
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn an_interrupted_script_is_taken_back() {
    let here = Playground::new();
    let code = "lvs.add_service { fwmark = 9, scheduler = 'rr' } print 'made' while true do end";
    let mut child =
        here.command(&["eval", code]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it");
    let mut first = [0; 4];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("a word");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("a signal");
    let ended = child.wait_with_output().expect("an end");
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{err}");
    assert!(err.contains("rolled back: 1 change"), "{err}");
    assert!(here.run(&["list"]).out.starts_with("0 services"));
}

#[test]
fn a_closed_pipe_is_success() {
    let here = Playground::new();
    let mut child = here.command(&["list"]).stdout(Stdio::piped()).spawn().expect("the program");
    drop(child.stdout.take());
    assert!(child.wait().expect("an end").success());
}

#[test]
fn lint_warns() {
    let here = Playground::new();
    here.policy("web", &WEB.replace("flags     = { \"sh-fallback\" },", ""));
    let ended = here.run(&["lint", "--exit-code", "web"]);
    assert_eq!(ended.code, 5);
    insta::assert_snapshot!(ended.all());
    here.policy("web", WEB);
    assert_eq!(here.run(&["lint", "--exit-code", "web"]).ok().out, "web: no warnings\n");
}

#[test]
fn colours_only_when_asked() {
    let here = Playground::new();
    here.policy("web", WEB);
    assert!(!here.run(&["plan", "web"]).out.contains('\x1b'));
    assert!(here.run(&["plan", "--color", "always", "web"]).out.contains("\x1b[32m"));
}
