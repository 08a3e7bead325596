//! `examples/probes`: each talks to a small server of its protocol, that is well and that is not.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::support::Playground;

type Talk = fn(TcpStream, bool, &Arc<ServerConfig>);

/// Serves one protocol on 127.0.0.2 and 127.0.0.3; the second one may fall ill.
struct Servers {
    port: u16,
    well: Arc<AtomicBool>,
}

fn serve(talk: Talk, config: &Arc<ServerConfig>) -> Servers {
    let well = Arc::new(AtomicBool::new(true));
    let mut port = 0;
    for host in ["127.0.0.2", "127.0.0.3"] {
        let listener = TcpListener::bind((host, port)).expect("a port");
        port = listener.local_addr().expect("an address").port();
        let (well, config) = (Arc::clone(&well), Arc::clone(config));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let well = host == "127.0.0.2" || well.load(Ordering::Relaxed);
                talk(stream, well, &config);
            }
        });
    }
    Servers { port, well }
}

fn line(stream: &mut impl BufRead) -> String {
    let mut text = String::new();
    let _ = stream.read_line(&mut text);
    text.trim_end().to_string()
}

fn redis(stream: TcpStream, well: bool, _: &Arc<ServerConfig>) {
    let mut stream = BufReader::new(stream);
    let answer = match (line(&mut stream).as_str(), well) {
        ("PING", true) => "+PONG\r\n",
        ("PING", false) => "-LOADING Redis is loading the dataset in memory\r\n",
        _ => "-ERR unknown command\r\n",
    };
    let _ = stream.get_mut().write_all(answer.as_bytes());
}

fn mysql(mut stream: TcpStream, well: bool, _: &Arc<ServerConfig>) {
    let payload: &[u8] = match well {
        true => b"\x0a8.0.36\0\x08\0\0\0saltsalt\0\xff\xf7",
        false => b"\xff\x10\x04Too many connections",
    };
    let length = u8::try_from(payload.len()).expect("a short packet");
    let _ = stream.write_all(&[&[length, 0, 0, 0], payload].concat());
}

fn imap(stream: TcpStream, well: bool, _: &Arc<ServerConfig>) {
    let mut stream = BufReader::new(stream);
    let _ = stream.get_mut().write_all(b"* OK IMAP4rev2 ready\r\n");
    loop {
        let text = line(&mut stream);
        let answer = match (text.as_str(), well) {
            ("c1 NOOP", true) => "c1 OK done\r\n",
            ("c1 NOOP", false) => "c1 NO the store is away\r\n",
            ("c2 LOGOUT", _) => "* BYE\r\nc2 OK\r\n",
            _ => return,
        };
        let _ = stream.get_mut().write_all(answer.as_bytes());
    }
}

fn ldap(mut stream: TcpStream, well: bool, _: &Arc<ServerConfig>) {
    let mut heard = [0; 64];
    let count = stream.read(&mut heard).unwrap_or(0);
    let bind = b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00";
    let busy = if well { 0 } else { 51 };
    if heard[..count].starts_with(bind) {
        let _ = stream.write_all(&[0x30, 0x0c, 2, 1, 1, 0x61, 7, 0x0a, 1, busy, 4, 0, 4, 0]);
        let _ = stream.read(&mut heard);
    }
}

fn pop3(mut stream: TcpStream, well: bool, config: &Arc<ServerConfig>) {
    let mut heard = [0; 64];
    let _ = stream.write_all(b"+OK ready\r\n");
    let count = stream.read(&mut heard).unwrap_or(0);
    if &heard[..count] != b"STLS\r\n" {
        return;
    }
    if !well {
        let _ = stream.write_all(b"-ERR no\r\n");
        return;
    }
    let _ = stream.write_all(b"+OK go\r\n");
    let connection = ServerConnection::new(Arc::clone(config)).expect("a connection");
    let mut stream = StreamOwned::new(connection, stream);
    if stream.read(&mut heard).is_ok_and(|count| &heard[..count] == b"QUIT\r\n") {
        let _ = stream.write_all(b"+OK bye\r\n");
        stream.conn.send_close_notify();
        let _ = stream.flush();
    }
}

/// For mail.example.org, and the file that makes it believed.
fn identity(folder: &Path) -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["mail.example.org".to_string()]).expect("a certificate");
    std::fs::write(folder.join("ca.pem"), made.cert.pem()).expect("a file");
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a configuration");
    Arc::new(config)
}

#[test]
fn each_example_finds_the_server_that_is_ill() {
    let talks: [(&str, &str, Talk, &str); 5] = [
        ("redis", ":6379", redis, "-LOADING"),
        ("mysql", ":3306", mysql, "Too many connections"),
        ("pop3", ":110", pop3, "-ERR no"),
        ("imap", ":143", imap, "c1 NO the store is away"),
        ("ldap", ":389", ldap, "expected"),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/probes");
    let files = std::fs::read_dir(&folder).expect("examples/probes").count();
    assert_eq!(files, talks.len(), "an example has no server here");
    for (name, port, talk, word) in talks {
        let here = Playground::new();
        let servers = serve(talk, &identity(here.root()));
        let text = std::fs::read_to_string(folder.join(format!("{name}.lua"))).expect("an example");
        assert!(text.contains(port), "{name}");
        let ca = format!("{{ ca = \"{}\", sni", here.root().join("ca.pem").display());
        let text = text
            .replace("192.168.1.107", "127.0.0.2")
            .replace("192.168.1.109", "127.0.0.3")
            .replace(port, &format!(":{}", servers.port))
            .replace("{ sni", &ca);
        here.policy(name, &text);
        here.run(&["start", name]).ok();
        let round = here.run(&["check", name]).ok();
        assert_eq!(round.out, format!("{name}: 2 servers, nothing to change\n"), "{}", round.err);
        let status = here.run(&["status", name]).ok().out;
        assert_eq!(status.matches("ok in").count(), 2, "{name}: {status}");
        servers.well.store(false, Ordering::Relaxed);
        for _ in 0..2 {
            here.run(&["check", name]).ok();
        }
        let round = here.run(&["check", name]).ok().out;
        assert!(round.contains("127.0.0.3") && round.contains("weight 1 -> 0"), "{name}: {round}");
        assert!(round.contains("step ") && round.contains(word), "{name}: {round}");
        servers.well.store(true, Ordering::Relaxed);
        here.run(&["check", name]).ok();
        let round = here.run(&["check", name]).ok().out;
        assert!(round.contains("weight 0 -> 1"), "{name}: {round}");
    }
}
