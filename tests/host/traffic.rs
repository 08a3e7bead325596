//! Packets really carry the marks.

use std::net::{SocketAddr, UdpSocket};

use lvsh::kernel::nft::Nft;
use lvsh::plan::Step;

use crate::support::{Peer, entry, has_nft, in_netns, run, selector};

const MARKED: &[(&str, u32)] = &[
    ("prerouting 192.0.2.1/32 udp 53", 11),
    ("prerouting 192.0.2.0/24 udp 50-60", 12),
    ("prerouting 192.0.2.1/32 udp", 13),
    ("prerouting 10.0.0.0/8 udp", 14),
    ("prerouting 10.1.0.0/16 udp 100-200", 15),
    ("prerouting udp 7 from 192.0.2.3/32", 16),
    ("prerouting udp 8 on here", 17),
    ("prerouting udp 8 on other", 18),
    ("prerouting 2001:db8::1/128 udp 53", 21),
    ("prerouting 2001:db8::/64 udp 50-60", 22),
    ("prerouting ipv6 udp 9", 23),
    ("output 192.0.2.2/32 udp 53", 31),
    ("output 203.0.113.0/24 udp 1-100", 32),
    ("output 2001:db8::2/128 udp 53", 33),
];

/// From where, to where, and the mark that the packet has then; 0 for none.
const ARRIVING: &[(&str, &str, u32)] = &[
    ("192.0.2.2", "192.0.2.1:53", 11),
    // A longer prefix wins over fewer ports.
    ("192.0.2.2", "192.0.2.1:55", 13),
    ("192.0.2.2", "192.0.2.4:55", 12),
    ("192.0.2.2", "192.0.2.4:61", 0),
    ("192.0.2.2", "192.0.2.1:61", 13),
    ("192.0.2.2", "10.9.0.1:150", 14),
    ("192.0.2.2", "10.1.0.1:150", 15),
    ("192.0.2.2", "10.1.0.1:99", 14),
    ("192.0.2.3", "192.0.2.1:7", 16),
    ("192.0.2.2", "192.0.2.1:7", 13),
    ("192.0.2.2", "192.0.2.1:8", 17),
    ("192.0.2.2", "198.51.100.1:53", 0),
    ("2001:db8::2", "[2001:db8::1]:53", 21),
    ("2001:db8::2", "[2001:db8::1]:50", 22),
    ("2001:db8::2", "[2001:db8::1]:9", 23),
    ("2001:db8::2", "[2001:db8::1]:10", 0),
];

const LEAVING: &[(&str, u32)] = &[
    ("192.0.2.2:53", 31),
    ("192.0.2.2:54", 0),
    ("203.0.113.7:100", 32),
    ("203.0.113.7:101", 0),
    ("[2001:db8::2]:53", 33),
];

#[test]
fn packets_carry_the_mark_of_the_selector_that_wins() {
    in_netns(|| {
        if !has_nft() {
            return;
        }
        let peer = Peer::new();
        for line in [
            "ip addr add 192.0.2.1/24 dev here",
            "ip addr add 192.0.2.4/32 dev lo",
            "ip addr add 198.51.100.1/32 dev lo",
            "ip addr add 10.9.0.1/32 dev lo",
            "ip addr add 10.1.0.1/32 dev lo",
            "ip addr add 2001:db8::1/64 dev here nodad",
            "ip route add default via 192.0.2.2",
        ] {
            run(line);
        }
        peer.run(|| {
            for line in [
                "ip addr add 192.0.2.2/24 dev there",
                "ip addr add 192.0.2.3/24 dev there",
                "ip addr add 2001:db8::2/64 dev there nodad",
                "ip route add default via 192.0.2.1",
            ] {
                run(line);
            }
        });
        counters();
        let mut nft = Nft::new();
        // One by one, in an order that puts wider ranges before narrower ones.
        for (text, mark) in MARKED {
            let step = Step::AddMark { selector: selector(text), entry: entry(*mark, "web") };
            assert!(nft.apply(&[&step])[0].is_done(), "{text}");
        }
        for (from, to, mark) in ARRIVING {
            let (from, to): (&'static str, &'static str) = (from, to);
            let found = marks_of("in", || peer.run(move || send(from, to)));
            assert_eq!(found, [(*mark, 1)], "from {from} to {to}");
        }
        for (to, mark) in LEAVING {
            let from = if to.starts_with('[') { "2001:db8::1" } else { "192.0.2.1" };
            assert_eq!(marks_of("out", || send(from, to)), [(*mark, 1)], "to {to}");
        }

        // A mark set in output chooses the route anew.
        run("ip route add local 203.0.113.0/24 dev lo table 100");
        run("ip rule add fwmark 32 lookup 100");
        assert_eq!(marks_of("lo", || send("192.0.2.1", "203.0.113.7:100")), [(32, 1)]);
        assert_eq!(marks_of("lo", || send("192.0.2.1", "203.0.113.7:101")), []);

        // Changed and removed.
        let (first, from) = (selector(MARKED[0].0), entry(11, "web"));
        let set = Step::SetMark { selector: first.clone(), from, to: entry(16, "web") };
        assert!(nft.apply(&[&set])[0].is_done());
        assert_eq!(marks_of("in", || peer.run(|| send("192.0.2.2", "192.0.2.1:53"))), [(16, 1)]);
        let del = Step::DelMark { selector: first, entry: entry(16, "web") };
        assert!(nft.apply(&[&del])[0].is_done());
        assert_eq!(marks_of("in", || peer.run(|| send("192.0.2.2", "192.0.2.1:53"))), [(13, 1)]);
    });
}

/// Counts UDP by its mark: what arrives, what leaves, and what leaves through lo.
fn counters() {
    run("nft add table inet count");
    run("nft add chain inet count in { type filter hook input priority 0 ; }");
    run("nft add chain inet count out { type filter hook postrouting priority 0 ; }");
    let marks = MARKED.iter().map(|(_, mark)| *mark).chain([0]);
    for mark in marks {
        for (name, chain, device) in [("in", "in", "here"), ("out", "out", "here"), ("lo", "out", "lo")] {
            run(&format!("nft add counter inet count {name}{mark}"));
            let key = if chain == "in" { "iifname" } else { "oifname" };
            run(&format!(
                "nft add rule inet count {chain} {key} {device} meta l4proto udp meta mark {mark} counter name {name}{mark}"
            ));
        }
    }
}

/// The counters of one name that the work moved, by mark.
fn marks_of(name: &str, work: impl FnOnce()) -> Vec<(u32, u64)> {
    run("nft reset counters table inet count");
    work();
    // A slow machine may still be delivering.
    for _ in 0..20 {
        let moved = moved(name);
        if !moved.is_empty() {
            return moved;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Vec::new()
}

fn moved(name: &str) -> Vec<(u32, u64)> {
    let listing: serde_json::Value =
        serde_json::from_str(&run("nft -j list counters table inet count")).unwrap();
    let counters = listing["nftables"].as_array().unwrap().iter().filter_map(|object| object.get("counter"));
    let moved = counters.filter_map(|counter| {
        let mark = counter["name"].as_str()?.strip_prefix(name)?.parse().ok()?;
        let packets = counter["packets"].as_u64()?;
        (packets > 0).then_some((mark, packets))
    });
    moved.collect()
}

fn send(from: &str, to: &str) {
    let socket = UdpSocket::bind((from, 0)).expect(from);
    let to: SocketAddr = to.parse().expect(to);
    socket.send_to(b"x", to).expect("sent");
}
