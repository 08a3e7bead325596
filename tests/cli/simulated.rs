//! `lvsh test`: tests of policies and scripts, in memory and in simulated time.

use std::fs;
use std::path::Path;

use crate::support::{Ended, Playground, WEB};

/// Runs test files of this checkout; the machine of the playground is not theirs.
fn tests_in(folder: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let tests = files.into_iter().filter(|path| path.to_string_lossy().ends_with("_test.lua"));
    tests
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            let ended = Playground::new().run(&["test", &path.to_string_lossy()]);
            assert_eq!(ended.code, 0, "{name}: {}", ended.all());
            (name, ended.out)
        })
        .collect()
}

#[test]
fn the_tests_of_the_examples_pass() {
    let all = tests_in("examples");
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["health-by-hand_test", "health_test", "roll_test", "weights_test"]);
}

#[test]
fn each_phrase_of_the_state_machine_holds() {
    let all = tests_in("tests/cli/simulated");
    let passed: usize =
        all.iter().map(|(_, out)| out.lines().filter(|line| line.starts_with("ok ")).count()).sum();
    assert!(passed >= 12, "{passed} tests: one was lost");
}

/// A test file beside the seed director, with health.
fn run(text: &str, more: &[&str]) -> (Playground, Ended) {
    let here = Playground::new();
    let health = "  health = { http = { port = 80, path = \"/healthz\" }, rise = 1, fall = 1 },\n}\n";
    here.policy("web", &WEB.replace("\n}\n", &format!("\n{health}")));
    let file = here.policy("web_test", text);
    let file = file.to_string_lossy().into_owned();
    let words: Vec<&str> = ["test", &file].into_iter().chain(more.iter().copied()).collect();
    let ended = here.run(&words);
    (here, ended)
}

const FAILING: &str = r#"local sim = lvs.sim { policy = "web.lua" }

lvs.test("it starts", function()
  sim:start()
  lvs.expect(sim:weights(), { ["192.168.1.107"] = 1, ["192.168.1.109"] = 1 })
end)

lvs.test("nobody said what the servers answer", function()
  sim:check()
end)

lvs.test("a weight is another", function()
  sim:probe("*", true)
  sim:probe("192.168.1.109", { status = 503 })
  sim:check()
  lvs.expect(sim:weights(), { ["192.168.1.107"] = 1, ["192.168.1.109"] = 1 }, "weights")
end)

lvs.test("plain assert", function()
  assert(sim:check().status == "degraded", "it is not degraded")
end)
"#;

#[test]
fn a_failure_says_what_was_wanted_and_where() {
    let (_here, ended) = run(FAILING, &[]);
    insta::assert_snapshot!(ended.all());
}

#[test]
fn a_document_for_programs() {
    let (_here, ended) = run(FAILING, &["--json"]);
    assert_eq!(ended.code, 1, "{}", ended.all());
    let document = ended.json();
    assert_eq!(document["ok"], false);
    assert_eq!(document["failed"], 3);
    let tests = document["tests"].as_array().expect("a list");
    assert_eq!(tests.len(), 4);
    assert_eq!((&tests[0]["ok"], &tests[0]["line"]), (&true.into(), &3.into()));
    assert_eq!(tests[1]["error"]["code"], "not_scripted");
    assert_eq!(tests[2]["error"]["code"], "failed");
}

#[test]
fn some_of_them() {
    let (_here, ended) = run(FAILING, &["--filter", "starts"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, "ok    it starts\n1 test passed\n"));
    let (_here, ended) = run(FAILING, &["--filter", "starts", "--quiet"]);
    assert_eq!((ended.code, ended.out.as_str(), ended.err.as_str()), (0, "", ""));
    let (_here, ended) = run(FAILING, &["--filter", "stop"]);
    assert_eq!(ended.code, 2, "{}", ended.all());
    assert!(ended.err.contains("no test has 'stop' in its name"), "{}", ended.err);
    let (_here, ended) = run("return 1", &[]);
    assert_eq!(ended.code, 2, "{}", ended.all());
    assert!(ended.err.contains("there is no test in these files"), "{}", ended.err);
}

