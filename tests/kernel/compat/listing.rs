//! Both programs on one table: what is listed is the same byte for byte, and each restores what the other saves.

use super::Side;
use crate::support::{Cmd, Topology, eventually, words};
use std::time::Duration;

/// Every kind of thing, and addresses all around the 32 bits, which ipvsadm cannot put into an order.
fn rules() -> String {
    let mut rules = String::from(
        "--set 600 60 120
-A -t 192.168.0.1:80 -s sh -p 600 -M 255.255.255.0 -b sh-fallback,sh-port
-a -t 192.168.0.1:80 -r 10.1.0.1:80 -g -w 1 -x 100 -y 50
-a -t 192.168.0.1:80 -r 200.1.0.1:80 -g -w 0
-a -t 192.168.0.1:80 -r 100.1.0.1:80 -g -w 65535
-A -u 10.0.0.1:53 -s rr -o
-a -u 10.0.0.1:53 -r 10.1.0.1:5353 -m -w 3
-A --sctp-service [2001:db8::1]:9 -s wlc -b flag-1,flag-3
-A -t [::10.0.0.1]:80 -s sh -b flag-3
-A -t [::ffff:10.0.0.1]:80 -s rr
-A -f 4294967295 -6 -s wlc -p 360 -M 64 --pe sip
-a -f 4294967295 -6 -r [2001:db8::9]:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum -x 5 -y 0
-a -f 4294967295 -6 -r [2001:db8::a]:0 -i -w 1 --tun-type gre --tun-nocsum
-a -f 4294967295 -6 -r 10.1.0.7:0 -i -w 1 --tun-type ipip
-A -f 3 -s mh -b mh-port
-A -t 0.0.0.0:0 -s wlc -p 360
-A -t 127.0.0.1:443 -s wlc
",
    );
    for i in 0..12_u32 {
        let addr = std::net::Ipv4Addr::from_bits(i.wrapping_mul(0x9e37_79b9) | 0x0100_0001);
        if addr.is_multicast() || addr.is_broadcast() || addr.octets()[0] >= 224 {
            continue;
        }
        rules.push_str(&format!("-A -t {addr}:{} -s rr\n", 1 + i % 3));
        for j in 0..8_u32 {
            let server =
                std::net::Ipv4Addr::from_bits(j.wrapping_mul(0x3779_b9f1) & 0xdfff_ffff | 0x0100_0001);
            if server.octets()[0] < 224 && server.octets()[0] != 127 {
                rules.push_str(&format!("-a -t {addr}:{} -r {server}:{} -m -w 1\n", 1 + i % 3, 80 + j));
            }
        }
    }
    rules
}

#[test]
fn every_listing_is_the_same() {
    needs!(ipvs);
    let mut side = Side::ours("both");
    let made = side.program.run(&words("-R"), &rules());
    assert_eq!(made.code, 0, "{}", made.text);
    side.judge.run(&words("--start-daemon backup --mcast-interface d0 --syncid 9"), "");
    for line in [
        "-Ln",
        "-ln --nosort",
        "",
        "-L --nosort",
        "-Ln --stats",
        "-Ln --rate",
        "-Ln --stats --exact",
        "-Ln --rate --exact --nosort",
        "-Ln --thresholds",
        "-Ln --persistent-conn",
        "-Ln --tun-info",
        "-Ln --tun-info --thresholds",
        "-Ln -t 192.168.0.1:80",
        "-Ln -f 4294967295 -6 --tun-info",
        "-L -t [::10.0.0.1]:http",
        "-Ln --timeout",
        "-Ln --daemon",
        "-Lnc",
        "-Lc --persistent-conn",
        "-h",
        "-v",
        "-Sn --strict-compat",
        "-S --strict-compat",
    ] {
        let plain = line.replace(" --strict-compat", "");
        let line = if line == "-h" { "-h --strict-compat" } else { line };
        let (ours, theirs) = (side.program.run(&words(line), ""), side.judge.listed(&words(&plain), ""));
        eprintln!("{line}");
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        same(&lines(&ours.text), &lines(&theirs.text));
        assert!(ours == theirs, "{line}");
    }
}

/// lvsh's own verb for it.
#[test]
fn list_in_ipvsadms_words_is_the_same() {
    needs!(ipvs);
    let mut side = Side::ours("both");
    let made = side.program.run(&words("-R"), &rules());
    assert_eq!(made.code, 0, "{}", made.text);
    for (ours, theirs) in [
        ("", "-Ln"),
        ("--stats", "-Ln --stats"),
        ("--rate", "-Ln --rate"),
        ("--thresholds", "-Ln --thresholds"),
        ("--connections", "-Lnc"),
        ("--service tcp:192.168.0.1:80", "-Ln -t 192.168.0.1:80"),
    ] {
        let line = format!("{} list --ipvsadm {ours}", env!("CARGO_BIN_EXE_lvsh"));
        let listed = Cmd::new(&side.namespace, words(line.trim())).run();
        let lines = |text: &str| text.lines().map(str::to_string).collect::<Vec<_>>();
        let theirs = side.judge.listed(&words(theirs), "");
        eprintln!("{line}");
        same(&lines(&listed), &lines(&theirs.text));
        assert_eq!(listed, theirs.text, "{line}");
    }
}

