//! Looking at a machine: list in its forms, stats, zero, and scripts that walk the connection table.

use std::fs;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Playground, WEB};

const MAIL: &str = r#"return lvs.policy {
  name = "mail",
  service = {
    { tcp = "192.168.1.99:25", scheduler = "wlc", persistent = 600, servers = {
      { addr = "192.168.1.107", method = "dr", weight = 8, upper = 1000, lower = 800 },
      { addr = "192.168.1.110", method = "dr", weight = 2 },
    } },
    { udp = "[2001:db8::99]:53", scheduler = "rr", servers = { { addr = "2001:db8::7" } } },
  },
}
"#;

/// Two policies at work, with counters and connections as a director may have them.
fn director() -> Playground {
    let here = Playground::new();
    here.policy("web", WEB);
    here.policy("mail", MAIL);
    here.run(&["-q", "start", "web"]).ok();
    here.run(&["-q", "start", "mail"]).ok();
    let mut machine: Value = serde_json::from_slice(&here.bytes()).expect("JSON");
    let stats = |conns: u64, bytes: u64| {
        json!({ "conns": conns, "in_packets": conns * 10, "out_packets": 0, "in_bytes": bytes, "out_bytes": 0,
                "conns_per_s": conns / 100, "in_packets_per_s": conns / 10, "in_bytes_per_s": bytes / 100 })
    };
    let web = json!({ "mark": { "family": "ipv4", "mark": 3 } });
    let smtp = json!({ "address": { "protocol": "tcp", "addr": "192.168.1.99", "port": 25 } });
    let server = |addr: &str, port: u16| json!({ "addr": addr, "port": port });
    machine["observed"] = json!({
        "services": [[web, stats(1500, 1_234_567_890)], [smtp, stats(300, 98_765)]],
        "servers": [
            [[web, server("192.168.1.107", 0)], { "stats": stats(1000, 1_000_000_000) }],
            [[web, server("192.168.1.109", 0)], { "stats": stats(500, 234_567_890) }],
            [[smtp, server("192.168.1.107", 25)], { "stats": stats(300, 98_765) }],
        ],
    });
    let entry = |client: &str, client_port: u16, target: Value, to: Value, state: &str, expires: u32| {
        let protocol = if target["mark"].is_object() { json!({ "other": 0 }) } else { json!("tcp") };
        json!({ "protocol": protocol, "client": client, "client_port": client_port, "virtual": target,
                "server": to, "state": state, "expires": expires })
    };
    let vip = |port: u16| json!({ "address": { "addr": "192.168.1.99", "port": port } });
    let mut dns = entry("2001:db8::11", 40000, vip(53), server("2001:db8::7", 53), "UDP", 290);
    dns["protocol"] = json!("udp");
    dns["virtual"] = json!({ "address": { "addr": "2001:db8::99", "port": 53 } });
    machine["connections"] = json!([
        entry("192.168.1.11", 50001, vip(80), server("192.168.1.107", 80), "ESTABLISHED", 890),
        entry("192.168.1.11", 50002, vip(443), server("192.168.1.107", 443), "FIN_WAIT", 110),
        entry("192.168.1.12", 50001, vip(443), server("192.168.1.109", 443), "ESTABLISHED", 899),
        entry("192.168.1.12", 50009, vip(25), server("192.168.1.107", 25), "SYN_RECV", 58),
        entry("192.168.1.12", 0, vip(25), server("192.168.1.107", 25), "NONE", 600),
        entry("192.168.1.13", 0, vip(25), server("192.168.1.110", 65535), "ASSURED", 30),
        dns,
    ]);
    fs::write(here.machine(), machine.to_string()).expect("the machine");
    here
}

fn at(here: &Playground, width: u16, words: &[&str]) -> String {
    let done = here.command(words).env("COLUMNS", width.to_string()).output().expect("the program");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    format!("$ lvsh {}\n{}", words.join(" "), String::from_utf8_lossy(&done.stdout))
}

