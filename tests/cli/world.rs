//! exec, http, resolve, files, JSON, mail: what a script asks of the world outside, and what it must not.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::support::Playground;

/// Answers each request with the same page, and tells what was asked.
fn server(page: &'static str) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (heard, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = Vec::new();
            let mut part = [0; 4096];
            // A request ends with its headers, or with the body they announce.
            loop {
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                    if body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
                        break;
                    }
                }
                match stream.read(&mut part) {
                    Ok(count @ 1..) => bytes.extend_from_slice(&part[..count]),
                    _ => break,
                }
            }
            let _ = heard.send(String::from_utf8_lossy(&bytes).into_owned());
            let _ = stream.write_all(page.as_bytes());
        }
    });
    (port, asked)
}

#[test]
fn a_program_is_a_measurement() {
    let here = Playground::new();
    let code = r#"
        local r = lvs.exec { "sh", "-c", "cat; echo $WHO; pwd; echo no >&2; exit 3",
          stdin = "in ", env = { WHO = "me" }, cwd = "/" }
        assert(not r.ok and r.code == 3 and r.signal == nil, r.err)
        assert(r.stdout == "in me\n/\n", r.stdout)
        assert(r.stderr == "no\n" and r.err == "it ended with 3" and r.ms > 0)
        r = lvs.exec { "/no/such/program" }
        assert(not r.ok and r.code == nil, "there is none")
        assert(r.err == "/no/such/program: no such file or directory", r.err)
        r = lvs.exec { "sh", "-c", "kill -TERM $$" }
        assert(r.signal == 15 and r.err == "it was killed by signal 15", r.err)
        r = lvs.exec { "echo", "12345678", max_output = 4 }
        assert(r.stdout == "1234" and r.cut and r.ok)
        r = lvs.exec { "true", cwd = "/no/such" }
        assert(r.err == "/no/such: no such folder", r.err)
        assert(lvs.exec { "echo", 5 }.stdout == "5\n")
        -- No shell: nothing of this is taken apart.
        assert(lvs.exec { "echo", "$HOME; ls *" }.stdout == "$HOME; ls *\n")
    "#;
    let path = here.policy("measure", code);
    here.run(&["run", &path.to_string_lossy()]).ok();
    let wrong = here.run(&["eval", "lvs.exec { 'true', timout = 1 }"]);
    assert_eq!(wrong.code, 3);
    assert!(wrong.err.contains("unknown field 'timout' in exec's options"), "{}", wrong.err);
    assert!(wrong.err.contains("did you mean 'timeout'?"), "{}", wrong.err);
    let wrong = here.run(&["eval", "lvs.exec { timeout = 1 }"]);
    assert!(wrong.err.contains("a program is needed"), "{}", wrong.err);
}

