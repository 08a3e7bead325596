//! Checks that talk: SMTP, agents, steps, DNS, datagrams, programs.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use lvsh::probe::Verdict::{Bad, Good, Unknown};
use lvsh::probe::{Check, Dns, Exec, RecordType, Smtp, StepOf, Steps, Udp};

use super::support::{HERE, ask, end, server};

/// A server that says the first line, and then the others in answer to one line each.
fn talks(lines: &'static [&'static str]) -> SocketAddr {
    server(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        for (index, line) in lines.iter().enumerate() {
            let mut heard = String::new();
            if index > 0 && reader.read_line(&mut heard).is_ok_and(|count| count == 0) {
                return;
            }
            let _ = stream.write_all(line.as_bytes());
        }
        end(stream);
    })
}

#[test]
fn smtp_with_a_greeting_of_many_lines() {
    let smtp = || Check::Smtp(Smtp { helo: "check.example".into(), starttls: None });
    let well = talks(&["220-welcome\r\n220 mail\r\n", "250-mail\r\n250 SIZE\r\n", "221 bye\r\n"]);
    assert_eq!(ask(well, smtp()).verdict, Good);
    let busy = talks(&["421 too busy\r\n"]);
    let answer = ask(busy, smtp());
    assert_eq!((answer.verdict, answer.seen.status), (Bad, Some(421)));
    assert!(answer.err.contains("greeting: expected 220"), "{}", answer.err);
    let refuses = talks(&["220 mail\r\n", "550 who are you\r\n"]);
    assert!(ask(refuses, smtp()).err.contains("EHLO: expected 250"));
}

#[test]
fn agents() {
    let agent = |line| ask(talks(line), Check::Agent { send: Vec::new() });
    let answer = agent(&["75%\n"]);
    assert_eq!((answer.verdict, answer.seen.percent), (Good, Some(75)));
    assert_eq!(agent(&["drain\n"]).seen.percent, Some(0));
    assert!(agent(&["down #disk\n"]).err.contains("the agent says down (disk)"));
    assert_eq!(agent(&["what\n"]).verdict, Bad);
}

#[test]
fn steps_of_a_redis() {
    let ping = || {
        let steps = vec![StepOf::Send(b"PING\r\n".to_vec()), StepOf::Expect(b"+PONG".to_vec())];
        Check::Steps(Steps { steps, tls: None })
    };
    assert_eq!(ask(talks(&["", "+PONG\r\n"]), ping()).verdict, Good);
    let answer = ask(talks(&["", "-LOADING\r\n"]), ping());
    assert_eq!(answer.verdict, Bad);
    assert!(answer.err.contains("step 2: expected \"+PONG\", got \"-LOADING\""), "{}", answer.err);
}

fn datagrams(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((count, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&answer(&buffer[..count]), from);
        }
    });
    addr
}

#[test]
fn datagrams_and_their_replies() {
    let udp = |expect: Option<&[u8]>, reply| {
        Check::Udp(Udp { send: b"hello".to_vec(), expect: expect.map(<[u8]>::to_vec), reply })
    };
    let echo = datagrams(<[u8]>::to_vec);
    assert_eq!(ask(echo, udp(Some(b"ell"), true)).verdict, Good);
    assert!(ask(echo, udp(Some(b"x"), true)).err.contains("expected \"x\", got \"hello\""));
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(ask(closed, udp(None, false)).err.contains("refused"));
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(ask(silent.local_addr().unwrap(), udp(None, false)).verdict, Good);
    assert_eq!(ask(silent.local_addr().unwrap(), udp(None, true)).verdict, Bad);
}