#[test]
fn a_list_in_its_widths() {
    let here = director();
    let all = [60, 80, 120].map(|width| format!("== {width}\n{}", at(&here, width, &["list"])));
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn lists_of_numbers() {
    let here = director();
    let all = [
        &["list", "--stats"][..],
        &["list", "--stats", "--sort", "bytes"],
        &["list", "--rate"],
        &["list", "--thresholds"],
        &["list", "--stats", "--rate"],
        &["list", "--wide"],
        &["stats"],
        &["stats", "tcp:192.168.1.99:25"],
    ];
    insta::assert_snapshot!(all.map(|words| at(&here, 80, words)).join("\n"));
}

#[test]
fn parts_of_the_machine() {
    let here = director();
    let all = [
        &["list", "--service", "tcp:192.168.1.99:25"][..],
        &["list", "--server", "192.168.1.107"],
        &["list", "--server", "192.168.1.107:25"],
        &["list", "--policy", "mail"],
        &["list", "--mark", "3"],
        &["list", "--connections"],
        &["list", "--connections", "--service", "fwm:3"],
        &["list", "--connections", "--policy", "mail", "--server", "192.168.1.107"],
        &["list", "--connections", "--mark", "4"],
    ];
    insta::assert_snapshot!(all.map(|words| at(&here, 100, words)).join("\n"));
    let narrow = at(&here, 60, &["list", "--connections"]);
    assert!(!narrow.contains("fwm:3"), "what does not fit is left out, the lines stay whole: {narrow}");
    let document = here.run(&["list", "--json", "--server", "192.168.1.110"]).ok().json();
    assert_eq!(document["services"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["services"][0]["servers"].as_array().map(Vec::len), Some(1));
}

#[test]
fn connections_as_a_document() {
    let here = director();
    let ended = here.run(&["list", "--connections", "--json", "--service", "tcp:192.168.1.99:25"]).ok();
    insta::assert_snapshot!(ended.out);
    let none = here.run(&["list", "--connections", "--json", "--server", "10.0.0.1"]).ok().json();
    assert_eq!((&none["count"], &none["connections"]), (&json!(0), &json!([])));
    let keys: Vec<String> = none.as_object().expect("an object").keys().cloned().collect();
    assert!(keys.is_sorted(), "{keys:?}");
}

#[test]
fn wrong_questions() {
    let here = director();
    let all = [
        &["list", "--service", "fwm:4"][..],
        &["list", "--connections", "--service", "tcp:192.168.1.99:26"],
        &["list", "--service", "www.example.org:80"],
        &["list", "--mark", "0"],
        &["list", "--server", "192.168.1.300"],
        &["list", "--connections", "--stats"],
        &["stats", "--count", "2"],
        &["stats", "--watch", "10ms"],
        &["zero", "fwm:4"],
        &["--read-only", "zero"],
    ];
    let before = here.bytes();
    let told = all.map(|words| format!("$ lvsh {}\n{}", words.join(" "), here.run(words).all()));
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(here.bytes(), before);
}

#[test]
fn counters_are_zeroed() {
    let here = director();
    let before = here.bytes();
    let dry = here.run(&["zero", "-n", "fwm:3"]).ok();
    assert_eq!(dry.out, "would zero the counters of service fwm:3.  Nothing was sent.\n");
    assert_eq!(here.bytes(), before);
    assert_eq!(here.run(&["zero", "fwm:3"]).ok().out, "counters of service fwm:3 are 0\n");
    let conns = |here: &Playground| {
        let document = here.run(&["stats", "--json"]).ok().json();
        let of = |service: &Value| service["stats"]["conns"].as_u64().expect("a number");
        document["services"].as_array().expect("services").iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(conns(&here), [300, 0, 0], "tcp, udp, mark");
    assert_eq!(here.run(&["zero"]).ok().out, "counters of all services are 0\n");
    assert_eq!(conns(&here), [0, 0, 0]);
}

#[test]
fn watching_prints_one_block_or_line_per_reading() {
    let here = director();
    let blocks = here.run(&["stats", "--watch", "100ms", "--count", "2"]).ok().out;
    assert_eq!(blocks.matches("rates: ").count(), 2, "{blocks}");
    assert!(
        blocks.contains("rates: the kernel's estimate")
            && blocks.contains("rates: measured over the last 0.")
    );
    assert!(!blocks.contains('\x1b'), "no terminal, no escapes");
    let lines = here.run(&["stats", "--watch", "100ms", "--count", "3", "--json"]).ok().out;
    let readings: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(readings.len(), 3);
    assert!(lines.lines().all(|line| line.starts_with("{\"format_version\":\"1.0\",")));
    assert!(readings[0]["services"][0].get("measured").is_none(), "one reading has no difference");
    assert_eq!(readings[1]["services"][0]["measured"]["conns_per_s"], 0, "nothing came");
    assert!(readings[1]["seconds"].as_f64().is_some_and(|seconds| seconds >= 0.1));
}

#[test]
fn watching_ends_well_by_ctrl_c() {
    let here = director();
    let mut command = here.command(&["stats", "--watch", "50s"]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the program");
    let mut first = [0; 1];
    child.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("a first block");
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).expect("a signal");
    let asked = Instant::now();
    assert_eq!(child.wait().expect("an end").code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(5), "at once, not at the next reading");
    let timed = here.run(&["stats", "--watch", "50s", "--timeout", "300ms"]);
    assert_eq!(timed.code, 124, "{}", timed.all());
}

#[test]
fn who_has_read_enough_closes_the_pipe() {
    let here = director();
    let mut machine: Value = serde_json::from_slice(&here.bytes()).expect("JSON");
    let one = machine["connections"][0].clone();
    machine["connections"] = Value::Array(vec![one; 20_000]);
    fs::write(here.machine(), machine.to_string()).expect("the machine");
    for words in [&["list", "--connections"][..], &["list", "--connections", "--json"]] {
        let mut child =
            here.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
        let mut some = [0; 1000];
        child.stdout.take().expect("a pipe").read_exact(&mut some).expect("a beginning");
        let ended = child.wait_with_output().expect("an end");
        assert!(
            ended.status.success() && ended.stderr.is_empty(),
            "{:?}",
            String::from_utf8_lossy(&ended.stderr)
        );
    }
}

#[test]
fn a_script_ends_the_connections_of_a_server() {
    let here = director();
    let evicted = here.run(&["eval", "lvs.evict({ fwmark = 3 }, '192.168.1.107')"]).ok();
    assert!(
        evicted.err.starts_with(
            "notice: evicted fwm:3 192.168.1.107: 2 connections, 0 templates; it took none for "
        ),
        "{}",
        evicted.err
    );
    assert!(evicted.out.starts_with("{ connections = 2, seconds = 0."), "{}", evicted.out);
    let left = here.run(&["eval", "lvs.connections { server = '192.168.1.107' }"]).ok().out;
    assert!(
        left.contains("\"192.168.1.12\"") && !left.contains("\"192.168.1.11\""),
        "that of mail stays: {left}"
    );
    let plan = here.run(&["plan", "--exit-code", "web"]).ok();
    assert!(plan.out.contains("No changes"), "the server is back as it was: {}", plan.out);
    let dry = here.run(&["eval", "-n", "lvs.evict({ fwmark = 3 }, '192.168.1.109') lvs.zero()"]).ok();
    assert!(dry.err.contains("evict fwm:3 192.168.1.109: not simulated, nothing is ended"), "{}", dry.err);
    assert!(dry.err.contains("zero all services: not simulated, the counters stay"), "{}", dry.err);
    let gone = here.run(&["eval", "lvs.evict({ fwmark = 3 }, '192.168.1.111')"]);
    assert_eq!(gone.code, 1, "{}", gone.all());
    assert!(
        gone.err.contains("cannot evict fwm:3 192.168.1.111: it does not exist (ENOENT)"),
        "{}",
        gone.err
    );
}
