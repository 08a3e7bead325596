//! One question to the world that is not a check: a program, a URL, a name. Within its deadline, or ended from outside.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::runtime;

use super::dns::{Lookup, Record, resolve};
use super::exec::{Program, Ran, run};
use super::http::{Http, fetch};
use super::run::{TICK, brief};
use super::tls::{Tls, TlsOptions};
use super::{Check, Job, Route, Seen, Trouble};

/// What is asked.
#[derive(Clone, Debug)]
pub enum Question {
    Program(Program),
    Url(Box<Url>),
    Name(Lookup),
}

/// A request to a URL.
#[derive(Clone, Debug)]
pub struct Url {
    pub host: String,
    pub port: u16,
    pub http: Http,
    /// Bytes of a body that are taken.
    pub most: usize,
}

/// What came of it, as far as it got.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Why it did not go well; empty when it did. A program that ended with another code than 0 did go well.
    pub err: String,
    pub time: Duration,
    pub ran: Ran,
    pub seen: Seen,
    pub records: Vec<Record>,
}

impl Url {
    /// Takes `https://user.example:8443/path?query` apart; `tls` is for https alone.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(url: &str, tls: TlsOptions) -> Result<Url, String> {
        let wrong = |why: &str| format!("\"{url}\" is not a URL: {why}");
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| wrong("it begins with http:// or https://"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(wrong("a name and password are not for a URL; send a header Authorization"));
        }
        let path = path.split('#').next().unwrap_or("");
        let path = if path.starts_with('/') { path.to_string() } else { format!("/{path}") };
        let encrypted = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(wrong("it begins with http:// or https://")),
        };
        let bracket = authority.starts_with('[').then(|| authority.find(']')).flatten();
        let (host, port) = match bracket {
            Some(end) => (&authority[1..end], authority[end + 1..].strip_prefix(':')),
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if host.is_empty() || host.contains(char::is_whitespace) {
            return Err(wrong("it names no host"));
        }
        let port = match port {
            Some(text) => {
                text.parse::<u16>().ok().filter(|port| *port != 0).ok_or_else(|| wrong("its port"))?
            }
            None if encrypted => 443,
            None => 80,
        };
        let tls = match encrypted {
            true => {
                // An address is its own name, and is checked as one.
                let name = host.parse::<IpAddr>().is_err().then(|| host.to_string());
                let alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
                Some(Tls::new(&TlsOptions { name, alpn, ..tls })?)
            }
            false => None,
        };
        let http = Http {
            method: "GET".to_string(),
            path,
            host: Some(authority.to_string()),
            headers: Vec::new(),
            payload: Vec::new(),
            status: Vec::new(),
            body: None,
            sha256: None,
            tls,
            http2: false,
        };
        Ok(Url { host: host.to_string(), port, http, most: 1 << 20 })
    }
}

/// Asks, and waits for the answer; `None` when it was cancelled.
pub fn ask(
    question: &Question,
    limit: Duration,
    cancelled: &dyn Fn() -> bool,
) -> std::io::Result<Option<Heard>> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let start = Instant::now();
    let mut heard = Heard::default();
    let end = runtime.block_on(async {
        let work = tokio::time::timeout(limit, put(question, limit, &mut heard));
        tokio::pin!(work);
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                end = &mut work => return Some(end),
                _ = tick.tick() => if cancelled() { return None },
            }
        }
    });
    // A look-up that will not end must not keep us.
    runtime.shutdown_background();
    let Some(end) = end else { return Ok(None) };
    heard.time = start.elapsed();
    heard.err = match end {
        Ok(Ok(())) => String::new(),
        Ok(Err(Trouble::Bad(text) | Trouble::Blind(text))) => text,
        Err(_) => match question {
            Question::Program(_) => {
                format!("it did not end within {}; killed with all it started", brief(limit))
            }
            _ => format!("no answer within {}", brief(limit)),
        },
    };
    Ok(Some(heard))
}

async fn put(question: &Question, limit: Duration, heard: &mut Heard) -> Result<(), Trouble> {
    match question {
        Question::Program(program) => run(program, &mut heard.ran).await.map_err(Trouble::Blind),
        Question::Name(lookup) => resolve(lookup, &mut heard.records).await,
        Question::Url(url) => {
            let mut last = Trouble::bad(format!("{} has no address", url.host));
            for addr in addresses(url).await? {
                let (check, route) = (Check::Tcp, Route::default());
                let job = Job { addr: addr.ip(), port: addr.port(), check, timeout: limit, route };
                heard.seen = Seen::default();
                match fetch(&job, &url.http, url.most, &mut heard.seen).await {
                    Ok(()) => return Ok(()),
                    // A name has several addresses so that one may be down; what was answered stands.
                    Err(Trouble::Bad(text)) if text.starts_with("connect:") => last = Trouble::Bad(text),
                    Err(Trouble::Blind(text)) => last = Trouble::Blind(text),
                    Err(trouble) => return Err(trouble),
                }
            }
            Err(last)
        }
    }
}

/// As every program on this machine finds them.
async fn addresses(url: &Url) -> Result<Vec<SocketAddr>, Trouble> {
    if let Ok(addr) = url.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(addr, url.port)]);
    }
    let found = tokio::net::lookup_host((url.host.as_str(), url.port)).await;
    let words = |error: std::io::Error| {
        let text = super::words(&error);
        let why = text.trim_start_matches("failed to lookup address information: ").to_lowercase();
        Trouble::bad(format!("{}: {why}", url.host))
    };
    found.map(Iterator::collect).map_err(words)
}

/// The files that name look-ups go by on every Linux.
pub fn machine(name: &str, ty: super::RecordType) -> Lookup {
    let (config, hosts) = (PathBuf::from("/etc/resolv.conf"), PathBuf::from("/etc/hosts"));
    Lookup { name: name.to_string(), ty, config, hosts, server: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, String) {
        let url = Url::parse(url, TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
        (url.host, url.port, url.http.path)
    }

    #[test]
    fn urls() {
        let of = |host: &str, port, path: &str| (host.to_string(), port, path.to_string());
        assert_eq!(parts("http://a.example"), of("a.example", 80, "/"));
        assert_eq!(parts("https://a.example/x?y=1#z"), of("a.example", 443, "/x?y=1"));
        assert_eq!(parts("http://[2001:db8::1]:8080?q"), of("2001:db8::1", 8080, "/?q"));
        assert_eq!(parts("http://192.0.2.1:81/"), of("192.0.2.1", 81, "/"));
        for wrong in ["a.example", "ftp://a", "http://", "http://a:0/", "http://a:x/", "http://u:p@a/"] {
            assert!(Url::parse(wrong, TlsOptions::default()).is_err(), "{wrong}");
        }
    }
}
