//! `policy:drain` and its like, from scripts and at the prompt: recorded as the verbs do, or not at all.

use serde_json::Value;

use crate::support::{Ended, Playground, WEB};

const SERVER: &str = "192.168.1.109";

fn started() -> Playground {
    let here = Playground::new();
    here.policy("web", &WEB.replace("\n}\n", "\n  health = { tcp = { port = 80 } },\n}\n"));
    here.run(&["start", "web"]).ok();
    here
}

/// Runs a script that has the policy as `web`.
fn script(here: &Playground, text: &str) -> Ended {
    let file = here.policy("say", &format!("local web = require \"web\"\n{text}\n"));
    here.run(&["run", &file.to_string_lossy()])
}

/// What is recorded of the server.
fn recorded(here: &Playground) -> Value {
    let file = here.state().join("decided").join("web.json");
    let text = std::fs::read_to_string(file).unwrap_or_else(|_| "null".to_string());
    let mut value: Value = serde_json::from_str(&text).expect("JSON");
    value["servers"][SERVER].take()
}

fn weight(here: &Playground) -> u64 {
    let code = format!("lvs.get_service({{ fwmark = 3 }}):get_server(\"{SERVER}\").weight");
    here.run(&["eval", "--json", &code]).ok().json()["values"][0].as_u64().expect("a weight")
}

#[test]
fn a_script_and_the_verb_leave_the_same() {
    let mut found = Vec::new();
    for by_script in [true, false] {
        let here = started();
        match by_script {
            true => {
                script(&here, "web:drain(\"192.168.1.109\", { reason = \"new kernel\", timeout = \"15m\" })")
                    .ok()
            }
            false => here.run(&["drain", "web", SERVER, "--reason", "new kernel", "--for", "15m"]).ok(),
        };
        let mut record = recorded(&here);
        assert!(record["since"].take().as_u64().is_some_and(|since| since > 0), "{record}");
        let memory = std::fs::read_to_string(here.state().join("web.health")).is_ok();
        found.push((record, weight(&here), memory, here.run(&["plan", "web"]).ok().out));
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0].0["state"], "drain");
    assert_eq!(found[0].0["reason"], "new kernel");
    assert_eq!(found[0].0["timeout"], 900);
    assert_eq!(found[0].1, 0, "at once");
}

#[test]
fn what_fails_was_not_said() {
    let here = started();
    let ended = script(&here, "web:maint(\"192.168.1.109\") error \"and then\"");
    assert_eq!(ended.code, 3, "{}", ended.all());
    assert_eq!((recorded(&here), weight(&here)), (Value::Null, 1));
    let ended = here.run(&["-n", "run", &here.policies().join("say.lua").to_string_lossy()]);
    assert_eq!(ended.code, 3);
    here.policy("say", "require(\"web\"):maint(\"192.168.1.109\")");
    here.run(&["-n", "run", &here.policies().join("say.lua").to_string_lossy()]).ok();
    assert_eq!((recorded(&here), weight(&here)), (Value::Null, 1), "a dry run keeps nothing");
}

#[test]
fn wrong_words_have_their_place() {
    let here = started();
    let ended = script(&here, "web:drain(\"192.168.1.19\")");
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("policy 'web' has no server 192.168.1.19"), "{}", ended.err);
    assert!(ended.err.contains("did you mean 192.168.1.109?"), "{}", ended.err);
    let ended = script(&here, "web:drain(\"192.168.1.109\", { raeson = \"x\" })");
    assert!(ended.err.contains("did you mean 'reason'?"), "{}", ended.err);
    let ended = script(&here, "web:weight(\"192.168.1.109\", 70000)");
    assert!(ended.err.contains("0..65535"), "{}", ended.err);
    let ended = script(&here, "web.drain(\"192.168.1.109\")");
    assert!(ended.err.contains("with ':'"), "{}", ended.err);
    assert_eq!(recorded(&here), Value::Null);
}

