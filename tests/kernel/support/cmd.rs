//! Runs programs in a namespace.

use super::{Namespace, isolate::fresh_sys};
use nix::sched::{CloneFlags, unshare};
use std::{
    fmt,
    io::{Read, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// `host.cmd("nft -f -").stdin(text).run()`
#[must_use = "nothing happens before run() or output()"]
pub struct Cmd {
    namespace: Option<Namespace>,
    argv: Vec<String>,
    env: Vec<(String, String)>,
    stdin: Vec<u8>,
    limit: Duration,
}

pub struct Output {
    pub argv: Vec<String>,
    /// 128 + N when signal N ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Cmd {
    pub fn new(namespace: &Namespace, argv: Vec<String>) -> Self {
        Self { namespace: Some(namespace.clone()), ..Self::here_argv(argv) }
    }

    /// In the test's own namespace, which has nothing but `lo`.
    pub fn here(line: &str) -> Self {
        Self::here_argv(split(line))
    }

    fn here_argv(argv: Vec<String>) -> Self {
        Self { namespace: None, argv, env: Vec::new(), stdin: Vec::new(), limit: Duration::from_secs(30) }
    }

    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = text.into();
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// 30 s when not said; a program that runs longer is killed and the test fails.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Its standard output. Panics when it fails.
    #[track_caller]
    pub fn run(self) -> String {
        let output = self.output();
        assert!(output.code == 0, "{output}");
        output.stdout
    }

    #[track_caller]
    pub fn output(self) -> Output {
        let mut child = self.spawn();
        let mut input = child.stdin.take().expect("stdin is piped");
        let text = self.stdin.clone();
        // A program that does not read it all is fine.
        thread::spawn(move || input.write_all(&text).ok());
        let stdout = drain(child.stdout.take().expect("stdout is piped"));
        let stderr = drain(child.stderr.take().expect("stderr is piped"));
        let deadline = Instant::now() + self.limit;
        let status = loop {
            match child.try_wait().expect("waiting for a child") {
                Some(status) => break status,
                None if Instant::now() > deadline => {
                    child.kill().ok();
                    child.wait().ok();
                    let (stdout, stderr) = (stdout.join(), stderr.join());
                    panic!("{:?} ran for {:?}\n{stdout:?}\n{stderr:?}", self.argv, self.limit);
                }
                None => thread::sleep(Duration::from_millis(3)),
            }
        };
        use std::os::unix::process::ExitStatusExt;
        Output {
            argv: self.argv,
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: stdout.join().expect("reader"),
            stderr: stderr.join().expect("reader"),
        }
    }

    /// Starts it and leaves it to the caller, who must end it.
    #[track_caller]
    pub fn spawn(&self) -> Child {
        let (program, args) = self.argv.split_first().expect("an empty command");
        let mut command = Command::new(program);
        command
            .args(args)
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let started = match &self.namespace {
            None => command.spawn(),
            // As `ip netns exec` does it: with a /sys of that namespace.
            Some(namespace) => namespace.inside(|| {
                unshare(CloneFlags::CLONE_NEWNS)?;
                fresh_sys()?;
                command.spawn()
            }),
        };
        started.unwrap_or_else(|e| panic!("cannot run {program}: {e}"))
    }
}

fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).ok();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(f, "`{}` ended with {}", self.argv.join(" "), self.code)?;
        writeln!(f, "--- stdout\n{}", self.stdout.trim_end())?;
        write!(f, "--- stderr\n{}", self.stderr.trim_end())
    }
}

/// Words by white space; '…' and "…" hold them together. No other shell syntax.
pub fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(q) if c == q => quote = None,
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c.is_whitespace() => words.extend(word.take()),
            None => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
