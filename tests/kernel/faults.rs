//! Real servers that are broken in every way at once: for each checker the kernel's weights follow after exactly `fall`
//! rounds and return after exactly `rise`.

use std::time::{Duration, Instant};

use super::site::{VIP, lvsh, write};
use super::support::{Fault, Host, Net, Topology, trusted};

/// Server, and how it is broken.
const BROKEN: [&str; 11] = [
    "well",
    "refuses",
    "swallows",
    "hangs",
    "500",
    "drips",
    "resets",
    "floods",
    "othername",
    "expired",
    "novip",
];

fn address(at: usize) -> String {
    format!("192.168.1.{}", 101 + at)
}

/// A checker: its policy's name and port, what it asks, and which servers it finds broken.
struct Checker {
    name: &'static str,
    port: u16,
    health: String,
    finds: &'static [&'static str],
}

fn checkers(ca: &str) -> Vec<Checker> {
    // The shell is quick to say no and slow to find out: the deadline ends it, and what it started.
    let exec = "exec 3<>/dev/tcp/$LVSH_ADDR/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; read -r line <&3; [[ $line == *200* ]]";
    let http = &["refuses", "swallows", "hangs", "500", "drips", "resets"];
    let of = |name, port, health: &str, finds| Checker { name, port, health: health.to_owned(), finds };
    vec![
        of("tcp", 1001, "tcp = { port = 80 }", &["refuses", "swallows"]),
        of("http", 1002, "http = { port = 80 }", http),
        of(
            "body",
            1003,
            "http = { port = 80, body = 'name=' }",
            &["refuses", "swallows", "hangs", "500", "drips", "resets", "floods"],
        ),
        of(
            "https",
            1004,
            &format!("https = {{ port = 443, host = 'lab.test', ca = '{ca}' }}"),
            &["refuses", "swallows", "hangs", "500", "drips", "resets", "othername", "expired"],
        ),
        of(
            "steps",
            1005,
            "port = 80, steps = { { send = 'GET / HTTP/1.0\\r\\n\\r\\n' }, { expect = ' 200 ' } }",
            &["refuses", "swallows", "hangs", "500"],
        ),
        of("ping", 1006, "ping = true", &["swallows"]),
        of(
            "exec",
            1007,
            &format!("exec = {{ 'bash', '-c', [=[{exec}]=] }}"),
            &["refuses", "swallows", "hangs", "500"],
        ),
        of(
            "via",
            80,
            "http = true, via = 'vip'",
            &["refuses", "swallows", "hangs", "500", "drips", "resets", "novip"],
        ),
    ]
}

const FALL: usize = 2;
const RISE: usize = 2;
/// Drips take longer than this, and everything that is well less, also in an emulated machine.
const TIMEOUT: Duration = Duration::from_secs(3);

fn policy(checker: &Checker) -> String {
    let servers: String = (0..BROKEN.len())
        .map(|at| format!("      {{ addr = \"{}\", method = \"dr\", weight = 8 }},\n", address(at)))
        .collect();
    format!(
        r#"return lvs.policy {{
  name = "{}",
  service = {{ tcp = "{VIP}:{}", scheduler = "wrr", servers = {{
{servers}  }} }},
  health = {{ {}, timeout = {}, rise = {RISE}, fall = {FALL} }},
}}
"#,
        checker.name,
        checker.port,
        checker.health,
        TIMEOUT.as_secs()
    )
}

fn break_all(net: &Net, broken: bool) {
    for name in BROKEN {
        let server = net.server(name);
        let fault = |fault| server.breaks(Some(fault).filter(|_| broken));
        match name {
            "refuses" if broken => server.down(),
            "refuses" => server.up(),
            "swallows" if broken => {
                let rules = "table inet broken {\n chain input {\n type filter hook input priority 0;\n drop\n }\n}\n";
                server.cmd("nft -f -").stdin(rules).run();
            }
            "swallows" => drop(server.run("nft delete table inet broken")),
            "hangs" => fault(Fault::Hangs),
            "500" => server.status(if broken { 500 } else { 200 }),
            "drips" => fault(Fault::Drips),
            "resets" => fault(Fault::Resets),
            "floods" => fault(Fault::Floods),
            "othername" => fault(Fault::OtherName),
            "expired" => fault(Fault::Expired),
            "novip" if broken => server.remove_address("lo", VIP),
            "novip" => server.add_address("lo", VIP),
            _ => {}
        }
    }
}

/// Servers at weight 0 in the service of a checker.
fn down(text: &str, port: u16) -> Vec<&'static str> {
    let of = |at: usize| {
        let start = format!("-a -t {VIP}:{port} -r {}:", address(at));
        let line = text.lines().find(|line| line.starts_with(&start));
        line.unwrap_or_else(|| panic!("{start} is not in\n{text}")).contains("-w 0")
    };
    (0..BROKEN.len()).filter(|at| of(*at)).map(|at| BROKEN[at]).collect()
}

/// One round of all policies.
fn check(director: &Host, checkers: &[Checker]) {
    let begun = Instant::now();
    let round = lvsh(director, "check --all");
    println!("a round took {:?}\n{}", begun.elapsed(), round.stderr);
    // Each policy's round ends at its deadline; the rest is for a program that starts slowly.
    let most = (TIMEOUT + Duration::from_secs(2)) * u32::try_from(checkers.len()).expect("few");
    assert!(begun.elapsed() < most, "{:?}", begun.elapsed());
    assert!(!round.stderr.contains("was not checked"), "{}", round.stderr);
}

#[test]
fn weights_follow_after_exactly_fall_and_return_after_exactly_rise() {
    needs!(ipvs);
    let mut topology = Topology::new().director("dir", "192.168.1.1");
    for (at, name) in BROKEN.iter().enumerate() {
        topology = topology.server(name, &address(at));
    }
    let net = topology.build();
    for server in net.servers() {
        server.direct(VIP);
    }
    let director = net.director();
    director.vip(VIP);
    director.sysctl("net.ipv4.conf.eth0.accept_local", "1");
    let ca = write("ca", &trusted());
    let checkers = checkers(&ca);
    for checker in &checkers {
        let file = write(checker.name, &policy(checker));
        lvsh(director, &format!("start {file}"));
    }
    let weights = |when: &str, broken: bool| {
        let text = director.run("ipvsadm -Sn");
        for checker in &checkers {
            let wanted: Vec<&str> = if broken { checker.finds.to_vec() } else { Vec::new() };
            assert_eq!(down(&text, checker.port), wanted, "{when}: {}", checker.name);
        }
    };
    check(director, &checkers);
    weights("all are well", false);
    break_all(&net, true);
    for round in 1..=FALL {
        weights(&format!("broken, before round {round}"), false);
        check(director, &checkers);
    }
    weights("broken", true);
    break_all(&net, false);
    for round in 1..=RISE {
        weights(&format!("mended, before round {round}"), true);
        check(director, &checkers);
    }
    weights("mended", false);
}
