//! Checks through IPVS: a real server that is well and does not answer for the virtual address is found out.

use std::time::Duration;

use super::site::{SERVERS, VIP, direct, lvsh, policy_with, topology, write};
use super::support::{Host, eventually};

const VIP6: &str = "2001:db8:1::99";

fn policy(method: &str, health: &str) -> String {
    let server = format!("method = \"{method}\", weight = 8");
    let health = format!("health = {{ {health}, timeout = 1, rise = 2, fall = 3 }},");
    policy_with("scheduler = \"wrr\"", &SERVERS, &server, &health)
}

/// The weight of the second server in the service of mark 3.
fn weight(director: &Host) -> String {
    let text = director.run("ipvsadm -Sn");
    let line = text.lines().find(|line| line.starts_with("-a -f 3 ") && line.contains(SERVERS[1]));
    let weight = line.and_then(|line| line.split("-w ").nth(1)?.split_whitespace().next());
    weight.unwrap_or("none").to_string()
}

/// How the second server is, asked at its own address and through IPVS, by a script.
const ASK: &str = r#"
local web = lvs.get_service { fwmark = 3 }
local plain = lvs.probe_all(web.servers, { http = { port = 80 }, timeout = 1 })
local via = lvs.probe_all(web.servers, { http = { port = 80 }, timeout = 3, via = "vip" })
for _, s in ipairs(web.servers) do print(s.addr, plain[s.addr].verdict, via[s.addr].verdict, via[s.addr].err) end
"#;

#[test]
fn a_server_without_the_address_is_found_out() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let before = director.snapshot_text();
    let file = write("web", &policy("dr", "http = { port = 80 }, via = 'vip'"));
    let plan = lvsh(director, &format!("plan {file}"));
    assert!(plan.stdout.contains("through IPVS to 2 servers"), "{}", plan.stdout);
    assert!(!plan.stderr.contains("nothing marks"), "{}", plan.stderr);
    lvsh(director, &format!("start {file}"));
    let check = || lvsh(director, &format!("check {file}"));
    let well = check();
    assert_eq!(well.stdout, "web: 2 servers, nothing to change\n", "{}", well.stderr);
    let status = lvsh(director, &format!("status {file}")).stdout;
    assert_eq!(status.matches("200 in").count(), 2, "both answered through IPVS:\n{status}");
    assert!(status.contains("checks go through IPVS, by 2 services of their own"), "{status}");
    assert_eq!(status.matches("service ").count(), 1, "{status}");
    let list = lvsh(director, "list").stdout;
    assert!(list.contains("1 service, 2 servers") && list.contains("not shown: 2 services"), "{list}");

    let rs2 = net.server("rs2");
    rs2.remove_address("lo", VIP);
    for round in 1..=3 {
        assert_eq!(weight(director), "8", "before round {round}");
        check();
    }
    assert_eq!(weight(director), "0");
    // A script asks the same of both, and leaves nothing behind.
    let script = write("ask", ASK);
    let started = director.snapshot_text();
    let said = lvsh(director, &format!("run {script}")).stdout;
    let rows: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..3], [SERVERS[0], "good", "good"], "{said}");
    assert_eq!(rows[1][..3], [SERVERS[1], "good", "bad"], "{said}");
    assert_eq!(director.snapshot_text(), started);

    rs2.add_address("lo", VIP);
    check();
    assert_eq!(weight(director), "0", "one good round");
    check();
    assert_eq!(weight(director), "8");

    // A way that somebody took is no fault of the server.
    let ways = director.run("ipvsadm -Sn");
    let marks: Vec<&str> = ways.lines().filter_map(|line| line.strip_prefix("-A -f 19")).collect();
    assert_eq!(marks.len(), 2, "{ways}");
    let way = marks[1].split(' ').next().unwrap_or_default();
    director.run(&format!("ipvsadm -D -f 19{way}"));
    let blind = check();
    assert!(blind.stderr.contains("was not checked: fwm:19"), "{}", blind.stderr);
    assert!(lvsh(director, &format!("apply {file}")).stdout.contains("checks"));
    assert_eq!(check().stderr, "");

    lvsh(director, &format!("stop {file}"));
    assert_eq!(director.snapshot_text(), before);
}

/// What a killed script made for its checks is gone when it runs again; a killed round leaves what its policy owns.
#[test]
fn a_killed_script_leaves_its_ways_to_the_next_run() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let file = write("web", &policy("dr", "tcp = { port = 80 }"));
    lvsh(director, &format!("start {file}"));
    let started = director.snapshot_text();
    let script = write("ask", ASK);
    net.server("rs2").remove_address("lo", VIP);
    let mut child = director.lvsh_cmd(&format!("run {script}")).spawn();
    eventually(Duration::from_secs(20), "ways of the script", || {
        (director.run("ipvsadm -Sn").matches("-A ").count() == 3).then_some(())
    });
    let _ = child.kill();
    let _ = child.wait();
    assert_ne!(director.snapshot_text(), started);
    let again = lvsh(director, &format!("run {script}"));
    assert!(again.stderr.contains("taken back"), "{}", again.stderr);
    assert_eq!(director.snapshot_text(), started);
}

/// Tunnels and NAT are gone as the packets of clients go them, and IPv6 as IPv4 is.
#[test]
fn by_every_method_and_in_both_families() {
    needs!(ipvs);
    let net = topology().build();
    let director = net.director();
    let (rs1, rs2) = (net.server("rs1"), net.server("rs2"));
    director.forward();
    for server in [rs1, rs2] {
        server.tunnel(VIP);
        server.masqueraded("192.168.1.1");
    }
    for method in ["tun", "nat"] {
        let file = write("web", &policy(method, "http = { port = 80 }, via = 'vip', initial = 'down'"));
        lvsh(director, &format!("start {file}"));
        for _ in 0..2 {
            lvsh(director, &format!("check {file}"));
        }
        assert_eq!(weight(director), "8", "{method}");
        lvsh(director, &format!("stop {file}"));
    }
    director.add_address("eth0", "2001:db8:1::1/64");
    rs1.add_address("eth0", "2001:db8:1::107/64");
    rs1.add_address("lo", VIP6);
    rs2.add_address("eth0", "2001:db8:1::109/64");
    let text = format!(
        r#"return lvs.policy {{
  name = "six",
  vip = {{ addr = "{VIP6}/128", dev = "eth0" }},
  service = {{
    tcp = "[{VIP6}]:80", scheduler = "rr",
    servers = {{
      {{ addr = "2001:db8:1::107", method = "dr" }},
      {{ addr = "2001:db8:1::109", method = "dr" }},
    }},
  }},
  health = {{ http = true, via = "vip", timeout = 1, rise = 1, fall = 1 }},
}}
"#
    );
    let file = write("six", &text);
    lvsh(director, &format!("start {file}"));
    let round = lvsh(director, &format!("check {file}"));
    assert!(round.stdout.contains("2001:db8:1::109]:80  weight 1 -> 0"), "{}{}", round.stdout, round.stderr);
    assert!(!round.stdout.contains("107"), "{}", round.stdout);
    lvsh(director, &format!("stop {file}"));
}
