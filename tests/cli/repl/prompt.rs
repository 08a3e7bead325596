//! Lines and what they print.

use super::director;
use super::pty::{CTRL_D, CTRL_R, Pty, UP};

#[test]
fn expressions_print_what_can_be_read_back() {
    let here = director();
    let mut command = here.command(&["repl"]);
    command.env("NO_COLOR", "1");
    let mut pty = Pty::spawn(&here, command, 300, 100);
    let cases = [
        ("1 + 1", "2"),
        ("= 2", "2"),
        ("10 / 4", "2.5"),
        ("1, nil, \"a\\n\"", "1\nnil\n\"a\\n\""),
        ("nil", ""),
        ("x = 5", ""),
        ("x", "5"),
        ("{ b = 1, a = 2, 3, [\"in\"] = true }", "{ 3, a = 2, b = 1, [\"in\"] = true }"),
        ("print", "nil --[[ a function ]]"),
        ("#services()", "3"),
        ("services { scheduler = \"nq\" }", "0 services"),
        ("get_service { fwmark = 99 }", ""),
    ];
    for (typed, wanted) in cases {
        let said = pty.says(typed);
        assert_eq!(said, wanted, "{typed}");
    }
    let many = pty.says("t = {} for i = 1, 137 do t[i] = i end return t");
    assert!(many.ends_with("  -- … 37 more\n}"), "{many}");
    let deep = pty.says("loop = {} loop.loop = loop return loop");
    assert_eq!(deep, "{ loop = { --[[ … ]] } }");
    assert!(pty.says("(\"x\"):rep(5000)").contains("\" --[[ … 3000 more bytes ]]"));
    assert_eq!(
        pty.says("services()"),
        " service              scheduler       persistent  servers  active  inact\n \
         tcp:192.168.1.99:80  rr                                0       0      0\n \
         fwm:3                sh sh-fallback         600        2       0      0\n \
         fwm:7                wlc                               1       0      0"
    );
    assert_eq!(
        pty.says("marks()"),
        " mark  owner  family  daddr         proto  dports  output\n    3  eval   ipv4    192.168.1.99  tcp        80  false\n    3  eval   ipv4    192.168.1.99  tcp       443  false"
    );
}

#[test]
fn results_and_locals_live_on() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    for line in ["local total = 0", "local function add(n) total = total + n return total end", "local gone"]
    {
        assert_eq!(pty.says(line), "", "{line}");
    }
    assert_eq!(pty.says("add(2)"), "2");
    assert_eq!(pty.says("add(3)"), "5");
    // The function and the prompt mean the same variable.
    assert_eq!(pty.says("total"), "5");
    assert_eq!(pty.says("gone"), "");
    assert_eq!(pty.says("_ * 2"), "10");
    assert_eq!(pty.says("_1, _2, _3"), "10\n5\n5");
    for number in 1..=9 {
        pty.says(&number.to_string());
    }
    assert_eq!(pty.says("{ _, _1, _2, _5, _9 }"), "{ 9, 9, 8, 5, 1 }");
    assert_eq!(pty.says("{ a = { 1, 2 } }"), "{ a = { 1, 2 } }");
    let json: serde_json::Value = serde_json::from_str(&pty.says(".json")).expect("a document");
    assert_eq!(json["value"], serde_json::json!({ "a": [1, 2] }));
    // Unknown names are told, with what was meant.
    assert!(pty.says("totl").contains("did you mean 'total'?"));
    assert!(pty.says("servces()").contains("did you mean 'services'?"));
    assert!(pty.says(".dleta").contains("did you mean .delta?"));
}

#[test]
fn words_of_the_shell_are_understood() {
    let here = director();
    here.policy("web", crate::support::WEB);
    let mut pty = Pty::start(&here, &["repl"]);
    for (typed, wanted) in [
        ("exit", "Ctrl-D leaves, and .quit"),
        ("undo", "did you mean .undo?"),
        ("undo 2", "did you mean .undo?"),
        ("list", "lvsh list is for the shell; help lists what there is here"),
        ("status web", "lvsh status is for the shell"),
        ("ipvsadm -A -t 192.168.1.99:443 -s rr", "lvsh ipvsadm is for the shell"),
        ("web", ".load web gives that policy this name"),
        ("x = web.name", ".load web gives that policy this name"),
        // Where nothing of it is meant, nothing is said of it.
        ("frobnicate()", "a name is made with frobnicate = …"),
        ("list = 1 +* 2", "unexpected symbol near '*'"),
    ] {
        let said = pty.says(typed);
        assert!(said.contains(wanted), "{typed}: {said}");
        assert!(wanted.contains("shell") || !said.contains("shell"), "{typed}: {said}");
    }
    pty.line(".quit");
    assert_eq!(pty.ended(), 0);
}

