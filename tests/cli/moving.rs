//! export, import and --against: from a machine to a file, and back.

use std::io::Write;
use std::process::Stdio;

use crate::support::{Ended, Playground, WEB};

/// A table as somebody left it.
const SAVED: &str = "-A -t 192.0.2.10:80 -s wrr\n\
    -a -t 192.0.2.10:80 -r 10.0.0.5:80 -m -w 5\n\
    -a -t 192.0.2.10:80 -r 10.0.0.6:80 -m -w 10\n\
    -A -t 192.0.2.10:443 -s wrr -p 600\n\
    -a -t 192.0.2.10:443 -r 10.0.0.5:443 -m -w 5\n\
    -a -t 192.0.2.10:443 -r 10.0.0.6:443 -m -w 10\n";

/// One of everything, made by a script.
const EVERYTHING: &str = r#"
lvs.set_timeouts { tcp = 1200, udp = 60 }
lvs.sysctl("conntrack", 1) lvs.sysctl("sync_threshold", "5 60")
lvs.start_sync { role = "master", dev = "eth1", id = 7 }
local web = lvs.add_service { fwmark = 3000000000, scheduler = "sh", flags = { "sh-fallback", 0x80 } }
web:add_server { addr = "10.0.0.1", weight = 2 }
web:add_server { addr = "10.0.0.2", method = "tun", upper = 9, lower = 3, tunnel = { type = "gue", port = 6080 } }
lvs.add_service { udp = "[2001:db8::1]:5060", scheduler = "rr", pe = "sip", persistent = { timeout = 60, netmask = 64 } }
lvs.add_mark { mark = 3000000000, daddr = "192.0.2.9", proto = { "tcp", "udp" }, dports = { 80, 443 } }
lvs.add_mark { mark = 5, saddr = "10.0.0.0/8", iif = "eth2", proto = "tcp", dports = "8000-8100" }
lvs.add_vip { addr = "192.0.2.9/32", dev = "eth0" }
lvs.add_local_route { mark = 3000000000, table = 100 }
lvs.add_local_route { mark = 5, table = 101, family = "ipv6", priority = 90 }
lvs.add_tunnel { dev = "lvsh-gre", type = "gre", checksum = true }
lvs.add_gue_port { port = 6080, family = "ipv6" }
"#;

fn everything() -> Playground {
    let here = Playground::new();
    here.policy("made", EVERYTHING);
    here.run(&["run", "etc/made.lua"]).ok();
    here
}

/// A file in the playground.
fn file(here: &Playground, name: &str, text: &str) -> String {
    let path = here.root().join(name);
    std::fs::write(&path, text).expect("a file");
    path.to_string_lossy().into_owned()
}

