//! What two policies both want stays until the last of them stops.

use crate::support::Playground;

fn policy(here: &Playground, name: &str, port: u16, more: &str) {
    let text = format!(
        "return lvs.policy {{ vip = {{ addr = '10.0.0.1/32', dev = 'eth0' }}, {more},
           service = {{ tcp = '10.0.0.1:{port}', scheduler = 'rr' }} }}"
    );
    here.policy(name, &text);
}

fn machine(here: &Playground) -> String {
    let code =
        "('%s %s %s/%s'):format(#lvs.vips(), lvs.sysctl 'conntrack', lvs.timeouts().tcp, lvs.timeouts().udp)";
    here.run(&["eval", code]).ok().out.trim().trim_matches('"').to_string()
}

#[test]
fn in_whatever_order_they_stop() {
    let orders = [
        ["a", "b", "c"],
        ["a", "c", "b"],
        ["b", "a", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["c", "b", "a"],
    ];
    for order in orders {
        let here = Playground::new();
        for (name, port) in [("a", 80), ("b", 443), ("c", 22)] {
            policy(&here, name, port, "sysctls = { conntrack = 1 }, timeouts = { tcp = 100 }");
        }
        for verb in ["start", "apply", "start"] {
            for name in ["a", "b", "c"] {
                here.run(&[verb, name]).ok();
            }
        }
        for (at, name) in order.iter().enumerate() {
            assert_eq!(machine(&here), "1 1 100/300", "{order:?} at {at}");
            let stop = here.run(&["stop", name]).ok();
            assert_eq!(
                stop.err.contains("address 10.0.0.1/32 dev eth0 stays"),
                at < 2,
                "{order:?}: {}",
                stop.all()
            );
            for left in &order[at + 1..] {
                let status = here.run(&["status", left]).ok();
                assert!(!status.out.contains("by others"), "{order:?}: {}", status.all());
            }
        }
        assert_eq!(machine(&here), "0 0 900/300", "{order:?}");
    }
}

#[test]
fn each_its_own_value() {
    for order in [["a", "b"], ["b", "a"]] {
        let here = Playground::new();
        policy(&here, "a", 80, "sysctls = { conntrack = 1 }, timeouts = { tcp = 100 }");
        policy(&here, "b", 443, "sysctls = { conntrack = 0 }, timeouts = { udp = 60 }");
        here.run(&["start", "a"]).ok();
        here.run(&["start", "b"]).ok();
        assert_eq!(machine(&here), "1 0 100/60");
        let again = here.run(&["apply", "b"]).ok();
        assert!(again.out.contains("nothing to do"), "{}", again.all());
        here.run(&["stop", order[0]]).ok();
        assert_eq!(machine(&here), if order[0] == "a" { "1 0 900/60" } else { "1 1 100/300" });
        here.run(&["stop", order[1]]).ok();
        assert_eq!(machine(&here), "0 0 900/300");
    }
}

#[test]
fn what_an_edit_gives_up_stays_too() {
    let here = Playground::new();
    let both = "sysctls = { conntrack = 1 }";
    policy(&here, "a", 80, both);
    policy(&here, "b", 443, both);
    here.run(&["start", "a"]).ok();
    here.run(&["start", "b"]).ok();
    here.policy("a", "return lvs.policy { service = { tcp = '10.0.0.1:80', scheduler = 'rr' } }");
    here.run(&["apply", "a"]).ok();
    here.run(&["stop", "a"]).ok();
    assert_eq!(machine(&here), "1 1 900/300");
    here.run(&["stop", "b"]).ok();
    assert_eq!(machine(&here), "0 0 900/300");
}

/// The changes are made, and then what was done cannot be written down.
#[test]
fn a_state_that_cannot_be_saved_takes_all_back() {
    let here = Playground::new();
    policy(&here, "a", 80, "sysctls = { conntrack = 1 }");
    here.run(&["start", "a"]).ok();
    here.run(&["stop", "a"]).ok();
    let before = machine(&here);
    // The state's file is made a folder between reading and writing it, by the policy itself.
    let file = here.state().join("a.json");
    let text = format!(
        "return lvs.policy {{ name = 'a', service = {{ tcp = '10.0.0.1:80', scheduler = 'rr' }},
           on_start = function() io.popen('mkdir -p {}/x'):close() end }}",
        file.display()
    );
    here.policy("a", &text);
    let mut command = here.command(&["--stdlib", "full", "start", "a"]);
    let output = command.env("PATH", "/usr/bin:/bin").output().expect("the program");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("rolled back: 1 change; the system is as before"), "{err}");
    assert_eq!(machine(&here), before);
    assert!(here.run(&["list"]).out.starts_with("0 services"));
}
