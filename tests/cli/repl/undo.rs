//! `.undo`, `.dry` and what goes with them.

use super::director;
use super::pty::Pty;

#[test]
fn every_kind_of_change_is_undone() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("web = get_service { fwmark = 3 }");
    pty.says("add_mark { mark = 5, daddr = \"192.168.1.97\", proto = \"tcp\", dports = { 80, 443 } }");
    pty.says("add_vip { addr = \"192.168.1.97/32\", dev = \"eth0\" }");
    pty.says("sysctl(\"net.ipv4.vs.expire_nodest_conn\", 1)");
    let (before, delta) = (here.state_text(), pty.says(".delta"));
    let lines = [
        "add_service { udp = \"192.168.1.99:53\", scheduler = \"rr\" }",
        "set_service({ fwmark = 3 }, { scheduler = \"wrr\", flags = {}, persistent = false })",
        "del_service { fwmark = 3 }",
        "web:add_server { addr = \"192.168.1.111\", weight = 3 }",
        "web:set_server(\"192.168.1.107\", { weight = 2, upper = 10, lower = 5 })",
        "web:set_weights { [\"192.168.1.107\"] = 1, [\"192.168.1.109\"] = 0 }",
        "web:del_server \"192.168.1.109\"",
        "add_mark { mark = 9, daddr = \"192.168.1.100\", proto = \"udp\", dports = { 53, \"100-200\" } }",
        "set_mark { mark = 4, daddr = \"192.168.1.97\", proto = \"tcp\", dports = { 80, 443 } }",
        "del_mark { mark = 5 }",
        "add_vip { addr = \"192.168.1.98/32\", dev = \"eth1\" }",
        "del_vip { addr = \"192.168.1.99/32\", dev = \"eth0\" }",
        "set_timeouts { tcp = 100, udp = 30 }",
        "start_sync { role = \"master\", dev = \"eth0\" }",
        "sysctl(\"net.ipv4.vs.expire_nodest_conn\", 0)",
        "add_local_route { mark = 9, table = 100 }",
        "add_tunnel { dev = \"unpack\", type = \"ipip\" }",
        "add_gue_port { port = 6080 }",
        "lvs.apply { service = { fwmark = 3, scheduler = \"sh\", servers = {} } }",
        "transaction(function() web:del_server \"192.168.1.109\" del_vip { addr = \"192.168.1.99/32\", dev = \"eth0\" } end)",
    ];
    for line in lines {
        let said = pty.says(line);
        assert!(!said.is_empty() && !said.contains("error"), "{line}: {said}");
        assert_ne!(here.state_text(), before, "{line}");
        let said = pty.says(".undo");
        assert!(!said.contains("error"), "{line}: {said}");
        assert_eq!(here.state_text(), before, "{line}: {said}");
    }
    assert_eq!(pty.says(".delta"), delta);
    pty.says(".undo 3");
    assert_eq!(pty.says(".delta"), "nothing was changed in this session");
    assert_eq!(pty.says(".undo"), "nothing to undo: this session has changed nothing that stands");
}

#[test]
fn what_was_changed_is_told_in_every_spelling() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("get_service { fwmark = 3 }:set_server(\"192.168.1.109\", { weight = 4 })");
    pty.says("add_mark { mark = 9, daddr = \"192.168.1.100\", proto = \"tcp\", dports = 80 }");
    let ipvsadm = pty.says(".delta ipvsadm");
    assert!(ipvsadm.contains("ipvsadm -e -f 3 -r 192.168.1.109 -g -w 4"), "{ipvsadm}");
    assert!(ipvsadm.contains("nft"), "{ipvsadm}");
    let nft = pty.says(".delta nft");
    assert!(nft.contains("192.168.1.100 . tcp . 80 comment") && !nft.contains("ipvsadm"), "{nft}");
    let lua = pty.says(".delta lua");
    assert!(lua.contains("set_server(\"192.168.1.109\"") && lua.contains("lvs.add_mark"), "{lua}");
}

#[test]
fn several_lines_are_undone_as_one() {
    let here = director();
    let before = here.state_text();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("web = get_service { fwmark = 3 }");
    for weight in [1, 2, 3] {
        pty.says(&format!("web:set_server(\"192.168.1.107\", {{ weight = {weight} }})"));
    }
    assert!(pty.says(".undo 4").contains("this session has only 3 to undo"));
    assert!(pty.says(".undo x").contains("'x' is no number of lines"));
    pty.says(".undo 3");
    assert_eq!(here.state_text(), before);
}

#[test]
fn what_others_changed_since_is_not_overwritten() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("web = get_service { fwmark = 3 }");
    pty.says("web:set_server(\"192.168.1.107\", { weight = 2 })");
    pty.says("web:set_server(\"192.168.1.109\", { weight = 2 })");
    here.run(&["eval", "lvs.get_service { fwmark = 3 }:set_server(\"192.168.1.107\", { weight = 5 })"]).ok();
    // The prompt sees it at once.
    assert_eq!(pty.says("web.servers[1].weight"), "5");
    let before = here.state_text();
    let said = pty.says(".undo 2");
    assert!(said.contains("is not as this session left it: it is now dr weight 5"), "{said}");
    assert_eq!(here.state_text(), before);
    // One that stands can still be taken back.
    pty.says(".undo");
    assert_eq!(pty.says("web.servers[2].weight"), "8");
}

