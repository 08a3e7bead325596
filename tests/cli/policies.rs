//! start, stop, apply, restart, plan, status on a machine in a file.

use crate::support::{Playground, SEED, WEB};

#[test]
fn a_policy_lives_its_life() {
    let here = Playground::new();
    here.policy("web", WEB);
    let mut story = String::new();
    for words in [
        &["plan", "web"][..],
        &["start", "web"],
        &["start", "web"],
        &["plan", "web", "-v"],
        &["list"],
        &["stop", "web"],
        &["stop", "web"],
        &["list"],
    ] {
        story.push_str(&format!("$ lvsh {}\n{}\n", words.join(" "), here.run(words).all()));
    }
    insta::assert_snapshot!(story);
    assert_eq!(here.state_files(), ["web.lock"]);
}

#[test]
fn imperative_and_declared_make_the_same_machine() {
    let (declared, imperative) = (Playground::new(), Playground::new());
    declared.policy("web", WEB);
    imperative.policy("web", &SEED.replace("name = \"seed\"", "name = \"web\""));
    declared.run(&["start", "web"]).ok();
    imperative.run(&["start", "web"]).ok();
    assert_eq!(declared.bytes(), imperative.bytes());
    imperative.run(&["start", "web"]).ok();
    assert!(imperative.run(&["start", "web"]).out.contains("web is started already; nothing to do"));
    imperative.run(&["stop", "web"]).ok();
    assert!(imperative.run(&["list"]).out.starts_with("0 services"));
}

#[test]
fn a_plan_sends_nothing() {
    let here = Playground::new();
    here.policy("web", WEB);
    for words in
        [&["plan", "web"][..], &["start", "-n", "web"], &["apply", "--read-only", "web"], &["lint", "web"]]
    {
        here.run(words).ok();
        assert!(here.bytes().is_empty(), "{words:?}");
    }
    assert_eq!(here.run(&["plan", "--exit-code", "web"]).code, 4);
    here.run(&["start", "web"]).ok();
    let before = here.bytes();
    assert_eq!(here.run(&["plan", "--exit-code", "web"]).code, 0);
    assert_eq!(here.run(&["plan", "--stop", "--exit-code", "web"]).code, 4);
    assert_eq!(before, here.bytes());
}

/// A file that declares another policy by now is not that of the first, of which only the state is left.
#[test]
fn a_file_that_was_given_another_name_is_another_policy() {
    let here = Playground::new();
    let file = here.root().join("site.lua");
    let path = file.to_string_lossy().into_owned();
    std::fs::write(&file, "return lvs.policy { name = 'web', service = { fwmark = 3 } }").expect("a policy");
    here.run(&["start", &path]).ok();
    std::fs::write(&file, "return lvs.policy { name = 'db', service = { fwmark = 4 } }").expect("a policy");
    here.run(&["start", &path]).ok();
    for verb in ["apply", "plan", "start", "check"] {
        let ended = here.run(&[verb, "web"]);
        assert_eq!(ended.code, 1, "{}", ended.all());
        assert!(ended.err.contains("which is now 'db'"), "{}", ended.err);
        assert!(ended.err.contains("lvsh stop web removes what it owns"), "{}", ended.err);
    }
    let stop = here.run(&["stop", "web"]).ok();
    assert!(stop.out.contains("- service fwm:3") && !stop.out.contains("fwm:4"), "{}", stop.out);
    let list = here.run(&["list"]).out;
    assert!(list.contains("fwm:4") && !list.contains("fwm:3"), "{list}");
    assert!(here.run(&["status", "db"]).ok().out.contains("ok"));
}

#[test]
fn a_file_that_was_moved_is_known_where_it_is() {
    let here = Playground::new();
    let (old, new) = (here.root().join("old.lua"), here.root().join("new.lua"));
    std::fs::write(&old, WEB).expect("a policy");
    // What to type next is said in words that work.
    let plan = here.run(&["plan", &old.to_string_lossy()]).ok().out;
    assert!(plan.contains("(lvsh plan ROOT/old.lua --as ipvsadm)"), "{plan}");
    here.run(&["start", &old.to_string_lossy()]).ok();
    std::fs::rename(&old, &new).expect("a move");
    let start = here.run(&["start", &new.to_string_lossy()]).ok();
    assert!(start.err.contains("it was started from"), "{}", start.err);
    let plan = here.run(&["plan", "web"]).ok();
    assert!(plan.out.contains("No changes") && plan.err.is_empty(), "{}", plan.all());
}

