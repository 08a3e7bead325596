//! Changes: every native that makes one, and what it refuses.

use super::*;
use crate::backend::Want;

#[test]
fn no_change_is_no_step() {
    let code = "lvs.add_service { fwmark = 3, servers = { { addr = '192.0.2.7', weight = 2, upper = 9 } } } ";
    let run = |more: &str| {
        let job = Job::Eval { code: format!("{code} {more}") };
        let (session, answer) = engine().run(session(Mode::Live), job);
        answer.expect("a run");
        session.sent().len()
    };
    let web = "local web = lvs.get_service { fwmark = 3 }";
    assert_eq!(run(""), 2);
    assert_eq!(run(&format!("{web} web:set_server('192.0.2.7', {{ weight = 2 }})")), 2);
    assert_eq!(run(&format!("{web} web:set_weights {{ ['192.0.2.7'] = 2 }}")), 2);
    assert_eq!(run("lvs.set_service({ fwmark = 3 }, { scheduler = 'wlc' })"), 2);
    assert_eq!(run("lvs.set_timeouts { tcp = 900 } lvs.sysctl('conntrack', false)"), 2);
    assert_eq!(run("lvs.set_timeouts { tcp = '5m' } lvs.sysctl('conntrack', true)"), 4);
}

#[test]
fn patches_keep_what_they_do_not_name() {
    let code = "local web = lvs.add_service { fwmark = 3, scheduler = 'sh', flags = 'sh-port', persistent = 600, \
                servers = { { addr = '192.0.2.7', weight = 2, upper = 9 } } } \
                lvs.set_service(web, { persistent = '20m' }) web:set_server('192.0.2.7', { weight = 3 }) \
                local s = web.servers[1] return web.scheduler, web.flags[1], web.persistent, s.weight, s.upper";
    assert_eq!(value(code), "\"sh\", \"sh-port\", 1200, 3, 9");
}

/// Within a field as well: the mask beside the timeout, the flags beside the scheduler, the port beside the checksum.
#[test]
fn patches_keep_the_rest_of_a_field() {
    let code = "local web = lvs.add_service { fwmark = 3, scheduler = 'sh', flags = 'sh-fallback', pe = 'sip', \
                persistent = { timeout = 600, netmask = 24 }, \
                servers = { { addr = '192.0.2.7', method = 'tun', tunnel = { type = 'gue', port = 6080 } } } } \
                lvs.set_service(web, { scheduler = 'mh', persistent = 60, pe = 'none' }) \
                web:set_server('192.0.2.7', { tunnel = { checksum = 'csum' } }) \
                return web.flags, web.persistent, web.pe, web.servers[1].tunnel";
    assert_eq!(
        value(code),
        "{ \"mh-fallback\" }, { netmask = \"255.255.255.0\", timeout = 60 }, nil, \
         { checksum = \"csum\", port = 6080, type = \"gue\" }"
    );
}

#[test]
fn transactions_take_back() {
    let code = "lvs.add_service { fwmark = 3 } \
                local ok, e = pcall(lvs.transaction, function() lvs.del_service { fwmark = 3 } lvs.add_service { fwmark = 4 } error 'no' end) \
                return ok, e.message, #lvs.services(), lvs.services()[1].key";
    assert_eq!(value(code), "false, \"no\", 1, \"fwm:3\"");
    let error = fault("lvs.transaction(function() lvs.add_service { fwmark = 3 } error 'no' end)");
    assert_eq!(error.aftermath.as_deref(), Some("rolled back: 1 change; the system is as before"));
    assert_eq!(value("lvs.transaction(function() return 1, 2 end)"), "1, 2");
    assert_eq!(fault("lvs.transaction(3)").message, "bad value for 'f': 3 is not a function");
}

#[test]
fn plans_change_nothing() {
    let code = "local p = lvs.plan(function() lvs.add_service { fwmark = 3, servers = { { addr = '192.0.2.7' } } } end) \
                return p.count, p.steps[1].text, p.steps[2].ipvsadm, p.steps[1].line, #lvs.services()";
    assert_eq!(value(code), "2, \"+ fwm:3  wlc\", \"-a -f 3 -r 192.0.2.7 -g -w 1\", 1, 0");
    let code = "return lvs.plan { vip = { addr = '192.0.2.1', dev = 'eth0' } }.steps[1].subject, #lvs.vips()";
    assert_eq!(value(code), "\"192.0.2.1/32 dev eth0\", 0");
    let job =
        Job::Eval { code: "lvs.plan(function() lvs.add_service { fwmark = 3 } error 'no' end)".to_string() };
    let (mut after, answer) = engine().run(session(Mode::Live), job);
    assert_eq!(answer.err().map(|error| error.message), Some("no".to_string()));
    assert_eq!(after.mode(), Mode::Live);
    assert!(after.see(&Want::all()).expect("a state").services.is_empty());
}

#[test]
fn apply_makes_it_so() {
    let code = "lvs.add_service { fwmark = 3, scheduler = 'rr', servers = { { addr = '192.0.2.7' } } } \
                lvs.apply { service = { fwmark = 3, scheduler = 'sh' }, sysctls = { conntrack = true } } \
                local web = lvs.get_service { fwmark = 3 } return web.scheduler, #web.servers, lvs.sysctl 'conntrack'";
    assert_eq!(value(code), "\"sh\", 0, 1");
    assert_eq!(fault("lvs.apply { servce = 1 }").message, "unknown field 'servce' in a desired state");
}

#[test]
fn marks_vips_and_syncs() {
    let code = "lvs.add_mark { mark = 3, daddr = '192.0.2.1', proto = 'tcp', dports = { 80, 443 } } \
                lvs.set_mark { mark = 4, daddr = '192.0.2.1', proto = 'tcp', dports = 80 } \
                lvs.del_mark { mark = 3 } local m = lvs.marks() return #m, m[1].mark, m[1].owner, m[1].iif";
    assert_eq!(value(code), "1, 4, \"eval\", nil");
    assert_eq!(
        fault("lvs.del_mark { mark = 3 }").message,
        "cannot delete mark 3: 'eval' has no packets marked so (ENOENT)"
    );
    assert_eq!(value("lvs.del_mark { mark = 3, missing_ok = true } return #lvs.marks()"), "0");
    let code = "lvs.add_vip { addr = '192.0.2.1/24', dev = 'eth0' } local v = lvs.vips()[1] \
                lvs.del_vip { addr = '192.0.2.1/24', dev = 'eth0' } return v.addr, v.ours, #lvs.vips()";
    assert_eq!(value(code), "\"192.0.2.1/24\", true, 0");
    let code = "lvs.start_sync { role = 'master', dev = 'eth0', id = 7 } local d = lvs.syncs()[1] \
                lvs.stop_sync { role = 'master' } return d.role, d.group, d.port, #lvs.syncs()";
    assert_eq!(value(code), "\"master\", \"224.0.0.81\", 8848, 0");
    assert_eq!(fault("lvs.stop_sync { role = 'backup' }").code, "ESRCH");
    assert_eq!(value("lvs.info().version"), "\"1.2.1\"");
}
