//! HTTP: what is well, and each way to be broken.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lvsh::probe::Verdict::{Bad, Good};
use lvsh::probe::{Check, SEEN_MOST};

use super::support::{all, ask, end, get, head, job, page, says, server};

fn bad(addr: SocketAddr, check: Check, why: &str) {
    let answer = ask(addr, check);
    assert_eq!(answer.verdict, Bad, "{answer:?}");
    assert!(answer.err.contains(why), "'{why}' is not in: {}", answer.err);
}

#[test]
fn a_page_with_its_status_headers_and_body() {
    let answer = ask(says(page(200, "fine")), get(|_| {}));
    assert_eq!(answer.verdict, Good, "{answer:?}");
    assert_eq!(answer.seen.status, Some(200));
    assert_eq!(answer.seen.body, b"fine");
    assert!(answer.seen.headers.contains(&("x-load".to_string(), "0.5".to_string())));
}

#[test]
fn the_request_is_what_was_asked_for() {
    let echo = server(|mut stream| {
        let asked = head(&stream);
        let _ = stream.write_all(&page(200, &asked));
        end(stream);
    });
    let check = get(|http| {
        http.method = "OPTIONS".into();
        http.path = "/healthz?x=1".into();
        http.host = Some("www.example.org".into());
        http.headers.push(("X-From".into(), "lvsh".into()));
    });
    let seen = String::from_utf8(ask(echo, check).seen.body).unwrap();
    assert!(seen.starts_with("OPTIONS /healthz?x=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("host: www.example.org\r\n") && seen.contains("x-from: lvsh\r\n"), "{seen}");
}

#[test]
fn status_ranges() {
    bad(says(page(500, "")), get(|_| {}), "status 500, expected 200-299");
    let check = get(|http| http.status = vec![(200, 299), (404, 404)]);
    bad(says(page(403, "")), check.clone(), "expected 200-299, 404");
    assert_eq!(ask(says(page(404, "")), check).verdict, Good);
}

#[test]
fn text_in_the_body() {
    let check = |text: &str| {
        let text = text.as_bytes().to_vec();
        get(move |http| http.body = Some(text))
    };
    assert_eq!(ask(says(page(200, "all is well here")), check("is well")).verdict, Good);
    bad(says(page(200, "all is bad")), check("is well"), "\"is well\" is not in the body of 10 bytes");
}

#[test]
fn the_sum_of_the_body() {
    let sum = |text: &str| -> [u8; 32] {
        ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref().try_into().unwrap()
    };
    let check = get(|http| http.sha256 = Some(sum("fine")));
    assert_eq!(ask(says(page(200, "fine")), check.clone()).verdict, Good);
    bad(says(page(200, "fin")), check, "another SHA-256");
}

#[test]
fn nobody_there() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    bad(gone, get(|_| {}), "connect: connection refused");
}

#[test]
fn hangs_after_accept() {
    let hangs = server(|stream| {
        std::thread::sleep(Duration::from_secs(5));
        drop(stream);
    });
    bad(hangs, get(|_| {}), "no answer within 1 s");
}

#[test]
fn answers_byte_by_byte() {
    let slow = server(|mut stream| {
        head(&stream);
        for byte in page(200, "a page that comes slowly") {
            std::thread::sleep(Duration::from_millis(50));
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
    bad(slow, get(|_| {}), "no answer within 1 s");
}

#[test]
fn closes_without_a_word_or_says_something_else() {
    bad(server(drop), get(|_| {}), "HTTP");
    bad(says("SSH-2.0-OpenSSH_9.2\r\n"), get(|_| {}), "HTTP");
}

#[test]
fn reset_in_the_middle_of_the_body() {
    let resets = server(|mut stream| {
        head(&stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf");
        std::thread::sleep(Duration::from_millis(100));
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    bad(resets, get(|_| {}), "body");
    let cut = says("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf");
    bad(cut, get(|_| {}), "body");
}

#[test]
fn a_body_of_a_gigabyte() {
    let big = || {
        server(|mut stream| {
            head(&stream);
            let part = [b'x'; 65536];
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n");
            for _ in 0..16384 {
                if stream.write_all(&part).is_err() {
                    return;
                }
            }
        })
    };
    let answer = ask(big(), get(|_| {}));
    assert_eq!((answer.verdict, answer.seen.body.len()), (Good, SEEN_MOST), "{}", answer.err);
    // To look through so much takes an unoptimized program its time.
    let search = get(|http| http.body = Some(b"y".to_vec()));
    let answer = all(vec![job(big(), search, Duration::from_secs(60))]).remove(0);
    assert!(answer.verdict == Bad && answer.err.contains("more than 16 MiB"), "{answer:?}");
    // However fast a body comes, the deadline is the end; the room is for a busy machine.
    let search = get(|http| http.body = Some(b"y".to_vec()));
    let begun = Instant::now();
    let answer = all(vec![job(big(), search, Duration::from_millis(20))]).remove(0);
    assert!(answer.verdict == Bad && begun.elapsed() < Duration::from_secs(2), "{answer:?}");
}