#[test]
fn help_in_all_its_forms() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("web = get_service { fwmark = 3 }");
    let page = pty.says("help(web.set_weights)");
    assert!(page.starts_with("service:set_weights(weights)\n"), "{page}");
    for same in [
        "web.set_weights?",
        "help set_weights",
        "help web.set_weights",
        "help \"set_weights\"",
        "help(\"service:set_weights\")",
        "?set_weights",
    ] {
        assert_eq!(pty.says(same), page, "{same}");
    }
    assert!(pty.says("weight?").contains("0..65535"), "a field");
    assert!(pty.says("web?").contains("scheduler"), "a record");
    assert!(pty.says("help(\"nosuch\")").contains("there is no help for 'nosuch'"));
    assert!(pty.says(".help").contains(".undo [N]"));
    pty.prompt();
    pty.keys("help\r");
    // Longer than the screen: page by page.
    pty.wait("more lines: Space, Enter, q --");
    pty.keys("q");
    pty.prompt();
}

#[test]
fn errors_are_shown_under_the_line_and_stay_in_the_history() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.prompt();
    pty.keys("1 +* 2");
    let screen = pty.wait("2\nunexpected symbol near '*'");
    assert!(screen.ends_with("lvs (memory)> 1 +* 2\nunexpected symbol near '*'"), "{screen}");
    pty.keys("\r");
    pty.wait("error: unexpected symbol near '*'");
    pty.prompt();
    pty.keys(UP);
    pty.typed("1 +* 2");
    pty.keys("\x03");
    assert_eq!(pty.says("web = get_service { fwmark = 3 }"), "");
    let said = pty.says("web:set_server(\"192.168.1.109\", { weight = 2.5 })");
    assert!(said.starts_with("error: bad value for 'weight': 2.5 is not a whole number"), "{said}");
    assert!(said.contains("\n 1 | web:set_server(\"192.168.1.109\", { weight = 2.5 })\n"), "{said}");
    // Of a function that was made in another line.
    assert!(!said.ends_with('|'), "{said}");
    pty.says("function bad() error \"here\" end");
    assert!(pty.says("bad()").starts_with("error: line 4:1: here"), "{}", pty.screen());
}

#[test]
fn hints_say_what_is_to_be_typed() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.prompt();
    pty.keys("web:set_server(\"192.168.1.109\", { weight = ");
    pty.wait("┊ weight  integer 0..65535");
    pty.keys("\x03");
    pty.prompt();
    pty.keys("add_service { ");
    pty.wait("┊ lvs.add_service(spec)");
    pty.keys("\x03");
    pty.prompt();
    pty.keys(".delta");
    pty.wait("[ipvsadm|nft|lua]");
}

#[test]
fn the_history_is_shared_searched_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let here = director();
    let file = here.root().join("history");
    std::fs::write(&file, "").expect("a file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("rights");
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("first = 11");
    pty.says("second = 22");
    pty.prompt();
    pty.keys("for i = 1, 1 do\r");
    pty.wait("..>");
    pty.keys("print(\"third\")\rend\r");
    pty.wait("\nthird\n");
    pty.prompt();
    pty.keys(CTRL_D);
    assert_eq!(pty.ended(), 0);
    assert_eq!(std::fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    let mut pty = Pty::start(&here, &["repl"]);
    pty.prompt();
    pty.keys(CTRL_R);
    pty.keys("firs");
    pty.wait("first = 11");
    pty.keys("\r");
    pty.prompt();
    assert_eq!(pty.says("first"), "11");
    // Another one at the same time: both are kept, and the next one knows them.
    let mut other = Pty::start(&here, &["repl"]);
    other.says("other = 33");
    pty.says("here = 44");
    other.prompt();
    other.keys(CTRL_D);
    assert_eq!(other.ended(), 0);
    let text = std::fs::read_to_string(&file).expect("a file");
    assert!(text.contains("other = 33") && text.contains("here = 44"), "{text}");
    pty.says("first = 11");
    // A chunk of several lines comes back whole.
    pty.keys(&UP.repeat(5));
    pty.wait("print(\"third\")\nend");
    pty.keys("\r");
    pty.until("its output", |screen| screen.matches("\nthird\n").count() == 1);
}

#[test]
fn the_history_of_changes_is_numbered_as_undo_counts() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    assert_eq!(pty.says(".history"), "nothing was changed in this session");
    pty.says("web = get_service { fwmark = 3 }");
    pty.says("web:del_server \"192.168.1.109\"");
    pty.says("add_service { fwmark = 9 }");
    pty.says(".undo");
    pty.says("add_service { fwmark = 8 }");
    assert_eq!(
        pty.says(".history"),
        "       2  web:del_server \"192.168.1.109\"\n          - fwm:3 192.168.1.109\n  \
         undone  add_service { fwmark = 9 }\n          + fwm:9  wlc\n       \
         1  add_service { fwmark = 8 }\n          + fwm:8  wlc"
    );
    pty.says(".undo 2");
    assert_eq!(pty.says("#services(), #web.servers"), "3\n2");
}

