//! Errors in the middle and kills anywhere: the machine is as before, or the next run makes it so.

use std::time::{Duration, Instant};

use lvsh::backend::{Backend, Want};
use lvsh::kernel::Kernel;
use lvsh::model::State;

use super::site::{SERVERS, VIP, direct, example, lvsh, policy, write};
use super::support::Host;

#[test]
fn a_refusal_in_the_middle_undoes_everything_and_says_where() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let [one, two] = SERVERS;
    let text = format!(
        r#"return lvs.policy {{
  name = "web",
  vip  = {{ addr = "{VIP}/32", dev = "eth0" }},
  mark = {{ mark = 3, daddr = "{VIP}", proto = "tcp", dports = {{ 80, 443 }} }},
  service = {{
    {{ tcp = "{VIP}:25", scheduler = "sh", servers = {{ {{ addr = "{one}", method = "dr" }} }} }},
    {{ fwmark = 3, scheduler = "nosuch", servers = {{ {{ addr = "{two}", method = "dr" }} }} }},
  }},
}}
"#
    );
    let file = write("web", &text);
    director.run("ipvsadm -A -f 9 -s rr");
    let before = director.snapshot_text();
    let failed = director.lvsh(&format!("start {file}"));
    assert_eq!(failed.code, 1, "{}{}", failed.stdout, failed.stderr);
    for part in ["web.lua:7", "fwm:3", "no scheduler 'nosuch'", "ENOENT", "hint", "rolled back"] {
        assert!(failed.stderr.contains(part), "'{part}' is not in:\n{}", failed.stderr);
    }
    assert_eq!(director.snapshot_text(), before);
    let again = lvsh(director, &format!("stop {file}"));
    assert!(!again.stderr.contains("interrupted"), "{}", again.stderr);
}

/// All that lvsh changes, read without starting a program.
pub fn read(host: &Host) -> State {
    let look = || {
        let mut kernel = Kernel::open()?;
        kernel.snapshot(&Want::all())
    };
    host.namespace.inside(look).expect("a snapshot").state
}

/// A small generator, so that a failure can be run again: the seed is printed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: u128) -> u128 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u128::from(self.0) % limit.max(1)
    }
}

/// Starts lvsh, waits a random part of the time that it takes, and kills it as nothing else can.
pub fn kill_somewhere(host: &Host, args: &str, random: &mut Random, whole: Duration) {
    let child = host.lvsh_cmd(args).spawn();
    let micros = random.below(whole.as_micros() * 11 / 10);
    std::thread::sleep(Duration::from_micros(u64::try_from(micros).expect("a short time")));
    let mut child = child;
    let _ = child.kill();
    let _ = child.wait();
}

/// Kills `start` and `stop` 50 times; after each kill one run of `apply` or `stop` converges. Four of these make 200.
fn kills(seed: u64) {
    let net = direct();
    let director = net.director();
    director.run("ipvsadm -A -f 9 -s rr");
    let file = example("web.lua");
    let nothing = read(director);
    lvsh(director, &format!("start {file}"));
    let started = read(director);
    lvsh(director, &format!("stop {file}"));
    assert_eq!(read(director), nothing);
    // The second time: the first one also brought the program into memory.
    let begun = Instant::now();
    lvsh(director, &format!("apply {file}"));
    let whole = begun.elapsed();
    lvsh(director, &format!("stop {file}"));

    let seed = std::env::var("LVSH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(seed);
    println!("LVSH_SEED={seed}, a start takes {whole:?}");
    let mut random = Random(seed);
    let mut halves = 0;
    for round in 0..25 {
        kill_somewhere(director, &format!("start {file}"), &mut random, whole);
        let found = read(director);
        halves += usize::from(found != nothing && found != started);
        if random.below(2) == 0 {
            lvsh(director, &format!("stop {file}"));
            assert_eq!(read(director), nothing, "round {round}: start killed, then stop");
        }
        lvsh(director, &format!("apply {file}"));
        assert_eq!(read(director), started, "round {round}: start killed, then apply");

        kill_somewhere(director, &format!("stop {file}"), &mut random, whole);
        let found = read(director);
        halves += usize::from(found != nothing && found != started);
        if random.below(2) == 0 {
            lvsh(director, &format!("apply {file}"));
            assert_eq!(read(director), started, "round {round}: stop killed, then apply");
        }
        lvsh(director, &format!("stop {file}"));
        assert_eq!(read(director), nothing, "round {round}: stop killed, then stop");
    }
    println!("50 kills, {halves} of them left half a director");
}

#[test]
fn kills_1_of_4() {
    needs!(ipvs);
    kills(0x1d2c_3b4a_5968_7786);
}

#[test]
fn kills_2_of_4() {
    needs!(ipvs);
    kills(0x5bd1_e995_0dec_0de5);
}

#[test]
fn kills_3_of_4() {
    needs!(ipvs);
    kills(0x9e37_79b9_7f4a_7c15);
}

#[test]
fn kills_4_of_4() {
    needs!(ipvs);
    kills(0xc2b2_ae3d_27d4_eb4f);
}

/// What a copy in memory cannot know: that the kernel has no such scheduler. The old policy is not lost over it.
#[test]
fn a_restart_that_cannot_start_brings_the_old_policy_back() {
    needs!(ipvs);
    let net = direct();
    let director = net.director();
    let good = policy("scheduler = 'rr'", "method = 'dr'");
    let file = write("web", &good);
    lvsh(director, &format!("start {file}"));
    let before = director.snapshot_text();
    write("web", &policy("scheduler = 'nosuch'", "method = 'dr'"));
    let failed = director.lvsh(&format!("restart --yes {file}"));
    assert_eq!(failed.code, 1, "{}{}", failed.stdout, failed.stderr);
    assert!(failed.stderr.contains("is started again as it was before"), "{}", failed.stderr);
    assert_eq!(director.snapshot_text(), before);
    write("web", &good);
    let again = lvsh(director, &format!("start {file}"));
    assert!(again.stdout.contains("web is started already; nothing to do"), "{}", again.stdout);
}
