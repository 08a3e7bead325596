//! check as a service, and what it tells: the service manager, the journal, syslog.

use std::io::Read;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::Playground;

/// Far more than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A started policy of two servers. Each is down while there is a file of its address.
pub fn site(more: &str) -> Playground {
    let here = Playground::new();
    here.policy("web", &policy(&here, more));
    here.run(&["start", "web"]).ok();
    here
}

pub fn policy(here: &Playground, more: &str) -> String {
    let folder = here.root().display();
    format!(
        r#"return lvs.policy {{
  name = "web",
  mark = {{ mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = {{ 80, 443 }} }},
  service = {{
    fwmark = 3, scheduler = "wlc",
    servers = {{
      {{ addr = "127.0.0.2", method = "nat", weight = 8 }},
      {{ addr = "127.0.0.3", method = "nat", weight = 8 }},
    }},
  }},
  health = {{ exec = {{ "sh", "-c", "test ! -e {folder}/$LVSH_ADDR" }}, timeout = "30s", rise = 1, fall = 1 }},
  {more}
}}
"#
    )
}

pub fn down(here: &Playground, addr: &str) {
    std::fs::write(here.root().join(addr), "").expect("a file");
}

pub fn up(here: &Playground, addr: &str) {
    std::fs::remove_file(here.root().join(addr)).expect("a file");
}

/// A datagram socket of the test's own.
struct Inbox {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Inbox {
    fn new(here: &Playground, name: &str) -> Inbox {
        let path = here.root().join(name);
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Inbox { socket, path }
    }

    fn next(&self) -> String {
        let mut bytes = vec![0; 256 * 1024];
        let count = self.socket.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    }

    /// The next one that begins so.
    fn wait_for(&self, start: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let next = self.next();
            if next.starts_with(start) {
                return next;
            }
            assert!(Instant::now() < end, "no {start}, but {next}");
        }
    }
}

struct Service {
    child: Child,
}

impl Service {
    fn new(here: &Playground, words: &[&str], env: &[(&str, &str)]) -> Service {
        let mut command = here.command(words);
        command.envs(env.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Service { child: command.spawn().expect("the program") }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().expect("a pid")), signal).expect("a signal");
    }

    /// Ends it as a service manager does: exit code, stdout, stderr.
    fn stop(mut self) -> (Option<i32>, String, String) {
        self.signal(Signal::SIGTERM);
        let code = self.child.wait().expect("an end").code();
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
        self.child.stderr.take().expect("a pipe").read_to_string(&mut err).expect("text");
        (code, out, err)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // After a failed assertion it would go on for ever.
        let _ = self.child.kill();
    }
}

#[test]
fn the_service_manager_is_told_and_the_watchdog_fed_between_rounds() {
    let here = site("");
    let inbox = Inbox::new(&here, "notify");
    let path = inbox.path.display().to_string();
    let env = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "1000000")];
    let service = Service::new(&here, &["check", "--loop", "1h", "web"], &env);
    assert_eq!(inbox.wait_for("READY=1"), "READY=1\nSTATUS=round 1: nothing to change");
    // The next round is an hour away, and still the manager hears that the loop is well.
    for _ in 0..4 {
        assert_eq!(inbox.next(), "WATCHDOG=1");
    }
    down(&here, "127.0.0.3");
    service.signal(Signal::SIGHUP);
    let reload = inbox.wait_for("RELOADING=1");
    let micros = reload.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("the time");
    assert!(micros.parse::<u64>().is_ok_and(|micros| micros > 0), "{reload}");
    assert_eq!(inbox.wait_for("READY=1"), "READY=1\nSTATUS=round 2: weights were changed");
    let (code, out, err) = service.stop();
    assert_eq!(code, Some(0));
    assert_eq!(inbox.wait_for("STOPPING=1"), "STOPPING=1");
    assert!(out.contains("weight 8 -> 0") && err.is_empty(), "{out}{err}");
}

