//! Everything that IPVS has is said by a policy, planned, listed, and can be written down and made again.

use super::*;
use crate::support::Topology;
use serde_json::{Value, json};

/// One of everything, on one machine. No servers of the other family beside a sync daemon: the kernel wants one of
/// the two.
const EVERYTHING: &str = r#"
local function on(last, more)
  local server = { addr = "192.168.1." .. last }
  for name, value in pairs(more) do server[name] = value end
  return server
end
return lvs.policy {
  name = "everything",
  service = {
    { sctp = "192.168.1.99:5000", scheduler = "nq",
      servers = { on(107, { weight = 65535, upper = 100000, lower = 50000 }) } },
    { udp = "192.168.1.99:53", scheduler = "wrr", ops = true, flags = { "flag-1", "flag-2", "flag-3" },
      servers = { on(107, { weight = 0 }) } },
    { udp = "192.168.1.99:5060", scheduler = "rr", pe = "sip", persistent = { timeout = "31d", netmask = "255.255.0.0" } },
    { tcp = "192.168.1.99:80", scheduler = "sh", flags = { "sh-fallback", "sh-port" }, servers = {
      on(101, { method = "tun" }),
      on(102, { method = "tun", tunnel = { type = "gue", port = 6080 } }),
      on(103, { method = "tun", tunnel = { type = "gue", port = 6081, checksum = "csum" } }),
      on(104, { method = "tun", tunnel = { type = "gue", port = 65535, checksum = "remcsum" } }),
      on(105, { method = "tun", tunnel = { type = "gre", checksum = "csum" } }),
      on("106:8080", { method = "nat" }),
    } },
    { tcp = "192.168.1.99:0", scheduler = "mh", flags = { "mh-fallback", "mh-port" }, persistent = 1 },
    { fwmark = 4294967295, scheduler = "none" },
    { fwmark = 3, family = "ipv6", scheduler = "ovf", persistent = { timeout = 60, netmask = 64 },
      servers = { { addr = "fd00::107" } } },
  },
  mark = {
    { mark = 4294967295, daddr = "192.168.1.96/28", saddr = "10.0.0.0/8", iif = "eth0", proto = { "tcp", "udp", "sctp" },
      dports = { 22, "8000-8010" } },
    { mark = 3, daddr = "fd00::99", proto = "tcp", dports = 80, output = true },
  },
  vip = { addr = "192.168.1.99/32", dev = "eth0" },
  timeouts = { tcp = 7200, tcp_fin = 30, udp = 60 },
  sync = {
    { role = "master", dev = "eth0", id = 255, group = "239.1.2.3", port = 9999, ttl = 64, maxlen = 1400 },
    { role = "backup", dev = "eth0", id = 254, group = "ff02::81", port = 9998, ttl = 3, maxlen = 1300 },
  },
  sysctls = { conntrack = 1, sync_threshold = "5 100", ["net.ipv4.conf.eth0.send_redirects"] = 0 },
}
"#;

/// As a person reads them, the words of everything above, wherever it is shown.
const WORDS: &[&str] = &[
    "sctp:192.168.1.99:5000",
    "nq",
    "upper 100000 lower 50000",
    "wrr flag-1 flag-2 flag-3 ops",
    "rr, persistent 2678400 mask 255.255.0.0, pe sip",
    "sh sh-fallback sh-port",
    "tun",
    "gue port 6080",
    "gue port 6081 csum",
    "gue port 65535 remcsum",
    "gre csum",
    "192.168.1.106:8080",
    "mh mh-fallback mh-port, persistent 1",
    "fwm:4294967295",
    "fwm6:3",
    "ovf, persistent 60 mask 64",
    "id 255 group 239.1.2.3 port 9999 ttl 64 maxlen 1400",
    "id 254 group ff02::81 port 9998 ttl 3 maxlen 1300",
    "vip 192.168.1.99/32 dev eth0",
];

#[track_caller]
fn says(text: &str, words: &[&str]) {
    let missing: Vec<_> = words.iter().filter(|word| !text.contains(**word)).collect();
    assert!(missing.is_empty(), "{missing:?} is not in\n{text}");
}

fn started() -> (Net, String) {
    let net = Topology::new().director("dir", "192.168.1.1 fd00::1").build();
    let file = write("everything", EVERYTHING);
    (net, file)
}

#[track_caller]
fn document(host: &Host, args: &str) -> Value {
    serde_json::from_str(&lvsh(host, args).stdout).expect("a document")
}

#[test]
fn plan_status_and_list_show_all_of_it() {
    needs!(ipvs);
    let (net, file) = started();
    let director = net.director();
    let plan = lvsh(director, &format!("plan {file}")).stdout;
    says(&plan, WORDS);
    says(&plan, &["tcp 900 -> 7200, tcp_fin 120 -> 30, udp 300 -> 60"]);
    lvsh(director, &format!("start {file}"));
    assert!(lvsh(director, &format!("plan --json {file}")).stdout.contains("\"changes\": []"));
    let status = lvsh(director, &format!("status {file}")).stdout;
    says(&status, WORDS);
    says(&status, &["timeouts  tcp 7200 tcp_fin 30 udp 60", "sync_threshold  5 100", "conntrack  1"]);
    let list = lvsh(director, "list").stdout;
    says(&list, WORDS);
    says(&list, &["timeouts  tcp 7200 tcp_fin 30 udp 60"]);
}

