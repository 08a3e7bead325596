//! Rounds that meet on one machine, and rounds that are killed: the kernel has what the servers' answers make of it.

use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use super::site::{SERVERS, direct, lvsh, policy_with, write};
use super::support::eventually;
use super::trouble::{Random, kill_somewhere, read};

fn policy(health: &str) -> String {
    let health = format!("health = {{ {health}, rise = 1, fall = 1 }},");
    policy_with("scheduler = \"wrr\"", &SERVERS, "method = \"dr\", weight = 8", &health)
}

/// The folder where lvsh keeps what it knows of this policy.
fn state_folder() -> PathBuf {
    fn find(folder: &Path) -> Option<PathBuf> {
        let entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
        if entries.iter().any(|entry| entry.file_name() == "web.lock") {
            return Some(folder.to_owned());
        }
        entries.iter().find_map(|entry| find(&entry.path()))
    }
    find(Path::new("/run/lvsh")).expect("a lock of web")
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the state folder");
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// One finds a server down and says so; 49 that come meanwhile leave, say so, and change nothing.
#[test]
fn of_many_checks_at_once_one_works() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    // A probe that ends when the test says so keeps the first round at work.
    let [one, _] = SERVERS;
    let code = format!("until [ -e /run/gate ]; do sleep 0.1; done; [ \"$LVSH_ADDR\" = {one} ]");
    let file = write("web", &policy(&format!("exec = {{ 'bash', '-c', '{code}' }}, timeout = 60")));
    lvsh(director, &format!("start {file}"));
    let started = read(director);
    let check = || director.lvsh_cmd(&format!("check {file}")).limit(Duration::from_secs(60)).spawn();
    let first = check();
    let lock = state_folder().join("web.lock");
    eventually(Duration::from_secs(30), "the first check has the lock", || {
        let holder = std::fs::read_to_string(&lock).ok()?;
        (holder.lines().next() == Some(&first.id().to_string())).then_some(())
    });
    let said = |child: Child| {
        let ended = child.wait_with_output().expect("an end");
        let [out, err] =
            [&ended.stdout, &ended.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert!(ended.status.success(), "{out}{err}");
        out + &err
    };
    // Seven at a time: the lab has two processors, and a policy has five seconds to load.
    for _ in 0..7 {
        let others: Vec<_> = (0..7).map(|_| check()).collect();
        for other in others {
            assert_eq!(said(other), "another run is at work on 'web'; left to it\n");
        }
    }
    assert_eq!(read(director), started, "who leaves changes nothing");
    std::fs::write("/run/gate", "").expect("a file");
    let said = said(first);
    assert!(said.contains("192.168.1.109  weight 8 -> 0   health: 1 of 1 probes failed"), "{said}");
    assert_ne!(read(director), started);
}

/// How many rounds are killed: `LVSH_KILLS`, and as many as fit into a minute of an emulated machine otherwise.
fn kills() -> usize {
    std::env::var("LVSH_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(16)
}

/// A server breaks and comes back at random, and the round that finds out is killed at a random moment. The one after
/// it is right, and of the killed one nothing is left.
#[test]
fn a_round_that_is_killed_is_made_good_by_the_next() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let file = write("web", &policy("http = { port = 80 }, timeout = 4"));
    lvsh(director, &format!("start {file}"));
    let round = || {
        let begun = Instant::now();
        lvsh(director, &format!("check {file}"));
        begun.elapsed()
    };
    round();
    let files_of_one = files(&state_folder());
    let well = read(director);
    net.server("rs2").status(503);
    // The shortest: the first one also brought the program into memory, and other tests are at work.
    let whole = (0..3).map(|_| round()).min().expect("rounds");
    let broken = read(director);
    assert_ne!(well, broken);

    let seed = std::env::var("LVSH_SEED").ok().and_then(|seed| seed.parse().ok());
    let mut random = Random(seed.unwrap_or(0x1d2c_3b4a_5968_7786));
    println!("LVSH_SEED={}, a round takes {whole:?}", random.0);
    let (mut now, mut changed, kills) = (&broken, 0, kills());
    for turn in 0..kills {
        let (status, then) = if random.below(2) == 0 { (200, &well) } else { (503, &broken) };
        net.server("rs2").status(status);
        kill_somewhere(director, &format!("check {file}"), &mut random, whole);
        let found = read(director);
        assert!(found == *now || found == *then, "turn {turn}: neither as before nor as it should be");
        changed += usize::from(then != now && found == *then);
        round();
        assert_eq!(read(director), *then, "turn {turn}");
        assert_eq!(files(&state_folder()), files_of_one, "turn {turn}");
        now = then;
    }
    // Nothing has drifted, as far as it is remembered.
    let plan = lvsh(director, &format!("plan {file}"));
    assert!(plan.stdout.contains("No changes"), "{}", plan.stdout);
    println!("{kills} kills, {changed} of them after the weight was set");
}
