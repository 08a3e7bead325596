//! Rounds that meet, and rounds that are killed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::health::{Site, policy, site};

/// 50 at once: while one waits for its servers, the others leave, say so, and change nothing.
#[test]
fn of_many_checks_at_once_one_works() {
    // A program that ends when the test says so keeps the first round at work.
    let site = site("");
    let gate = site.here.root().join("gate");
    let exec =
        format!("exec = {{ \"/bin/sh\", \"-c\", \"until [ -e {} ]; do sleep 0.02; done\" }}", gate.display());
    let text = policy(&site.a, "").replace(&format!("http = {{ port = {} }}", site.a.port()), &exec);
    site.here.policy("web", &text.replace("\"5s\"", "\"60s\""));
    let check = || {
        let mut command = site.here.command(&["check", "web"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program")
    };
    let first = check();
    let lock = site.here.state().join("web.lock");
    let begun = Instant::now();
    while std::fs::read_to_string(&lock).unwrap_or_default().lines().next() != Some(&first.id().to_string()) {
        assert!(begun.elapsed() < Duration::from_secs(30), "the first check takes the lock");
        std::thread::sleep(Duration::from_millis(5));
    }
    let others: Vec<_> = (1..50).map(|_| check()).collect();
    for run in others {
        let ended = run.wait_with_output().expect("an end");
        let out = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!(out, "another run is at work on 'web'; left to it\n");
    }
    std::fs::write(&gate, "").expect("a file");
    let ended = first.wait_with_output().expect("an end");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "web: 2 servers, nothing to change\n");
}

/// A number below `below`; the same for the same seed (xorshift64).
fn random(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % below.max(1)
}

/// Kills a round 50 times at a random moment, while a server breaks and comes back; the round after that is right, and
/// nothing is left of the one that was killed. Four of these make 200.
fn kills(seed: u64) {
    let site = site("");
    let text = policy(&site.a, "").replace("rise = 2, fall = 3", "rise = 1, fall = 1");
    site.here.policy("web", &text);
    let round = |site: &Site| {
        let begun = Instant::now();
        site.run(&["check", "web"]).ok();
        begun.elapsed()
    };
    round(&site);
    let whole = round(&site);
    let mut seed = std::env::var("LVSH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(seed);
    println!("LVSH_SEED={seed}, a round takes {whole:?}");
    for turn in 0..50 {
        let well = random(&mut seed, 2) == 0;
        if well {
            site.b.works()
        } else {
            site.b.fails()
        }
        let mut command = site.here.command(&["check", "web"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program");
        let micros = u64::try_from(whole.as_micros() * 11 / 10).expect("a short time");
        std::thread::sleep(Duration::from_micros(random(&mut seed, micros)));
        child.kill().expect("a kill");
        child.wait().expect("an end");
        round(&site);
        let b = if well { 8 } else { 0 };
        assert_eq!(site.weights(), [Some(8), Some(b)], "turn {turn}, seed {seed}");
        assert_eq!(site.here.state_files(), ["web.health", "web.json", "web.lock"], "turn {turn}");
        // What is remembered is whole, and so is what the policy owns: nothing has drifted.
        let plan = site.run(&["plan", "web"]).ok();
        assert!(plan.out.contains("No changes"), "turn {turn}: {}", plan.all());
    }
}

#[test]
fn kills_1_of_4() {
    kills(0x1d2c_3b4a_5968_7786);
}

#[test]
fn kills_2_of_4() {
    kills(0x5bd1_e995_0dec_0de5);
}

#[test]
fn kills_3_of_4() {
    kills(0x9e37_79b9_7f4a_7c15);
}

#[test]
fn kills_4_of_4() {
    kills(0xc2b2_ae3d_27d4_eb4f);
}
