//! How a drain ends: by itself, or when its time is over.

use serde_json::{Value, json};

use crate::support::Playground;

/// A started policy with the drain rule given, on a machine where both servers have a connection, and the second one a
/// template as well.
fn site(drain: &str) -> Playground {
    let here = Playground::new();
    let text = format!(
        r#"return lvs.policy {{
  name = "web",
  service = {{ tcp = "192.168.1.99:80", scheduler = "wlc", persistent = 600, servers = {{
    {{ addr = "192.168.1.107", method = "dr", weight = 8 }},
    {{ addr = "192.168.1.109", method = "dr", weight = 8 }},
  }} }},
  {drain}
}}
"#
    );
    here.policy("web", &text);
    here.run(&["start", "web"]).ok();
    let entry = |client: u8, port: u16, server: &str, state: &str| {
        json!({ "protocol": "tcp", "client": format!("192.168.1.{client}"), "client_port": port,
                "virtual": { "address": { "addr": "192.168.1.99", "port": 80 } },
                "server": { "addr": server, "port": 80 }, "state": state, "expires": 500 })
    };
    let mut machine: Value = serde_json::from_slice(&here.bytes()).expect("a machine");
    machine["connections"] = json!([
        entry(11, 50001, "192.168.1.107", "ESTABLISHED"),
        entry(12, 50001, "192.168.1.109", "ESTABLISHED"),
        entry(12, 0, "192.168.1.109", "NONE"),
    ]);
    std::fs::write(here.machine(), machine.to_string()).expect("the machine");
    here
}

const SERVER: &str = "192.168.1.109";

#[test]
fn what_is_left_is_evicted_when_the_time_is_over() {
    let here = site("drain = { timeout = \"1s\", remove = true, evict = true },");
    let drained = here.run(&["drain", "web", SERVER, "--reason", "disk", "--wait"]).ok();
    let lines: Vec<&str> = drained.out.lines().collect();
    let words = [
        "web: 192.168.1.109 has 1 active, 0 inactive, 1 templates",
        "web: 192.168.1.109 still has 1 active, 0 inactive, 1 templates after 1 s",
        "web: tcp:192.168.1.99:80 192.168.1.109:80  1 connection and 1 template ended   drain: its time is over",
    ];
    for word in words {
        assert!(lines.contains(&word), "'{word}' is not in\n{}", drained.all());
    }
    assert!(
        lines.iter().any(|line| line.starts_with("web: - tcp:192.168.1.99:80 192.168.1.109:80")),
        "{}",
        drained.out
    );
    assert!(drained.err.contains("1 active, 0 inactive, 1 templates, 0 of 1 s"), "{}", drained.err);
    assert!(drained.err.lines().count() < 4, "no flood where nobody looks: {}", drained.err);
    let left = here.run(&["list", "--connections", "--json"]).ok().json();
    assert!(!left.to_string().contains(SERVER) && left.to_string().contains("192.168.1.107"), "{left}");
    let sysctl = here.run(&["eval", "lvs.sysctl 'expire_nodest_conn'"]).ok();
    assert_eq!(sysctl.out, "0\n", "as it was before");
    // Nothing of it is left to the next round, and the operator's word stands.
    let status = here.run(&["status", "web"]).ok().out;
    assert!(status.contains("DRAIN") && status.contains("its time is over: disk"), "{status}");
    here.run(&["undrain", "web", SERVER]).ok();
    assert!(here.run(&["list"]).ok().out.contains("2 servers"));
}

/// Without a word on it, what is left stays: a later round finds it gone, or an operator evicts it.
#[test]
fn without_a_word_connections_stay() {
    let here = site("drain = { timeout = \"1h\", remove = true },");
    let begun = std::time::Instant::now();
    let drained = here.run(&["drain", "--exit-code", "web", SERVER, "--wait", "--for", "1s"]);
    assert!(begun.elapsed().as_millis() >= 1000);
    assert_eq!(drained.code, 0, "it left the table: {}", drained.all());
    assert!(drained.out.contains("still has 1 active"), "{}", drained.out);
    assert!(!drained.out.contains("ended"), "{}", drained.out);
    let here = site("");
    let drained = here.run(&["drain", "--exit-code", "web", SERVER, "--wait", "--for", "1s"]);
    assert_eq!(drained.code, 5, "it is drained and not empty: {}", drained.all());
    let status = here.run(&["status", "web"]).ok().out;
    assert!(status.contains("DRAIN") && status.contains("its time is over"), "{status}");
    // The operator says it for this one.
    let drained = here.run(&["drain", "web", SERVER, "--wait", "--for", "1s", "--evict"]).ok();
    assert!(drained.out.contains("1 connection and 1 template ended"), "{}", drained.all());
    assert!(here.run(&["list"]).ok().out.contains("2 servers"), "it stays at weight 0");
}

