//! Upper and lower thresholds: when a server takes no more, and when it takes new ones again.

use super::*;
use crate::support::{Topology, eventually};
use std::time::Duration;

const HTTP: &str = "http://192.168.1.99/";

/// One server only, so that being full can be seen.
fn one_server(server: &str) -> Net {
    let net = Topology::new()
        .director("dir", "192.168.1.1")
        .client("c1", "192.168.1.11")
        .server("rs1", SERVERS[0])
        .build();
    net.director().vip(VIP);
    net.server("rs1").direct(VIP);
    let rs = SERVERS[0];
    script(
        net.director(),
        &format!(
            "for _, port in ipairs {{ 80, 7 }} do
               lvs.add_service {{ tcp = '{VIP}:' .. port, scheduler = 'rr', servers = {{ {{ addr = '{rs}', {server} }} }} }}
             end"
        ),
    );
    net
}

/// Active and inactive connections of the server behind this port.
fn live(director: &Host, port: u16) -> (u64, u64) {
    let server = format!("lvs.get_service({{ tcp = \"{VIP}:{port}\" }}):refresh().servers[1]");
    let counts = value(director, &format!("(function(s) return {{ s.active, s.inactive }} end)({server})"));
    let count = |at: usize| counts[at].as_u64().unwrap_or_else(|| panic!("no counts: {counts}"));
    (count(0), count(1))
}

/// A.6.15: requests that are over still count, for as long as their entries live.
#[test]
fn finished_connections_fill_a_server_too() {
    needs!(ipvs);
    let net = one_server("upper = 2");
    let (director, client) = (net.director(), net.client("c1"));
    assert_eq!(answers(client, HTTP, 2), ["rs1", "rs1"]);
    eventually(Duration::from_secs(3), "both entries inactive", || {
        (live(director, 80) == (0, 2)).then_some(())
    });
    is_refused(client, HTTP);
    // The kernel keeps the entries of a deleted service, and with them the server's count.
    script(
        director,
        &format!(
            "lvs.del_service {{ tcp = '{VIP}:80' }}
             lvs.add_service {{ tcp = '{VIP}:80', scheduler = 'rr',
               servers = {{ {{ addr = '{}', upper = 2 }} }} }}",
            SERVERS[0]
        ),
    );
    assert_eq!(live(director, 80), (0, 2));
    is_refused(client, HTTP);
    weigh(director, SERVERS[0], 1);
    script(
        director,
        &format!("lvs.get_service({{ tcp = '{VIP}:80' }}):set_server('{}', {{ upper = 0 }})", SERVERS[0]),
    );
    assert_eq!(client.server_of(HTTP), "rs1", "without a limit");
}

/// Full at three, taken again below two: between the two nothing changes.
#[test]
fn a_full_server_takes_new_clients_again_below_the_lower_threshold() {
    needs!(ipvs);
    let net = one_server("upper = 3, lower = 2");
    let (director, client) = (net.director(), net.client("c1"));
    // Entries live one second after the end of their connection.
    script(director, "lvs.set_timeouts { tcp_fin = 1 }");
    let open = || client.connect("192.168.1.99:7");
    let mut held: Vec<_> = (0..3).map(|_| open().expect("below the limit")).collect();
    assert_eq!(open().err(), Some(Failure::Refused), "full");
    for (left, taken) in [(2, false), (1, true)] {
        held.pop();
        let gone = || (entries(director).len() == left).then_some(());
        eventually(Duration::from_secs(8), "the entry of a closed connection is gone", gone);
        assert_eq!(open().map(drop).is_ok(), taken, "{left} connections left");
    }
}
