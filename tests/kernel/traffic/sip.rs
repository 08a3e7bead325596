//! The persistence engine for SIP: a call stays on its server, by its Call-ID, from wherever its messages come.

use super::*;
use std::collections::BTreeMap;

fn message(call: &str) -> String {
    format!(
        "OPTIONS sip:office@{VIP} SIP/2.0\r\nVia: SIP/2.0/UDP 192.168.1.11:5060\r\nFrom: <sip:c1@192.168.1.11>\r\n\
         To: <sip:office@{VIP}>\r\nCall-ID: {call}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

fn office(settings: &str) -> Net {
    let net = farm();
    for server in net.servers() {
        server.udp(format!("{VIP}:5060").parse().expect("an address"));
    }
    let service = format!(
        "lvs.add_service {{ udp = '{VIP}:5060', scheduler = 'rr', persistent = 60, pe = 'sip', {settings} {BOTH} }}"
    );
    script(net.director(), &service);
    net
}

#[test]
fn a_call_sticks_by_its_id_and_calls_are_spread() {
    needs!(ipvs);
    let net = office("");
    let client = net.client("c1");
    let calls = ["a84b4c76e66710", "f81d4fae-7dec", "3848276298220188511"];
    let mut seen: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    // Every message comes from another port: neither address nor port says which call it is.
    for _ in 0..3 {
        for call in calls {
            let socket = client.udp_socket(0, &format!("{VIP}:5060"));
            let answer = Host::ask(&socket, &message(call)).expect("an answer");
            seen.entry(call).or_default().push(answer.server);
        }
    }
    assert!(seen.values().all(|servers| servers.iter().all(|one| *one == servers[0])), "{seen:?}");
    let servers: std::collections::BTreeSet<_> = seen.values().flatten().collect();
    assert_eq!(servers.len(), 2, "three calls are spread: {seen:?}");
    let mut ids: Vec<_> = templates(net.director())
        .into_iter()
        .map(|template| (template.engine, template.engine_data))
        .collect();
    ids.sort();
    let mut expected: Vec<_> =
        calls.iter().map(|call| (Some("sip".to_string()), Some((*call).to_string()))).collect();
    expected.sort();
    assert_eq!(ids, expected);
}

#[test]
fn what_is_not_sip_is_dropped() {
    needs!(ipvs);
    let net = office("");
    let socket = net.client("c1").udp_socket(0, &format!("{VIP}:5060"));
    assert_eq!(Host::ask(&socket, "hello?").map(|answer| answer.server), Err(Failure::Timeout));
    assert_eq!(net.director().conns(), []);
}

/// A proxy sends many calls from its one port 5060: with `ops` each message is looked at.
#[test]
fn calls_of_one_port_are_told_apart_with_one_packet_scheduling() {
    needs!(ipvs);
    let net = office("ops = true,");
    let socket = net.client("c1").udp_socket(5060, &format!("{VIP}:5060"));
    let ask = |call: &str| Host::ask(&socket, &message(call)).expect("an answer").server;
    let first = ask("one");
    let second = ask("two");
    assert_ne!(first, second);
    for _ in 0..3 {
        assert_eq!((ask("one"), ask("two")), (first.clone(), second.clone()));
    }
}