#[test]
fn names() {
    let dns = |expect: &[&str]| {
        let expect = expect.iter().map(ToString::to_string).collect();
        Check::Dns(Dns { name: "www.example.org".into(), ty: RecordType::A, tcp: false, expect })
    };
    let well = datagrams(|question| {
        let mut answer = question.to_vec();
        answer[2] |= 0x80;
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7]);
        answer
    });
    assert_eq!(ask(well, dns(&["192.0.2.7"])).verdict, Good);
    assert!(ask(well, dns(&["192.0.2.8"])).err.contains("expected 192.0.2.8, got 192.0.2.7"));
    let none = datagrams(|question| {
        let mut answer = question.to_vec();
        answer[2] |= 0x80;
        answer[3] = 3;
        answer
    });
    assert!(ask(none, dns(&[])).err.contains("NXDOMAIN"));
    let forged = datagrams(|question| {
        let mut answer = question.to_vec();
        answer[0] ^= 0x55;
        answer[2] |= 0x80;
        answer
    });
    assert!(ask(forged, dns(&[])).err.contains("no answer within"), "another's answer was taken");
}

/// Over TCP each message has its length before it, and one may come in pieces.
#[test]
fn names_over_tcp() {
    use std::io::Read;
    let serves = |cut: usize| {
        server(move |mut stream| {
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut answer).unwrap();
            answer[2] |= 0x80;
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7]);
            let mut message = u16::try_from(answer.len()).unwrap().to_be_bytes().to_vec();
            message.extend(answer);
            let (first, rest) = message.split_at(cut);
            let _ = stream.write_all(first);
            std::thread::sleep(Duration::from_millis(50));
            let _ = stream.write_all(rest);
            end(stream);
        })
    };
    let dns = |expect: &str| {
        let expect = vec![expect.to_string()];
        Check::Dns(Dns { name: "www.example.org".into(), ty: RecordType::A, tcp: true, expect })
    };
    for cut in [0, 1, 7] {
        let answer = ask(serves(cut), dns("192.0.2.7"));
        assert_eq!(
            (answer.verdict, answer.seen.records),
            (Good, vec!["192.0.2.7".to_string()]),
            "cut at {cut}"
        );
    }
    assert!(ask(serves(0), dns("192.0.2.8")).err.contains("expected 192.0.2.8, got 192.0.2.7"));
    let closes = server(end);
    let answer = ask(closes, dns("192.0.2.7"));
    assert_eq!(answer.verdict, Bad, "{answer:?}");
}

fn exec(argv: &[&str], dynamic: bool) -> lvsh::probe::Answer {
    let argv = argv.iter().map(ToString::to_string).collect();
    ask(SocketAddr::new(HERE, 80), Check::Exec(Exec { argv, dynamic }))
}

#[test]
fn programs() {
    assert_eq!(exec(&["true"], false).verdict, Good);
    let failed = exec(&["sh", "-c", "echo the disk is full; exit 1"], false);
    assert!(failed.err.contains("sh ended with 1: \"the disk is full\""), "{}", failed.err);
    let told = exec(&["sh", "-c", "echo $LVSH_ADDR:$LVSH_PORT $0", "{addr}:{port}"], false);
    assert_eq!(told.seen.body, b"127.0.0.1:80 127.0.0.1:80\n");
    assert_eq!(exec(&["sh", "-c", "exit 42"], true).seen.weight, Some(40));
    let missing = exec(&["/no/such/program"], false);
    assert_eq!(missing.verdict, Unknown, "{}", missing.err);
    assert!(missing.err.contains("/no/such/program: no such file"), "{}", missing.err);
}

#[test]
fn a_program_ends_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("late");
    // A child that outlives its parent would write this after the deadline.
    let script = format!("(sleep 1.5; echo late > {}) & sleep 30", file.display());
    let start = Instant::now();
    assert!(exec(&["sh", "-c", &script], false).err.contains("no answer within 1 s"));
    std::thread::sleep(Duration::from_millis(2500).saturating_sub(start.elapsed()));
    assert!(!file.exists(), "what the program started is still running");
}

#[test]
fn a_program_that_leaves_one_behind_is_not_waited_for() {
    let start = Instant::now();
    assert_eq!(exec(&["sh", "-c", "sleep 0.9 & exit 0"], false).verdict, Good);
    assert!(start.elapsed() < Duration::from_millis(700), "{:?}", start.elapsed());
}