#[test]
fn what_is_not_meant_for_this_process_is_left_alone() {
    let here = site("");
    let inbox = Inbox::new(&here, "notify");
    let path = inbox.path.display().to_string();
    let env = [("NOTIFY_SOCKET", path.as_str()), ("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")];
    let service = Service::new(&here, &["check", "--loop", "500ms", "web"], &env);
    for _ in 0..3 {
        assert!(!inbox.next().starts_with("WATCHDOG"));
    }
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_file_that_is_broken_leaves_the_old_one_at_work() {
    let here = site("");
    let inbox = Inbox::new(&here, "notify");
    let path = inbox.path.display().to_string();
    let service = Service::new(&here, &["check", "--loop", "1h", "web"], &[("NOTIFY_SOCKET", &path)]);
    inbox.wait_for("READY=1");
    here.policy("web", "return lvs.policy { nme = \"web\" }\n");
    down(&here, "127.0.0.3");
    for round in 2..4 {
        service.signal(Signal::SIGHUP);
        let told = inbox.wait_for("READY=1");
        assert!(told.contains(&format!("STATUS=round {round}: ")), "{told}");
    }
    // The new one counts at once: its hook speaks.
    here.policy("web", &policy(&here, "on_change = function() lvs.log.warn('as of now') end,"));
    up(&here, "127.0.0.3");
    service.signal(Signal::SIGHUP);
    inbox.wait_for("READY=1");
    let (code, out, err) = service.stop();
    assert_eq!(code, Some(0));
    assert!(out.contains("weight 8 -> 0") && out.contains("weight 0 -> 8"), "{out}");
    assert_eq!(err.matches("unknown field 'nme' in a policy").count(), 1, "told once: {err}");
    assert!(err.contains("the policy goes on as it was before"), "{err}");
    assert!(err.contains("as of now"), "{err}");
}

#[test]
fn a_stop_in_the_middle_of_probes_is_clean() {
    let here = Playground::new();
    let begun = here.root().join("begun");
    let slow = format!("\"sh\", \"-c\", \"echo $$ > {}; exec sleep 60\"", begun.display());
    let text = policy(&here, "");
    let (start, end) = (text.find("exec = {").expect("a probe"), text.find("}, timeout").expect("an end"));
    here.policy("web", &format!("{}exec = {{ {slow} {}", &text[..start], &text[end..]));
    here.run(&["start", "web"]).ok();
    let before = here.bytes();
    let service = Service::new(&here, &["check", "--loop", "1h", "web"], &[]);
    let end = Instant::now() + PATIENCE;
    let pid = loop {
        let text = std::fs::read_to_string(&begun).unwrap_or_default();
        match text.trim().parse::<u32>() {
            Ok(pid) => break pid,
            Err(_) => assert!(Instant::now() < end, "no probe began"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let told = Instant::now();
    let (code, out, err) = service.stop();
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "", ""));
    assert!(told.elapsed() < Duration::from_secs(25), "it waited for the probe");
    assert_eq!(here.bytes(), before);
    crate::world::gone(pid);
    assert!(!here.state_files().iter().any(|name| name.ends_with(".journal")));
}

/// The unit that is shipped is one that starts, and its commands are those of this program.
#[test]
fn the_unit_for_systemd_works() {
    let unit =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/systemd/lvsh-check@.service"))
            .expect("the unit");
    let line = |name: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).expect(name);
        line.replace("%i", "web").split(' ').map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        (line("Type"), line("ExecReload").join(" ")),
        (vec!["notify".into()], "/bin/kill -HUP $MAINPID".into())
    );
    let here = Playground::new();
    here.policy("web", &policy(&here, ""));
    let (notify, journal) = (Inbox::new(&here, "notify"), Inbox::new(&here, "journal"));
    let paths = [&notify.path, &journal.path].map(|path| path.display().to_string());
    let env = [("NOTIFY_SOCKET", paths[0].as_str()), ("LVSH_JOURNAL_SOCKET", paths[1].as_str())];
    let words = |name: &str| line(name).into_iter().skip(1).collect::<Vec<String>>();
    let before = words("ExecStartPre");
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    assert!(here.command(&before).envs(env).status().expect("the program").success());
    // Advice comes first.
    while !journal.next().contains("\nLVSH_OP=add\n") {}
    let start = words("ExecStart");
    let start: Vec<&str> = start.iter().map(String::as_str).collect();
    let service = Service::new(&here, &start, &env);
    assert!(notify.wait_for("READY=1").contains("STATUS=round 1: nothing to change"));
    assert_eq!(service.stop().0, Some(0));
}

/// The fields of an entry in the journal's own protocol.
fn fields(entry: &str) -> std::collections::BTreeMap<&str, &str> {
    entry.lines().filter_map(|line| line.split_once('=')).collect()
}

