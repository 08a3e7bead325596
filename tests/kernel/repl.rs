//! A prompt on the kernel, from a pipe: what it changes, takes back and undoes is there, and then is not.

use super::support::Topology;

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
