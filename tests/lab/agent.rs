//! The guest's end of a command: one thread per connection, one control group per command.

use crate::{
    Context, Result, guest, install, paths, qemu,
    wire::{self, Kind, Request},
};
use std::{
    fs,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{ChildStdin, Command, ExitCode, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

pub fn serve() -> Result<ExitCode> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, qemu::AGENT_PORT)).context("agent")?;
    // The host waits for this line on the console.
    eprintln!("{}", qemu::READY);
    for stream in listener.incoming() {
        let stream = stream.context("agent")?;
        thread::spawn(move || {
            // The host going away early is no news.
            answer(stream).ok();
        });
    }
    Ok(ExitCode::SUCCESS)
}

type Out = Arc<Mutex<TcpStream>>;

fn say(out: &Out, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    // After a panic in another thread the stream is as good as before.
    let mut stream = out.lock().unwrap_or_else(PoisonError::into_inner);
    wire::send(&mut *stream, kind, bytes)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let out: Out = Arc::new(Mutex::new(stream.try_clone()?));
    say(&out, Kind::Hello, &[])?;
    let (kind, bytes) = wire::receive(&mut stream)?;
    let request = Request::decode(bytes).filter(|_| kind == Kind::Run);
    let done = match request {
        Some(request) => run(&request, stream, &out),
        None => Err("the host did not send a command".to_owned()),
    };
    match done {
        Ok(status) => {
            let numbers = [status.code().unwrap_or(0), status.signal().unwrap_or(0)];
            let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
            say(&out, Kind::Exit, &bytes)
        }
        Err(why) => say(&out, Kind::Refused, why.as_bytes()),
    }
}

fn run(request: &Request, host: TcpStream, out: &Out) -> Result<ExitStatus> {
    for binary in &request.binaries {
        install::install(binary)?;
    }
    let group = Group::new()?;
    let mut child =
        command(request, &group)?.spawn().map_err(|e| format!("{}: {e}", request.argv.join(" ")))?;
    let stdin = child.stdin.take();
    let pumps = [
        child.stdout.take().map(|from| pump(from, Kind::Stdout, out)),
        child.stderr.take().map(|from| pump(from, Kind::Stderr, out)),
    ];
    // The host closing the connection is how it says that it gave up.
    let killer = group.path.clone();
    let listener = thread::spawn(move || {
        listen(host, stdin);
        Group::kill(&killer);
    });
    let status = child.wait().context("wait")?;
    // What it left running would hold the pipes open.
    Group::kill(&group.path);
    for pump in pumps.into_iter().flatten() {
        pump.join().ok();
    }
    // Ends when the host closes; nobody waits for it.
    drop(listener);
    Ok(status)
}

fn command(request: &Request, group: &Group) -> Result<Command> {
    let program = request.argv.first().ok_or("empty command")?;
    let mut command = Command::new(program);
    let built = paths::lab().join("../debug");
    command
        .args(&request.argv[1..])
        .current_dir(&request.cwd)
        .env_clear()
        .envs(request.env.iter().map(|(k, v)| (k, v)))
        .env("PATH", format!("{}:{}", built.display(), guest::PATH))
        .env("HOME", "/root")
        .env("LVSH_LAB", "1")
        // insta would ask cargo for it.
        .env("INSTA_WORKSPACE_ROOT", paths::REPO)
        // The checkout is read-only there.
        .env("INSTA_PENDING_DIR", paths::share().join("insta"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let procs = fs::OpenOptions::new().write(true).open(group.path.join("cgroup.procs")).context("cgroup")?;
    // SAFETY: write and setsid are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            (&procs).write_all(b"0")?;
            nix::unistd::setsid().map(drop).map_err(Into::into)
        });
    }
    Ok(command)
}

fn pump(mut from: impl Read + Send + 'static, kind: Kind, out: &Out) -> thread::JoinHandle<()> {
    let out = Arc::clone(out);
    thread::spawn(move || {
        let mut buffer = [0; 32 * 1024];
        while let Ok(count) = from.read(&mut buffer) {
            if count == 0 || say(&out, kind, &buffer[..count]).is_err() {
                return;
            }
        }
    })
}

/// Feeds the command until the host closes the connection.
fn listen(mut host: TcpStream, mut stdin: Option<ChildStdin>) {
    while let Ok((kind, bytes)) = wire::receive(&mut host) {
        if kind != Kind::Stdin || bytes.is_empty() {
            stdin = None;
        } else if let Some(pipe) = &mut stdin
            && pipe.write_all(&bytes).and_then(|()| pipe.flush()).is_err()
        {
            stdin = None;
        }
    }
}

/// A control group: unlike a process group, nothing leaves it by becoming a daemon.
struct Group {
    path: PathBuf,
}

impl Group {
    fn new() -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new("/cgroup").join(number.to_string());
        fs::create_dir(&path).context(path.display())?;
        Ok(Self { path })
    }

    fn kill(path: &Path) {
        // Absent when the command ended before.
        fs::write(path.join("cgroup.kill"), "1").ok();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Busy until the last killed process is gone.
        for _ in 0..50 {
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
