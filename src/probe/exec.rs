//! A program of the user's own. No shell; it ends with its whole process group at the deadline.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::{Job, SEEN_MOST, Seen, Trouble, shown};

#[derive(Clone, Debug)]
pub struct Exec {
    /// Program and arguments; `{addr}` and `{port}` in an argument become the server's.
    pub argv: Vec<String>,
    /// Exit codes 2 to 255 are a weight of 0 to 253, as those of keepalived's MISC_CHECK with misc_dynamic.
    pub dynamic: bool,
}

/// Ends a program and all that it started, unless it has ended by itself.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended in this moment.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

pub async fn check(job: &Job, exec: &Exec, seen: &mut Seen) -> Result<(), Trouble> {
    let (addr, port) = (job.addr.to_string(), job.port.to_string());
    let mut argv = exec.argv.iter().map(|word| word.replace("{addr}", &addr).replace("{port}", &port));
    let program = argv.next().ok_or_else(|| Trouble::blind("exec needs a program"))?;
    let child = Command::new(&program)
        .args(argv)
        .env("LVSH_ADDR", &addr)
        .env("LVSH_PORT", &port)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = child.map_err(|error| Trouble::blind(format!("{program}: {}", super::words(&error))))?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let status = {
        let reading = async { tokio::join!(drain(stdout, &mut out), drain(stderr, &mut err)) };
        tokio::pin!(reading);
        let mut read = false;
        let status = tokio::select! {
            _ = &mut reading => { read = true; child.wait().await }
            status = child.wait() => status,
        };
        if !read {
            // What it started may hold the pipe open for ever; what it wrote itself is there already.
            let _ = tokio::time::timeout(Duration::from_millis(100), reading).await;
        }
        status
    };
    let status = status.map_err(|error| Trouble::blind(format!("{program}: {error}")))?;
    group.0 = None;
    seen.body = out;
    let told = if err.is_empty() { &seen.body } else { &err };
    let said = match told.split(|byte| *byte == b'\n').next() {
        Some(line) if !line.is_empty() => format!(": {}", shown(line)),
        _ => String::new(),
    };
    if let Some(signal) = status.signal() {
        return Err(Trouble::bad(format!("{program} was killed by signal {signal}{said}")));
    }
    let code = status.code().unwrap_or(1);
    seen.status = u16::try_from(code).ok();
    match code {
        0 => Ok(()),
        2..=255 if exec.dynamic => {
            seen.weight = u32::try_from(code - 2).ok();
            Ok(())
        }
        code => Err(Trouble::bad(format!("{program} ended with {code}{said}"))),
    }
}

/// Reads to the end and keeps the beginning: a program must not stand still because nobody reads.
async fn drain(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut part).await {
        let room = SEEN_MOST.saturating_sub(into.len());
        into.extend_from_slice(&part[..count.min(room)]);
    }
}