#[test]
fn a_dry_run_collects_shows_and_sends() {
    let here = director();
    let before = here.state_text();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("web = get_service { fwmark = 3 }");
    assert_eq!(pty.says(".dry"), "dry run from here on: changes are collected");
    pty.wait("lvs (memory, dry)>");
    let said = pty.says("web:add_server { addr = \"192.168.1.111\", weight = 1 }");
    assert!(said.starts_with(" + fwm:3 192.168.1.111  dr weight 1"), "{said}");
    pty.wait("lvs (memory, dry +1)>");
    // The dry run sees its own changes.
    assert_eq!(pty.says("#web.servers"), "3");
    pty.says("web:set_server(\"192.168.1.107\", { weight = 4 })");
    pty.wait("lvs (memory, dry +2)>");
    // A line that fails stages nothing.
    assert!(pty.says("web:del_server \"192.168.1.109\" error \"no\"").contains("error: no"));
    let diff = pty.says(".diff");
    assert!(
        diff.contains("~ service fwm:3")
            && diff.contains("+ 192.168.1.111")
            && diff.contains("weight 8 -> 4"),
        "{diff}"
    );
    assert!(!diff.contains("192.168.1.109"), "{diff}");
    assert_eq!(pty.says(".undo"), "1 change staged");
    assert_eq!(here.state_text(), before);
    assert!(pty.says(".dry off").contains("1 change staged"));
    assert_eq!(pty.says(".apply"), "1 change sent and verified");
    pty.wait("lvs (memory)>");
    assert_ne!(here.state_text(), before);
    assert_eq!(pty.says(".delta ipvsadm"), "ipvsadm -a -f 3 -r 192.168.1.111 -g -w 1");
    pty.says(".undo");
    assert_eq!(here.state_text(), before);
    // Dropped, and still dry: nobody sends by mistake what was meant to be looked at.
    pty.says(".dry");
    pty.says("del_service { fwmark = 3 }");
    assert_eq!(pty.says(".discard"), "1 change dropped; still a dry run, .dry off ends it");
    pty.wait("lvs (memory, dry)>");
    assert_eq!(pty.says(".apply"), "nothing was staged; changes are sent at once from here on");
    assert_eq!(here.state_text(), before);
}

#[test]
fn a_plan_on_an_old_picture_is_not_sent() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says(".dry");
    pty.says("get_service { fwmark = 3 }:set_server(\"192.168.1.107\", { weight = 4 })");
    here.run(&["eval", "lvs.get_service { fwmark = 3 }:set_server(\"192.168.1.107\", { weight = 5 })"]).ok();
    let before = here.state_text();
    assert!(pty.says(".apply").contains("was changed by others since it was staged; nothing was sent"));
    assert_eq!(here.state_text(), before);
}

#[test]
fn a_dry_and_a_read_only_prompt_send_nothing() {
    let here = director();
    let before = here.state_text();
    let mut pty = Pty::start(&here, &["repl", "--dry-run"]);
    pty.says("del_service { fwmark = 3 }");
    assert!(pty.says(".apply").contains("lvsh was started with --dry-run"));
    assert!(pty.says(".dry off").contains("lvsh was started with --dry-run"));
    let mut pty = Pty::start(&here, &["repl", "--read-only"]);
    pty.wait("lvs (memory, read-only)>");
    assert!(pty.says("del_service { fwmark = 3 }").contains("this run is read-only"));
    assert_eq!(here.state_text(), before);
}

#[test]
fn what_was_changed_is_saved_as_a_script() {
    let here = director();
    let before = here.bytes();
    let mut pty = Pty::start(&here, &["repl"]);
    assert!(pty.says(".save today.lua").contains("no file was written"));
    pty.says("web = get_service { fwmark = 3 }");
    pty.says("web:set_server(\"192.168.1.109\", { weight = 4 })");
    pty.says("web:add_server { addr = \"192.168.1.111\", weight = 1 }");
    pty.says("add_mark { mark = 9, daddr = \"192.168.1.100\" }");
    pty.says(".undo");
    assert_eq!(pty.says(".save today.lua"), "2 lines written: what this session changed and did not undo");
    assert!(pty.says(".save today.lua").contains("today.lua exists and is not overwritten"));
    assert_eq!(pty.says(".delta nft"), "no marks were changed in this session");
    let wanted = here.state_text();
    // The script makes of the machine of before what it is now.
    std::fs::write(here.machine(), before).expect("a machine");
    here.run(&["run", "today.lua"]).ok();
    assert_eq!(here.state_text(), wanted);
}

#[test]
fn a_policy_is_loaded_looked_at_and_not_started() {
    let here = director();
    here.policy("web-site", crate::support::WEB);
    let before = here.state_text();
    let mut pty = Pty::start(&here, &["repl"]);
    let said = pty.says(".load web-site");
    assert!(said.starts_with("web_site = policy web  "), "{said}");
    assert_eq!(pty.says("web_site:status().state"), "\"changed\"");
    assert_eq!(pty.says("web_site:plan().count > 0"), "true");
    let plan = pty.says("web_site:plan()");
    assert!(plan.lines().count() > 3 && plan.lines().all(|line| line.starts_with(['+', '~', '-'])), "{plan}");
    assert_eq!(pty.says("lvs.plan(function() end)"), "no changes");
    let said = pty.says("web_site:start()");
    assert!(said.contains("a policy is not started or stopped at the prompt"), "{said}");
    assert_eq!(here.state_text(), before);
    assert!(pty.says(".load wbe").contains("there is no policy 'wbe'"));
    // A broken one is told with its place.
    here.policy("bad", "return lvs.policy {\n  servce = 1,\n}\n");
    assert!(pty.says(".load bad").contains("did you mean 'service'?"));
}
