//! What other runs left: corrupt state, other boots, journals of killed runs.

use std::fs;

use crate::support::{Playground, WEB};

#[test]
fn corrupt_state_is_kept_and_replaced() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    fs::write(here.state().join("web.json"), "{ half").expect("a file");
    let plan = here.run(&["status", "web"]).ok();
    assert!(plan.err.contains("is unreadable"), "{}", plan.err);
    let stop = here.run(&["stop", "web"]).ok();
    assert!(stop.err.contains("kept as ROOT/run/web.bad-"), "{}", stop.err);
    assert!(stop.out.contains("- vip 192.168.1.99/32 dev eth0"), "tagged things go: {}", stop.out);
    assert!(here.state_files().iter().any(|name| name.starts_with("web.bad-")));
}

#[test]
fn state_of_another_boot_is_ignored() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    let file = here.state().join("web.json");
    let text = fs::read_to_string(&file).expect("a file").replace("\"memory\"", "\"another\"");
    fs::write(&file, text).expect("a file");
    fs::remove_file(here.machine()).expect("a machine");
    let ended = here.run(&["start", "-v", "web"]).ok();
    assert!(ended.err.contains("is of an earlier boot and is ignored"), "{}", ended.err);
    assert!(ended.out.contains("5 added"), "{}", ended.out);
}

/// A run that was killed after its journal was written and half of its plan was done.
#[test]
fn a_killed_start_is_found_and_finished() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    let whole = here.bytes();
    // The journal of that start, written again, and a machine on which only the service was made.
    let saved: serde_json::Value =
        serde_json::from_slice(&fs::read(here.state().join("web.json")).expect("a file")).expect("JSON");
    let mark = &saved["owned"]["marks"][0][0];
    let service = &saved["made"]["services"][0];
    let journal = [
        serde_json::json!({ "format_version": "1.0", "boot_id": "memory", "pid": 4711, "command": "lvsh start web" }),
        serde_json::json!([
            { "step": { "op": "add_service", "key": service[0], "service": service[1]["service"] } },
            { "step": { "op": "add_mark", "selector": mark, "entry": { "mark": 3, "owner": "web" } } },
        ]),
    ];
    let lines: String = journal.iter().map(|line| format!("{line}\n")).collect();
    fs::write(here.state().join("web.journal"), lines).expect("a journal");
    fs::remove_file(here.state().join("web.json")).expect("a state");
    let mut machine: serde_json::Value = serde_json::from_slice(&whole).expect("JSON");
    machine["state"]["marks"] = serde_json::json!([]);
    machine["state"]["vips"] = serde_json::json!([]);
    fs::write(here.machine(), machine.to_string()).expect("a machine");

    let plan = here.run(&["plan", "web"]).ok();
    assert!(here.state().join("web.journal").exists(), "a plan leaves the journal");
    assert!(plan.err.contains("was killed after its plan of 2 changes was written"), "{}", plan.err);
    let ended = here.run(&["start", "web"]).ok();
    insta::assert_snapshot!(ended.all());
    assert_eq!(whole, here.bytes());
    assert_eq!(here.state_files(), ["web.json", "web.lock"]);
    here.run(&["stop", "web"]).ok();
    assert!(here.run(&["list"]).out.starts_with("0 services"));
}

fn owned(here: &Playground) -> serde_json::Value {
    let text = fs::read(here.state().join("web.json")).expect("a file");
    let saved: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    saved["owned"]["services"].clone()
}

/// As a killed `apply` leaves it that was going to add a service of mark 9.
fn claim(here: &Playground) {
    let mut claimed = owned(here);
    claimed[0][0]["mark"]["mark"] = serde_json::json!(9);
    let header = serde_json::json!({ "format_version": "1.0", "boot_id": "memory", "pid": 4711, "command": "lvsh apply web" });
    let claims = serde_json::json!({ "changes": 1, "owned": { "services": claimed } });
    fs::write(here.state().join("web.journal"), format!("{header}\n{claims}\n")).expect("a journal");
}

/// Also when the next run is one that only sets weights.
#[test]
fn what_a_killed_run_made_stays_the_policys() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    here.run(&["eval", "lvs.add_service { fwmark = 9, scheduler = 'rr' }"]).ok();
    claim(&here);
    let next = here.run(&["drain", "web", "192.168.1.107"]).ok();
    assert!(next.err.contains("was killed after its plan of 1 change"), "{}", next.err);
    here.run(&["stop", "web"]).ok();
    assert!(here.run(&["list"]).out.starts_with("0 services"), "the service of the killed run is gone too");
}

/// What a killed run was going to make and did not is nobody's, as soon as a run that says so is over: who makes it
/// later keeps it.
#[test]
fn what_a_killed_run_never_made_is_not_the_policys() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    let before = owned(&here);
    claim(&here);
    let next = here.run(&["apply", "web"]).ok();
    assert!(next.err.contains("was killed after its plan of 1 change"), "{}", next.err);
    assert_eq!(owned(&here), before);
    here.run(&["eval", "lvs.add_service { fwmark = 9, scheduler = 'rr' }"]).ok();
    here.run(&["stop", "web"]).ok();
    assert!(here.run(&["list"]).out.contains("fwm:9"), "a service of others");
}

