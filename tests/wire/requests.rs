//! What ipvsadm really sends is read as what it means; our request for the same differs only in what is listed here.
//!
//! The order of attributes is not compared, for the kernel takes any.

use super::capture::{assert_rewrites, attributes, flags, messages, section, sections};
use super::things;
use lvsh::kernel::ipvs::attr::{self, DaemonAttr};
use lvsh::kernel::ipvs::convert;
use lvsh::kernel::ipvs::message::Message;
use lvsh::kernel::ipvs::request::Request;
use lvsh::model::*;
use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};

const IPVSADM: &str = include_str!("captures/ipvsadm-1.31.txt");

/// ipvsadm's mask of the flags has the kernel's own bit HASHED too, ours has not.
const THEIR_MASK: &str = "mask: 4294967295";
const OUR_MASK: &str = "mask: 4294967293";

/// To name an IPv4 service ipvsadm sends a whole one, without a scheduler; we send its key.
const EMPTY_SERVICE: [&str; 4] = [
    "Service.SchedName(\"\")",
    "Service.Flags(FlagBits { flags: 0, mask: 4294967295 })",
    "Service.Timeout(0)",
    "Service.Netmask([255, 255, 255, 255])",
];
/// The same for IPv6, where the netmask is a prefix length.
const EMPTY_SERVICE6: [&str; 4] =
    [EMPTY_SERVICE[0], EMPTY_SERVICE[1], EMPTY_SERVICE[2], "Service.Netmask([128, 0, 0, 0])"];
/// ipvsadm always says which tunnel; we leave out what is the default, for kernels that do not know it.
const PLAIN_TUNNEL: [&str; 3] = ["Dest.TunType(0)", "Dest.TunPort(BePort(0))", "Dest.TunFlags(0)"];
/// To name a server ipvsadm sends a whole one; we send its key.
const EMPTY_SERVER: [&str; 4] =
    ["Dest.FwdMethod(3)", "Dest.Weight(1)", "Dest.UpperThreshold(0)", "Dest.LowerThreshold(0)"];
/// What ipvsadm leaves to the kernel we say.
const DAEMON_DEFAULTS: [&str; 3] =
    ["Daemon.McastGroup(224.0.0.81)", "Daemon.McastPort(8848)", "Daemon.McastTtl(1)"];
/// To name a daemon ipvsadm sends more than its role.
const EMPTY_DAEMON: [&str; 2] = ["Daemon.McastIfn(\"\")", "Daemon.SyncId(0)"];

/// The message means the request: read into the model it is what the request was made of.
fn assert_means(message: &Message<'_>, request: Request<'_>) {
    assert_eq!(message.command, request.command());
    let service = || message.service().expect("a service");
    let key_of = || convert::read_service_key(service()).expect("a key");
    let server = |family| convert::read_server(message.dest().expect("a server"), family);
    match request {
        Request::NewService(key, wanted) | Request::SetService(key, wanted) => {
            let expected = (*key, wanted.clone(), Stats::default());
            assert_eq!(convert::read_service(service()), Ok(expected));
        }
        Request::NewDest(of, key, wanted) | Request::SetDest(of, key, wanted) => {
            assert_eq!(key_of(), *of);
            assert_eq!(server(of.family()), Ok((*key, *wanted, ServerLive::default())));
        }
        Request::DelDest(of, key) => {
            assert_eq!(key_of(), *of);
            assert_eq!(server(of.family()).expect("a server").0, *key);
        }
        Request::DelService(key) | Request::GetDest(key) | Request::Zero(Some(key)) => {
            assert_eq!(key_of(), *key);
        }
        Request::NewDaemon(role, daemon) => {
            let read = convert::read_daemon(message.daemon().expect("a daemon"));
            assert_eq!(read, Ok((role, daemon.clone())));
        }
        Request::DelDaemon(role) => {
            let nest = message.daemon().expect("a daemon");
            let first = attr::read::<DaemonAttr<'_>>(nest.0).next().expect("one").expect("whole");
            assert_eq!(first, DaemonAttr::State(if role == SyncRole::Master { 1 } else { 2 }));
        }
        Request::SetConfig(timeouts) => assert_eq!(convert::read_config(&message.attrs), Ok(*timeouts)),
        _ => assert!(message.attrs.is_empty()),
    }
}

