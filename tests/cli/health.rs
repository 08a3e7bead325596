//! check, drain, maint, weight: servers on loopback, a machine in a file.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::{Ended, Playground};

/// An HTTP server that can be told to fail.
pub struct Server {
    addr: String,
    port: u16,
    well: Arc<AtomicBool>,
}

impl Server {
    /// `127.0.0.N` with a port that all servers of the test share.
    fn new(host: u8, port: u16) -> Server {
        let listener = TcpListener::bind((format!("127.0.0.{host}"), port)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let well = Arc::new(AtomicBool::new(true));
        let answers = Arc::clone(&well);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.read(&mut [0; 4096]);
                let status = if answers.load(Ordering::Relaxed) { "200 OK" } else { "503 Busy" };
                let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            }
        });
        Server { addr: format!("127.0.0.{host}"), port, well }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn fails(&self) {
        self.well.store(false, Ordering::Relaxed);
    }

    pub fn works(&self) {
        self.well.store(true, Ordering::Relaxed);
    }
}

pub struct Site {
    pub here: Playground,
    pub a: Server,
    pub b: Server,
}

/// A started policy of two servers, with `more` in it.
pub fn site(more: &str) -> Site {
    let here = Playground::new();
    let a = Server::new(2, 0);
    let b = Server::new(3, a.port);
    here.policy("web", &policy(&a, more));
    here.run(&["start", "web"]).ok();
    Site { here, a, b }
}

pub fn policy(a: &Server, more: &str) -> String {
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
  health = {{ http = {{ port = {} }}, timeout = "5s", rise = 2, fall = 3 }},
  {more}
}}
"#,
        a.port
    )
}

impl Site {
    pub fn run(&self, words: &[&str]) -> Ended {
        self.here.run(words)
    }

    /// The weights in the table, by address; `None` for a server that is not there.
    pub fn weights(&self) -> [Option<i64>; 2] {
        let list = self.run(&["list", "--json"]).ok().json();
        let servers = list["services"][0]["servers"].as_array().cloned().unwrap_or_default();
        let weight = |addr: &str| {
            servers
                .iter()
                .find(|server| server["server"] == addr)
                .and_then(|server| server["weight"].as_i64())
        };
        [weight(&self.a.addr), weight(&self.b.addr)]
    }
}

#[test]
fn down_after_exactly_fall_and_up_after_exactly_rise() {
    let site = site("");
    site.run(&["check", "web"]).ok();
    site.b.fails();
    for _ in 0..2 {
        let round = site.run(&["check", "web"]).ok();
        assert_eq!(round.out, "web: 2 servers, nothing to change\n");
    }
    let round = site.run(&["check", "web"]).ok();
    assert_eq!(
        round.out,
        "web: ~ fwm:3 127.0.0.3  weight 8 -> 0   health: 3 of 3 probes failed: status 503, expected 200-299\n"
    );
    assert_eq!(site.weights(), [Some(8), Some(0)]);
    // What checks decided is no drift, and neither start nor apply sets it back.
    let applied = site.run(&["apply", "web"]).ok();
    assert_eq!(applied.out, "web is started already; nothing to do\n");
    assert_eq!(site.run(&["status", "--exit-code", "web"]).code, 0);
    site.b.works();
    site.run(&["check", "web"]).ok();
    assert_eq!(site.weights(), [Some(8), Some(0)]);
    let round = site.run(&["check", "web"]).ok();
    assert!(round.out.contains("weight 0 -> 8   base: up after 2 good probes"), "{}", round.out);
    assert_eq!(site.weights(), [Some(8), Some(8)]);
    site.run(&["stop", "web"]).ok();
    assert!(!site.here.state_files().contains(&"web.health".to_string()));
}

#[test]
fn a_quiet_round_says_only_what_changed() {
    let site = site("");
    let round = site.run(&["check", "-q", "web"]).ok();
    assert_eq!((round.out.as_str(), round.err.as_str()), ("", ""));
    site.b.fails();
    for _ in 0..2 {
        site.run(&["check", "-q", "web"]).ok();
    }
    let round = site.run(&["check", "-q", "web"]).ok();
    assert_eq!(round.out, "");
    assert!(round.err.contains("weight 8 -> 0   health: 3 of 3 probes failed"), "{}", round.err);
}