#[test]
fn time_edit_and_watch() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    let timed = pty.says(".time 1 + 1");
    assert!(timed.starts_with("2\n") && timed.ends_with(" ms"), "{timed}");
    pty.says(".time");
    assert!(pty.says("3").ends_with(" ms"));
    pty.says(".time");
    assert_eq!(pty.says("3"), "3");
    pty.says("count = 0");
    pty.line(".watch #services() 0.2");
    pty.wait("every 0.2 s: #services()    any key ends\n3");
    here.run(&["eval", "lvs.del_service { fwmark = 7 }"]).ok();
    pty.wait("any key ends\n2");
    pty.keys("x");
    pty.prompt();
    pty.line(".watch del_service { fwmark = 3 } 1");
    pty.wait("effects are not allowed while something is watched");
    pty.prompt();
    assert_eq!(pty.says("#services()"), "2");
    assert!(pty.says(".watch").contains("what to watch is missing"));
}

#[test]
fn the_last_line_is_edited_elsewhere() {
    let here = director();
    let mut command = here.command(&["repl"]);
    let editor = here.root().join("editor");
    std::fs::write(&editor, "#!/bin/sh\n/bin/sed -i s/one/two/ \"$1\"\n").expect("an editor");
    crate::support::chmod(&editor, 0o755);
    command.env("EDITOR", &editor).env("NO_COLOR", "1");
    let mut pty = Pty::spawn(&here, command, 40, 100);
    pty.says("answer = \"one\"");
    pty.line(".edit");
    // It is there to be looked at, and not run yet.
    pty.wait("lvs (memory)> answer = \"two\"");
    pty.keys("\r");
    pty.prompt();
    assert_eq!(pty.says("answer"), "\"two\"");
}

#[test]
fn a_change_takes_the_lock_and_gives_it_back() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl", "--lock", "fail"]);
    pty.says("web = get_service { fwmark = 3 }");
    std::fs::create_dir_all(here.state()).expect("a folder");
    let file = std::fs::File::create(here.state().join("repl.lock")).expect("a file");
    file.lock().expect("a lock");
    // Looking needs none.
    assert_eq!(pty.says("#web.servers"), "2");
    let said = pty.says("web:set_server(\"192.168.1.109\", { weight = 4 })");
    assert!(said.contains("'repl' is locked by"), "{said}");
    drop(file);
    assert!(pty.says("web:set_server(\"192.168.1.109\", { weight = 4 })").contains("weight 8 -> 4"));
    let file = std::fs::File::open(here.state().join("repl.lock")).expect("a file");
    file.try_lock().expect("a lock that nobody holds while nothing runs");
    assert!(!here.state_files().contains(&"repl.journal".to_string()), "{:?}", here.state_files());
}

#[test]
fn lvsh_alone_is_a_prompt_and_can_load_a_policy() {
    let here = director();
    here.policy("web", crate::support::WEB);
    let pty = Pty::start(&here, &[]);
    let banner = pty.prompt();
    assert!(
        banner.starts_with("lvsh 0.1.0   3 services, 3 servers   policies: web\nhelp  or  help(x);  x? ;"),
        "{banner}"
    );
    let mut pty = Pty::start(&here, &["repl", "web"]);
    pty.wait("web = policy web  ");
    assert_eq!(pty.says("web.name"), "\"web\"");
}