/// What is in `a` and not in `b`.
fn only(a: &[String], b: &[String]) -> Vec<String> {
    let mut rest = b.to_vec();
    let mut found = Vec::new();
    for line in a {
        match rest.iter().position(|other| other == line) {
            Some(at) => drop(rest.remove(at)),
            None => found.push(line.clone()),
        }
    }
    found
}

/// Compares one message of theirs with ours, which lacks `theirs` and has `ours` instead.
#[track_caller]
fn compare(message: &Message<'_>, request: Request<'_>, theirs: &[&str], ours: &[&str]) {
    assert_rewrites(message);
    assert_means(message, request);
    let whole = matches!(request, Request::NewService(..) | Request::SetService(..));
    let mut their_lines = attributes(message);
    if whole {
        let masked = their_lines.iter().filter(|line| line.contains(THEIR_MASK)).count();
        assert_eq!(masked, 1, "{their_lines:?}");
        their_lines = their_lines.iter().map(|line| line.replace(THEIR_MASK, OUR_MASK)).collect();
    }
    let our_lines = attributes(&super::message(request));
    assert_eq!(only(&their_lines, &our_lines), theirs, "only in ipvsadm's {request:?}");
    assert_eq!(only(&our_lines, &their_lines), ours, "only in our {request:?}");
}