/// Runs the program with this text on its standard input.
fn piped(here: &Playground, words: &[&str], text: &str) -> Ended {
    let mut command = here.command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program");
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("writing");
    let output = child.wait_with_output().expect("an end");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn import_and_then_plan_is_empty() {
    let here = everything();
    let before = here.run(&["export", "--as", "json"]).ok().out;
    here.run(&["import", "-o", "etc/site.lua"]).ok();
    let plan = here.run(&["plan", "--exit-code", "etc/site.lua"]).ok();
    assert!(plan.out.contains("No changes"), "{}", plan.all());
    here.run(&["apply", "etc/site.lua"]).ok();
    assert_eq!(here.run(&["export", "--as", "json"]).ok().out, before);
    // From then on it is the policy's, and stop takes it away.
    here.run(&["stop", "etc/site.lua"]).ok();
    let list = here.run(&["list"]).ok().out;
    assert!(list.contains("0 services, 0 servers, 0 mark elements"), "{list}");
}

#[test]
fn a_save_file_becomes_a_policy() {
    let here = Playground::new();
    file(&here, "saved.rules", SAVED);
    let shown = here.run(&["import", "saved.rules"]).ok();
    insta::assert_snapshot!(shown.all());
    let of_stdin = piped(&here, &["import", "-"], SAVED).ok().out.replace("\"director\"", "\"saved\"");
    let body = |text: &str| text.split_once("\n\n").map(|(_, body)| body.to_string());
    assert_eq!(body(&of_stdin), body(&shown.out));
    let written = here.run(&["import", "saved.rules", "-o", "etc/shop.lua", "--name", "shop"]).ok();
    assert_eq!(written.out, "etc/shop.lua written: 2 services with 4 servers\n");
    let again = here.run(&["import", "saved.rules", "-o", "etc/shop.lua"]);
    assert_eq!((again.code, again.err.contains("is not overwritten")), (2, true), "{}", again.all());
    here.run(&["start", "shop"]).ok();
    assert_eq!(here.run(&["export", "--as", "ipvsadm"]).ok().out, format!("--set 900 120 300\n{SAVED}"));
}

/// `ipvsadm -S` prints a mark as a signed number; its own `-R` refuses that.
#[test]
fn marks_above_the_middle_are_negative_in_save_files() {
    let here = Playground::new();
    piped(
        &here,
        &["import", "--apply", "-"],
        "-A -f -1294967296 -s rr\n-a -f -1294967296 -r 10.0.0.2 -g -w 1\n",
    )
    .ok();
    let saved = here.run(&["export", "--as", "ipvsadm"]).ok().out;
    assert!(saved.contains("-A -f 3000000000 -s rr\n-a -f 3000000000 -r 10.0.0.2"), "{saved}");
}

#[test]
fn every_format_makes_the_machine_again() {
    let here = everything();
    let whole = here.run(&["export", "--as", "json"]).ok().out;
    for (format, name, words) in [
        ("json", "dump.json", &["--replace"][..]),
        ("json", "enveloped.json", &["--json", "--replace"]),
        ("lua", "made.lua", &["--replace"]),
    ] {
        let envelope = if name == "enveloped.json" { "--json" } else { "--color=never" };
        let text = here.run(&["export", "--quiet", envelope, "--as", format]).ok().out;
        let dump = file(&here, name, &text);
        let other = Playground::new();
        other
            .run(&[
                "eval",
                "lvs.add_service { fwmark = 99 } lvs.add_vip { addr = '10.9.9.9/32', dev = 'eth9' }",
            ])
            .ok();
        let mut all = vec!["import", "--apply", dump.as_str()];
        all.extend(words);
        let done = other.run(&all).ok();
        assert_eq!(other.run(&["export", "--as", "json"]).ok().out, whole, "{name}: {}", done.all());
        let again = other.run(&["import", "--apply", "--replace", "--exit-code", "-n", &dump]).ok();
        assert!(again.out.contains("nothing to do"), "{name}: {}", again.all());
    }
}

#[test]
fn lines_for_ipvsadm_and_what_it_cannot_say() {
    let here = everything();
    let export = here.run(&["export", "--as", "ipvsadm"]).ok();
    insta::assert_snapshot!(export.all());
    let other = Playground::new();
    piped(&other, &["import", "--apply", "-"], &export.out).ok();
    let again = other.run(&["export", "--as", "ipvsadm"]).ok();
    assert_eq!((again.out, again.err.as_str()), (export.out, ""));
}

#[test]
fn apply_leaves_others_alone_unless_told_to_replace() {
    let here = Playground::new();
    here.run(&[
        "eval",
        "lvs.add_service { fwmark = 9 } lvs.add_mark { mark = 9, daddr = '10.0.0.9' } \
         lvs.add_service { tcp = '192.0.2.10:80' }",
    ])
    .ok();
    let saved = file(&here, "saved.rules", SAVED);
    let dry = here.run(&["import", "--apply", "-n", &saved]).ok();
    insta::assert_snapshot!(dry.out);
    let done = here.run(&["import", "--apply", &saved]).ok();
    assert_eq!(done.out, "5 added, 1 changed, 0 removed.  Sent and verified.\n");
    assert!(here.run(&["list"]).out.contains("fwm:9"));
    let done = here.run(&["import", "--apply", "--replace", &saved]).ok();
    assert_eq!(done.out, "0 added, 0 changed, 1 removed.  Sent and verified.\n");
    let list = here.run(&["list"]).out;
    // A save file knows nothing of marks, so these are not its to remove.
    assert!(!list.contains("fwm:9") && list.contains("10.0.0.9"), "{list}");
}

#[test]
fn all_of_a_file_or_nothing() {
    let here = Playground::new();
    here.run(&["eval", "lvs.add_service { fwmark = 9 }"]).ok();
    let before = here.bytes();
    for (name, text) in [
        ("unknown-scheduler.rules", format!("{SAVED}-A -t 192.0.2.11:80 -s nosuch\n")),
        ("twice.rules", format!("{SAVED}-A -t 192.0.2.10:80 -s rr\n")),
        ("typo.rules", format!("{SAVED}-a -t 192.0.2.10:80 -r 10.0.0.7:80 -q\n")),
        ("bad.json", "{ \"format_version\": \"1.0\", \"services\": [ { \"service\": \"fwm:0\", \"scheduler\": \"rr\", \"servers\": [] } ] }".to_string()),
        ("unknown.json", "{ \"format_version\": \"1.0\", \"services\": [], \"serivces\": [] }".to_string()),
        ("future.json", "{ \"format_version\": \"2.0\", \"services\": [] }".to_string()),
        ("half.json", "{ \"format_version\": ".to_string()),
    ] {
        let path = file(&here, name, &text);
        let ended = here.run(&["import", "--apply", &path]);
        assert!([1, 2, 3].contains(&ended.code), "{name}: {}", ended.all());
        insta::assert_snapshot!(name.replace('.', "_"), ended.err);
        assert_eq!(here.bytes(), before, "{name}");
        assert_eq!(here.state_files().iter().filter(|name| name.ends_with("journal")).count(), 0);
    }
    let ended = piped(&here, &["import", "-"], "return lvs.policy {}");
    assert_eq!(ended.code, 2, "{}", ended.all());
    assert_eq!(
        here.run(&["import", "--apply"]).code,
        2,
        "what is there already cannot be what it shall become"
    );
    let missing = here.run(&["import", "nothing.rules"]);
    assert!(missing.code == 1 && missing.err.contains("nothing.rules"), "{}", missing.all());
}

#[test]
fn parts_of_a_machine() {
    let here = everything();
    here.policy("web", WEB);
    here.run(&["start", "web"]).ok();
    insta::assert_snapshot!(here.run(&["export", "--policy", "web"]).ok().out);
    let one = here.run(&["export", "--service", "fwm:3000000000", "--as", "json"]).ok().json();
    assert_eq!(one["services"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["marks"].as_array().map(Vec::len), Some(4));
    assert_eq!(one["vips"].as_array().map(Vec::len), Some(1));
    assert!(one.get("timeouts").is_none() && one.get("syncs").is_none(), "{one}");
    let missing = here.run(&["export", "--service", "fwm:77"]);
    assert!(missing.code == 2 && missing.err.contains("there is no service fwm:77"), "{}", missing.all());
    let missing = here.run(&["export", "--policy", "nobody"]);
    assert!(missing.code == 2 && missing.err.contains("nobody"), "{}", missing.all());
}

/// What lvsh did not make is shown and neither taken along nor thrown away.
#[test]
fn tunnels_of_others_stay() {
    let here = everything();
    let dump = file(&here, "dump.json", &here.run(&["export", "--as", "json"]).ok().out);
    let other = Playground::new();
    other
        .run(&["eval", "lvs.add_tunnel { dev = 'lvsh-gre', type = 'gre' } lvs.add_local_route { table = 9 }"])
        .ok();
    let mut machine: serde_json::Value = serde_json::from_slice(&other.bytes()).expect("a machine");
    let theirs = &mut machine["state"];
    theirs["tunnels"]["lvsh-gre"]["alias"] = "backup link".into();
    theirs["routes"][0][1]["by"] = 4.into();
    std::fs::write(other.machine(), machine.to_string()).expect("a machine");
    let before = other.bytes();
    let refused = other.run(&["import", "--apply", "--replace", &dump]);
    assert_eq!(refused.code, 1, "{}", refused.all());
    insta::assert_snapshot!(refused.err);
    assert_eq!(other.bytes(), before);
    let export = other.run(&["export", "--as", "json"]).ok().json();
    assert_eq!(export["tunnels"][0]["alias"], "backup link");
    assert_eq!((&export["routes"][0]["table"], &export["routes"][0]["proto"]), (&9.into(), &4.into()));
    for format in ["lua", "ipvsadm"] {
        let export = other.run(&["export", "--as", format]).ok();
        assert!(!export.all().contains("lvsh-gre") && !export.all().contains("table"), "{}", export.all());
    }
    let one = here.run(&["export", "--service", "fwm:3000000000", "--as", "json"]).ok().json();
    let length = |list: &str| one[list].as_array().map(Vec::len);
    assert_eq!([length("rules"), length("routes"), length("tunnels")], [Some(1), Some(1), None]);
}

/// A dump stands for the machine: everything but sending works, without rights and without a kernel.
#[test]
fn against_a_dump() {
    let here = everything();
    let dump = file(&here, "dump.json", &here.run(&["export", "--as", "json"]).ok().out);
    let web = here.policy("web", WEB).to_string_lossy().into_owned();
    let against = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lvsh"));
        command.env_clear().args(["--against", &dump]).args(words);
        let output = command.output().expect("the program");
        let text = |bytes| String::from_utf8(bytes).expect("text");
        Ended { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    };
    let plan = against(&["plan", "--exit-code", &web]);
    assert_eq!(plan.code, 4, "{}", plan.all());
    assert!(plan.out.contains("+ service fwm:3"), "{}", plan.all());
    assert_eq!(plan.out.replace("ROOT", ""), against(&["start", "-n", &web]).out);
    against(&["lint", &web]).ok();
    assert!(against(&["status", &web]).ok().out.contains("not started"));
    assert!(against(&["list"]).ok().out.contains("fwm:3000000000"));
    assert_eq!(against(&["eval", "lvs.timeouts().tcp"]).ok().out, "1200\n");
    assert_eq!(
        against(&["export", "--as", "json"]).ok().out,
        std::fs::read_to_string(&dump).expect("the dump")
    );
    for words in
        [&["start", &web][..], &["apply", &web], &["eval", "lvs.del_service { fwmark = 3000000000 }"]]
    {
        let refused = against(words);
        assert_eq!(refused.code, 1, "{}", refused.all());
        assert!(refused.err.contains("dump.json is a dump, not a machine"), "{}", refused.all());
        assert!(refused.err.contains("-n shows the plan"), "{}", refused.all());
    }
    let both = here.run(&["--against", &dump, "list"]);
    assert_eq!(both.code, 2, "{}", both.all());
}

#[test]
fn scripts_export_too() {
    let here = everything();
    for format in ["lua", "ipvsadm", "json"] {
        let own = here.run(&["eval", &format!("print(lvs.export '{format}')")]).ok().out;
        let export = here.run(&["export", "--as", format]).ok().out;
        let body = |text: &str| -> Vec<String> {
            let told = |line: &&str| !line.trim().starts_with("--") && !line.contains("name =");
            text.trim_end().lines().filter(told).map(str::to_string).collect()
        };
        assert_eq!(body(&own), body(&export), "{format}");
    }
    let wrong = here.run(&["eval", "lvs.export 'yaml'"]);
    assert!(wrong.code == 3 && wrong.err.contains("lua, ipvsadm, json"), "{}", wrong.all());
}