/// For programs, with the names of the Lua API.
#[test]
fn documents_have_all_of_it() {
    needs!(ipvs);
    let (net, file) = started();
    let director = net.director();
    lvsh(director, &format!("start {file}"));
    let service = |document: &Value, key: &str| -> Value {
        let services = document["services"].as_array().expect("services");
        services.iter().find(|one| one["service"] == key).expect(key).clone()
    };
    for args in ["list --json".to_string(), format!("status --json {file}")] {
        let all = document(director, &args);
        let sctp = service(&all, "sctp:192.168.1.99:5000");
        let server = &sctp["servers"][0];
        assert_eq!(
            (&server["weight"], &server["upper"], &server["lower"]),
            (&json!(65535), &json!(100_000), &json!(50_000))
        );
        let dns = service(&all, "udp:192.168.1.99:53");
        assert_eq!((&dns["ops"], &dns["flags"]), (&json!(true), &json!(["flag-1", "flag-2", "flag-3"])));
        let sip = service(&all, "udp:192.168.1.99:5060");
        assert_eq!(sip["pe"], "sip");
        assert_eq!(sip["persistent"], json!({ "timeout": 2_678_400, "netmask": "255.255.0.0" }));
        let web = service(&all, "tcp:192.168.1.99:80");
        let tunnels: Vec<_> =
            web["servers"].as_array().expect("servers").iter().map(|s| &s["tunnel"]).collect();
        assert_eq!(
            tunnels,
            [
                &Value::Null,
                &json!({ "type": "gue", "port": 6080, "checksum": "none" }),
                &json!({ "type": "gue", "port": 6081, "checksum": "csum" }),
                &json!({ "type": "gue", "port": 65535, "checksum": "remcsum" }),
                &json!({ "type": "gre", "checksum": "csum" }),
                &Value::Null,
            ]
        );
        assert_eq!(service(&all, "fwm6:3")["persistent"], json!({ "timeout": 60, "netmask": "64" }));
        assert_eq!(all["timeouts"], json!({ "tcp": 7200, "tcp_fin": 30, "udp": 60 }));
        let syncs = all["syncs"].as_array().expect("daemons");
        let master = json!({ "role": "master", "dev": "eth0", "id": 255, "group": "239.1.2.3", "port": 9999,
            "ttl": 64, "maxlen": 1400 });
        assert!(syncs.contains(&master) && syncs.len() == 2, "{syncs:?}");
    }
}

/// Written down as a script of lvsh or of the old tools and run on an empty machine, it is the same again.
fn written_down(policy: &str, spelling: &str, make: impl Fn(&Host, &str)) {
    let net = Topology::new()
        .director("dir", "192.168.1.1 fd00::1")
        .director("copy", "192.168.1.1 fd00::1")
        .build();
    let (director, copy) = (net.host("dir"), net.host("copy"));
    let file = write("everything", policy);
    lvsh(director, &format!("start {file}"));
    let text = lvsh(director, &format!("list --as {spelling}")).stdout;
    make(copy, &text);
    let facts = |host: &Host| {
        let mut all = document(host, "--state-dir /run/none list --json");
        for row in all["services"].as_array_mut().expect("services") {
            row["policy"] = Value::Null;
        }
        for row in all["marks"].as_array_mut().expect("marks") {
            row["policy"] = Value::Null;
        }
        // ip(8) cannot say whose an address is, so that `vips` has it only where lvsh added it.
        let addresses = host.run("ip -brief addr show eth0");
        let said = |word: &&str| word.contains('/') && !word.starts_with("fe80:");
        let addresses: Vec<_> = addresses.split_whitespace().filter(said).collect();
        let all = [&all["services"], &all["marks"], &all["syncs"], &all["timeouts"], &json!(addresses)];
        all.map(Value::clone)
    };
    assert_eq!(facts(copy), facts(director), "{text}");
}

#[test]
fn a_list_as_lua_makes_the_same_machine() {
    needs!(ipvs);
    written_down(EVERYTHING, "lua", |copy, text| {
        script(copy, text);
    });
}

#[test]
fn a_list_as_commands_makes_the_same_machine() {
    needs!(ipvs);
    // Without the marks: nft 1.0.6 cannot load a rule that looks into a map of ranges into kernel 7.2, whoever wrote it.
    // That the words for marks are right is tested in `tests/host` and in `a_list_as_lua_makes_the_same_machine`.
    let (before, rest) = EVERYTHING.split_once("  mark = {").expect("marks");
    let (_, after) = rest.split_once("  vip =").expect("what follows the marks");
    let unmarked = format!("{before}  vip ={after}");
    written_down(&unmarked, "ipvsadm", |copy, text| {
        copy.cmd("bash -e").stdin(text).run();
    });
}

#[test]
fn an_unknown_scheduler_is_told_which_there_are() {
    needs!(ipvs);
    let (net, _) = started();
    let director = net.director();
    let before = director.snapshot_text();
    let policy = "return lvs.policy { name = 'x', service = { fwmark = 3, scheduler = 'wrrr' } }";
    let failed = director.lvsh(&format!("start {}", write("x", policy)));
    assert_eq!(failed.code, 1, "{failed}");
    says(&failed.stderr, &["no scheduler 'wrrr'", "ENOENT", "did you mean 'wrr'?"]);
    // Those of this kernel, which newer ones have more of.
    let told = failed.stderr.split_once("; it has ").map(|(_, rest)| rest.lines().next().unwrap_or_default());
    let told: Vec<_> = told.expect("a list").split(", ").collect();
    for known in ["dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "wlc", "wrr"] {
        assert!(told.contains(&known), "{known} is not in {told:?}");
    }
    assert_eq!(director.snapshot_text(), before);
}
