//! Servers made of a closure, and checks of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use lvsh::probe::{Answer, Check, Http, Job, Limits, Route, probe_all};

pub const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A server that does this with each connection, in a thread of its own.
pub fn server(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    addr
}

/// Reads a request's head and gives it.
pub fn head(stream: &TcpStream) -> String {
    let mut text = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut text).is_ok_and(|count| count > 2) {}
    text
}

/// A server that sends these bytes to every request.
pub fn says(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = bytes.into();
    server(move |mut stream| {
        head(&stream);
        let _ = stream.write_all(&bytes);
        end(stream);
    })
}

/// Closes so that the other side sees an end and no reset.
pub fn end(mut stream: TcpStream) {
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let _ = stream.read_to_end(&mut Vec::new());
}

/// A whole answer with this status and body.
pub fn page(status: u16, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {length}\r\nx-load: 0.5\r\n\r\n{body}")
        .into_bytes()
}

/// `GET /` with these wishes, each a closure that changes one thing.
pub fn get(change: impl FnOnce(&mut Http)) -> Check {
    let mut http = Http {
        method: "GET".into(),
        path: "/".into(),
        host: None,
        headers: Vec::new(),
        payload: Vec::new(),
        status: vec![(200, 299)],
        body: None,
        sha256: None,
        tls: None,
        http2: false,
    };
    change(&mut http);
    Check::Http(Box::new(http))
}

pub fn job(addr: SocketAddr, check: Check, timeout: Duration) -> Job {
    Job { addr: addr.ip(), port: addr.port(), check, timeout, route: Route::default() }
}

/// All of them at once.
pub fn all(jobs: Vec<Job>) -> Vec<Answer> {
    let limits = Limits { concurrency: 1000, cancelled: &|| false };
    probe_all(jobs, &limits).expect("a runtime").expect("not cancelled")
}

/// One check with a second to answer in; it must not outlive that by much.
pub fn ask(addr: SocketAddr, check: Check) -> Answer {
    let limit = Duration::from_secs(1);
    let answer = all(vec![job(addr, check, limit)]).remove(0);
    assert!(answer.time < limit + Duration::from_millis(300), "it took {:?}", answer.time);
    answer
}
