//! Health on the kernel: weights follow what real servers answer, and clients do not notice.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::site::{SERVERS, VIP, direct, example, lvsh, write};
use super::support::{Host, eventually};

const POLICY: &str = r#"return lvs.policy {
  name = "web",
  vip  = { addr = "192.168.1.99/32", dev = "eth0" },
  mark = { mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = { 80, 443 } },
  service = {
    fwmark = 3, scheduler = "wrr",
    servers = {
      { addr = "192.168.1.107", method = "dr", weight = 8 },
      { addr = "192.168.1.109", method = "dr", weight = 8 },
    },
  },
  health = { http = { port = 80 }, timeout = 2, rise = 2, fall = 3 },
  drain = { timeout = "5m", remove = true },
}
"#;

/// The weights that the kernel has, in the order of [`SERVERS`]; -1 for a server that is not there.
fn weights(director: &Host) -> [i64; 2] {
    let text = director.run("ipvsadm -Sn");
    SERVERS.map(|server| {
        let line = text.lines().find(|line| line.contains(&format!("-r {server}")));
        let weight = line.and_then(|line| line.split("-w ").nth(1)?.split_whitespace().next()?.parse().ok());
        weight.unwrap_or(-1)
    })
}

#[test]
fn the_weight_follows_after_exactly_fall_and_returns_after_exactly_rise() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let file = write("web", POLICY);
    lvsh(director, &format!("start {file}"));
    let check = || lvsh(director, &format!("check {file}"));
    let rs2 = net.server("rs2");
    check();
    for broken in ["down", "503", "slow"] {
        match broken {
            "down" => rs2.down(),
            "503" => rs2.status(503),
            _ => rs2.delay(Duration::from_secs(4)),
        }
        for round in 1..=3 {
            assert_eq!(weights(director), [8, 8], "{broken}, before round {round}");
            check();
        }
        assert_eq!(weights(director), [8, 0], "{broken}");
        match broken {
            "down" => rs2.up(),
            "503" => rs2.status(200),
            _ => rs2.delay(Duration::ZERO),
        }
        check();
        assert_eq!(weights(director), [8, 0], "{broken} is over, one good round");
        let round = check();
        assert!(round.stdout.contains("weight 0 -> 8   base: up after 2 good probes"), "{}", round.stdout);
        assert_eq!(weights(director), [8, 8], "{broken} is over");
    }
    // Somebody's ipvsadm is set right by the next round.
    director.run("ipvsadm -e -f 3 -r 192.168.1.109 -g -w 1");
    check();
    assert_eq!(weights(director), [8, 8]);
}

/// Asks the site all the time from all clients, counts what failed, and gives that count.
fn under_load(net: &super::support::Net, work: impl FnOnce()) -> (usize, usize) {
    let (stop, asked, failed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for client in net.clients() {
            let (stop, asked, failed) = (&stop, &asked, &failed);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    asked.fetch_add(1, Ordering::Relaxed);
                    if let Err(failure) = client.get(&format!("http://{VIP}/")) {
                        println!("{}: {failure:?}", client.name);
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        work();
        stop.store(true, Ordering::Relaxed);
    });
    (asked.load(Ordering::Relaxed), failed.load(Ordering::Relaxed))
}

#[test]
fn a_drain_fails_no_request() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let file = write("web", POLICY);
    lvsh(director, &format!("start {file}"));
    let (asked, failed) = under_load(&net, || {
        std::thread::sleep(Duration::from_secs(1));
        let drained = lvsh(director, &format!("drain {file} 192.168.1.109 --reason kernel"));
        assert!(drained.stdout.contains("192.168.1.109 is drained"), "{}", drained.stdout);
        assert_eq!(weights(director), [8, 0]);
        eventually(Duration::from_secs(20), "the drained server leaves the table", || {
            lvsh(director, &format!("check {file}"));
            (weights(director) == [8, -1]).then_some(())
        });
        lvsh(director, &format!("undrain {file} 192.168.1.109"));
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(weights(director), [8, 8]);
    });
    println!("{asked} requests, {failed} failed");
    assert!(asked > 20, "{asked} requests are no load");
    assert_eq!(failed, 0, "of {asked}");
}

/// A client that will not go and templates that last: the deadline ends both, and rounds go on meanwhile.
#[test]
fn a_drain_ends_as_it_was_told() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let text = POLICY.replace("scheduler = \"wrr\",", "scheduler = \"wrr\", persistent = 600,");
    let file = write("web", &text);
    lvsh(director, &format!("start {file}"));
    lvsh(director, &format!("check {file}"));
    // One after the other: wrr gives the second server one of two clients.
    let mut held: Vec<_> =
        net.clients().map(|client| client.connect(&format!("{VIP}:80")).expect("a connection")).collect();
    let of_rs2 =
        || director.conns().into_iter().filter(|conn| conn.server.0.to_string() == SERVERS[1]).count();
    eventually(Duration::from_secs(10), "rs2 has a client and its template", || {
        (of_rs2() >= 2).then_some(())
    });
    let before = director.read_sysctl("net.ipv4.vs.expire_nodest_conn");
    let drain = format!("drain {file} 192.168.1.109 --reason kernel --wait --for 8s --evict");
    let mut waiting = director.lvsh_cmd(&drain).spawn();
    eventually(Duration::from_secs(20), "the drain", || (weights(director) == [8, 0]).then_some(()));
    let round = lvsh(director, &format!("check {file}"));
    assert!(!round.stdout.contains("another run is at work"), "checks go on: {}", round.stdout);
    let status = lvsh(director, &format!("status {file}")).stdout;
    assert!(status.contains("DRAIN") && status.contains(" left: kernel"), "{status}");
    assert!(of_rs2() >= 2, "nothing was ended before the time was over");
    assert!(waiting.wait().expect("an end").success());
    assert_eq!(weights(director), [8, -1], "removed, as the policy tells");
    assert_eq!(of_rs2(), 0, "and what was left is ended");
    assert_eq!(director.read_sysctl("net.ipv4.vs.expire_nodest_conn"), before);
    for client in net.clients() {
        assert_eq!(client.server_of(&format!("http://{VIP}/")), "rs1");
    }
    held.clear();
    lvsh(director, &format!("undrain {file} 192.168.1.109"));
    assert_eq!(weights(director), [8, 8]);
}

#[test]
fn the_script_by_hand_does_the_same() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    lvsh(director, &format!("start {}", example("web.lua")));
    let script = example("health-by-hand.lua");
    let run = || lvsh(director, &format!("run {script}"));
    let rs2 = net.server("rs2");
    rs2.down();
    for round in 1..=3 {
        assert_eq!(weights(director), [1, 1], "before round {round}");
        run();
    }
    assert_eq!(weights(director), [1, 0]);
    net.server("rs1").down();
    for _ in 0..3 {
        let round = run();
        assert_eq!(weights(director), [1, 0]);
        println!("{}", round.stderr);
    }
    assert!(run().stderr.contains("degraded: every server fails its probe"));
    rs2.up();
    run();
    run();
    assert_eq!(weights(director), [0, 1]);
}

#[test]
fn the_example_starts_and_is_checked() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let file = example("health.lua");
    lvsh(director, &format!("start {file}"));
    let round = lvsh(director, &format!("check {file}"));
    assert_eq!(round.stdout, "health: 2 servers, nothing to change\n", "{}", round.stderr);
    let status = lvsh(director, &format!("status {file}"));
    assert!(status.stdout.contains("last check"), "{}", status.stdout);
    lvsh(director, &format!("stop {file}"));
}
