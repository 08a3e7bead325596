//! The lab: boots a Debian kernel with IPVS in QEMU and runs test binaries inside it.
//!
//! One program with two lives. On the host it fetches the kernel, makes the initramfs, starts QEMU and is cargo's
//! target runner. In the guest the same file is `/init` (PID 1) and the agent that runs what the host asks for.
//! `tests/README.md` says how to use it.

mod agent;
mod apt;
mod boot;
mod exec;
mod guest;
mod image;
mod initramfs;
mod install;
mod kernel;
mod paths;
mod pulse;
mod qemu;
mod state;
mod supervise;
mod vmlinux;
mod wire;

use std::process::ExitCode;

/// Errors are sentences for the person at the terminal; nothing here is recovered from.
type Result<T> = std::result::Result<T, String>;

const USAGE: &str = "\
lab boot [--kernel NAME] [--owner PID] [--life SECONDS]   boot, or join the lab that runs already
lab stop [--owner PID]                                    end it (with --owner: only if that process booted it)
lab status                                                what runs
lab exec -- BINARY ARGS...                                cargo's target runner
lab sh [--] [COMMAND ARGS...]                             run a command in the guest; without one, a shell
NAME: default, 6.1, 6.12, newest, or the name of a Debian suite";

fn main() -> ExitCode {
    if std::process::id() == 1 {
        guest::init();
    }
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["boot", rest @ ..] => boot::boot(rest),
        ["stop", rest @ ..] => boot::stop(rest),
        ["status"] => boot::status(),
        ["exec", "--", binary, rest @ ..] => exec::runner(binary, rest),
        ["sh", "--", command @ ..] | ["sh", command @ ..] => exec::shell(command),
        ["supervise", rest @ ..] => supervise::supervise(rest),
        ["agent"] => agent::serve(),
        // cargo and nextest ask every test binary for its tests; this one has none.
        [] | ["--list", ..] => Ok(ExitCode::SUCCESS),
        ["help" | "--help"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        // A filter, as in `cargo test NAME`.
        [word] if !word.starts_with('-') => Ok(ExitCode::SUCCESS),
        _ => Err(format!("not understood\n{USAGE}")),
    };
    done.unwrap_or_else(|why| {
        eprintln!("lab: {why}");
        ExitCode::from(125)
    })
}

/// Runs a program to its end and returns its standard output.
fn output(command: &mut std::process::Command) -> Result<String> {
    let said = command.output().map_err(|e| format!("cannot run {:?}: {e}", command.get_program()))?;
    if !said.status.success() {
        return Err(format!(
            "{command:?}: {}\n{}",
            said.status,
            String::from_utf8_lossy(&said.stderr).trim_end()
        ));
    }
    String::from_utf8(said.stdout).map_err(|_| format!("{command:?}: the output is not UTF-8"))
}

/// Names what was attempted in front of what the system said.
trait Context<T> {
    fn context(self, what: impl std::fmt::Display) -> Result<T>;
}

impl<T, E: std::fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl std::fmt::Display) -> Result<T> {
        self.map_err(|e| format!("{what}: {e}"))
    }
}
