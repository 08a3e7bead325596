//! The host's end of a command: what cargo and nextest start instead of the test binary.

use crate::{
    Context, Result, install, paths, qemu,
    state::State,
    wire::{self, Binary, Kind, Request},
};
use std::{
    env,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpStream},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

/// Longer than it takes to notice that a guest hangs.
const PATIENCE: Duration = Duration::from_secs(200);

/// Variables that mean something to tests; all others stay on the host.
const PASSED: &[&str] =
    &["NEXTEST", "LVSH_", "INSTA_", "CARGO", "RUST_", "PROPTEST_", "NO_COLOR", "COLUMNS", "TERM"];

/// Runs tests of the kernel in the lab, and all else here.
pub fn runner(binary: &str, args: &[&str]) -> Result<ExitCode> {
    let name = Path::new(binary).file_name().unwrap_or_default().to_string_lossy();
    let ours = name.starts_with("kernel-") && !args.contains(&"--list");
    match State::read()?.filter(|_| ours) {
        Some(lab) => {
            let mut argv = vec![binary.to_owned()];
            argv.extend(args.iter().map(|a| (*a).to_owned()));
            let binaries = binaries(&[Path::new(binary), &beside(binary)])?;
            run(&lab, argv, binaries, false)
        }
        // Whoever set it booted a lab.
        None if ours && env::var_os("LVSH_LAB").is_some() => {
            Err(lost(&format!("the lab is gone: {}", paths::said())))
        }
        // Without a lab the tests find out themselves whether this machine's kernel will do.
        None => Err(Command::new(binary).args(args).exec()).context(binary),
    }
}

/// `target/debug/lvsh` for `target/debug/deps/kernel-…`
fn beside(test: &str) -> std::path::PathBuf {
    let profile = Path::new(test).ancestors().nth(2).unwrap_or(Path::new(""));
    profile.join("lvsh")
}

/// For people: any command, with this terminal's input.
pub fn shell(command: &[&str]) -> Result<ExitCode> {
    let lab = State::read()?.ok_or("no lab runs; `lab boot` starts one")?;
    let target = paths::lab().join("..");
    let target = target.canonicalize().context(target.display())?;
    let built = ["debug/lvsh", "release/lvsh"].map(|p| target.join(p));
    let binaries = binaries(&built.each_ref().map(|p| p.as_path()))?;
    let argv = match command {
        [] => vec!["bash".to_owned(), "-i".to_owned()],
        words => words.iter().map(|w| (*w).to_owned()).collect(),
    };
    run(&lab, argv, binaries, true)
}

fn binaries(programs: &[&Path]) -> Result<Vec<Binary>> {
    let present = programs.iter().filter(|p| p.exists());
    present
        .map(|path| {
            Ok(Binary {
                path: path.display().to_string(),
                copy: install::stripped(path)?.display().to_string(),
            })
        })
        .collect()
}

/// Waits for the guest to say that it is there.
pub fn connect(port: u16, patience: Duration) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    match wire::receive(&mut stream)? {
        (Kind::Hello, _) => stream.set_read_timeout(None)?,
        (kind, _) => return Err(io::Error::other(format!("{kind:?} instead of hello"))),
    }
    Ok(stream)
}

/// A guest that died is begun anew, which takes a while.
fn reach(lab: &State) -> Result<TcpStream> {
    let start = Instant::now();
    loop {
        match connect(lab.port, Duration::from_secs(30)) {
            Ok(stream) => return Ok(stream),
            Err(_) if lab.alive() && start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(500)),
            Err(e) => return Err(lost(&format!("no answer: {e}"))),
        }
    }
}

fn run(lab: &State, argv: Vec<String>, binaries: Vec<Binary>, with_input: bool) -> Result<ExitCode> {
    let cwd = env::current_dir().context("current folder")?;
    let request = Request {
        // The checkout is the one folder that both sides have.
        cwd: if cwd.starts_with(paths::REPO) { cwd.display().to_string() } else { paths::REPO.to_owned() },
        argv,
        env: env::vars().filter(|(name, _)| PASSED.iter().any(|p| name.starts_with(p))).collect(),
        binaries,
    };
    let mut stream = reach(lab)?;
    wire::send(&mut stream, Kind::Run, &request.encode()).context("lab")?;
    let mut input = stream.try_clone().context("socket")?;
    if with_input {
        // Not joined: it may sit in read() for ever.
        thread::spawn(move || feed(&mut input));
    } else {
        wire::send(&mut input, Kind::Stdin, &[]).context("lab")?;
    }
    loop {
        let (kind, bytes) = wire::receive(&mut stream)
            .map_err(|e| lost(&format!("the connection ended before the command: {e}")))?;
        match kind {
            // A reader that went away (`| head`) ends the command by ending us.
            Kind::Stdout => write(&mut io::stdout(), &bytes)?,
            Kind::Stderr => write(&mut io::stderr(), &bytes)?,
            Kind::Refused => return Err(String::from_utf8_lossy(&bytes).into_owned()),
            Kind::Exit => return end(&bytes),
            other => return Err(format!("the guest sent {other:?}")),
        }
    }
}

fn write(to: &mut impl Write, bytes: &[u8]) -> Result<()> {
    to.write_all(bytes).and_then(|()| to.flush()).context("output")
}

fn feed(to: &mut TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count) = io::stdin().read(&mut buffer) {
        // An empty frame tells the end, so the last round does both. An error means that the command is over.
        if wire::send(to, Kind::Stdin, &buffer[..count]).is_err() || count == 0 {
            return;
        }
    }
}

/// Ends the way the command ended.
fn end(bytes: &[u8]) -> Result<ExitCode> {
    let number = |at: usize| {
        let four = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(i32::from_le_bytes(four))
    };
    let (code, signal) = number(0).zip(number(4)).ok_or("the guest sent a broken exit status")?;
    if signal != 0 {
        // SAFETY: both calls take plain integers; dying here is the purpose.
        unsafe {
            libc::signal(signal, libc::SIG_DFL);
            libc::raise(signal);
        }
        return Ok(ExitCode::from(128 + u8::try_from(signal).unwrap_or(0)));
    }
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(125)))
}

fn lost(what: &str) -> String {
    format!("{what}\nthe guest's last words:\n{}", qemu::console_tail())
}
