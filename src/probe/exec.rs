//! A program of the user's own. No shell; it ends with its whole process group at the deadline.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
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

/// A program to run, and what it is given.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub argv: Vec<String>,
    /// Beside what this program has itself.
    pub env: Vec<(String, String)>,
    pub cwd: Option<PathBuf>,
    pub stdin: Vec<u8>,
    /// Bytes that are kept of each of its outputs.
    pub most: usize,
}

/// What a program did, as far as it got.
#[derive(Clone, Debug, Default)]
pub struct Ran {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// It wrote more than was kept.
    pub cut: bool,
}

/// Runs a program to its end. Dropped before, it ends with all that it started; what it wrote until then is in `ran`.
///
/// # Errors
/// It could not be started, in words.
pub async fn run(program: &Program, ran: &mut Ran) -> Result<(), String> {
    let name = program.argv.first().ok_or("a program is needed")?;
    let stdin = if program.stdin.is_empty() { Stdio::null() } else { Stdio::piped() };
    let mut command = Command::new(name);
    command.args(&program.argv[1..]).envs(program.env.iter().map(|(name, value)| (name, value)));
    if let Some(cwd) = &program.cwd {
        command.current_dir(cwd);
    }
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| match &program.cwd {
        // The same error for a folder that is not there.
        Some(cwd) if !cwd.is_dir() => format!("{}: no such folder", cwd.display()),
        _ => format!("{name}: {}", super::words(&error)),
    })?;
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
    let (stdout, stderr, stdin) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
    let (mut cut_out, mut cut_err) = (false, false);
    let status = {
        let writing = async {
            if let Some(mut pipe) = stdin {
                // A program that does not want to read it all is no failure; its exit code says what it thinks.
                let _ = pipe.write_all(&program.stdin).await;
            }
        };
        let reading = async {
            tokio::join!(
                writing,
                drain(stdout, &mut ran.stdout, program.most, &mut cut_out),
                drain(stderr, &mut ran.stderr, program.most, &mut cut_err),
            )
        };
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
    let status = status.map_err(|error| format!("{name}: {error}"))?;
    group.0 = None;
    ran.cut = cut_out || cut_err;
    (ran.code, ran.signal) = (status.code(), status.signal());
    Ok(())
}

pub async fn check(job: &Job, exec: &Exec, seen: &mut Seen) -> Result<(), Trouble> {
    let (addr, port) = (job.addr.to_string(), job.port.to_string());
    let argv = exec.argv.iter().map(|word| word.replace("{addr}", &addr).replace("{port}", &port));
    let env = vec![("LVSH_ADDR".to_string(), addr.clone()), ("LVSH_PORT".to_string(), port.clone())];
    let program = Program { argv: argv.collect(), env, most: SEEN_MOST, ..Program::default() };
    let mut ran = Ran::default();
    run(&program, &mut ran).await.map_err(Trouble::Blind)?;
    let name = &program.argv[0];
    seen.body = ran.stdout;
    let told = if ran.stderr.is_empty() { &seen.body } else { &ran.stderr };
    let said = match told.split(|byte| *byte == b'\n').next() {
        Some(line) if !line.is_empty() => format!(": {}", shown(line)),
        _ => String::new(),
    };
    if let Some(signal) = ran.signal {
        return Err(Trouble::bad(format!("{name} was killed by signal {signal}{said}")));
    }
    let code = ran.code.unwrap_or(1);
    ended(exec, name, code, &said, seen)
}

/// What an exit code says. `said`: what the program wrote, with a colon before it.
pub fn ended(exec: &Exec, program: &str, code: i32, said: &str, seen: &mut Seen) -> Result<(), Trouble> {
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
async fn drain(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>, most: usize, cut: &mut bool) {
    let Some(mut pipe) = pipe else { return };
    let mut part = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut part).await {
        let room = most.saturating_sub(into.len());
        into.extend_from_slice(&part[..count.min(room)]);
        *cut |= count > room;
    }
}
