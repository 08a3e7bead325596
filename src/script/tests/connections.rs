//! Walking the connection table, evicting, zeroing, and what is known of sysctls.

use super::*;
use crate::model::{Connection, ConnectionState, Fwmark, Port, Protocol, ServerKey, ServiceKey, Target};
use crate::plan::Step;

/// A director with one mark service of two servers, and so many connections to them, every fourth a template.
fn machine(entries: u32) -> Memory {
    let mut memory = Memory::default();
    let key: ServiceKey = "fwm:3".parse().expect("a key");
    let server = |last: u8| ServerKey { addr: [10, 0, 0, last].into(), port: Port(0) };
    let steps = [
        Step::AddService { key, service: Default::default() },
        Step::AddServer { service: key, key: server(7), server: Default::default() },
        Step::AddServer { service: key, key: server(8), server: Default::default() },
    ];
    use crate::backend::Backend;
    assert!(memory.apply(&steps).iter().all(|outcome| outcome.is_done()));
    memory.connections = (0..entries)
        .map(|number| {
            let template = number % 4 == 3;
            let client = std::net::Ipv4Addr::from_bits(0x0a01_0000 + number).into();
            let family = key.family();
            let target = match (template, Fwmark::new(3)) {
                (true, Ok(mark)) => Target::Mark { family, mark },
                _ => Target::Address { addr: [10, 0, 0, 99].into(), port: Port(80) },
            };
            let port = Port(if template { 0 } else { 80 });
            Connection {
                protocol: if template { Protocol::Other(0) } else { Protocol::Tcp },
                client,
                client_port: Port(if template { 0 } else { 50_000 }),
                target,
                server: ServerKey { addr: server(7 + (number % 2) as u8).addr, port },
                state: ConnectionState::new(match number % 4 {
                    0 => "SYN_RECV",
                    3 => "ASSURED",
                    _ => "ESTABLISHED",
                }),
                expires: number,
                pe: None,
            }
        })
        .collect();
    memory
}

fn on(memory: Memory, limits: Limits, mode: Mode, code: &str) -> (Session, Result<Answer>) {
    let session = Session::new(Box::new(memory), Box::new(NoJournal), mode, Owned::default());
    let mut engine = Engine::new(limits, Cancel::new(None)).expect("an engine");
    engine.run(session, Job::Eval { code: code.to_string() })
}

fn gives(code: &str) -> String {
    let (_, answer) = on(machine(40), Limits::default(), Mode::Live, code);
    let answer = answer.unwrap_or_else(|error| panic!("{code}: {error}"));
    answer.values.iter().map(|value| value.lua.as_str()).collect::<Vec<_>>().join(", ")
}

fn fails(code: &str) -> String {
    match on(machine(40), Limits::default(), Mode::Live, code).1 {
        Ok(answer) => panic!("{code}: gave {:?}", answer.values),
        Err(error) => format!("{error} [{}]", error.hint.clone().unwrap_or_default()),
    }
}

#[test]
fn filters_choose() {
    for (filter, count) in [
        ("", "30"),
        ("{ state = 'SYN_RECV' }", "10"),
        ("{ state = { 'SYN_RECV', 'ESTABLISHED' } }", "30"),
        ("{ server = '10.0.0.7' }", "20"),
        ("{ server = '10.0.0.7:81' }", "0"),
        ("{ client = '10.1.0.0/29' }", "6"),
        ("{ client = '10.1.0.1' }", "1"),
        ("{ service = { fwmark = 3 } }", "30"),
        ("{ service = lvs.get_service { fwmark = 3 }, protocol = 'tcp', server = '10.0.0.8' }", "10"),
        ("{ service = { fwmark = 4 } }", "0"),
    ] {
        assert_eq!(gives(&format!("lvs.connections({filter}):count()")), count, "{filter}");
    }
    assert_eq!(gives("lvs.templates { service = { fwmark = 3 } }:count()"), "10");
    assert_eq!(gives("lvs.templates { server = '10.0.0.8' }:count()"), "10", "odd numbers");
}

#[test]
fn one_walk_is_walked_once() {
    assert_eq!(
        gives("local n = 0 for c in lvs.connections() do n = n + c.expires end return n"),
        (0..40).filter(|n| n % 4 != 3).sum::<i32>().to_string()
    );
    assert_eq!(
        gives("local w = lvs.connections() local l = w:list(4) return #l, w:count(), w:count()"),
        "4, 26, 0"
    );
    assert_eq!(
        gives("local w = lvs.connections() for c in w do break end return w:count(), tostring(w)"),
        "29, \"connections of the machine\""
    );
    let first = "{ { client = \"10.1.0.0\", client_port = 50000, expires = 0, protocol = \"tcp\", server = \"10.0.0.7\", \
                 server_port = 80, service = \"fwm:3\", state = \"SYN_RECV\", template = false, virtual = \"10.0.0.99\", \
                 virtual_port = 80 } }";
    assert_eq!(gives("lvs.connections():list(1)"), first);
    assert_eq!(gives("lvs.templates():list(1)[1].fwmark"), "3");
    assert_eq!(gives("lvs.templates():list(1)[1].virtual"), "nil");
}