#[test]
fn a_killed_script_is_taken_back_before_it_runs_again() {
    let here = Playground::new();
    let script = here.policy("job", "lvs.add_service { fwmark = 9, scheduler = 'rr' }\n");
    let script = script.to_string_lossy().into_owned();
    here.run(&["run", &script]).ok();
    let machine: serde_json::Value = serde_json::from_slice(&here.bytes()).expect("JSON");
    let service = &machine["state"]["services"][0];
    let header = serde_json::json!({ "format_version": "1.0", "boot_id": "memory", "pid": 4711, "command": "lvsh run job.lua" });
    let plan = serde_json::json!([{ "step": { "op": "add_service", "key": service[0], "service": service[1]["service"] } }]);
    fs::write(here.state().join("run-job.journal"), format!("{header}\n{plan}\n[half")).expect("a journal");
    let ended = here.run(&["run", &script]).ok();
    assert!(ended.err.contains("1 change taken back"), "{}", ended.err);
    assert!(!here.state().join("run-job.journal").exists());
}

#[test]
fn a_policy_whose_file_is_gone_can_be_stopped() {
    let here = Playground::new();
    let file = here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    fs::remove_file(file).expect("a file");
    let ended = here.run(&["stop", "web"]).ok();
    assert!(ended.err.contains("stopping by what was recorded"), "{}", ended.err);
    assert!(here.run(&["list"]).out.starts_with("0 services"));
}

#[test]
fn a_file_that_is_gone_is_known_by_its_path() {
    let here = Playground::new();
    let file = here.policy("site", "return lvs.policy { name = 'web', service = { fwmark = 3 } }");
    let path = file.to_string_lossy().into_owned();
    here.run(&["start", &path]).ok();
    fs::remove_file(file).expect("a file");
    here.run(&["stop", &path]).ok();
    assert!(here.run(&["list"]).out.starts_with("0 services"));
}

/// Not a file written by a test: a process that is really killed between its change and its end.
#[test]
fn a_script_killed_for_real_is_taken_back() {
    use std::io::Read;
    let here = Playground::new();
    let code = "lvs.add_service { fwmark = 9, scheduler = 'rr' } print 'made' while true do end";
    let mut child = here.command(&["eval", code]).stdout(std::process::Stdio::piped()).spawn().expect("it");
    let mut first = [0; 4];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("a word");
    child.kill().expect("a signal");
    child.wait().expect("an end");
    assert!(here.run(&["list"]).out.contains("fwm:9"));
    let next = here.run(&["eval", "#lvs.services()"]).ok();
    assert!(next.err.contains("1 change taken back"), "{}", next.err);
    assert_eq!(next.out, "0\n");
    assert_eq!(here.run(&["eval", "1"]).ok().err, "", "said once");
}

/// Taking back is not itself something to take back: whoever is killed after it leaves nothing.
#[test]
fn a_run_that_is_killed_after_taking_another_back_leaves_nothing() {
    use std::io::Read;
    let here = Playground::new();
    let killed = |code: &str| {
        let mut child =
            here.command(&["eval", code]).stdout(std::process::Stdio::piped()).spawn().expect("it");
        child.stdout.as_mut().expect("a pipe").read_exact(&mut [0; 4]).expect("a word");
        child.kill().expect("a signal");
        child.wait().expect("an end");
    };
    killed("lvs.add_service { fwmark = 9, scheduler = 'rr' } print 'made' while true do end");
    killed("print 'back' while true do end");
    assert!(here.run(&["list"]).out.starts_with("0 services"));
    let next = here.run(&["eval", "#lvs.services()"]).ok();
    assert_eq!((next.out.as_str(), next.err.as_str()), ("0\n", ""));
}

/// Servers of a service that the plan itself adds are only counted in the journal: they go with it.
#[test]
fn a_killed_service_takes_its_servers_with_it() {
    use std::io::Read;
    let here = Playground::new();
    here.run(&["eval", "lvs.add_service { fwmark = 8, servers = { { addr = '10.1.0.8' } } }"]).ok();
    let before = here.bytes();
    let code = "lvs.add_service { fwmark = 9, servers = { { addr = '10.1.0.1' }, { addr = '10.1.0.2' } } }
        lvs.get_service({ fwmark = 8 }):set_server('10.1.0.8', { weight = 5 }) print 'made' while true do end";
    let mut child = here.command(&["eval", code]).stdout(std::process::Stdio::piped()).spawn().expect("it");
    child.stdout.as_mut().expect("a pipe").read_exact(&mut [0; 4]).expect("a word");
    child.kill().expect("a signal");
    child.wait().expect("an end");
    let journal = fs::read_to_string(here.state().join("run-eval.journal")).expect("a journal");
    assert!(journal.contains("},2]"), "{journal}");
    let next = here.run(&["eval", "1"]).ok();
    assert!(next.err.contains("its plan of 4 changes"), "{}", next.err);
    assert!(next.err.contains("2 changes taken back"), "{}", next.err);
    assert_eq!(before, here.bytes());
}

/// What cannot be read is kept for a look and said, never thrown away in silence.
#[test]
fn a_corrupt_journal_is_put_aside_and_told() {
    let here = Playground::new();
    here.policy("web", WEB);
    fs::create_dir_all(here.state()).expect("a folder");
    fs::write(here.state().join("web.journal"), [0xff, 0x00, 0x7b].repeat(100)).expect("a file");
    let start = here.run(&["start", "web"]).ok();
    assert!(
        start.err.contains("web.journal is unreadable; kept as ROOT/run/web.journal-bad-"),
        "{}",
        start.err
    );
    assert!(here.state_files().iter().any(|name| name.starts_with("web.journal-bad-")));
    assert!(here.run(&["stop", "web"]).ok().err.is_empty());
    // Of a version of the program that wrote them otherwise.
    let header =
        serde_json::json!({ "format_version": "1.0", "boot_id": "memory", "pid": 4711, "command": "lvsh" });
    fs::write(here.state().join("web.journal"), format!("{header}\n{{\"actions\":[]}}\n")).expect("a file");
    let start = here.run(&["start", "web"]).ok();
    assert!(start.err.contains("web.journal is unreadable"), "{}", start.err);
}
