//! Completion: what is offered at which cursor, from the registry, from the VM and from the machine.

use super::director;
use super::pty::{CTRL_C, Pty, TAB};

/// What TAB makes of a line: what is offered, or the line itself when there is one way only.
fn tab(pty: &mut Pty, typed: &str, nothing: bool) -> Vec<String> {
    pty.prompt();
    let before = pty.screen().lines().count();
    pty.keys(typed);
    pty.typed(typed);
    let unchanged = pty.screen();
    pty.keys(TAB);
    if !nothing {
        pty.until("an answer", |screen| screen != unchanged);
    }
    // Nothing tells that there is no answer.
    pty.settle_for(if nothing { 400 } else { 150 });
    let screen = pty.screen();
    pty.keys(CTRL_C);
    pty.prompt();
    pty.keys("\x0c");
    pty.until("a clear screen", |screen| screen.lines().count() == 1 && screen.ends_with(")>"));
    let lines: Vec<&str> = screen.lines().skip(before - 1).collect();
    let line = lines[0].split_once(")> ").map_or("", |(_, line)| line);
    let line = line.split("  ┊").next().unwrap_or(line).trim_end();
    let end = lines.iter().rposition(|line| line.starts_with("lvs (")).unwrap_or(0);
    if end == 0 {
        return vec![line.to_string()];
    }
    let columns = lines[1..end].iter().flat_map(|line| line.split("  "));
    let mut words: Vec<String> =
        columns.map(|word| word.trim().to_string()).filter(|word| !word.is_empty()).collect();
    words.sort();
    words
}