#[test]
fn mistakes_are_named() {
    for (code, part) in [
        ("lvs.connections { sever = '10.0.0.7' }", "unknown field 'sever'"),
        ("lvs.connections { state = 'ESTABLISHD' }", "ESTABLISHED"),
        ("lvs.connections { client = 'web' }", "names are not looked up"),
        ("return #lvs.connections()", ":count()"),
        ("lvs.connections():len()", "has no field 'len'"),
        ("lvs.connections().count()", "write connections:count(…) with ':'"),
        ("lvs.connections().x = 1", "connections is a snapshot"),
        ("lvs.get_service { fwmark = 3 }()", "is not a function"),
        (
            "lvs.evict({ fwmark = 4 }, '10.0.0.7')",
            "cannot evict fwm:4 10.0.0.7: its service does not exist (ESRCH)",
        ),
        ("lvs.evict({ fwmark = 3 }, '10.0.0.9')", "cannot evict fwm:3 10.0.0.9: it does not exist (ENOENT)"),
        ("lvs.evict({ fwmark = 3 }, '10.0.0.7', { timeout = 0 })", "1..300 seconds"),
        ("lvs.zero { fwmark = 4 }", "cannot zero service fwm:4: it does not exist (ESRCH)"),
        ("lvs.sysctl('conntrak')", "did you mean 'conntrack'?"),
        ("lvs.sysctl('conntrack', 2)", "bad value for 'conntrack': '2' is not 0 or 1"),
        ("lvs.sysctl('sync_ports', 6)", "'6' is not a power of 2, 1..64 (threads)"),
        ("lvs.sysctl('conn_max', 6)", "it is there since Linux 7.2"),
    ] {
        let told = fails(code);
        assert!(told.contains(part), "{code}: {told}");
    }
}

#[test]
fn sysctls_are_described() {
    assert_eq!(gives("lvs.sysctls('conntrack')[1].values"), "\"0 or 1\"");
    assert_eq!(
        gives("lvs.sysctls('net.ipv4.conf.eth0.arp_ignore')[1].name"),
        "\"net.ipv4.conf.eth0.arp_ignore\""
    );
    assert_eq!(
        gives(
            "local n = 0 for _, s in ipairs(lvs.sysctls()) do assert(#s.doc > 0 and #s.cost > 0) n = n + 1 end return n"
        ),
        crate::model::SYSCTLS.len().to_string()
    );
    assert_eq!(gives("lvs.sysctl 'conn_max'"), "nil", "known, and not on this kernel");
    assert_eq!(
        gives("lvs.sysctl('sync_threshold', ' 5   60 ') return lvs.sysctl 'sync_threshold'"),
        "\"5 60\""
    );
}

#[test]
fn evicting_ends_one_servers_entries() {
    let code = "local gone = lvs.evict({ fwmark = 3 }, '10.0.0.8')
        return gone.connections, gone.templates, lvs.connections():count(), lvs.templates():count(),
          lvs.get_service { fwmark = 3 }.servers[2].active, lvs.sysctl 'expire_nodest_conn'";
    let (mut session, answer) = on(machine(40), Limits::default(), Mode::Live, code);
    let values: Vec<String> = answer.expect("an answer").values.into_iter().map(|value| value.lua).collect();
    assert_eq!(values, ["10", "10", "20", "0", "0", "0"]);
    assert_eq!(session.sent(), [], "nothing is left to take back");
    let point = session.mark();
    assert_eq!(session.back_to(point).expect("back"), "nothing was changed");
}

#[test]
fn while_a_policy_loads_nothing_is_evicted() {
    for code in ["lvs.evict({ fwmark = 3 }, '10.0.0.7')", "lvs.zero()"] {
        let error = load(&format!("{code}\nreturn {{ start = function() end }}")).expect_err(code);
        assert_eq!(error.code, "no_effects", "{code}");
    }
}

/// A table of records of all of them would be far above the limit.
#[test]
fn a_long_table_does_not_fill_the_memory() {
    let limits = Limits { memory: 4 << 20, ..Limits::default() };
    let code = "local n = 0 for c in lvs.connections() do n = n + #c.client end return n > 0, lvs.connections():count()";
    let (_, answer) = on(machine(100_000), limits.clone(), Mode::Live, code);
    let values: Vec<String> =
        answer.expect("room enough").values.into_iter().map(|value| value.lua).collect();
    assert_eq!(values, ["true", "75000"]);
    let (_, answer) = on(machine(100_000), limits, Mode::Live, "return #lvs.connections():list(100000)");
    assert_eq!(answer.expect_err("a list of all does not fit").code, "memory");
}