#[test]
fn every_command() {
    let [web, mh, sh, six, sip, dns] = things::services();
    let edited = things::edited();
    let [limited, gue, gre, other, nat] = things::servers();
    let quiet = things::quiet();
    let timeouts = things::timeouts();
    let [(master, first), (backup, second)] = things::daemons();
    let with = |lists: &[&[&'static str]]| lists.concat();
    let named_in_server = |empty: [&'static str; 4]| with(&[&empty, &PLAIN_TUNNEL]);
    let nothing = Vec::new;

    let cases: Vec<(&str, Request<'_>, Vec<&str>, Vec<&str>)> = vec![
        ("-A -t 198.51.100.1:80 -s rr", Request::NewService(&web.0, &web.1), nothing(), nothing()),
        (
            "-A -t [2001:db8::1]:443 -s mh -b mh-fallback,mh-port -p 300 -M 64",
            Request::NewService(&mh.0, &mh.1),
            nothing(),
            nothing(),
        ),
        (
            "-A -f 3 -s sh -b sh-fallback -p 600 -M 255.255.255.0",
            Request::NewService(&sh.0, &sh.1),
            nothing(),
            nothing(),
        ),
        ("-A -f 3 -6 -s wlc", Request::NewService(&six.0, &six.1), nothing(), nothing()),
        (
            "-A -u 198.51.100.1:5060 -s rr -p 60 --pe sip",
            Request::NewService(&sip.0, &sip.1),
            nothing(),
            nothing(),
        ),
        ("-A -u 198.51.100.1:53 -s rr -o", Request::NewService(&dns.0, &dns.1), nothing(), nothing()),
        ("-E -t 198.51.100.1:80 -s wlc", Request::SetService(&web.0, &edited), nothing(), nothing()),
        (
            "-a -t 198.51.100.1:80 -r 192.0.2.1:80 -g -w 300 -x 1000 -y 800",
            Request::NewDest(&limited.0, &limited.1, &limited.2),
            named_in_server(EMPTY_SERVICE),
            nothing(),
        ),
        (
            "-a -f 3 -r 192.0.2.7 -i -w 1 --tun-type gue --tun-port 5555 --tun-csum",
            Request::NewDest(&gue.0, &gue.1, &gue.2),
            EMPTY_SERVICE.to_vec(),
            nothing(),
        ),
        (
            "-a -f 3 -r 192.0.2.8 -i -w 2 --tun-type gre --tun-csum",
            Request::NewDest(&gre.0, &gre.1, &gre.2),
            EMPTY_SERVICE.to_vec(),
            nothing(),
        ),
        (
            "-a -f 3 -r 2001:db8::2 -i -w 1",
            Request::NewDest(&other.0, &other.1, &other.2),
            named_in_server(EMPTY_SERVICE),
            nothing(),
        ),
        (
            "-a -t [2001:db8::1]:443 -r [2001:db8::9]:8443 -m -w 0",
            Request::NewDest(&nat.0, &nat.1, &nat.2),
            named_in_server(EMPTY_SERVICE6),
            nothing(),
        ),
        (
            "-e -t 198.51.100.1:80 -r 192.0.2.1:80 -m -w 0",
            Request::SetDest(&limited.0, &limited.1, &quiet),
            named_in_server(EMPTY_SERVICE),
            nothing(),
        ),
        (
            "-d -f 3 -r 2001:db8::2",
            Request::DelDest(&other.0, &other.1),
            with(&[&EMPTY_SERVICE, &EMPTY_SERVER[..2], &PLAIN_TUNNEL, &EMPTY_SERVER[2..]]),
            nothing(),
        ),
        ("-D -f 3 -6", Request::DelService(&six.0), EMPTY_SERVICE6.to_vec(), nothing()),
        ("-Z -f 3", Request::Zero(Some(&sh.0)), EMPTY_SERVICE.to_vec(), nothing()),
        ("-Z", Request::Zero(None), nothing(), nothing()),
        ("--set 901 121 301", Request::SetConfig(&timeouts), nothing(), nothing()),
        ("-C", Request::Flush, nothing(), nothing()),
        (
            "--start-daemon master --mcast-interface d0 --syncid 7",
            Request::NewDaemon(master, &first),
            nothing(),
            DAEMON_DEFAULTS.to_vec(),
        ),
        (
            "--start-daemon backup --mcast-interface d0 --syncid 255 --sync-maxlen 1400 --mcast-group ff02::81 \
             --mcast-port 9000 --mcast-ttl 3",
            Request::NewDaemon(backup, &second),
            nothing(),
            nothing(),
        ),
        ("--stop-daemon master", Request::DelDaemon(master), EMPTY_DAEMON.to_vec(), nothing()),
        ("-L --daemon", Request::GetDaemon, nothing(), nothing()),
    ];
    for (command, request, theirs, ours) in &cases {
        let bytes = section(IPVSADM, &format!("ipvsadm {command}"));
        let found = messages(&bytes);
        assert_eq!(found.len(), 1, "{command}");
        compare(&found[0], *request, theirs, ours);
        // ipvsadm has every request acknowledged; we ask that of the end of a datagram, and of no dump.
        let dump = if request.is_dump() { NLM_F_DUMP } else { 0 };
        assert_eq!(flags(&bytes), NLM_F_REQUEST | NLM_F_ACK | dump, "{command}");
    }
    // -Ln has a test of its own.
    assert_eq!(sections(IPVSADM).len(), cases.len() + 1, "a command was captured and is not looked at");
}

/// A listing asks what we ask: all services, then the servers of each by its key alone.
#[test]
fn listing() {
    let bytes = section(IPVSADM, "ipvsadm -Ln");
    let found = messages(&bytes);
    let [web, mh, sh, _, sip, dns] = things::services();
    let requests = [
        Request::GetInfo,
        Request::GetService(None),
        Request::GetDest(&web.0),
        Request::GetDest(&dns.0),
        Request::GetDest(&sip.0),
        Request::GetDest(&mh.0),
        Request::GetDest(&sh.0),
    ];
    assert_eq!(found.len(), requests.len());
    for (message, request) in found.iter().zip(requests) {
        compare(message, request, &[], &[]);
    }
}
