//! The session of the manual, typed key by key; its screen is kept.

use super::pty::{CTRL_C, CTRL_D, Pty, TAB};
use crate::support::Playground;

const SEED: &str = r#"lvs.add_service { fwmark = 3, scheduler = "sh", flags = { "sh-fallback" }, persistent = 600, servers = {
  { addr = "192.168.1.107", weight = 8 }, { addr = "192.168.1.109", weight = 8 } } }"#;

/// A person's keys: one at a time.
fn slowly(pty: &mut Pty, text: &str) {
    for key in text.chars() {
        pty.keys(&key.to_string());
    }
    pty.typed(text);
}

fn line(pty: &mut Pty, text: &str) {
    pty.prompt();
    slowly(pty, text);
    pty.keys("\r");
    pty.until("something new", |screen| !screen.ends_with(text));
    pty.prompt();
}

#[test]
fn the_session_of_the_manual() {
    let here = Playground::new();
    here.policy("web", crate::support::WEB);
    here.policy("mail", "return lvs.policy { name = \"mail\" }");
    here.run(&["start", "mail"]).ok();
    here.run(&["eval", SEED]).ok();
    let mut command = here.command(&["repl"]);
    command.env("NO_COLOR", "1");
    let mut pty = Pty::spawn(&here, command, 200, 100);
    line(&mut pty, "services()");
    line(&mut pty, "web = get_service { fwmark = 3 }");
    pty.keys("web.se");
    pty.typed("web.se");
    pty.keys(TAB);
    pty.wait("web:set_weights(");
    pty.typed("web.se");
    pty.keys("rvers\r");
    pty.wait("templates");
    pty.prompt();
    pty.keys("web:set_server(\"192.168.1.1");
    pty.typed("192.168.1.1");
    pty.keys(TAB);
    pty.wait("\"192.168.1.107\"  \"192.168.1.109\"");
    pty.typed("192.168.1.10");
    pty.keys("9\", { wei");
    pty.typed("{ wei");
    pty.keys(TAB);
    pty.wait("┊ weight  integer 0..65535");
    pty.keys("4 })\r");
    pty.wait("weight 8 -> 4");
    line(&mut pty, "web.servers[2].weight = 4");
    line(&mut pty, "web:set_sever(\"192.168.1.109\", {})");
    line(&mut pty, "help(web.set_weights)");
    slowly(&mut pty, "for _, s in ipairs(web.servers) do");
    pty.keys("\r");
    pty.wait("..>");
    slowly(&mut pty, "  print(s.addr, s.active / s.weight)");
    pty.keys("\rend\r");
    pty.wait("192.168.1.109\u{20}  0.0");
    line(&mut pty, "local total = 0");
    line(&mut pty, "for _, s in ipairs(web.servers) do total = total + s.weight end");
    line(&mut pty, "total");
    line(&mut pty, "_ / 2");
    for code in [
        "while true do end",
        "transaction(function() web:del_server \"192.168.1.109\"; while true do end end)",
    ] {
        let before = pty.screen().matches("interrupted").count();
        pty.prompt();
        slowly(&mut pty, code);
        pty.keys("\r");
        pty.until("it runs", |screen| !screen.lines().last().unwrap_or_default().ends_with(")>"));
        std::thread::sleep(std::time::Duration::from_millis(200));
        pty.keys(CTRL_C);
        pty.until("its end", |screen| screen.matches("interrupted").count() > before);
    }
    for text in [
        ".dry",
        "web:add_server { addr = \"192.168.1.111\", weight = 1 }",
        ".diff",
        ".apply",
        ".delta ipvsadm",
        ".undo",
        ".save today.lua",
    ] {
        line(&mut pty, text);
    }
    pty.keys(CTRL_C);
    pty.wait("Ctrl-C again, too");
    pty.prompt();
    pty.keys(CTRL_D);
    assert_eq!(pty.ended(), 0);
    // How long someone waited is not the manual's.
    let mut screen = String::new();
    for text in pty.screen().lines() {
        let text = match text.strip_prefix("interrupted after ").and_then(|rest| rest.split_once(" s;")) {
            Some((_, rest)) => format!("interrupted after N s;{rest}"),
            None => text.to_string(),
        };
        screen.push_str(&text);
        screen.push('\n');
    }
    insta::assert_snapshot!(screen);
}
