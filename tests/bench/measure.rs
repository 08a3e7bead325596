//! One program, from start to end: wall time, CPU time and peak memory.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

#[derive(Clone, Copy)]
pub struct Run {
    pub time: Duration,
    /// In the program and, for it, in the kernel.
    pub cpu: Duration,
    /// Peak resident memory in KiB.
    pub memory: u64,
}

/// Runs a program to its end; a failure ends the measurement.
#[expect(clippy::zombie_processes, reason = "wait4 below waits for it")]
pub fn run(argv: &[&str], stdin: Option<&str>) -> Run {
    let input = match stdin {
        Some(path) => Stdio::from(std::fs::File::open(path).expect("the input")),
        None => Stdio::null(),
    };
    let begun = Instant::now();
    let child = Command::new(argv[0]).args(&argv[1..]).stdin(input).stdout(Stdio::null()).spawn();
    let child = child.unwrap_or_else(|error| panic!("{argv:?}: {error}"));
    let pid = i32::try_from(child.id()).expect("a process");
    // wait4 rather than Child::wait: it tells the memory of this child and no other.
    let mut status = 0;
    // SAFETY: a rusage is numbers only.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live locals of the right types.
    let waited = unsafe { libc::wait4(pid, &mut status, 0, &mut usage) };
    let time = begun.elapsed();
    assert_eq!(waited, pid, "wait4");
    match WaitStatus::from_raw(Pid::from_raw(pid), status) {
        Ok(WaitStatus::Exited(_, 0)) => {}
        other => panic!("{argv:?}: {other:?}"),
    }
    let spent = |time: libc::timeval| {
        Duration::from_micros(u64::try_from(time.tv_sec * 1_000_000 + time.tv_usec).expect("a time"))
    };
    let cpu = spent(usage.ru_utime) + spent(usage.ru_stime);
    Run { time, cpu, memory: u64::try_from(usage.ru_maxrss).expect("a size") }
}

pub fn median(runs: &[Run]) -> Run {
    let middle = |mut values: Vec<u128>| -> u128 {
        values.sort_unstable();
        values[values.len() / 2]
    };
    let time = |of: fn(&Run) -> Duration| {
        let micros = middle(runs.iter().map(|run| of(run).as_micros()).collect());
        Duration::from_micros(u64::try_from(micros).expect("a time"))
    };
    let memory = middle(runs.iter().map(|run| u128::from(run.memory)).collect());
    Run {
        time: time(|run| run.time),
        cpu: time(|run| run.cpu),
        memory: u64::try_from(memory).expect("a size"),
    }
}

pub fn show(what: &str, ours: &[Run], theirs: &[Run], their_name: &str) {
    let (ours, theirs) = (median(ours), median(theirs));
    let ratio = theirs.time.as_secs_f64() / ours.time.as_secs_f64();
    println!("{what}");
    println!("  lvsh          {:>9.1} ms  {:>7} KiB", ours.time.as_secs_f64() * 1e3, ours.memory);
    println!("  {their_name:<12}  {:>9.1} ms  {:>7} KiB", theirs.time.as_secs_f64() * 1e3, theirs.memory);
    println!("  lvsh is {ratio:.1} times as fast");
}
