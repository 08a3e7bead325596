//! HTTP/1.1 and HTTP/2, plain and encrypted.

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ring::digest;
use tokio::task::JoinHandle;

use super::stream::Wire;
use super::tls::{self, Tls};
use super::{Job, SEEN_MOST, Seen, Trouble, contains, keep, shown, socket};

/// One request and what its answer must be.
#[derive(Clone, Debug)]
pub struct Http {
    pub method: String,
    pub path: String,
    /// The header, and the authority of HTTP/2; the server's address when there is none.
    pub host: Option<String>,
    pub headers: Vec<(String, String)>,
    /// Sent with the request.
    pub payload: Vec<u8>,
    /// Ranges of status codes, ends included.
    pub status: Vec<(u16, u16)>,
    /// Somewhere in the body.
    pub body: Option<Vec<u8>>,
    /// Of the whole body.
    pub sha256: Option<[u8; 32]>,
    pub tls: Option<Tls>,
    /// Without TLS: speak HTTP/2 at once. With TLS the server chooses among what is offered.
    pub http2: bool,
}

/// Bytes of a body that are read for its sum or for text in it. Without such a wish, reading ends after
/// [`SEEN_MOST`]: a server that has sent this much is well, however long its page is.
const BODY_MOST: usize = 16 << 20;
/// Bytes of a body that are looked at in one go.
const PART: usize = 16 * 1024;

impl Http {
    /// Whether this can be sent; the text says what is wrong.
    pub fn check_words(&self) -> Result<(), String> {
        self.request("192.0.2.1", false).map(drop).map_err(|error| error.to_string())
    }

    /// Whether a status is one of those that are good.
    pub(super) fn fits(&self, status: u16) -> Result<(), Trouble> {
        match self.status.iter().any(|(low, high)| (*low..=*high).contains(&status)) {
            true => Ok(()),
            false => Err(Trouble::bad(format!("status {status}, expected {}", ranges(&self.status)))),
        }
    }

    fn request(&self, authority: &str, absolute: bool) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let uri = match absolute {
            true => Uri::builder().scheme(scheme).authority(authority).path_and_query(&*self.path).build()?,
            false => Uri::builder().path_and_query(&*self.path).build()?,
        };
        let mut request = Request::builder().method(&*self.method).uri(uri);
        let given = |name: &str| self.headers.iter().any(|(found, _)| found.eq_ignore_ascii_case(name));
        if !absolute && !given("host") {
            request = request.header(header::HOST, authority);
        }
        if !given("user-agent") {
            request = request.header(header::USER_AGENT, concat!("lvsh/", env!("CARGO_PKG_VERSION")));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(self.payload.clone())))
    }
}

/// A connection's own work, which ends with the check.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

pub async fn check(job: &Job, http: &Http, seen: &mut Seen) -> Result<(), Trouble> {
    let (response, _driver) = send(job, http, seen).await?;
    judge(http, response, seen).await
}

/// Connects, sends, and gives the head of what came.
async fn send(job: &Job, http: &Http, seen: &mut Seen) -> Result<(Response<Incoming>, Driver), Trouble> {
    let plain = socket::connect(job).await?;
    let mut second = http.http2;
    let wire: Box<dyn Wire> = match &http.tls {
        None => Box::new(plain),
        Some(tls) => {
            let stream = tls::connect(Box::new(plain), tls, job.addr, seen).await?;
            second = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            Box::new(stream)
        }
    };
    let host = http.host.clone().unwrap_or_else(|| match (job.addr.is_ipv6(), job.port) {
        (true, port) => format!("[{}]:{port}", job.addr),
        (false, port) => format!("{}:{port}", job.addr),
    });
    let unsendable =
        |error: hyper::http::Error| Trouble::blind(format!("this request cannot be sent: {error}"));
    let request = http.request(&host, second).map_err(unsendable)?;
    let io = TokioIo::new(wire);
    let (response, driver) = if second {
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), io).await.map_err(|error| wrong("HTTP/2", &error))?;
        let driver = Driver(tokio::spawn(async { drop(connection.await) }));
        (sender.send_request(request).await, driver)
    } else {
        let (mut sender, connection) = http1::handshake(io).await.map_err(|error| wrong("HTTP", &error))?;
        let driver = Driver(tokio::spawn(async { drop(connection.await) }));
        (sender.send_request(request).await, driver)
    };
    let response = response.map_err(|error| wrong("HTTP", &error))?;
    let status = response.status().as_u16();
    seen.status = Some(status);
    for (name, value) in response.headers() {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        seen.headers.push((name.as_str().to_string(), value));
    }
    Ok((response, driver))
}

/// As [`check`], but the whole body is wanted, whatever the status is; one of more than `most` bytes is a trouble.
pub async fn fetch(job: &Job, http: &Http, most: usize, seen: &mut Seen) -> Result<(), Trouble> {
    let (response, _driver) = send(job, http, seen).await?;
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| wrong("body", &error))?;
        // A server that sends faster than a body is looked at would keep the deadline from being seen.
        tokio::task::yield_now().await;
        let Some(part) = frame.data_ref() else { continue };
        let room = most.saturating_sub(seen.body.len());
        seen.body.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() > room {
            return Err(Trouble::bad(format!("the body has more than {most} bytes")));
        }
    }
    Ok(())
}

fn wrong(what: &str, error: &hyper::Error) -> Trouble {
    let mut text = format!("{what}: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = inner.source();
    }
    if let Some(words) = tls::alert(&text) {
        return Trouble::bad(format!("TLS: {words}"));
    }
    Trouble::bad(text.split(" (os error").next().unwrap_or(&text).to_string())
}

async fn judge(http: &Http, response: Response<Incoming>, seen: &mut Seen) -> Result<(), Trouble> {
    let status = response.status().as_u16();
    http.fits(status)?;
    let most = if http.body.is_some() || http.sha256.is_some() { BODY_MOST } else { SEEN_MOST };
    let mut sum = digest::Context::new(&digest::SHA256);
    let mut body = response.into_body();
    let (mut length, mut window, mut found) = (0, Vec::new(), http.body.is_none());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| wrong("body", &error))?;
        let parts = frame.data_ref().into_iter().flat_map(|data| data.chunks(PART));
        for part in parts {
            // A body that comes faster than it is looked at must neither outlive the deadline nor hold up the others.
            tokio::task::yield_now().await;
            length += part.len();
            keep(&mut seen.body, part);
            sum.update(part);
            if let Some(text) = &http.body
                && !found
            {
                // The text may lie across two parts.
                window.extend_from_slice(part);
                found = contains(&window, text);
                let before = window.len().saturating_sub(text.len());
                window.drain(..before);
            }
            let enough = http.sha256.is_none() && found && (http.body.is_some() || length >= most);
            if enough {
                return Ok(());
            }
            if length >= most {
                return Err(Trouble::bad(format!("the body has more than {} MiB", most >> 20)));
            }
        }
    }
    if let Some(text) = &http.body
        && !found
    {
        return Err(Trouble::bad(format!("{} is not in the body of {length} bytes", shown(text))));
    }
    match http.sha256 {
        Some(wanted) if sum.finish().as_ref() != wanted => {
            Err(Trouble::bad(format!("the body of {length} bytes has another SHA-256 than expected")))
        }
        _ => Ok(()),
    }
}

/// `200-299, 404`
fn ranges(status: &[(u16, u16)]) -> String {
    let one = |(low, high): &(u16, u16)| match low == high {
        true => low.to_string(),
        false => format!("{low}-{high}"),
    };
    status.iter().map(one).collect::<Vec<_>>().join(", ")
}