/// Waits until a killed process is gone: that takes its time on a busy machine. A zombie of somebody else is gone.
pub fn gone(pid: u32) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z')) {
            return;
        }
        assert!(Instant::now() < end, "{pid} lives on: {stat}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The id that a process wrote to a file.
fn written(path: &std::path::Path) -> u32 {
    std::fs::read_to_string(path).expect("a file").trim().parse().expect("an id")
}

#[test]
fn at_its_deadline_a_program_ends_with_all_it_started() {
    let here = Playground::new();
    let pid = here.root().join("pid");
    let code = format!(
        "local r = lvs.exec {{ 'sh', '-c', 'echo begun; sleep 60 & echo $! > {}; wait', timeout = '500ms' }}
         assert(not r.ok and r.stdout == 'begun\\n', r.stdout) print(r.err)",
        pid.display()
    );
    let begun = Instant::now();
    let ended = here.run(&["eval", &code]).ok();
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert_eq!(ended.out, "it did not end within 500 ms; killed with all it started\n");
    gone(written(&pid));
}

#[test]
fn an_interrupt_ends_a_program_at_once() {
    let here = Playground::new();
    let pid = here.root().join("pid");
    let code = format!("lvs.exec {{ 'sh', '-c', 'echo $$ > {}; sleep 60', timeout = 60 }}", pid.display());
    let mut child =
        here.command(&["eval", &code]).stderr(std::process::Stdio::piped()).spawn().expect("a child");
    let begun = Instant::now();
    while std::fs::read_to_string(&pid).map_or(true, |text| text.trim().is_empty()) {
        assert!(begun.elapsed() < Duration::from_secs(20), "it did not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = nix::unistd::Pid::from_raw(child.id().try_into().expect("a pid"));
    nix::sys::signal::kill(id, nix::sys::signal::SIGINT).expect("a signal");
    let told = Instant::now();
    assert_eq!(child.wait().expect("an end").code(), Some(130));
    assert!(told.elapsed() < Duration::from_secs(15), "{:?}", told.elapsed());
    gone(written(&pid));
}

#[test]
fn a_policy_that_loads_touches_nothing_outside() {
    let here = Playground::new();
    let mark = here.root().join("touched");
    for effect in [
        format!("lvs.exec {{ 'touch', '{}' }}", mark.display()),
        "lvs.http { url = 'http://127.0.0.1:1/', body = 'x' }".to_string(),
        format!("lvs.mail {{ to = 'a', subject = 'b', sendmail = '{}' }}", mark.display()),
    ] {
        here.policy("web", &format!("{effect}\n{}", crate::support::WEB));
        let wrong = here.run(&["plan", "web"]);
        assert_eq!(wrong.code, 3, "{effect}");
        assert!(wrong.err.contains("effects are not allowed while a policy loads"), "{}", wrong.err);
    }
    assert!(!mark.exists());
    // What only asks may be asked: the list of servers may come from there.
    let list = here.root().join("servers");
    std::fs::write(&list, "192.168.1.107\n").expect("a file");
    let asks = format!("assert(lvs.read_file '{}' == '192.168.1.107\\n')\n", list.display())
        + "assert(lvs.read_file '/no/such/file' == nil)\n"
        + "assert(lvs.http { url = 'http://127.0.0.1:1/', timeout = 1 }.err)\n"
        + "assert(lvs.resolve('127.0.0.1').records[1] == '127.0.0.1')\n";
    here.policy("web", &format!("{asks}{}", crate::support::WEB));
    here.run(&["plan", "web"]).ok();
}

#[test]
fn a_plan_lists_what_it_does_not_do() {
    let here = Playground::new();
    let mark = here.root().join("touched");
    let hook = format!(
        "on_start = function() local r = lvs.exec {{ \"touch\", \"{}\" }} assert(r.ok, r.err) end,",
        mark.display()
    );
    here.policy("web", &crate::support::WEB.replace("name = \"web\",", &format!("name = \"web\", {hook}")));
    let plan = here.run(&["plan", "web"]).ok();
    assert!(plan.out.contains("  . exec touch ROOT/touched   not simulated\n"), "{}", plan.out);
    let plan = here.run(&["start", "-n", "--json", "web"]).ok().json();
    assert_eq!(plan["not_simulated"][0], "exec touch ROOT/touched");
    here.run(&["lint", "web"]).ok();
    assert!(!mark.exists());
    let dry = here.run(&["eval", "-n", "return lvs.exec({ 'false' }).skipped"]).ok();
    assert!(dry.out.contains("true\n") && dry.out.contains("exec false   not simulated"), "{}", dry.out);
    here.run(&["start", "web"]).ok();
    assert!(mark.exists(), "a start is no plan");
}

#[test]
fn a_webhook_is_told_and_a_page_is_read() {
    let here = Playground::new();
    let (port, asked) =
        server("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Load: 7\r\nContent-Length: 5\r\n\r\nhello");
    let code = format!(
        r#"local a = lvs.http {{ url = "http://localhost:{port}/hook?x=1", headers = {{ ["Content-Type"] = "application/json" }},
            body = lvs.json.encode {{ text = "web" }}, timeout = 20 }}
        assert(a.ok and a.status == 200 and a.body == "hello" and a.headers["x-load"] == "7" and a.ms > 0, a.err)
        a = lvs.http {{ url = "http://127.0.0.1:{port}/", max_body = 3, timeout = 20 }}
        assert(not a.ok and a.err == "the body has more than 3 bytes" and a.body == "hel", a.err)"#
    );
    here.run(&["eval", &code]).ok();
    let told = asked.recv().expect("a request");
    assert!(told.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{told}");
    assert!(told.contains(&format!("host: localhost:{port}\r\n")), "{told}");
    assert!(
        told.contains("content-type: application/json\r\n") && told.ends_with("{\"text\":\"web\"}"),
        "{told}"
    );
    let (port, _) = server("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let code =
        format!("local a = lvs.http {{ url = 'http://127.0.0.1:{port}/', timeout = 20 }} print(a.ok, a.err)");
    assert_eq!(here.run(&["eval", &code]).ok().out, "false\tstatus 503\n");
    let (port, asked) = server("");
    let dry = format!(
        "local a = lvs.http {{ url = 'http://127.0.0.1:{port}/', body = '' }} assert(a.ok and a.skipped)"
    );
    let plan = here.run(&["eval", "-n", &dry]).ok();
    assert!(
        plan.out.contains(&format!("http POST http://127.0.0.1:{port}/   not simulated")),
        "{}",
        plan.out
    );
    assert!(asked.try_recv().is_err());
    let wrong = here.run(&["eval", "lvs.http { url = 'gopher://x' }"]);
    assert!(wrong.err.contains("begins with http:// or https://"), "{}", wrong.err);
}

#[test]
fn json_there_and_back() {
    let here = Playground::new();
    let code = r#"
        local text = '{"a":[1,2.5,null,"x"],"b":{"c":true},"d":[],"e":{}}'
        local it = lvs.json.decode(text)
        assert(#it.a == 4 and it.a[3] == lvs.json.null() and it.b.c == true)
        assert(lvs.json.encode(it) == text, lvs.json.encode(it))
        assert(lvs.json.decode '{"x":null}'.x == nil)
        assert(lvs.json.encode(lvs.json.list()) == "[]" and lvs.json.encode {} == "{}")
        assert(lvs.json.encode({ 1 }, { pretty = true }) == "[\n  1\n]")
        assert(lvs.json.decode "9007199254740993" == 9007199254740993)
        lvs.add_service { fwmark = 3, scheduler = "wlc", servers = { { addr = "192.168.1.107" } } }
        local seen = lvs.json.decode(lvs.json.encode(lvs.services()))
        assert(seen[1].fwmark == 3 and seen[1].servers[1].addr == "192.168.1.107")
        local function wrong(value, words)
          local ok, e = pcall(lvs.json.encode, value)
          assert(not ok and e.code == "bad_value" and e.message:find(words, 1, true), e.message)
        end
        local loop = {} loop.it = loop
        wrong(loop, "contains itself")
        wrong({ 1, x = 2 }, 'also has the key')
        wrong({ [5] = 1 }, "the key 5")
        wrong(print, "cannot be JSON")
        wrong(0 / 0, "no number")
        wrong("\xff", "not UTF-8")
        local ok, e = pcall(lvs.json.decode, "{ half")
        assert(not ok and e.code == "bad_value" and e.message:find "not JSON", e.message)
    "#;
    let path = here.policy("json", code);
    here.run(&["run", &path.to_string_lossy()]).ok();
}

#[test]
fn a_mail_goes_to_sendmail() {
    let here = Playground::new();
    let sendmail = here.root().join("sendmail");
    std::fs::write(
        &sendmail,
        format!("#!/bin/sh\necho \"$@\" > {0}/args\ncat > {0}/mail\n", here.root().display()),
    )
    .expect("a program");
    crate::support::chmod(&sendmail, 0o755);
    let code = format!(
        "local r = lvs.mail {{ to = {{ 'a@example.org', 'b@example.org' }}, subject = 'web: 1 change', text = 'down\\n',
           from = 'lvsh@example.org', sendmail = '{}' }} assert(r.ok, r.err)",
        sendmail.display()
    );
    here.run(&["eval", &code]).ok();
    let read = |name: &str| std::fs::read_to_string(here.root().join(name)).expect("a file");
    assert_eq!(read("args"), "-t -oi\n");
    let mail = read("mail");
    assert!(
        mail.starts_with(
            "To: a@example.org, b@example.org\nFrom: lvsh@example.org\nSubject: web: 1 change\n"
        ),
        "{mail}"
    );
    assert!(mail.ends_with("\n\ndown\n"), "{mail}");
    // Nobody may add a header by a line break.
    let wrong = here.run(&["eval", "lvs.mail { to = 'a', subject = 'x\\nBcc: z', text = '' }"]);
    assert!(wrong.err.contains("bad value for 'subject'"), "{}", wrong.err);
    let gone =
        here.run(&["eval", "print(lvs.mail({ to = 'a', subject = 'b', sendmail = '/no/such' }).err)"]).ok();
    assert_eq!(gone.out, "/no/such: no such file or directory\n");
}