#[test]
fn each_restores_what_the_other_saves() {
    needs!(ipvs);
    let mut side = Side::ours("both");
    assert_eq!(side.program.run(&words("-R"), &rules()).code, 0);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        lines.sort_unstable();
        lines
    };
    let table = |side: &mut Side| sorted(&side.judge.listed(&words("-Sn"), "").text);
    let before = table(&mut side);
    let saved = side.program.run(&words("-Sn"), "");
    assert!(
        saved.text.starts_with("--set 600 60 120\n") && saved.text.contains("-x 100 -y 50"),
        "{}",
        saved.text
    );
    side.clean();
    let theirs = side.judge.run(&words("-R"), &saved.text);
    assert_eq!(theirs.code, 0, "ipvsadm -R of our -S: {}", theirs.text);
    same(&table(&mut side), &before);
    same(&sorted(&side.program.run(&words("-Sn"), "").text), &sorted(&saved.text));
    // And the other way round, as far as ipvsadm can read its own: marks above 2^31-1 it cannot.
    let theirs = side.judge.listed(&words("-Sn"), "").text;
    let readable: String = theirs
        .lines()
        .filter(|line| !line.contains("-f -1") && !line.ends_with("-b "))
        .map(|line| format!("{line}\n"))
        .collect();
    side.clean();
    let ours = side.program.run(&words("-R"), &readable);
    assert_eq!(ours.code, 0, "{}", ours.text);
    same(&table(&mut side), &sorted(&readable));
    // A daemon that runs already is as the rules have it: a save and a restore of the same machine.
    // (A server of the other family and a daemon exclude each other.)
    side.judge.run(&words("-d -f 4294967295 -6 -r 10.1.0.7:0"), "");
    let started = side.judge.run(&words("--start-daemon master --mcast-interface d0 --syncid 9"), "");
    assert_eq!(started.code, 0, "{}", started.text);
    let saved = side.program.run(&words("-Sn"), "").text;
    side.judge.run(&words("-C"), "");
    let again = side.program.run(&words("-R"), &saved);
    assert_eq!(again.code, 0, "{}", again.text);
    same(&sorted(&side.program.run(&words("-Sn"), "").text), &sorted(&saved));
}

/// Tells the first lines that differ, not a thousand.
#[track_caller]
fn same(left: &[String], right: &[String]) {
    let first = left.iter().zip(right).find(|(left, right)| left != right);
    assert!(
        first.is_none() && left.len() == right.len(),
        "{} and {} lines: {first:?}",
        left.len(),
        right.len()
    );
}

/// Without the seconds until an entry expires: clocks run between two looks.
fn timeless(text: &str) -> Vec<String> {
    let blank = |line: &str| match line.split_once(' ') {
        Some((word @ ("TCP" | "UDP" | "IP"), rest)) if rest.trim_start().as_bytes().get(2) == Some(&b':') => {
            format!("{word} {}", rest.trim_start().get(6..).unwrap_or_default())
        }
        _ => line.to_string(),
    };
    text.lines().map(blank).collect()
}

/// With traffic: counters, rates, and the connection table with its templates.
#[test]
fn counters_and_connections_are_the_same() {
    needs!(ipvs);
    let net = Topology::new()
        .director("dir", "10.0.0.1")
        .client("c1", "10.0.0.11")
        .server("rs1", "10.0.0.107")
        .build();
    let director = net.director();
    director.vip("10.0.0.99");
    net.server("rs1").direct("10.0.0.99");
    director.run("ipvsadm -A -t 10.0.0.99:80 -s rr -p 300");
    director.run("ipvsadm -a -t 10.0.0.99:80 -r 10.0.0.107 -g");
    for _ in 0..5 {
        net.client("c1").server_of("http://10.0.0.99/");
    }
    eventually(Duration::from_secs(10), "counters", || {
        director.run("ipvsadm -Ln --stats").contains("     5 ").then_some(())
    });
    for line in
        ["-Ln --stats", "-Ln --rate", "-Ln", "-Ln --persistent-conn", "-Lnc", "-Lc", "-Lnc --persistent-conn"]
    {
        eventually(Duration::from_secs(60), line, || {
            let theirs = director.run(&format!("ipvsadm {line}"));
            let ours = director.lvsh(&format!("ipvsadm {line}"));
            assert_eq!(ours.code, 0, "{ours}");
            assert_eq!(
                ours.stdout.lines().count(),
                theirs.lines().count(),
                "{line}:\n{}{theirs}",
                ours.stdout
            );
            (timeless(&ours.stdout) == timeless(&theirs)).then_some(())
        });
    }
    director.lvsh("ipvsadm -Z -t 10.0.0.99:80");
    eventually(Duration::from_secs(10), "zeroes", || {
        let line = director.lvsh("ipvsadm -Ln --stats -t 10.0.0.99:80").stdout;
        line.contains("TCP  10.0.0.99:80                        0        0").then_some(())
    });
}