#[test]
fn all_down_is_degraded_and_keeps_the_weights() {
    let site = site("");
    site.a.fails();
    site.b.fails();
    for _ in 0..2 {
        assert_eq!(site.run(&["check", "-q", "web"]).ok().err, "");
    }
    let quiet = site.run(&["check", "-q", "web"]).ok();
    assert!(quiet.err.starts_with("web: degraded: 0 of 2 servers would be left"), "{}", quiet.err);
    assert_eq!(site.weights(), [Some(8), Some(8)]);
    let quiet = site.run(&["check", "-q", "web"]).ok();
    assert_eq!(quiet.err, "", "cron has heard of it");
    assert!(site.run(&["status", "-q", "web"]).ok().out.contains("degraded"), "trouble is told");
    let round = site.run(&["check", "--exit-code", "web"]);
    assert_eq!(round.code, 5, "{}", round.all());
    assert!(round.out.contains("degraded: 0 of 2 servers would be left, min_up is 1"), "{}", round.out);
    let status = site.run(&["status", "web"]).ok();
    assert!(status.out.contains("degraded") && status.out.contains("weight kept"), "{}", status.out);
}

#[test]
fn a_sorry_server_takes_over() {
    let site = site("sorry = { addr = \"127.0.0.9\", method = \"nat\" },");
    site.a.fails();
    site.b.fails();
    for _ in 0..2 {
        site.run(&["check", "web"]).ok();
    }
    let round = site.run(&["check", "web"]).ok();
    let sorry = round.out.find("+ fwm:3 127.0.0.9");
    let last = round.out.find("weight 8 -> 0");
    assert!(sorry.is_some() && sorry < last, "the sorry server comes first: {}", round.out);
    site.a.works();
    site.run(&["check", "web"]).ok();
    let round = site.run(&["check", "web"]).ok();
    assert!(round.out.contains("- fwm:3 127.0.0.9   the service is up again"), "{}", round.out);
    assert_eq!(site.weights(), [Some(8), Some(0)]);
}

#[test]
fn the_operator_is_first() {
    let site = site("drain = { timeout = \"15m\", remove = true },");
    site.run(&["check", "web"]).ok();
    let drained = site.run(&["drain", "web", "127.0.0.3", "--reason", "new kernel"]).ok();
    assert!(drained.out.contains("web: 127.0.0.3 is drained\n"), "{}", drained.out);
    assert!(drained.out.contains("weight 8 -> 0   drain: by "), "{}", drained.out);
    assert_eq!(site.weights(), [Some(8), Some(0)]);
    let status = site.run(&["status", "web"]).ok();
    assert!(status.out.contains("DRAIN") && status.out.contains(": new kernel"), "{}", status.out);
    // It has nothing left, so the next round takes it out of the table; apply does not bring it back.
    site.run(&["check", "web"]).ok();
    assert_eq!(site.weights(), [Some(8), None]);
    site.run(&["apply", "web"]).ok();
    assert_eq!(site.weights(), [Some(8), None]);
    site.run(&["undrain", "web", "127.0.0.3"]).ok();
    assert_eq!(site.weights(), [Some(8), Some(8)]);
    let weighed = site.run(&["weight", "web", "127.0.0.3", "4"]).ok();
    assert!(weighed.out.contains("weight 8 -> 4   weight: by "), "{}", weighed.out);
    site.run(&["maint", "web", "127.0.0.3"]).ok();
    site.run(&["ready", "web", "127.0.0.3"]).ok();
    assert_eq!(site.weights(), [Some(8), Some(4)], "the weight outlives the maintenance");
    site.run(&["weight", "web", "127.0.0.3"]).ok();
    assert_eq!(site.weights(), [Some(8), Some(8)]);
}

#[test]
fn a_decision_survives_stop_and_start() {
    let site = site("");
    site.run(&["maint", "web", "127.0.0.3", "--reason", "disk"]).ok();
    site.run(&["stop", "web"]).ok();
    let started = site.run(&["start", "web"]).ok();
    assert!(started.out.contains("127.0.0.3   nat weight 0"), "{}", started.out);
    assert_eq!(site.weights(), [Some(8), Some(0)]);
}