/// What is wrong with the file itself, or with what a test does to its machine.
#[test]
fn what_cannot_be_is_told() {
    for (text, code, words) in [
        ("lvs.test(", 3, "unexpected symbol near <eof>"),
        ("lvs.test(\"a\", 1)", 3, "'body'"),
        ("lvs.test(\"a\", print) lvs.test(\"a\", print)", 3, "declared already in line 1"),
        ("lvs.test(\"a\", function() lvs.add_service { fwmark = 3 } end)", 1, "a machine of its own"),
        ("lvs.test(\"a\", function() lvs.sim { polcy = \"web.lua\" } end)", 1, "did you mean 'policy'?"),
        ("lvs.test(\"a\", function() lvs.sim {}:chekc() end)", 1, "did you mean 'check'?"),
        ("lvs.test(\"a\", function() lvs.sim():start() end)", 1, "has no policy to start"),
        ("lvs.test(\"a\", function() lvs.sim { policy = \"wed.lua\" }:start() end)", 1, "did you mean"),
        (
            "lvs.test(\"a\", function() lvs.sim():probe(\"192.168.1.109\", { statsu = 1 }) end)",
            1,
            "did you mean 'status'?",
        ),
        (
            "lvs.test(\"a\", function() lvs.sim():live(\"192.168.1.109\", {}) end)",
            1,
            "no service of this machine has",
        ),
        ("lvs.test(\"a\", function() lvs.sim():lvsh(\"repl\") end)", 1, "is not for a test"),
        (
            "lvs.test(\"a\", function() lvs.sim():lvsh(\"check\", \"--loop\", \"1s\", \"web\") end)",
            1,
            "ends by a signal",
        ),
        ("lvs.test(\"a\", function() lvs.sim():advance(\"1m\", 0) end)", 1, "never ends"),
        (
            "lvs.test(\"a\", function() lvs.sim():eval \"lvs.exec { '/bin/true' }\" end)",
            1,
            "no answer is scripted for the program /bin/true",
        ),
    ] {
        let (_here, ended) = run(text, &[]);
        assert_eq!(ended.code, code, "{text}: {}", ended.all());
        assert!(format!("{}{}", ended.out, ended.err).contains(words), "{text}: {}", ended.all());
    }
    let here = Playground::new();
    let ended = here.run(&["eval", "lvs.test(\"a\", print)"]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("lvsh test FILE runs them"), "{}", ended.err);
}

/// Ten hours of sleep in a script are none for who waits for its test.
#[test]
fn nobody_waits() {
    let text = r#"lvs.test("a night", function()
      local sim = lvs.sim()
      sim:eval "lvs.sleep '10h'"
      lvs.expect(sim:now(), 36000)
      local first = sim:eval("lvs.uptime()").values[1]
      sim:advance "90s"
      lvs.expect(sim:eval("lvs.uptime()").values[1] - first, 90)
    end)"#;
    let (_here, ended) = run(text, &["--timeout", "60s"]);
    ended.ok();
    let endless = "lvs.test(\"a loop\", function() while true do end end)";
    let (_here, ended) = run(endless, &["--timeout", "1s"]);
    assert_eq!(ended.code, 124, "{}", ended.all());
    assert!(ended.err.contains("while 'a loop' ran"), "{}", ended.err);
}

#[test]
fn nothing_is_left_and_nothing_else_is_touched() {
    let (here, ended) = run(FAILING, &[]);
    assert_eq!(here.bytes(), Vec::<u8>::new(), "{}", ended.all());
    assert_eq!(here.state_files(), Vec::<String>::new());
    let folder = here.root().join("temporary");
    std::fs::create_dir(&folder).expect("a folder");
    let file = here.root().join("twice_test.lua");
    let text = "for name in ('ab'):gmatch '.' do lvs.test(name, function() lvs.sim():eval '1' end) end";
    std::fs::write(&file, text).expect("a file");
    let mut command = here.command(&["test", &file.to_string_lossy()]);
    assert!(command.env("TMPDIR", &folder).output().expect("the program").status.success());
    assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 0);
}

#[test]
fn programs_and_urls_are_answered_by_the_test() {
    let text = r#"lvs.test("webhook", function()
      local sim, asked = lvs.sim(), {}
      sim:world(function(question)
        asked[#asked + 1] = question
        return { status = 204 }
      end)
      local told = sim:eval [[lvs.http { url = "http://hooks.example.org/x", body = "down" }]]
      lvs.expect(told.values[1].status, 204)
      lvs.expect(asked[1].body, "down")
      lvs.expect(asked[1].path, "/x")
      sim:world "connect: connection refused"
      lvs.expect(sim:eval([[lvs.exec { "/usr/bin/logger" }]]).values[1].ok, false)
    end)"#;
    let (_here, ended) = run(text, &[]);
    ended.ok();
}
