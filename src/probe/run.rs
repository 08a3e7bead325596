//! Many checks at once, each within its deadline.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{
    Answer, Check, Job, Seen, Trouble, Verdict, agent, dns, exec, http, ping, shown, smtp, steps, tcp, udp,
};

/// What a round may use.
pub struct Limits<'a> {
    /// Checks at once; fewer when there are not enough descriptors.
    pub concurrency: usize,
    /// Asked some times per second: true ends the round at once.
    pub cancelled: &'a dyn Fn() -> bool,
}

/// Descriptors that a round leaves to the rest of the program.
const RESERVED: u64 = 64;
/// How often the cancel is looked at.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// Carries out all checks and gives the answers in their order; `None` when the round was cancelled.
///
/// A check waits for its turn without its deadline running, and for descriptors rather than fail for lack of them.
pub fn probe_all(jobs: Vec<Job>, limits: &Limits<'_>) -> std::io::Result<Option<Vec<Answer>>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let most = limits.concurrency.max(1).min(descriptors(&jobs));
    let answers = runtime.block_on(round(jobs, most, limits.cancelled));
    // A look-up or a child that will not end must not keep us.
    runtime.shutdown_background();
    Ok(answers)
}

/// Raises the limit of open files to what is allowed, and says how many checks at once that is.
fn descriptors(jobs: &[Job]) -> usize {
    let Ok((mut soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 256 };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        soft = hard;
    }
    let used = std::fs::read_dir("/proc/self/fd").map_or(16, |entries| entries.count() as u64);
    // A program has pipes for its output.
    let each = if jobs.iter().any(|job| matches!(job.check, Check::Exec(_))) { 4 } else { 1 };
    usize::try_from(soft.saturating_sub(used + RESERVED) / each).unwrap_or(usize::MAX).max(1)
}

async fn round(jobs: Vec<Job>, most: usize, cancelled: &dyn Fn() -> bool) -> Option<Vec<Answer>> {
    let mut answers: Vec<Option<Answer>> = jobs.iter().map(|_| None).collect();
    let mut waiting: VecDeque<(usize, Job)> = jobs.into_iter().enumerate().collect();
    let mut running = JoinSet::new();
    let mut allowed = most;
    let mut tick = tokio::time::interval(TICK);
    loop {
        while running.len() < allowed
            && let Some((index, job)) = waiting.pop_front()
        {
            running.spawn(async move {
                let answer = one(&job).await;
                (index, job, answer)
            });
        }
        tokio::select! {
            done = running.join_next() => match done {
                None if waiting.is_empty() => break,
                None => {}
                Some(Ok((index, job, (answer, starved)))) => {
                    if starved && !running.is_empty() {
                        // Somebody else has the descriptors: go on with fewer, and ask this one again.
                        allowed = running.len();
                        waiting.push_back((index, job));
                    } else if let Some(slot) = answers.get_mut(index) {
                        *slot = Some(answer);
                    }
                }
                // A check that panicked is told as one that could not be made, below.
                Some(Err(_)) => {}
            },
            _ = tick.tick() => if cancelled() { return None },
        }
    }
    Some(answers.into_iter().map(|answer| answer.unwrap_or_else(broken)).collect())
}

fn broken() -> Answer {
    let err = "the check ended without an answer: this is a bug of lvsh".to_string();
    Answer { verdict: Verdict::Unknown, time: Duration::ZERO, err, seen: Seen::default() }
}

/// One check; and whether it failed for lack of descriptors.
async fn one(job: &Job) -> (Answer, bool) {
    let start = Instant::now();
    let mut seen = Seen::default();
    let said = timeout(job.timeout, ask(job, &mut seen)).await;
    let time = start.elapsed();
    let (verdict, err) = match said {
        Ok(Ok(())) => (Verdict::Good, String::new()),
        Ok(Err(Trouble::Bad(text))) => (Verdict::Bad, text),
        Ok(Err(Trouble::Blind(text))) => (Verdict::Unknown, text),
        Err(_) => (Verdict::Bad, format!("no answer within {}{}", brief(job.timeout), so_far(&seen))),
    };
    let starved = verdict == Verdict::Unknown && err.contains("too many open files");
    (Answer { verdict, time, err, seen }, starved)
}

/// Where a conversation stood when its time was over.
fn so_far(seen: &Seen) -> String {
    let Some((what, before)) = &seen.waiting else { return String::new() };
    match seen.body.get(*before..) {
        Some(came) if !came.is_empty() => format!("; {what}, got {}", shown(came)),
        _ => format!("; {what}"),
    }
}

/// Each check is as large as its own kind is: twenty thousand of TCP must not have room for a TLS handshake each.
async fn ask(job: &Job, seen: &mut Seen) -> Result<(), Trouble> {
    let check: Pin<Box<dyn Future<Output = Result<(), Trouble>> + Send + '_>> = match &job.check {
        Check::Tcp => Box::pin(tcp::check(job)),
        Check::Http(http) => Box::pin(http::check(job, http, seen)),
        Check::Dns(dns) => Box::pin(dns::check(job, dns, seen)),
        Check::Smtp(smtp) => Box::pin(smtp::check(job, smtp, seen)),
        Check::Ping => Box::pin(ping::check(job)),
        Check::Udp(udp) => Box::pin(udp::check(job, udp, seen)),
        Check::Exec(exec) => Box::pin(exec::check(job, exec, seen)),
        Check::Agent { send } => Box::pin(agent::check(job, send, seen)),
        Check::Steps(steps) => Box::pin(steps::check(job, steps, seen)),
    };
    check.await
}

/// `2 s`, `500 ms`
pub(super) fn brief(time: Duration) -> String {
    match time.as_millis() {
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}
