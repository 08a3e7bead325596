//! A prompt on the kernel: what it changes, takes back and undoes is there, and then is not.

use std::process::Command;

use super::pty::{CTRL_C, CTRL_D, Pty, TAB};
use super::support::{Host, Topology};

const SERVICE: &str = "web = add_service { fwmark = 3, scheduler = \"sh\", flags = { \"sh-fallback\" }, servers = {\n\
    { addr = \"10.0.0.107\", weight = 8 }, { addr = \"10.0.0.109\", weight = 8 } } }\n";

#[test]
fn a_prompt_changes_and_undoes() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "10.0.0.1").build();
    let dir = net.director();
    let before = dir.snapshot_text();
    let lines = format!(
        "{SERVICE}web:set_server(\"10.0.0.109\", {{ weight = 4 }})\n\
         add_mark {{ mark = 3, daddr = \"10.0.0.99\", proto = \"tcp\", dports = {{ 80, 443 }} }}\n\
         add_vip {{ addr = \"10.0.0.99/32\", dev = \"eth0\" }}\n\
         #services(), web.servers[2].weight, #marks()\n.undo 4\n#services(), #marks()\n.delta\n"
    );
    let said = dir.lvsh_cmd("repl").stdin(lines).run();
    assert!(
        said.contains(" ~ fwm:3 10.0.0.109  weight 8 -> 4          moves 50 % of client buckets (sh)\n"),
        "{said}"
    );
    assert!(said.ends_with("0\n0\nnothing was changed in this session\n"), "{said}");
    assert_eq!(dir.snapshot_text(), before);
}

#[test]
fn a_line_that_fails_leaves_nothing_and_a_dry_run_sends_nothing() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "10.0.0.1").build();
    let dir = net.director();
    dir.lvsh_cmd("repl").stdin(SERVICE).run();
    let before = dir.snapshot_text();
    let lines = "web = get_service { fwmark = 3 }\n\
        transaction(function() web:del_server \"10.0.0.109\" del_service { fwmark = 3 } error \"no\" end)\n";
    let ended = dir.lvsh_cmd("repl").stdin(lines).output();
    assert_eq!(ended.code, 3, "{ended}");
    assert_eq!(dir.snapshot_text(), before);
    let said = dir.lvsh_cmd("repl").stdin(".dry\ndel_service { fwmark = 3 }\n.diff\n").run();
    assert!(said.contains("- service fwm:3"), "{said}");
    assert_eq!(dir.snapshot_text(), before);
    let said = dir.lvsh_cmd("repl").stdin(".dry\ndel_service { fwmark = 3 }\n.apply\n#services()\n").run();
    assert!(said.ends_with("sent and verified\n0\n"), "{said}");
}

#[test]
fn the_time_limit_takes_back_what_a_line_sent() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "10.0.0.1").build();
    let dir = net.director();
    dir.lvsh_cmd("repl").stdin(SERVICE).run();
    let before = dir.snapshot_text();
    let line = "get_service { fwmark = 3 }:set_server(\"10.0.0.107\", { weight = 1 }) while true do pcall(error) end\n";
    let ended = dir.lvsh_cmd("repl --timeout 2s").stdin(line).output();
    assert_eq!(ended.code, 124, "{ended}");
    assert_eq!(dir.snapshot_text(), before);
}

/// `lvsh WORDS` in a terminal of this host.
fn terminal(host: &Host, words: &[&str]) -> Pty {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lvsh"));
    command.args(words).env("LVSH_HISTORY", "").env_remove("NO_COLOR");
    host.namespace.inside(|| Pty::on(command, 40, 100))
}

#[test]
fn a_terminal_on_the_live_machine() {
    needs!(ipvs);
    let net = Topology::new().director("dir", "10.0.0.1").build();
    let dir = net.director();
    dir.lvsh_cmd("repl").stdin(SERVICE).run();
    let before = dir.snapshot_text();
    let mut pty = terminal(dir, &["repl"]);
    let banner = pty.prompt();
    assert!(banner.contains(" IPVS 1.2.1   1 service, 2 servers"), "{banner}");
    assert!(banner.contains("mode: live") && banner.ends_with("lvs (live)>"), "{banner}");
    assert!(pty.raw().contains("\x1b[31mlvs (live)> \x1b[0m"), "red: {:?}", pty.raw());
    pty.says("web = get_service { fwmark = 3 }");
    // What is on the machine is offered, and devices of this namespace.
    pty.prompt();
    pty.keys("web:set_server(\"10.0.0.10");
    pty.typed("10.0.0.10");
    pty.keys(TAB);
    pty.wait("\"10.0.0.107\"  \"10.0.0.109\"");
    pty.keys(CTRL_C);
    pty.prompt();
    pty.keys("add_vip { dev = \"eth");
    pty.typed("\"eth");
    pty.keys(TAB);
    pty.wait("dev = \"eth0\"");
    pty.keys(CTRL_C);
    // A line that is stopped is taken back as one.
    pty.line(
        "web:del_server \"10.0.0.109\" web:set_server(\"10.0.0.107\", { weight = 1 }) while true do end",
    );
    pty.until("it runs", |screen| !screen.lines().last().unwrap_or_default().ends_with(")>"));
    std::thread::sleep(std::time::Duration::from_millis(300));
    pty.keys(CTRL_C);
    pty.wait("; rolled back 2 changes:");
    pty.prompt();
    assert_eq!(dir.snapshot_text(), before);
    assert!(pty.says("add_service { fwmark = 9 }").contains(" + fwm:9  wlc"), "{}", pty.screen());
    assert!(dir.snapshot_text() != before);
    pty.says(".undo");
    assert_eq!(dir.snapshot_text(), before);
    pty.says("web:set_server(\"10.0.0.109\", { weight = 4 })");
    pty.prompt();
    pty.keys(CTRL_D);
    assert_eq!(pty.ended(), 0);
    assert!(
        pty.screen().ends_with("this session changed: fwm:3 10.0.0.109  weight 8 -> 4"),
        "{}",
        pty.screen()
    );
    // Another namespace is told by its name.
    let pty = terminal(net.director(), &["--netns", "dir", "repl", "--read-only"]);
    assert!(pty.prompt().ends_with("lvs (netns dir, read-only)>"), "{}", pty.screen());
}
