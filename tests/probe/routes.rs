//! How a check leaves this machine. Devices and marks, which need a namespace, are in `tests/host/checks.rs`.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use lvsh::probe::Verdict::{Good, Unknown};
use lvsh::probe::{Answer, Check, Job, Route, Udp};

use super::support::{HERE, all, get, job, page};

const LIMIT: Duration = Duration::from_secs(1);

fn from(source: &str, addr: SocketAddr, check: Check) -> Answer {
    let route = Route { from: Some(source.parse().unwrap()), ..Route::default() };
    all(vec![Job { route, ..job(addr, check, LIMIT) }]).remove(0)
}

#[test]
fn the_source_address_is_the_one_asked_for() {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    let peer = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, from) = listener.accept().unwrap();
        super::support::head(&stream);
        stream.write_all(&page(200, "")).unwrap();
        super::support::end(stream);
        from.ip().to_string()
    });
    let answer = from("127.0.0.2", addr, get(|_| {}));
    assert_eq!(answer.verdict, Good, "{answer:?}");
    assert_eq!(peer.join().unwrap(), "127.0.0.2");

    let socket = UdpSocket::bind((HERE, 0)).unwrap();
    let addr = socket.local_addr().unwrap();
    let peer = std::thread::spawn(move || {
        let mut buffer = [0; 100];
        let (count, from) = socket.recv_from(&mut buffer).unwrap();
        socket.send_to(&buffer[..count], from).unwrap();
        from.ip().to_string()
    });
    let udp = Check::Udp(Udp { send: b"hello".to_vec(), expect: None, reply: true });
    assert_eq!(from("127.0.0.3", addr, udp).verdict, Good);
    assert_eq!(peer.join().unwrap(), "127.0.0.3");
}

/// That is no word on the server.
#[test]
fn a_source_that_is_not_ours() {
    let listener = TcpListener::bind((HERE, 0)).unwrap();
    let answer = from("192.0.2.1", listener.local_addr().unwrap(), Check::Tcp);
    assert_eq!(answer.verdict, Unknown, "{answer:?}");
    assert_eq!(answer.err, "192.0.2.1 is not an address of this machine");
}

/// Raw sockets are root's.
#[test]
fn pings() {
    let here_v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let without_v6 = TcpListener::bind((here_v6, 0)).is_err();
    for addr in [HERE, here_v6] {
        let answer = all(vec![job(SocketAddr::new(addr, 0), Check::Ping, LIMIT)]).remove(0);
        if !nix::unistd::geteuid().is_root() {
            assert!(answer.err.contains("ping needs CAP_NET_RAW"), "{answer:?}");
        } else if addr.is_ipv6() && without_v6 {
            println!("SKIPPED ping of ::1: this machine has no IPv6");
        } else {
            assert_eq!(answer.verdict, Good, "{addr}: {answer:?}");
        }
    }
}
