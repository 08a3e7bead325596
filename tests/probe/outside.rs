//! Names and URLs: asked as the machine asks, within the deadline.

use std::io::{Read, Write};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use lvsh::probe::{Heard, Lookup, Question, RecordType, TlsOptions, Url, ask};

use super::support::{head, page, says, server};
use super::tls::site;

const PATIENCE: Duration = Duration::from_secs(20);

/// What is asked, as bytes, to what is answered; nothing is sent for an empty answer.
fn names(answer: impl Fn(&[u8]) -> Vec<u8> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((count, from)) = socket.recv_from(&mut question) {
            let _ = socket.send_to(&answer(&question[..count]), from);
        }
    });
    addr
}

/// The question with `code` in it, and these records (type, data).
fn answer(question: &[u8], code: u8, records: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = question.to_vec();
    out[2] |= 0x80;
    out[3] = code;
    out[7] = records.len().try_into().unwrap();
    for (ty, data) in records {
        out.extend([0xc0, 12, 0, *ty, 0, 1, 0, 0, 0, 9, 0, data.len().try_into().unwrap()]);
        out.extend(*data);
    }
    out
}

/// The name in a question, in lower case: `a.example.org`.
fn asked(question: &[u8]) -> String {
    let (mut at, mut labels) = (12, Vec::new());
    while question[at] != 0 {
        let length = usize::from(question[at]);
        labels.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).to_lowercase());
        at += 1 + length;
    }
    labels.join(".")
}

fn look(server: SocketAddr, name: &str, ty: RecordType, config: &Path) -> Heard {
    let hosts = config.with_file_name("hosts");
    let server = Some((server.ip(), server.port()));
    let lookup = Lookup { name: name.into(), ty, config: config.into(), hosts, server };
    ask(&Question::Name(lookup), PATIENCE, &|| false).unwrap().expect("nobody cancelled")
}

fn texts(heard: &Heard) -> Vec<&str> {
    heard.records.iter().map(|record| record.text.as_str()).collect()
}

#[test]
fn names_are_looked_up_as_the_machine_does() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("resolv.conf");
    std::fs::write(&config, "search example.org\noptions timeout:1 attempts:1\n").unwrap();
    std::fs::write(folder.path().join("hosts"), "192.0.2.9 here\n").unwrap();
    let server = names(|question| match asked(question).as_str() {
        // By way of another name, as a CNAME in front.
        "web.example.org" => {
            answer(question, 0, &[(5, &[1, b'b', 0xc0, 12]), (1, &[192, 0, 2, 1]), (1, &[192, 0, 2, 2])])
        }
        "_http._tcp.example.org" => {
            answer(question, 0, &[(33, &[0, 10, 0, 60, 0x1f, 0x90, 1, b'a', 0xc0, 12])])
        }
        "empty.example.org" => answer(question, 0, &[]),
        _ => answer(question, 3, &[]),
    });
    let found = look(server, "web", RecordType::A, &config);
    assert_eq!((texts(&found), found.err.as_str()), (vec!["192.0.2.1", "192.0.2.2"], ""));
    let found = look(server, "_http._tcp", RecordType::Srv, &config);
    assert_eq!(found.records[0].place, Some((10, 60, 8080)));
    assert_eq!(found.records[0].target.as_deref(), Some("a._http._tcp.example.org"));
    assert_eq!(texts(&look(server, "here", RecordType::A, &config)), ["192.0.2.9"]);
    let none = look(server, "nobody", RecordType::A, &config);
    assert_eq!((texts(&none).len(), none.err.as_str()), (0, "there is no name nobody"));
    let none = look(server, "empty.example.org", RecordType::Aaaa, &config);
    assert_eq!(none.err, "empty.example.org has no AAAA record");
    let broken = names(|question| answer(question, 2, &[]));
    assert_eq!(look(broken, "a.", RecordType::A, &config).err, "127.0.0.1: SERVFAIL");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let begun = Instant::now();
    let lost = look(silent.local_addr().unwrap(), "a.", RecordType::A, &config);
    assert_eq!(lost.err, "127.0.0.1 does not answer");
    assert!(begun.elapsed() < Duration::from_secs(10), "one server, one second, once");
}

#[test]
fn a_long_answer_comes_over_tcp() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("resolv.conf");
    // Both on one port, as servers of names are.
    let tcp = server(|mut stream| {
        let mut question = [0; 512];
        let count = stream.read(&mut question).unwrap_or(0);
        if count < 2 {
            return;
        }
        let whole = answer(&question[2..count], 0, &[(1, &[192, 0, 2, 3])]);
        let _ = stream.write_all(&u16::try_from(whole.len()).unwrap().to_be_bytes());
        let _ = stream.write_all(&whole);
    });
    let socket = UdpSocket::bind(tcp).unwrap();
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((count, from)) = socket.recv_from(&mut question) {
            let mut cut = answer(&question[..count], 0, &[]);
            cut[2] |= 0x02;
            let _ = socket.send_to(&cut, from);
        }
    });
    assert_eq!(texts(&look(tcp, "a.", RecordType::A, &config)), ["192.0.2.3"]);
}

fn fetch(url: &str, tls: TlsOptions, limit: Duration, stop: &dyn Fn() -> bool) -> Option<Heard> {
    let url = Url::parse(url, tls).unwrap();
    ask(&Question::Url(Box::new(url)), limit, stop).unwrap()
}

#[test]
fn who_a_url_is_of_is_verified() {
    let site = site("localhost", 2100);
    let url = format!("https://localhost:{}/", site.addr.port());
    let ours = || TlsOptions { ca: Some(site.folder.path().join("ca.pem")), ..TlsOptions::default() };
    let well = fetch(&url, ours(), PATIENCE, &|| false).unwrap();
    assert_eq!((well.err.as_str(), well.seen.status), ("", Some(200)));
    assert!(well.seen.cert_days.is_some_and(|days| days > 365));
    assert_eq!(well.seen.body, b"secret");
    let other = format!("https://127.0.0.1:{}/", site.addr.port());
    let wrong = fetch(&other, ours(), PATIENCE, &|| false).unwrap();
    assert!(wrong.err.starts_with("TLS: invalid peer certificate"), "{}", wrong.err);
    assert!(wrong.seen.body.is_empty() && wrong.seen.status.is_none());
    let any = TlsOptions { insecure: true, ..TlsOptions::default() };
    assert_eq!(fetch(&other, any, PATIENCE, &|| false).unwrap().err, "");
}

#[test]
fn a_page_that_does_not_end_is_left_at_the_deadline_or_when_told() {
    let half = page(200, "begun");
    let endless = server(move |mut stream| {
        head(&stream);
        let _ = stream.write_all(&half[..half.len() - 1]);
        std::thread::sleep(Duration::from_secs(60));
    });
    let url = format!("http://{endless}/");
    let begun = Instant::now();
    let late = fetch(&url, TlsOptions::default(), Duration::from_millis(500), &|| false).unwrap();
    assert_eq!((late.err.as_str(), late.seen.body.as_slice()), ("no answer within 500 ms", &b"begu"[..]));
    let stop = begun + Duration::from_secs(1);
    assert!(fetch(&url, TlsOptions::default(), Duration::from_secs(60), &|| Instant::now() > stop).is_none());
    assert!(begun.elapsed() < Duration::from_secs(20));
    let gone =
        fetch(&format!("http://{}/", says(Vec::new())), TlsOptions::default(), PATIENCE, &|| false).unwrap();
    assert!(!gone.err.is_empty());
}