#[test]
fn at_the_cursor() {
    let here = director();
    here.policy("mail", "return lvs.policy { name = \"mail\" }");
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("web = get_service { fwmark = 3 }");
    pty.says("config = { color = 1, colour = { deep = 2 }, other = print }");
    pty.says("answer = 42");
    pty.keys("\x0c");
    pty.until("a clear screen", |screen| screen.lines().count() == 1 && screen.ends_with(")>"));
    let cases: &[(&str, &[&str])] = &[
        // Names: of the session, of the API without its prefix, of Lua.
        ("ans", &["answer"]),
        ("add_s", &["add_service("]),
        ("coro", &["coroutine"]),
        ("lvs.get_", &["lvs.get_service("]),
        ("lvs.log.w", &["lvs.log.warn("]),
        ("log.", &["log.debug(", "log.error(", "log.info(", "log.notice(", "log.warn("]),
        ("x = config.co", &["config.color", "config.colour"]),
        ("config.colour.", &["config.colour.deep"]),
        ("string.re", &["string.rep(", "string.reverse("]),
        // Fields and methods of records, also of what a call would return.
        ("web.se", &["web.servers", "web:set_server(", "web:set_weights("]),
        ("web:set_w", &["web:set_weights("]),
        ("web:ref", &["web:refresh()"]),
        ("web.servers[1].we", &["web.servers[1].weight"]),
        ("get_service { fwmark = 3 }.sch", &["get_service { fwmark = 3 }.scheduler"]),
        ("services()[1]:del", &["services()[1]:del_server("]),
        // Keys within braces, with type and range; those that are there are not offered again.
        ("web:set_server(\"192.168.1.109\", { wei", &["web:set_server(\"192.168.1.109\", { weight ="]),
        ("web:add_server { u", &["web:add_server { upper ="]),
        (
            "web:set_server(\"192.168.1.109\", { method = \"dr\", weight = 1, upper = 2, ",
            &["lower: integer 0..2147483647", "missing_ok: boolean", "tunnel: LvsTunnelSpec"],
        ),
        ("add_service { persistent = { t", &["add_service { persistent = { timeout ="]),
        ("add_service { fwmark = 9, servers = { { ad", &["add_service { fwmark = 9, servers = { { addr ="]),
        // Words within quotes, or with them.
        ("add_service { scheduler = \"l", &["\"lblc\"", "\"lblcr\"", "\"lc\""]),
        ("add_service { scheduler = \"sh\", flags = { \"sh-", &["\"sh-fallback\"", "\"sh-port\""]),
        ("web:set_server(\"192.168.1.109\", { method = ", &["\"dr\"", "\"nat\"", "\"tun\""]),
        ("start_sync { role = 'm", &["start_sync { role = 'master'"]),
        ("add_service { ops = ", &["false", "true"]),
        // What is on the machine.
        ("web:set_server(\"192.168.1.1", &["\"192.168.1.107\"", "\"192.168.1.109\""]),
        ("web:get_server \"192.168.1.107", &["web:get_server \"192.168.1.107\""]),
        ("get_service { tcp = \"", &["get_service { tcp = \"192.168.1.99:80\""]),
        ("get_service { fwmark = ", &["3", "7"]),
        ("get_service { fwmark = 7", &["get_service { fwmark = 7"]),
        ("del_mark { mark = ", &["3", "7"]),
        ("del_vip { addr = \"192", &["del_vip { addr = \"192.168.1.99/32\""]),
        ("add_vip { dev = \"e", &["add_vip { dev = \"eth0\""]),
        ("web:set_weights { [\"192.168.1.10", &["\"192.168.1.107\"", "\"192.168.1.109\""]),
        ("web:add_server { addr = \"10", &["web:add_server { addr = \"10.0.0.1\""]),
        ("lvs.apply({}, { owner = \"m", &["lvs.apply({}, { owner = \"mail\""]),
        // Kernel settings: their names, with and without prefix, also as keys; and what each may be.
        (
            "sysctl(\"net.ipv4.vs.exp",
            &["\"net.ipv4.vs.expire_nodest_conn\"", "\"net.ipv4.vs.expire_quiescent_template\""],
        ),
        ("sysctl \"expire_q", &["sysctl \"expire_quiescent_template\""]),
        ("sysctls('net.ipv4.conf.all.arp_a", &["sysctls('net.ipv4.conf.all.arp_announce'"]),
        ("sysctl(\"conntrack\", ", &["0", "1"]),
        ("sysctl(\"sync_ports\", 1", &["1", "16"]),
        ("policy { sysctls = { conntr", &["policy { sysctls = { conntrack ="]),
        ("policy { sysctls = { conntrack = 1, expire", &["expire_nodest_conn", "expire_quiescent_template"]),
        ("policy { sysctls = { drop_entry = ", &["0", "1", "2", "3"]),
        (
            "policy { sysctls = { [\"net.ipv4.conf.eth0.arp_i",
            &["policy { sysctls = { [\"net.ipv4.conf.eth0.arp_ignore\"] ="],
        ),
        // Commands and their words.
        (".d", &[".delta", ".diff", ".discard", ".dry"]),
        (".delta i", &[".delta ipvsadm"]),
        (".load ma", &[".load mail"]),
        (".save mach", &[".save machine.json"]),
        ("help(\"service:set_w", &["help(\"service:set_weights\""]),
        // Nothing: in comments, behind whole strings and numbers, in text.
        ("x = 1 -- web.", &["x = 1 -- web."]),
        ("x = \"web", &["x = \"web"]),
        ("web.nothing.", &["web.nothing."]),
    ];
    for (typed, wanted) in cases {
        assert_eq!(tab(&mut pty, typed, *wanted == [*typed]), *wanted, "{typed}");
    }
}

#[test]
fn in_the_middle_of_a_line_and_in_its_second_one() {
    let here = director();
    let mut pty = Pty::start(&here, &["repl"]);
    pty.says("web = get_service { fwmark = 3 }");
    pty.prompt();
    pty.keys("print(web.sched)");
    pty.typed("print(web.sched)");
    pty.keys(&format!("{}{TAB}", super::pty::LEFT));
    pty.wait("print(web.scheduler)");
    pty.keys("\r");
    pty.wait("\nsh\n");
    pty.prompt();
    pty.keys("for _, s in ipairs(web.servers) do\r");
    pty.wait("..>");
    pty.keys(&format!("  print(web.fam{TAB}"));
    pty.wait("..>   print(web.family");
}
