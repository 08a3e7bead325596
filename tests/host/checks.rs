//! Checks that leave by a device or with a mark: with the route that everything else takes they would not arrive.

use std::net::{IpAddr, TcpListener};
use std::time::Duration;

use lvsh::model::IfName;
use lvsh::probe::Verdict::{Bad, Good, Unknown};
use lvsh::probe::{Answer, Check, Job, Limits, Route, probe_all};

use super::support::{Peer, in_netns, run};

const THERE: &str = "10.9.0.2";

fn ask(check: Check, port: u16, route: Route) -> Answer {
    ask_of(THERE.parse().unwrap(), check, port, route)
}

fn ask_of(addr: IpAddr, check: Check, port: u16, route: Route) -> Answer {
    let job = Job { addr, port, check, timeout: Duration::from_secs(2), route };
    let limits = Limits { concurrency: 1, cancelled: &|| false };
    probe_all(vec![job], &limits).expect("a runtime").expect("not cancelled").remove(0)
}

/// A server over there, which the main table leads past. Its port.
fn out_of_the_way(peer: &Peer) -> u16 {
    run("ip address add 10.9.0.1/24 dev here");
    run("ip link add nowhere type veth peer name nobody");
    run("ip link set nowhere up");
    run("ip link set nobody up");
    run(&format!("ip route add {THERE}/32 dev nowhere src 10.9.0.1"));
    peer.run(|| {
        run(&format!("ip address add {THERE}/24 dev there"));
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || listener.incoming().for_each(drop));
        port
    })
}

#[test]
fn a_check_leaves_by_its_device() {
    in_netns(|| {
        let peer = Peer::new();
        let port = out_of_the_way(&peer);
        let by = |dev: &str| Route { dev: Some(IfName::new(dev).unwrap()), ..Route::default() };
        for (check, port) in [(Check::Tcp, port), (Check::Ping, 0)] {
            assert_eq!(ask(check.clone(), port, Route::default()).verdict, Bad, "it goes nowhere");
            let answer = ask(check, port, by("here"));
            assert_eq!(answer.verdict, Good, "{answer:?}");
        }
        let answer = ask(Check::Tcp, port, by("eth7"));
        assert_eq!((answer.verdict, &*answer.err), (Unknown, "there is no device eth7 here"));
    });
}

#[test]
fn a_check_carries_its_mark() {
    in_netns(|| {
        let peer = Peer::new();
        let port = out_of_the_way(&peer);
        run("ip rule add fwmark 7 table 70");
        run(&format!("ip route add {THERE}/32 dev here table 70"));
        let with = |mark: u32| Route { mark: Some(mark), ..Route::default() };
        for (check, port) in [(Check::Tcp, port), (Check::Ping, 0)] {
            assert_eq!(ask(check.clone(), port, with(8)).verdict, Bad, "it goes nowhere");
            let answer = ask(check, port, with(7));
            assert_eq!(answer.verdict, Good, "{answer:?}");
        }
    });
}

/// A link-local address is none without its device.
#[test]
fn a_link_local_address_by_its_device() {
    in_netns(|| {
        let peer = Peer::new();
        let port = peer.run(|| {
            run("ip address add fe80::2/64 dev there nodad");
            let listener = TcpListener::bind("[::]:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            std::thread::spawn(move || listener.incoming().for_each(drop));
            port
        });
        run("ip address add fe80::1/64 dev here nodad");
        let ask = |check: Check, port: u16, dev: Option<&str>| {
            let route = Route { dev: dev.map(|dev| IfName::new(dev).unwrap()), ..Route::default() };
            ask_of("fe80::2".parse().unwrap(), check, port, route)
        };
        for (check, port) in [(Check::Tcp, port), (Check::Ping, 0)] {
            let answer = ask(check.clone(), port, Some("here"));
            assert_eq!(answer.verdict, Good, "{answer:?}");
            assert_eq!(ask(check, port, None).verdict, Unknown, "from here it is no address at all");
        }
    });
}