#[test]
fn the_journal_gets_a_line_per_change_with_its_fields() {
    let here = site("on_change = function(e) lvs.log.notice('hook: %s', e.server) end,");
    let inbox = Inbox::new(&here, "journal");
    let run = |words: &[&str]| {
        let mut command = here.command(words);
        let ended = command.env("LVSH_JOURNAL_SOCKET", &inbox.path).output().expect("the program");
        (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
    };
    down(&here, "127.0.0.3");
    assert_eq!(run(&["check", "-q", "--log", "journald", "web"]), (Some(0), String::new()));
    let change = inbox.next();
    let change = fields(&change);
    for (name, value) in [
        ("MESSAGE", "web: ~ fwm:3 127.0.0.3  weight 8 -> 0   health: 1 of 1 probes failed: sh ended with 1"),
        ("PRIORITY", "5"),
        ("SYSLOG_IDENTIFIER", "lvsh"),
        ("LVSH_POLICY", "web"),
        ("LVSH_OP", "set"),
        ("LVSH_SERVICE", "fwm:3"),
        ("LVSH_SERVER", "127.0.0.3"),
        ("LVSH_FROM", "8"),
        ("LVSH_TO", "0"),
        ("LVSH_REASON", "health: 1 of 1 probes failed: sh ended with 1"),
    ] {
        assert_eq!(change.get(name), Some(&value), "{name} in {change:?}");
    }
    let hook = inbox.next();
    assert_eq!((fields(&hook)["MESSAGE"], fields(&hook)["PRIORITY"]), ("hook: 127.0.0.3", "5"));
    // Every verb that changes something.
    assert_eq!(run(&["stop", "--log", "journald", "web"]).0, Some(0));
    let gone = inbox.next();
    assert!(fields(&gone)["MESSAGE"].starts_with("web: - "), "{gone}");
    while fields(&inbox.next()).get("LVSH_KIND") != Some(&"service") {}
    let add = "lvs.add_service { fwmark = 9, scheduler = 'rr' }";
    assert_eq!(run(&["eval", "--log", "journald", add]).0, Some(0));
    let added = inbox.next();
    let added = fields(&added);
    assert_eq!((added["LVSH_OP"], added["LVSH_SERVICE"]), ("add", "fwm:9"));
    // What ends a run is said to both.
    let (code, err) = run(&["eval", "--log", "journald", "error 'no such luck'"]);
    assert!(code == Some(3) && err.contains("no such luck"), "{err}");
    let failed = inbox.next();
    let failed = fields(&failed);
    assert!(failed["MESSAGE"].contains("no such luck") && failed["PRIORITY"] == "3", "{failed:?}");
}

#[test]
fn syslog_gets_the_same_and_a_silent_one_loses_nothing() {
    let here = site("");
    let inbox = Inbox::new(&here, "syslog");
    let run = |socket: &std::path::Path| {
        let mut command = here.command(&["check", "-q", "--log", "syslog", "web"]);
        let ended = command.env("LVSH_SYSLOG_SOCKET", socket).output().expect("the program");
        assert!(ended.status.success());
        String::from_utf8_lossy(&ended.stderr).into_owned()
    };
    down(&here, "127.0.0.3");
    assert_eq!(run(&inbox.path), "");
    let line = inbox.next();
    assert!(line.starts_with("<29>"), "daemon.notice: {line}");
    let (_, line) = line.split_once(" lvsh[").expect("the program's name");
    assert!(line.contains("]: web: ~ fwm:3 127.0.0.3  weight 8 -> 0   health: 1 of 1"), "{line}");
    // All of them down: nothing changes, and that is a warning.
    down(&here, "127.0.0.2");
    assert_eq!(run(&inbox.path), "");
    let line = inbox.next();
    assert!(line.starts_with("<28>") && line.ends_with("web: fwm:3: quorum lost"), "{line}");
    let line = inbox.next();
    assert!(
        line.starts_with("<28>") && line.contains("web: degraded: 0 of 2 servers would be left"),
        "{line}"
    );
    // Nobody listens: stderr has it.
    up(&here, "127.0.0.3");
    let err = run(&here.root().join("nobody"));
    assert!(err.contains("cannot log to ") && err.contains("weight 0 -> 8"), "{err}");
}
