//! Addresses through rtnetlink, and what neighbours hear of them.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use lvsh::backend::Outcome;
use lvsh::kernel::route::Route;
use lvsh::model::{IfName, Vip, VipKey};
use lvsh::plan::Step;

use crate::support::{Peer, in_netns, run};

fn key(text: &str) -> VipKey {
    let (addr, dev) = text.split_once(" dev ").unwrap();
    VipKey { addr: addr.parse().unwrap(), dev: IfName::new(dev).unwrap() }
}

pub fn add(text: &str) -> Step {
    Step::AddVip { key: key(text), vip: Vip::ours() }
}

fn del(text: &str) -> Step {
    Step::DelVip { key: key(text), vip: Vip::ours() }
}

fn set(text: &str, from: u8, to: u8) -> Step {
    Step::SetVip { key: key(text), from: Vip { proto: from }, to: Vip { proto: to } }
}

pub fn apply(route: &mut Route, steps: &[Step]) -> Vec<String> {
    let steps: Vec<&Step> = steps.iter().collect();
    let say = |outcome: Outcome| match outcome {
        Outcome::Done => "done".to_string(),
        Outcome::Failed(error) => error.code,
        Outcome::NotSent => "not sent".to_string(),
    };
    route.apply(&steps).into_iter().map(say).collect()
}

/// `IFA_PROTO` is there from 5.18 on.
fn has_proto(route: &mut Route) -> bool {
    route.vips().unwrap().values().any(|vip| vip.is_ours())
}

/// The kernel takes the other addresses of a subnet away with the first one, unless told otherwise.
#[test]
fn the_first_address_of_a_subnet_goes_alone() {
    in_netns(|| {
        let _peer = Peer::new();
        let setting = "/proc/sys/net/ipv4/conf/here/promote_secondaries";
        std::fs::write(setting, "0").unwrap();
        run("ip addr add 192.0.2.7/24 dev here");
        let mut route = Route::new();
        assert_eq!(apply(&mut route, &[add("192.0.2.9/24 dev here")]), ["done"]);
        run("ip addr add 192.0.2.11/24 dev here");
        // Ours is a secondary one here; make it the first by taking the first away.
        assert_eq!(apply(&mut route, &[del("192.0.2.7/24 dev here")]), ["done"]);
        assert_eq!(apply(&mut route, &[del("192.0.2.9/24 dev here")]), ["done"]);
        let left = route.vips().unwrap();
        assert!(left.contains_key(&key("192.0.2.11/24 dev here")), "{left:?}");
        assert_eq!(std::fs::read_to_string(setting).unwrap().trim(), "0");
    });
}

#[test]
fn addresses_are_added_tagged_and_removed() {
    in_netns(|| {
        let _peer = Peer::new();
        let mut route = Route::new();
        let before = route.vips().unwrap();
        assert!(before.contains_key(&key("127.0.0.1/8 dev lo")), "{before:?}");
        let ours = [
            "192.0.2.1/32 dev here",
            "192.0.2.9/24 dev here",
            "2001:db8::1/128 dev here",
            "10.0.0.1/32 dev lo",
        ];
        assert_eq!(apply(&mut route, &ours.map(add)), ["done"; 4]);
        let now = route.vips().unwrap();
        for text in ours {
            assert!(now.contains_key(&key(text)), "{text} in {now:?}");
        }
        // Usable at once.
        std::net::UdpSocket::bind("[2001:db8::1]:0").unwrap();
        assert!(!run("ip -6 addr show dev here").contains("2001:db8::1/128 scope global tentative"));

        assert_eq!(
            apply(&mut route, &[add("192.0.2.1/32 dev here"), del("192.0.2.1/32 dev here")]),
            ["EEXIST", "not sent"]
        );
        assert_eq!(apply(&mut route, &[add("2001:db8::1/128 dev here")]), ["EEXIST"]);
        assert_eq!(apply(&mut route, &[del("192.0.2.2/32 dev here")]), ["EADDRNOTAVAIL"]);
        assert_eq!(apply(&mut route, &[del("2001:db8::2/128 dev here")]), ["EADDRNOTAVAIL"]);
        assert_eq!(apply(&mut route, &[set("192.0.2.2/32 dev here", 0, 76)]), ["EADDRNOTAVAIL"]);
        for step in [add("192.0.2.2/32 dev none"), del("192.0.2.2/32 dev none")] {
            assert_eq!(apply(&mut route, &[step]), ["ENODEV"]);
        }
        assert_eq!(apply(&mut route, &ours.map(del)), ["done"; 4]);
        let forget_link_local = |mut vips: BTreeMap<VipKey, Vip>| {
            vips.retain(|key, _| key.dev.name() == "lo");
            vips
        };
        assert_eq!(forget_link_local(route.vips().unwrap()), forget_link_local(before));
    });
}