#[test]
fn servers_that_are_not_there() {
    let site = site("");
    let before = site.here.bytes();
    let wrong = site.run(&["drain", "web", "127.0.0.4"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("policy 'web' has no server 127.0.0.4"), "{}", wrong.err);
    assert!(wrong.err.contains("servers: 127.0.0.2, 127.0.0.3"), "{}", wrong.err);
    assert_eq!(site.here.bytes(), before);
}

#[test]
fn slow_start_climbs_and_status_shows_it() {
    let site = site("slow_start = { over = \"10m\", from = 1 },");
    site.b.fails();
    for _ in 0..3 {
        site.run(&["check", "web"]).ok();
    }
    site.b.works();
    site.run(&["check", "web"]).ok();
    let round = site.run(&["check", "web"]).ok();
    assert!(round.out.contains("weight 0 -> 1   slow start: 1 of 8"), "{}", round.out);
    let status = site.run(&["status", "web"]).ok();
    assert!(status.out.contains("1/8") && status.out.contains("slow start"), "{}", status.out);
}

#[test]
fn changes_are_told_to_the_hook() {
    let site =
        site("on_change = function(e) lvs.log.warn('%s %s>%s %s', e.server, e.from, e.to, e.reason) end,");
    site.b.fails();
    for _ in 0..2 {
        let round = site.run(&["check", "web"]).ok();
        assert_eq!(round.err, "");
    }
    let round = site.run(&["check", "web"]).ok();
    assert!(round.err.contains("127.0.0.3 8>0 health"), "{}", round.err);
    let dry = site.run(&["drain", "-n", "web", "127.0.0.2"]).ok();
    assert_eq!(dry.err, "");
    assert_eq!(site.weights(), [Some(8), Some(0)]);
}

#[test]
fn a_memory_that_cannot_be_read_is_put_aside() {
    let site = site("");
    site.run(&["check", "web"]).ok();
    std::fs::write(site.here.state().join("web.health"), "{ half").expect("a file");
    let round = site.run(&["check", "web"]).ok();
    assert!(round.err.contains("web.health is unreadable"), "{}", round.err);
    assert!(site.here.state_files().iter().any(|name| name.starts_with("web.health.bad-")));
    assert_eq!(site.run(&["check", "web"]).ok().err, "");
}

#[test]
fn policies_that_are_not_started_or_have_no_check() {
    let site = site("");
    site.run(&["stop", "web"]).ok();
    let round = site.run(&["check", "web"]).ok();
    assert_eq!(round.out, "web is not started; nothing to check\n");
    assert_eq!(site.run(&["check", "--all"]).ok().out, "no policy is started; nothing to check\n");
    site.here.policy("seed", crate::support::SEED);
    site.run(&["start", "seed"]).ok();
    let wrong = site.run(&["check", "seed"]);
    assert_eq!(wrong.code, 3);
    assert!(wrong.err.contains("policy 'seed' has no check"), "{}", wrong.err);
}

#[test]
fn again_and_again_until_it_is_told_to_end() {
    let site = site("");
    let mut command = site.here.command(&["check", "--loop", "100ms", "web"]);
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().expect("the program");
    std::thread::sleep(std::time::Duration::from_secs(3));
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::SIGTERM).expect("a signal");
    let status = child.wait().expect("an end");
    let mut out = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
    assert!(status.success(), "{status}");
    assert!(out.matches("nothing to change").count() >= 2, "{out}");
}

#[test]
fn a_script_finds_its_state_again_if_it_ended_well() {
    let here = Playground::new();
    let script = "local st = lvs.state 'mine'; st.n = (st.n or 0) + 1; print(st.n)";
    let good = here.policy("count", script);
    let bad = here.policy("bad", &format!("{script}; error 'no'"));
    let run = |path: &std::path::Path| here.run(&["run", &path.to_string_lossy()]);
    assert_eq!(run(&good).ok().out, "1\n");
    assert_eq!(run(&good).ok().out, "2\n");
    assert_eq!(run(&bad).code, 3);
    assert_eq!(run(&good).ok().out, "3\n", "the failed run left nothing");
}

#[test]
fn a_slow_start_needs_room_to_climb() {
    let here = Playground::new();
    let flat = "return lvs.policy { name = 'web', slow_start = { over = '4m' }, mark = { mark = 3, daddr = '192.168.1.99' },
        service = { fwmark = 3, scheduler = 'wlc', servers = { { addr = '192.168.1.107', weight = 1 } } } }";
    here.policy("web", flat);
    let linted = here.run(&["lint", "web"]).ok();
    assert!(linted.err.contains("fwm:3: base weight 1 cannot ramp; use 8 for all servers"), "{}", linted.err);
    here.policy("web", &flat.replace("weight = 1", "weight = 8"));
    let linted = here.run(&["lint", "web"]).ok();
    assert!(!linted.err.contains("ramp"), "{}", linted.err);
}

#[test]
fn servers_that_begin_down_take_nobody_before_they_are_asked() {
    let here = Playground::new();
    let server = Server::new(4, 0);
    let text = policy(&server, "").replace("rise = 2", "initial = \"down\", min_up = 0, rise = 2");
    here.policy("web", &text.replace("127.0.0.2", "127.0.0.4"));
    let started = here.run(&["start", "web"]).ok();
    assert!(started.out.contains("127.0.0.4   nat weight 0"), "{}", started.out);
    here.run(&["check", "web"]).ok();
    let round = here.run(&["check", "web"]).ok();
    assert!(round.out.contains("127.0.0.4  weight 0 -> 8"), "{}", round.out);
}