#[test]
fn a_policy_started_by_its_path_is_known_by_its_name() {
    let here = Playground::new();
    let folder = here.root().join("site");
    std::fs::create_dir(&folder).expect("a folder");
    let file = folder.join("first.lua");
    std::fs::write(&file, WEB).expect("a policy");
    here.run(&["start", &file.to_string_lossy()]).ok();
    for words in [
        &["status", "web"][..],
        &["plan", "--exit-code", "web"],
        &["lint", "web"],
        &["drain", "web", "192.168.1.107"],
        &["ready", "web", "192.168.1.107"],
        &["start", "web"],
    ] {
        let ended = here.run(words).ok();
        assert!(!ended.err.contains("there is no"), "{words:?}: {}", ended.err);
    }
    // A file of that name where policies live comes first.
    here.policy("web", WEB);
    assert!(here.run(&["plan", "web"]).err.contains("it was started from"));
    std::fs::remove_file(here.policies().join("web.lua")).expect("a file");
    std::fs::remove_file(&file).expect("a file");
    let gone = here.run(&["plan", "web"]);
    assert_eq!(gone.code, 2, "{}", gone.err);
    assert!(gone.err.contains("first.lua") && gone.err.contains("lvsh stop web"), "{}", gone.err);
    let ended = here.run(&["stop", "web"]).ok();
    assert!(!ended.err.contains("it was started from"), "{}", ended.err);
    assert!(here.run(&["plan", "web"]).err.contains("there is no policy 'web'"));
}

#[test]
fn quiet_runs_say_nothing() {
    let here = Playground::new();
    here.policy("web", WEB);
    for verb in ["plan", "start", "start", "status", "apply", "lint", "restart", "stop", "stop"] {
        let ended = here.run(&[verb, "-q", "web"]).ok();
        assert_eq!((ended.out.as_str(), ended.err.as_str()), ("", ""), "{verb}");
    }
}

#[test]
fn what_is_foreign_stays_until_it_is_adopted() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["eval", "lvs.add_service { fwmark = 3, scheduler = 'rr' }"]).ok();
    let before = here.bytes();
    let refused = here.run(&["start", "web"]);
    assert_eq!(refused.code, 1, "{}", refused.all());
    insta::assert_snapshot!(refused.err);
    assert_eq!(before, here.bytes());
    let adopted = here.run(&["start", "--adopt", "web"]).ok();
    insta::assert_snapshot!(adopted.all());
    here.run(&["stop", "web"]).ok();
    assert!(here.run(&["list"]).out.starts_with("0 services"));
}

#[test]
fn apply_changes_in_place() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    let changed = WEB.replace("109\", method = \"dr\", weight = 1", "109\", method = \"dr\", weight = 4");
    here.policy("web", &changed.replace("dports = { 80, 443 }", "dports = { 80, 8443 }"));
    insta::assert_snapshot!(here.run(&["apply", "web"]).ok().out);
    here.policy("web", &WEB.replace("192.168.1.107", "192.168.1.111"));
    insta::assert_snapshot!(here.run(&["plan", "web"]).ok().out);
}

#[test]
fn drift_is_told_and_repaired() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    here.run(&["eval", "lvs.get_service { fwmark = 3 }:set_server('192.168.1.109', { weight = 0 })"]).ok();
    here.run(&["eval", "lvs.del_vip { addr = '192.168.1.99/32', dev = 'eth0' }"]).ok();
    insta::assert_snapshot!(here.run(&["plan", "web"]).ok().out);
    let status = here.run(&["status", "--exit-code", "web"]);
    assert_eq!(status.code, 5);
    assert!(status.out.contains("drifted"), "{}", status.out);
    here.run(&["start", "web"]).ok();
    let status = here.run(&["status", "--exit-code", "web"]).ok();
    assert!(status.out.contains("   ok\n"), "{}", status.out);
}

#[test]
fn restart_is_stop_and_start() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    let before = here.bytes();
    let ended = here.run(&["restart", "web"]).ok();
    insta::assert_snapshot!(ended.all());
    assert_eq!(before, here.bytes());
    here.policy(
        "web",
        &WEB.replace(
            "return lvs.policy {",
            "local p = { name = 'web', start = function() error('no') end } return p, {",
        ),
    );
    assert_eq!(here.run(&["restart", "--yes", "web"]).code, 3);
    assert_eq!(before, here.bytes(), "a policy that cannot start is not stopped");
}

#[test]
fn plans_in_other_words() {
    let here = Playground::new();
    here.policy("web", WEB);
    let mut all = String::new();
    for spelling in ["ipvsadm", "nft", "lua"] {
        all.push_str(&format!("== {spelling}\n{}", here.run(&["plan", "web", "--as", spelling]).ok().out));
    }
    insta::assert_snapshot!(all);
    // What --as lua prints makes the machine that start makes.
    let script = here.policies().join("web-made.lua");
    std::fs::write(&script, here.run(&["plan", "web", "--as", "lua"]).out).expect("a file");
    crate::support::chmod(&script, 0o644);
    here.run(&["run", &script.to_string_lossy()]).ok();
    let made = here.run(&["list"]).out;
    let other = Playground::new();
    other.policy("web", WEB);
    other.run(&["start", "web"]).ok();
    let (made, started) = (services(&made), services(&other.run(&["list"]).out));
    assert_eq!(made, started);
}

fn services(list: &str) -> Vec<String> {
    let lines = list.lines().take_while(|line| !line.trim_start().starts_with("mark"));
    lines.map(|line| line.replace("web", "").replace("policy", "").trim_end().to_string()).collect()
}

