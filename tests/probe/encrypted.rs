//! What is agreed while a connection is encrypted: who the client is, HTTP/2, and encryption itself (STARTTLS).

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use lvsh::probe::Verdict::{Bad, Good};
use lvsh::probe::{Check, Smtp, StepOf, Steps, Tls, TlsOptions};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConnection, StreamOwned};

use super::support::{ask, get, server};
use super::tls::{Authority, https, provider, serves, site};

const NAME: &str = "www.example.org";

fn options(authority: &Authority) -> TlsOptions {
    TlsOptions { ca: Some(authority.file("ca.pem")), name: Some(NAME.into()), ..TlsOptions::default() }
}

#[test]
fn a_server_that_asks_who_the_client_is() {
    let authority = Authority::new();
    let mut roots = RootCertStore::empty();
    roots.add(authority.root.clone()).unwrap();
    let asks = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build().unwrap();
    let addr = serves(authority.config(NAME, 2040, Some(asks)));

    let (cert, key) = authority.sign("probe.example.org", 2040);
    let (chain, secret, both) =
        (authority.file("probe.pem"), authority.file("key.pem"), authority.file("both.pem"));
    std::fs::write(&chain, cert.pem()).unwrap();
    std::fs::write(&secret, key.serialize_pem()).unwrap();
    std::fs::write(&both, cert.pem() + &key.serialize_pem()).unwrap();
    for (cert, key) in [(chain.clone(), Some(secret.clone())), (both, None)] {
        let tls = Tls::new(&TlsOptions { cert: Some(cert), key, ..options(&authority) }).unwrap();
        let answer = ask(addr, https(tls));
        assert_eq!(answer.verdict, Good, "{answer:?}");
    }

    // Nobody, and somebody whom it does not know.
    let stranger = Authority::new();
    let (cert, other) = stranger.sign("probe.example.org", 2040);
    let foreign = authority.file("foreign.pem");
    std::fs::write(&foreign, cert.pem() + &other.serialize_pem()).unwrap();
    for (cert, why) in [
        (None, "TLS: it wants a client certificate ('cert' and 'key')"),
        (Some(foreign), "TLS: it does not know who signed our client certificate"),
    ] {
        let tls = Tls::new(&TlsOptions { cert, ..options(&authority) }).unwrap();
        let answer = ask(addr, https(tls));
        assert_eq!(answer.verdict, Bad, "{answer:?}");
        assert_eq!(answer.err, why);
    }

    // A key of another certificate, and a key without one, are found before anybody is asked.
    let wrong = |options| Tls::new(&options).unwrap_err();
    let other_key = authority.file("other.pem");
    std::fs::write(&other_key, other.serialize_pem()).unwrap();
    let text = wrong(TlsOptions { cert: Some(chain), key: Some(other_key), ..options(&authority) });
    assert!(text.contains("probe.pem and") && text.contains("do not go together"), "{text}");
    let text = wrong(TlsOptions { key: Some(secret), ..options(&authority) });
    assert!(text.contains("needs 'cert' as well"), "{text}");
}

/// One frame of HTTP/2 (RFC 9113): length, type, flags, stream.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, payload.len().try_into().unwrap(), kind, flags, 0, 0, 0, stream];
    out.extend(payload);
    out
}

/// As little of a server of HTTP/2 as there can be: settings, and a page for each request.
fn speaks_http2(mut stream: impl Read + Write, status: u8) -> std::io::Result<()> {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const DATA: u8 = 0;
    let mut preface = [0; 24];
    stream.read_exact(&mut preface)?;
    assert_eq!(&preface, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload)?;
        match head[3] {
            SETTINGS if head[4] == 0 => stream.write_all(&frame(SETTINGS, 1, 0, &[]))?,
            HEADERS => {
                // The status by its number in the static table, and one header in letters.
                let mut fields = vec![status];
                fields.extend(b"\0\x06x-load\x030.5");
                stream.write_all(&frame(HEADERS, 4, head[8], &fields))?;
                stream.write_all(&frame(DATA, 1, head[8], b"of two"))?;
            }
            _ => {}
        }
        stream.flush()?;
    }
}

const OK: u8 = 0x88;
const NOT_FOUND: u8 = 0x8d;

fn http2_over_tls(authority: &Authority, status: u8) -> SocketAddr {
    let mut config = authority.config(NAME, 2040, None);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    server(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let _ = speaks_http2(StreamOwned::new(connection, stream), status);
    })
}