#[test]
fn checks_go_on_while_a_drain_waits() {
    let here = site("");
    let mut waiting = here.command(&["drain", "web", SERVER, "--wait", "--for", "20s"]);
    let mut child = waiting
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("lvsh");
    let drained = || here.run(&["status", "web"]).ok().out.contains("DRAIN");
    while !drained() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    let round = here.run(&["check", "web"]).ok();
    assert!(!round.out.contains("another run is at work"), "{}", round.out);
    child.kill().expect("a signal");
    child.wait().expect("an end");
}

#[test]
fn words_of_a_drain_go_with_drain_alone() {
    let here = site("");
    for verb in ["undrain", "maint", "ready"] {
        let refused = here.run(&[verb, "web", SERVER, "--evict"]);
        assert_eq!(refused.code, 2, "{}", refused.all());
        assert!(refused.err.contains("--wait, --for and --evict go with drain alone"), "{}", refused.err);
    }
}

/// Kills the round that ends a drain in the middle of its eviction, when the server is not in the table; false when it
/// was over before that was seen.
fn killed_in_the_middle(here: &Playground) -> bool {
    let mut command = here.command(&["check", "web"]);
    let quiet = std::process::Stdio::null;
    let mut child = command.stdout(quiet()).stderr(quiet()).spawn().expect("lvsh");
    let gone = || {
        let machine = String::from_utf8(here.bytes()).expect("a text");
        let state = machine.split("\"connections\"").next().unwrap_or_default();
        !state.contains(SERVER)
    };
    while !gone() {
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
    }
    child.kill().expect("a signal");
    child.wait().expect("an end");
    here.state_files().contains(&"web.evict.journal".to_string())
}

/// Whatever is done next, it takes the half eviction back first: the setting of the whole machine must not stay behind.
#[test]
fn an_eviction_that_is_killed_is_taken_back_by_whatever_comes_next() {
    for verb in ["check", "apply", "undrain", "stop"] {
        let mut tries = 0..20;
        let here = loop {
            assert!(tries.next().is_some(), "no kill was in the middle");
            let here = site("drain = { timeout = \"1h\", evict = true },");
            here.run(&["drain", "web", SERVER, "--for", "1s"]).ok();
            std::thread::sleep(std::time::Duration::from_millis(1100));
            if killed_in_the_middle(&here) {
                break here;
            }
        };
        let setting = || here.run(&["eval", "lvs.sysctl 'expire_nodest_conn'"]).ok().out;
        assert_eq!(setting(), "1\n", "{verb}: half done");
        let told = "check web) was killed after its plan of";
        let status = here.run(&["status", "web"]).ok();
        assert!(
            status.err.contains(told) && status.err.contains("the next check, apply or stop takes it back"),
            "{}",
            status.err
        );
        let words: &[&str] = if verb == "undrain" { &[verb, "web", SERVER] } else { &[verb, "web"] };
        let next = here.run(words).ok();
        assert!(next.err.contains(told) && next.err.contains("taken back"), "{verb}: {}", next.all());
        assert_eq!(setting(), "0\n", "{verb}");
        assert!(
            !here.state_files().iter().any(|name| name.ends_with(".journal")),
            "{:?}",
            here.state_files()
        );
        let list = here.run(&["list"]).ok().out;
        match verb {
            "stop" => assert!(list.starts_with("0 services"), "{list}"),
            _ => assert!(list.contains("2 servers"), "{verb}: {list}"),
        }
        let again = here.run(&["status", "web"]);
        assert!(!again.err.contains("was killed"), "said once: {}", again.err);
    }
}