#[test]
fn adding_twice_is_a_mistake_of_the_policy() {
    let here = Playground::new();
    let add = "lvs.add_service { fwmark = 3, scheduler = 'rr' }";
    here.policy("web", &format!("return {{ start = function() {add} {add} end, stop = function() end }}"));
    for verb in ["start", "apply"] {
        let ended = here.run(&[verb, "web"]);
        assert_eq!(ended.code, 1, "{}", ended.all());
        assert!(!ended.err.contains("takes it over"), "{}", ended.err);
    }
    assert!(here.bytes().is_empty());
}

#[test]
fn policies_written_by_hand_take_over_too() {
    let here = Playground::new();
    here.policy("seed", SEED);
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    let before = here.bytes();
    let refused = here.run(&["start", "seed"]);
    assert_eq!(refused.code, 1);
    insta::assert_snapshot!(refused.err);
    assert_eq!(before, here.bytes());
    here.run(&["stop", "web"]).ok();
    here.run(&["eval", "lvs.add_service { fwmark = 3, scheduler = 'rr' }"]).ok();
    here.run(&["eval", "lvs.add_vip { addr = '192.168.1.99/32', dev = 'eth0' }"]).ok();
    insta::assert_snapshot!(here.run(&["apply", "seed"]).ok().all());
    here.run(&["stop", "seed"]).ok();
    assert!(here.run(&["list"]).out.starts_with("0 services"));
}

/// Everything a policy can hold: it starts once, is told when it drifts, and leaves the machine as it was.
#[test]
fn a_policy_of_everything() {
    let here = Playground::new();
    here.run(&["eval", "lvs.set_timeouts { tcp = 600 }"]).ok();
    let name = "big";
    here.policy(
        name,
        r#"return lvs.policy { name = "big",
  sysctls = { conntrack = 1, ["net.ipv4.conf.all.arp_ignore"] = 1 },
  timeouts = { tcp = 300 },
  sync = { role = "master", dev = "eth0", id = 7 },
  service = {
    { tcp = "192.168.1.101:0", scheduler = "wlc", persistent = { timeout = "10m", netmask = "255.255.255.0" },
      servers = { { addr = "192.168.1.107", method = "tun",
                    tunnel = { type = "gue", port = 6080, checksum = "csum" } } } },
    { udp = "[2001:db8::99]:53", scheduler = "rr", ops = true,
      servers = { { addr = "2001:db8::7", method = "nat", weight = 3 } } },
  },
  mark = { mark = 9, daddr = "192.168.1.0/24", proto = { "tcp", "udp" }, dports = { "8000-8010", 443 }, iif = "eth1" },
  vip = { { addr = "192.168.1.101/32", dev = "eth0" }, { addr = "2001:db8::99/128", dev = "eth0" } },
}
"#,
    );
    let mut story = String::new();
    let drift = "lvs.sysctl('conntrack', 0) lvs.set_timeouts { tcp = 400 }";
    for words in [
        &["start", "-q", name][..],
        &["start", name],
        &["status", name],
        &["list", "--as", "lua"],
        &["eval", drift],
        &["plan", name],
        &["stop", name],
    ] {
        story.push_str(&format!("$ lvsh {}\n{}\n", words.join(" "), here.run(words).all()));
    }
    insta::assert_snapshot!(story.replace("up 1 s", "up 0 s"));
    assert!(here.run(&["list"]).out.contains("0 services"));
    let end = here.run(&["eval", "--json", "lvs.timeouts()"]).ok().json();
    assert_eq!(end["values"][0]["tcp"], 600, "stop brings back what was there before");
}

#[test]
fn examples_start_once_and_stop_whole() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "lua") {
            continue;
        }
        let here = Playground::new();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a policy");
        // A library, and tests of others; simulated.rs runs these.
        if name.ends_with("_test") || name == "roll" {
            continue;
        }
        here.policy("roll", include_str!("../../examples/roll.lua"));
        let file = here.policy(&name, &text);
        if text.starts_with("#!") {
            here.run(&["run", &file.to_string_lossy()]).ok();
            continue;
        }
        here.run(&["start", &name]).ok();
        assert!(here.run(&["start", &name]).ok().out.contains("is started already"), "{name}");
        here.run(&["stop", &name]).ok();
        assert!(here.run(&["list"]).ok().out.starts_with("0 services, 0 servers, 0 mark"), "{name}");
    }
}

#[test]
fn what_is_taken_from_a_policy_is_no_longer_its_own() {
    let here = Playground::new();
    here.policy("web", WEB);
    here.policy("seed", SEED);
    here.run(&["start", "web"]).ok();
    insta::assert_snapshot!(here.run(&["apply", "seed"]).ok().err);
    assert_eq!(here.run(&["stop", "web"]).ok().out, "web is not started; nothing to do\n");
    let list = here.run(&["list"]).ok().out;
    assert!(list.contains("fwm:3") && list.contains("seed"), "{list}");
    here.run(&["stop", "seed"]).ok();
    assert!(here.run(&["list"]).out.starts_with("0 services, 0 servers, 0 mark"));
}
