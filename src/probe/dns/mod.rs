//! DNS over UDP and TCP (RFC 1035): one question, and what the answer must have.

mod message;
mod resolve;

pub use message::RecordType;
pub use resolve::{Lookup, Record, resolve};

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use message::{Response, parse, query};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::socket::{connect, datagrams};
use super::{Job, Seen, Trouble};

/// One question.
#[derive(Clone, Debug)]
pub struct Dns {
    pub name: String,
    pub ty: RecordType,
    pub tcp: bool,
    /// At least one record must be one of these; without any, an answer without error is enough.
    pub expect: Vec<String>,
}

impl Dns {
    /// Whether this can be asked; the text says what is wrong.
    pub fn check_words(&self) -> Result<(), String> {
        query(0, &self.name, self.ty).map(drop)
    }
}

pub async fn check(job: &Job, dns: &Dns, seen: &mut Seen) -> Result<(), Trouble> {
    let id = fresh_id();
    let question = query(id, &dns.name, dns.ty).map_err(Trouble::blind)?;
    let response = match dns.tcp {
        true => over_tcp(job, &question, id).await?,
        false => over_udp(job, &question, id).await?,
    };
    seen.status = Some(u16::from(response.code));
    seen.records = response.records.into_iter().map(|(_, text)| text).collect();
    if response.code != 0 {
        return Err(Trouble::bad(format!("answered {}", code_name(response.code))));
    }
    if dns.expect.is_empty() || dns.expect.iter().any(|wanted| seen.records.contains(wanted)) {
        return Ok(());
    }
    let got = if seen.records.is_empty() { "no record".to_string() } else { seen.records.join(", ") };
    Err(Trouble::bad(format!("expected {}, got {got}", dns.expect.join(" or "))))
}

/// Not to be guessed from the last one: what else arrives at the socket is not taken for the answer.
fn fresh_id() -> u16 {
    static LAST: AtomicU16 = AtomicU16::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.subsec_nanos());
    let step = (nanos ^ (nanos >> 16)) as u16 | 1;
    LAST.fetch_add(step, Ordering::Relaxed).wrapping_add(step)
}

async fn over_udp(job: &Job, question: &[u8], id: u16) -> Result<Response, Trouble> {
    let socket = datagrams(job).await?;
    socket.send(question).await.map_err(|error| Trouble::of("send", &error))?;
    let mut buffer = vec![0; 4096];
    loop {
        let count = socket.recv(&mut buffer).await.map_err(|error| Trouble::of("receive", &error))?;
        // Something else, late or forged, is passed over.
        if let Some(response) = parse(&buffer[..count], id) {
            return Ok(response);
        }
    }
}

async fn over_tcp(job: &Job, question: &[u8], id: u16) -> Result<Response, Trouble> {
    let mut stream = connect(job).await?;
    let length = u16::try_from(question.len()).unwrap_or(u16::MAX);
    let mut message = length.to_be_bytes().to_vec();
    message.extend_from_slice(question);
    stream.write_all(&message).await.map_err(|error| Trouble::of("send", &error))?;
    let receive = |error: std::io::Error| Trouble::of("receive", &error);
    let length = stream.read_u16().await.map_err(receive)?;
    let mut answer = vec![0; usize::from(length)];
    stream.read_exact(&mut answer).await.map_err(receive)?;
    parse(&answer, id).ok_or_else(|| Trouble::bad("what came is not an answer to the question"))
}

fn code_name(code: u8) -> String {
    match code {
        1 => "FORMERR (it did not understand the question)".to_string(),
        2 => "SERVFAIL".to_string(),
        3 => "NXDOMAIN (there is no such name)".to_string(),
        4 => "NOTIMP".to_string(),
        5 => "REFUSED".to_string(),
        other => format!("error {other}"),
    }
}
