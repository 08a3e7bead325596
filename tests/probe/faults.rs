//! Each check against each way to be broken: the right verdict, within the deadline, with words that say what it was.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use lvsh::probe::Verdict::{Bad, Good};
use lvsh::probe::{Answer, Check, Dns, Exec, RecordType, Smtp, StepOf, Steps, Tls, TlsOptions, Udp};

use super::support::{HERE, all, get, job, server};

const LIMIT: Duration = Duration::from_secs(1);

/// How a server is broken, below what its protocol says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Nobody listens.
    Refuses,
    /// Packets get no answer, not even that of a closed port.
    Swallows,
    /// Takes the connection and never says a word.
    Hangs,
    /// Closes without a word.
    Closes,
    /// Resets in the middle of what it says.
    Resets,
    /// One byte every 40 ms, for ever.
    Drips,
    /// A gigabyte without an end of a line, as fast as it goes.
    Floods,
}

use Fault::{Closes, Drips, Floods, Hangs, Refuses, Resets, Swallows};

const FAULTS: [Fault; 7] = [Refuses, Swallows, Hangs, Closes, Resets, Drips, Floods];

/// A listener that is full: the kernel drops who comes now. What fills it is kept with it.
fn swallows() -> (SocketAddr, Vec<Box<dyn Send>>) {
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::new(HERE, 0).into()).unwrap();
    listener.listen(0).unwrap();
    let addr = listener.local_addr().unwrap().as_socket().unwrap();
    let mut kept: Vec<Box<dyn Send>> = vec![Box::new(listener)];
    for _ in 0..8 {
        match TcpStream::connect_timeout(&addr, Duration::from_millis(100)) {
            Ok(stream) => kept.push(Box::new(stream)),
            Err(_) => return (addr, kept),
        }
    }
    panic!("a listener without a queue took 8 connections");
}

fn broken(fault: Fault, kept: &mut Vec<Box<dyn Send>>) -> SocketAddr {
    match fault {
        Refuses => TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(),
        Swallows => {
            let (addr, more) = swallows();
            kept.extend(more);
            addr
        }
        Hangs => server(|stream| {
            std::thread::sleep(LIMIT * 3);
            drop(stream);
        }),
        Closes => server(drop),
        Resets => server(|mut stream| {
            let _ = stream.write_all(b"2");
            std::thread::sleep(Duration::from_millis(100));
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        }),
        Drips => server(|mut stream| {
            while stream.write_all(b"2").is_ok() {
                std::thread::sleep(Duration::from_millis(40));
            }
        }),
        Floods => server(|mut stream| {
            let part = [b'2'; 65536];
            for _ in 0..16384 {
                if stream.write_all(&part).is_err() {
                    return;
                }
            }
        }),
    }
}

fn tls() -> Tls {
    Tls::new(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap()
}

fn steps(encrypted: bool) -> Check {
    let steps = vec![StepOf::Send(b"PING\r\n".to_vec()), StepOf::Expect(b"+PONG".to_vec())];
    Check::Steps(Steps { steps, tls: encrypted.then(tls) })
}

/// Every check that talks over TCP.
fn checks() -> Vec<(&'static str, Check)> {
    let dns = Dns { name: "www.example.org".into(), ty: RecordType::A, tcp: true, expect: Vec::new() };
    let smtp = |starttls| Check::Smtp(Smtp { helo: "check.example".into(), starttls });
    vec![
        ("tcp", Check::Tcp),
        ("http", get(|_| {})),
        ("http 2", get(|http| http.http2 = true)),
        ("https", get(|http| http.tls = Some(tls()))),
        ("dns over tcp", Check::Dns(dns)),
        ("smtp", smtp(None)),
        ("smtp with starttls", smtp(Some(tls()))),
        ("agent", Check::Agent { send: Vec::new() }),
        ("steps", steps(false)),
        ("steps over tls", steps(true)),
    ]
}

/// Words that must be in the answer, for an operator who reads nothing else.
fn words(fault: Fault) -> &'static [&'static str] {
    match fault {
        Refuses => &["connection refused"],
        Swallows | Hangs => &["no answer within 1 s"],
        // What a protocol makes of bytes that are none of its own is its own matter.
        Closes | Resets | Drips | Floods => &[],
    }
}

#[track_caller]
fn in_time(what: &str, answer: &Answer) {
    assert!(answer.time < LIMIT + Duration::from_millis(500), "{what} took {:?}", answer.time);
}