#[test]
fn a_tag_changes_and_nothing_else_does() {
    in_netns(|| {
        let _peer = Peer::new();
        let mut route = Route::new();
        run("ip addr add 192.0.2.1/24 dev here valid_lft 1000 preferred_lft 500");
        run("ip addr add 2001:db8::1/64 dev here nodad noprefixroute valid_lft 1000 preferred_lft 500");
        let words = || {
            let text = run("ip -d addr show dev here");
            let passing = |word: &str| word.ends_with("sec") || word == "tentative";
            text.split_whitespace()
                .filter(|word| !passing(word))
                .map(String::from)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let (before, routes) = (words(), run("ip -6 route show"));
        let both = ["192.0.2.1/24 dev here", "2001:db8::1/64 dev here"];
        assert_eq!(apply(&mut route, &both.map(|text| set(text, 0, 76))), ["done"; 2]);
        if !has_proto(&mut route) {
            println!("skipped: this kernel has no IFA_PROTO");
            return;
        }
        let now = route.vips().unwrap();
        assert!(both.iter().all(|text| now[&key(text)].is_ours()), "{now:?}");
        assert_eq!(run("ip -6 route show"), routes);
        let text = run("ip addr show dev here");
        assert_eq!(
            text.matches("valid_lft forever").count(),
            1,
            "all but the link-local one keep an end:\n{text}"
        );
        assert_eq!(apply(&mut route, &both.map(|text| set(text, 76, 0))), ["done"; 2]);
        assert!(!has_proto(&mut route));
        assert_eq!(words(), before);
    });
}

#[test]
fn it_works_from_inside_another_runtime() {
    in_netns(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let vips = runtime.block_on(async { Route::new().vips() }).unwrap();
        assert!(vips.contains_key(&key("127.0.0.1/8 dev lo")));
    });
}

#[test]
fn neighbours_hear_of_an_address() {
    in_netns(|| {
        let peer = Peer::new();
        let socket = peer.run(capture);
        let mut route = Route::new();
        assert_eq!(
            apply(&mut route, &[add("192.0.2.1/32 dev here"), add("2001:db8::1/128 dev here")]),
            ["done"; 2]
        );
        assert!(route.notes().is_empty(), "{:?}", route.notes());
        let mac =
            std::fs::read_to_string("/proc/thread-self/net/dev_mcast").is_ok().then(mac_of_here).unwrap();

        let frames = read_frames(&socket, |frames| {
            frames.iter().filter(|frame| is_arp(frame)).count() >= 2
                && frames.iter().any(|frame| is_advertisement(frame))
        });
        let arps: Vec<&Vec<u8>> = frames.iter().filter(|frame| is_arp(frame)).collect();
        let forms: Vec<u8> = arps.iter().map(|frame| frame[21]).collect();
        assert_eq!(forms, [1, 2], "request, then reply");
        for frame in arps {
            assert_eq!(frame[..6], [0xff; 6]);
            assert_eq!((&frame[6..12], &frame[22..28]), (&mac[..], &mac[..]));
            assert_eq!((&frame[28..32], &frame[38..42]), (&[192, 0, 2, 1][..], &[192, 0, 2, 1][..]));
        }
        let frame = frames.iter().find(|frame| is_advertisement(frame)).expect("an advertisement");
        assert_eq!(frame[..6], [0x33, 0x33, 0, 0, 0, 1], "all nodes");
        assert_eq!(frame[21], 255, "hop limit");
        let addr = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets();
        assert_eq!((&frame[22..38], &frame[62..78]), (&addr[..], &addr[..]), "source and target");
        assert_eq!(frame[58] & 0xe0, 0x20, "override, not solicited, no router");
        assert_eq!((&frame[78..80], &frame[80..86]), (&[2, 1][..], &mac[..]));
        assert_eq!(checksum(frame), 0xffff, "checksum");

        // Nothing to tell on lo; a device that is down is a warning, and the address is there.
        assert_eq!(apply(&mut route, &[add("192.0.2.5/32 dev lo")]), ["done"]);
        assert!(route.notes().is_empty(), "{:?}", route.notes());
        run("ip link set here down");
        assert_eq!(apply(&mut route, &[add("192.0.2.6/32 dev here")]), ["done"]);
        assert!(route.notes()[0].starts_with("192.0.2.6 was not announced on here: "), "{:?}", route.notes());
    });
}

fn mac_of_here() -> Vec<u8> {
    let text = run("ip -br link show here");
    let mac = text.split_whitespace().find(|word| word.matches(':').count() == 5).unwrap();
    mac.split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// Sees every frame of the namespace it is opened in.
fn capture() -> OwnedFd {
    let every = i32::from((libc::ETH_P_ALL as u16).to_be());
    // SAFETY: numbers in, a new descriptor or -1 out.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, every) };
    assert!(fd >= 0);
    // SAFETY: the descriptor is new and ours.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn read_frames(socket: &OwnedFd, enough: impl Fn(&[Vec<u8>]) -> bool) -> Vec<Vec<u8>> {
    let (mut frames, end) = (Vec::new(), Instant::now() + Duration::from_secs(2));
    while Instant::now() < end && !enough(&frames) {
        let mut frame = vec![0; 2048];
        match nix::sys::socket::recv(socket.as_raw_fd(), &mut frame, nix::sys::socket::MsgFlags::empty()) {
            Ok(length) => {
                frame.truncate(length);
                frames.push(frame);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    frames
}

fn is_arp(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[8, 6])
}

fn is_advertisement(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x86, 0xdd]) && frame.get(20) == Some(&58) && frame.get(54) == Some(&136)
}

/// The sum over pseudo header and body (RFC 4443 section 2.3): all ones when the checksum is right.
fn checksum(frame: &[u8]) -> u16 {
    let body = &frame[54..];
    let mut words = frame[22..54].to_vec();
    words.extend_from_slice(&(body.len() as u32).to_be_bytes());
    words.extend_from_slice(&[0, 0, 0, 58]);
    words.extend_from_slice(body);
    let mut sum: u32 =
        words.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}
