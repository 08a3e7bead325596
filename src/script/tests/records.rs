//! Records: snapshots that read like tables.

use super::*;

const WEB: &str = "web = lvs.add_service { fwmark = 3, scheduler = 'sh', servers = { { addr = '192.0.2.7' }, { addr = '192.0.2.9', weight = 4 } } } ";

fn with(code: &str) -> String {
    value(&format!("{WEB} {code}"))
}

fn wrong(code: &str) -> Error {
    fault(&format!("{WEB} {code}"))
}

#[test]
fn records_follow_changes() {
    assert_eq!(with("return #web.servers, web.servers[2].weight"), "2, 4");
    assert_eq!(
        with(
            "local s = web:get_server '192.0.2.9' web:set_server('192.0.2.9', { weight = 0 }) return s.weight, s.method"
        ),
        "0, \"dr\""
    );
    assert_eq!(
        with("local n = 0 for _, s in ipairs(web.servers) do n = n + s.weight + s.active end return n"),
        "5"
    );
    assert_eq!(
        with("web:set_weights { ['192.0.2.7'] = 8, ['192.0.2.9'] = 8 } return web.servers[1].weight"),
        "8"
    );
    assert_eq!(
        with(
            "local keys = {} for k in pairs(web.servers[1]) do keys[#keys + 1] = k end table.sort(keys) return keys[1], #keys"
        ),
        "\"active\", 12"
    );
    assert_eq!(
        with("return tostring(web), tostring(web.servers[1])"),
        "\"service fwm:3\", \"server fwm:3 192.0.2.7\""
    );
    assert_eq!(with("return web == lvs.get_service { fwmark = 3 }, type(web)"), "true, \"table\"");
    assert_eq!(with("return lvs.get_service { fwmark = 4 }"), "nil");
    assert_eq!(with("return web.servers[1].rates.conns, web.stats.in_bytes"), "0, 0");
}

#[test]
fn assigning_says_what_to_call() {
    assert_eq!(
        wrong("web.servers[2].weight = 5").message,
        "a server record is a snapshot; use service:set_server(\"192.0.2.9\", { weight = 5 })"
    );
    assert_eq!(
        wrong("web.scheduler = 'rr'").message,
        "a service record is a snapshot; use lvs.set_service({ fwmark = 3 }, { scheduler = \"rr\" })"
    );
    assert_eq!(
        wrong("lvs.timeouts().tcp = 1").message,
        "a record of timeouts is a snapshot; use lvs.set_timeouts"
    );
    assert_eq!(wrong("lvs.add_service = 1").message, "'lvs' is read-only");
}

#[test]
fn unknown_fields_and_methods() {
    let error = wrong("web:set_sever('192.0.2.9', {})");
    assert_eq!(error.message, "a service has no method 'set_sever'");
    let excerpt = error.excerpt.expect("an excerpt");
    assert_eq!((excerpt.label.as_str(), excerpt.width), ("did you mean 'set_server'?", 9));
    assert_eq!(wrong("return web.servers[1].wait").message, "a server record has no field 'wait'");
    assert_eq!(wrong("return web.schedule").message, "a service has no field 'schedule'");
}

#[test]
fn a_server_that_is_gone() {
    let error = wrong("local s = web.servers[1] web:del_server '192.0.2.7' return s.weight");
    assert_eq!(error.message, "server fwm:3 192.0.2.7 is not there any more");
    assert_eq!(error.code, "ENOENT");
    let error = wrong("web:set_server('192.0.2.8', { weight = 1 })");
    assert_eq!(error.message, "cannot set server fwm:3 192.0.2.8: it does not exist (ENOENT)");
    assert_eq!(error.notes[0], "servers: 192.0.2.7, 192.0.2.9");
    assert_eq!(with("web:set_server('192.0.2.8', { weight = 1, missing_ok = true })"), "");
}

#[test]
fn records_read_as_tables() {
    let answer = eval(&format!("{WEB} return web.servers, lvs.timeouts()")).expect("values");
    assert_eq!(answer.values[0].json[0]["addr"], "192.0.2.7");
    assert_eq!(answer.values[0].json[1]["weight"], 4);
    assert_eq!(answer.values[1].lua, "{ tcp = 900, tcp_fin = 120, udp = 300 }");
    assert_eq!(
        value("{ b = 1, a = { 1, 2, 'x\\n' }, [10] = true }"),
        "{ [10] = true, a = { 1, 2, \"x\\n\" }, b = 1 }"
    );
    assert_eq!(value("lvs.services()"), "{}");
    let answer = eval("lvs.services()").expect("a list");
    assert_eq!(answer.values[0].json, serde_json::json!([]));
}

#[test]
fn services_are_filtered() {
    assert_eq!(
        with(
            "return #lvs.services(), #lvs.services { scheduler = 'rr' }, #lvs.services { server = '192.0.2.7' }"
        ),
        "1, 0, 1"
    );
    assert_eq!(with("return #lvs.services(function(s) return s.fwmark == 3 end)"), "1");
    assert_eq!(
        wrong("lvs.services(function(s) return s.nothing end)").message,
        "a service has no field 'nothing'"
    );
}