#[test]
fn not_while_a_policy_loads_and_not_in_its_own_functions() {
    let here = started();
    here.policy("other", "local web = require \"web\"\nweb:drain(\"192.168.1.109\")\nreturn web");
    let ended = here.run(&["plan", "other"]);
    assert!(ended.err.contains("effects are not allowed while a policy loads"), "{}", ended.all());
    here.policy(
        "web",
        &WEB.replace("\n}\n", "\n  on_start = function(self) self:drain(\"192.168.1.109\") end,\n}\n"),
    );
    let ended = here.run(&["apply", "web"]);
    assert!(ended.err.contains("not for a policy's own functions"), "{}", ended.all());
    assert_eq!(recorded(&here), Value::Null);
}

/// So do its plan and its apply.
#[test]
fn a_scripts_own_apply_leaves_the_operator_first() {
    let here = started();
    here.run(&["drain", "web", SERVER]).ok();
    let lines = "assert(web:plan().count == 0) assert(web:status().state == 'up') web:apply()";
    let ended = script(&here, lines).ok();
    assert_eq!((weight(&here), ended.out.as_str()), (0, ""));
    let said = prompt(&here, ".load web\nweb:plan().count\nweb:ready(\"192.168.1.109\")\nweb:plan().count\n");
    assert!(said.starts_with("web = ") && said.matches("\n0\n").count() == 2, "{said}");
    script(&here, "web:apply()").ok();
    assert_eq!(weight(&here), 1);
    assert!(!here.run(&["status", "web"]).ok().out.contains("drifted"));
}

/// A round that a script makes knows what was decided, and is remembered.
#[test]
fn a_scripts_own_round_leaves_the_operator_first() {
    let site = crate::health::site("");
    site.here.run(&["drain", "web", "127.0.0.3"]).ok();
    site.here.run(&["weight", "web", "127.0.0.2", "5"]).ok();
    site.a.fails();
    for _ in 0..2 {
        script(&site.here, "web:check()").ok();
        assert_eq!(site.weights(), [Some(5), Some(0)]);
    }
    let status = site.here.run(&["status", "web"]).ok();
    assert!(status.out.contains("weight 5 by "), "{}", status.out);
    assert!(status.out.contains("DRAIN") && !status.out.contains("drifted"), "{}", status.out);
    // Bad rounds of scripts and of the verb are one row.
    site.here.run(&["ready", "web", "127.0.0.3"]).ok();
    let round = site.here.run(&["check", "web"]).ok();
    assert!(round.out.contains("weight 5 -> 0   health: 3 of 3 probes failed"), "{}", round.out);
    // A dry run looks, and neither waits nor keeps.
    site.a.works();
    let before = site.here.state_text();
    site.here.run(&["-n", "run", &site.here.policies().join("say.lua").to_string_lossy()]).ok();
    assert_eq!(site.here.state_text(), before);
}

/// What a prompt says to these lines.
fn prompt(here: &Playground, lines: &str) -> String {
    use std::io::Write;
    use std::process::Stdio;
    let mut command = here.command(&["repl"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    child.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("an end");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn at_the_prompt() {
    let here = started();
    let said = prompt(&here, ".load web\nweb:drain(\"192.168.1.109\", { reason = \"by hand\" })\n");
    assert!(said.contains("web: 192.168.1.109 is drained\n") && said.contains("weight 1 -> 0"), "{said}");
    assert_eq!((recorded(&here)["reason"].clone(), weight(&here)), ("by hand".into(), 0));
    // It is taken back as a whole.
    let said = prompt(
        &here,
        ".load web\nweb:maint(\"192.168.1.107\")\nweb:weight(\"192.168.1.107\", 7)\n.undo\n.undo\n",
    );
    let status = here.run(&["status", "web"]).ok().out;
    assert!(!status.contains("MAINT") && !status.contains("drifted"), "{said}\n{status}");
    let said =
        prompt(&here, ".load web\nweb:maint(\"192.168.1.107\")\nweb:undrain(\"192.168.1.109\")\n.undo 2\n");
    assert_eq!((recorded(&here)["reason"].clone(), weight(&here)), ("by hand".into(), 0), "{said}");
    // Nothing is locked any more.
    here.run(&["undrain", "web", SERVER, "--lock", "fail"]).ok();
    assert_eq!(weight(&here), 1);
}