#[test]
fn http2() {
    let authority = Authority::new();
    let offered = |alpn: &[&[u8]]| {
        let alpn = alpn.iter().map(|name| name.to_vec()).collect();
        https(Tls::new(&TlsOptions { alpn, ..options(&authority) }).unwrap())
    };
    let answer = ask(http2_over_tls(&authority, OK), offered(&[b"h2", b"http/1.1"]));
    assert_eq!(answer.verdict, Good, "{answer:?}");
    assert_eq!((answer.seen.status, &*answer.seen.body), (Some(200), &b"of two"[..]));
    assert!(answer.seen.headers.contains(&("x-load".into(), "0.5".into())), "{answer:?}");
    let answer = ask(http2_over_tls(&authority, NOT_FOUND), offered(&[b"h2"]));
    assert!(answer.err.contains("status 404, expected 200-299"), "{}", answer.err);
    // Where it is not agreed upon, HTTP/1.1 is spoken; where nothing else would do, that is said.
    let old = site(NAME, 2040);
    let tls = TlsOptions {
        ca: Some(old.folder.path().join("ca.pem")),
        name: Some(NAME.into()),
        ..TlsOptions::default()
    };
    let tls = Tls::new(&TlsOptions { alpn: vec![b"h2".to_vec(), b"http/1.1".to_vec()], ..tls }).unwrap();
    assert_eq!(ask(old.addr, https(tls)).verdict, Good);
    let answer = ask(http2_over_tls(&authority, OK), offered(&[b"http/1.1"]));
    assert_eq!(answer.verdict, Bad);
    assert!(answer.err.starts_with("TLS: "), "{}", answer.err);
}

#[test]
fn http2_without_tls() {
    let plain = server(|stream| drop(speaks_http2(stream, OK)));
    let answer = ask(plain, get(|http| http.http2 = true));
    assert_eq!((answer.verdict, answer.seen.status), (Good, Some(200)), "{answer:?}");
    let old = super::support::says(super::support::page(200, "old"));
    let answer = ask(old, get(|http| http.http2 = true));
    assert_eq!(answer.verdict, Bad);
    assert!(answer.err.starts_with("HTTP"), "{}", answer.err);
}

/// A mail server that says what belongs to each line, and encrypts when it is asked to.
fn mail(authority: &Authority) -> SocketAddr {
    let config = Arc::new(authority.config(NAME, 2040, None));
    server(move |stream| {
        let mut plain = BufReader::new(stream.try_clone().unwrap());
        let mut out = &stream;
        let mut line = String::new();
        let _ = out.write_all(b"220 mail\r\n");
        while plain.read_line(&mut line).is_ok_and(|count| count > 0) {
            match std::mem::take(&mut line).trim_end() {
                "STARTTLS" => {
                    let _ = out.write_all(b"220 go on\r\n");
                    let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                    let mut secret = BufReader::new(StreamOwned::new(connection, stream));
                    while secret.read_line(&mut line).is_ok_and(|count| count > 0) {
                        let reply =
                            if line.starts_with("EHLO") { "250 in secret\r\n" } else { "221 bye\r\n" };
                        line.clear();
                        let _ = secret.get_mut().write_all(reply.as_bytes());
                        let _ = secret.get_mut().flush();
                    }
                    return;
                }
                _ => drop(out.write_all(b"250-mail\r\n250 STARTTLS\r\n")),
            }
        }
    })
}

#[test]
fn smtp_that_encrypts() {
    let authority = Authority::new();
    let smtp = |name: &str| {
        let tls = Tls::new(&TlsOptions { name: Some(name.into()), ..options(&authority) }).unwrap();
        Check::Smtp(Smtp { helo: "check.example".into(), starttls: Some(tls) })
    };
    let answer = ask(mail(&authority), smtp(NAME));
    assert_eq!((answer.verdict, answer.seen.status), (Good, Some(250)), "{answer:?}");
    assert!(answer.seen.body.ends_with(b"250 in secret\n"), "{answer:?}");
    assert!(answer.seen.cert_days.is_some_and(|days| days > 365), "{answer:?}");
    let answer = ask(mail(&authority), smtp("other.example.org"));
    assert_eq!(answer.verdict, Bad);
    assert!(answer.err.starts_with("TLS: ") && answer.err.contains("certificate"), "{}", answer.err);
}

#[test]
fn steps_over_tls() {
    let authority = Authority::new();
    let tls = Tls::new(&options(&authority)).unwrap();
    let steps = vec![StepOf::Send(b"GET / HTTP/1.0\r\n\r\n".to_vec()), StepOf::Expect(b"secret".to_vec())];
    let answer =
        ask(serves(authority.config(NAME, 2040, None)), Check::Steps(Steps { steps, tls: Some(tls) }));
    assert_eq!(answer.verdict, Good, "{answer:?}");
}