#[test]
fn every_check_finds_every_fault() {
    let (mut kept, mut jobs, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for fault in FAULTS {
        let addr = broken(fault, &mut kept);
        for (name, check) in checks() {
            jobs.push(job(addr, check, LIMIT));
            names.push((name, fault));
        }
    }
    for ((name, fault), answer) in names.into_iter().zip(all(jobs)) {
        let what = format!("{name} {fault:?}");
        in_time(&what, &answer);
        // Who accepts is well, for a check that asks no more.
        let connects = !matches!(fault, Refuses | Swallows);
        let verdict = if name == "tcp" && connects { Good } else { Bad };
        assert_eq!(answer.verdict, verdict, "{what}: {}", answer.err);
        assert_eq!(answer.err.is_empty(), verdict == Good, "{what}: {}", answer.err);
        for word in words(fault).iter().filter(|_| verdict == Bad) {
            assert!(answer.err.contains(word), "{what}: '{word}' is not in: {}", answer.err);
        }
        assert!(answer.err.len() < 300 && !answer.err.contains('\n'), "{what}: {}", answer.err);
    }
}

#[test]
fn datagrams_that_are_swallowed_or_refused() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rubbish = UdpSocket::bind("127.0.0.1:0").unwrap();
    let answers = rubbish.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((_, from)) = answers.recv_from(&mut buffer) {
            let _ = answers.send_to(b"\xff", from);
        }
    });
    let udp = || Check::Udp(Udp { send: b"hello".to_vec(), expect: Some(b"hello".to_vec()), reply: true });
    let dns = || {
        Check::Dns(Dns { name: "www.example.org".into(), ty: RecordType::A, tcp: false, expect: Vec::new() })
    };
    let addr = |socket: &UdpSocket| socket.local_addr().unwrap();
    for (name, to, check, word) in [
        ("udp swallows", addr(&silent), udp(), "no answer within 1 s"),
        ("dns swallows", addr(&silent), dns(), "no answer within 1 s"),
        ("udp refuses", closed, udp(), "refused"),
        ("dns refuses", closed, dns(), "refused"),
        ("udp rubbish", addr(&rubbish), udp(), "expected \"hello\""),
        ("dns rubbish", addr(&rubbish), dns(), ""),
    ] {
        let answer = all(vec![job(to, check, LIMIT)]).remove(0);
        in_time(name, &answer);
        assert_eq!(answer.verdict, Bad, "{name}: {answer:?}");
        assert!(answer.err.contains(word), "{name}: {}", answer.err);
    }
}

/// A program that asks a server that hangs is ended at the deadline, and so is one that writes for ever.
#[test]
fn programs_that_do_not_end() {
    let exec = |argv: &[&str]| {
        let argv = argv.iter().map(ToString::to_string).collect();
        let check = Check::Exec(Exec { argv, dynamic: false });
        all(vec![job(SocketAddr::new(HERE, 80), check, LIMIT)]).remove(0)
    };
    for argv in [&["sleep", "30"][..], &["yes"], &["sh", "-c", "trap '' TERM; while :; do :; done"]] {
        let answer = exec(argv);
        in_time(argv[0], &answer);
        assert_eq!(answer.verdict, Bad, "{argv:?}: {answer:?}");
        assert!(answer.err.contains("no answer within 1 s"), "{argv:?}: {}", answer.err);
    }
}

/// 200 that drip, in one round: the round is as long as its deadline.
#[test]
fn many_broken_ones_are_one_deadline() {
    let mut kept = Vec::new();
    let (drips, hangs) = (broken(Drips, &mut kept), broken(Hangs, &mut kept));
    let jobs = (0..200).map(|at| job(if at % 2 == 0 { drips } else { hangs }, get(|_| {}), LIMIT)).collect();
    let begun = std::time::Instant::now();
    let answers = all(jobs);
    assert!(begun.elapsed() < LIMIT * 3, "{:?}", begun.elapsed());
    assert!(answers.iter().all(|answer| answer.verdict == Bad));
}

/// What a server says after it was asked to encrypt and before it does is nobody's word (CVE-2011-0411 and its like).
#[test]
fn what_comes_before_the_encryption_is_refused() {
    let early = server(|mut stream| {
        let mut heard = [0; 512];
        let _ = stream.write_all(b"220 mail\r\n");
        let _ = stream.read(&mut heard);
        let _ = stream.write_all(b"250 STARTTLS\r\n");
        let _ = stream.read(&mut heard);
        let _ = stream.write_all(b"220 go\r\n250 forged\r\n");
        std::thread::sleep(LIMIT);
    });
    let check = Check::Smtp(Smtp { helo: "check.example".into(), starttls: Some(tls()) });
    let answer = all(vec![job(early, check, LIMIT)]).remove(0);
    assert_eq!(answer.verdict, Bad);
    assert!(answer.err.contains("before the encryption"), "{}", answer.err);
}
