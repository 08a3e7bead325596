//! A connection that is read in lines and pieces, plain or encrypted.

use std::pin::Pin;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::tls::{self, Tls};
use super::{Job, Seen, Trouble, contains, keep, shown, socket};

/// What both plain and encrypted connections are.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Bytes that are waited through for what is expected.
const MOST: usize = 64 * 1024;

/// A conversation with one server.
pub struct Talk {
    wire: Box<dyn Wire>,
    /// Received and not yet taken.
    held: Vec<u8>,
}

impl Talk {
    /// Connects, and encrypts at once when asked to.
    pub async fn open(job: &Job, tls: Option<&Tls>, seen: &mut Seen) -> Result<Talk, Trouble> {
        let plain = socket::connect(job).await?;
        let wire: Box<dyn Wire> = match tls {
            None => Box::new(plain),
            Some(tls) => Box::new(tls::connect(Box::new(plain), tls, job.addr, seen).await?),
        };
        Ok(Talk { wire, held: Vec::new() })
    }

    /// Goes on encrypted (STARTTLS).
    pub async fn encrypt(self, job: &Job, tls: &Tls, seen: &mut Seen) -> Result<Talk, Trouble> {
        if !self.held.is_empty() {
            let text = format!("it sent {} before the encryption it agreed to", shown(&self.held));
            return Err(Trouble::bad(text));
        }
        let wire = Box::new(tls::connect(self.wire, tls, job.addr, seen).await?);
        Ok(Talk { wire, held: Vec::new() })
    }

    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        let sent = async {
            self.wire.write_all(bytes).await?;
            self.wire.flush().await
        };
        sent.await.map_err(|error| Trouble::of("send", &error))
    }

    /// More of what the server sends; false at its end.
    async fn more(&mut self) -> Result<bool, Trouble> {
        let mut part = [0; 4096];
        let read = Pin::new(&mut self.wire).read(&mut part).await;
        let count = read.map_err(|error| Trouble::of("receive", &error))?;
        self.held.extend_from_slice(&part[..count]);
        Ok(count > 0)
    }

    /// The next line, without its end; what is there when the server closes before one ends.
    pub async fn line(&mut self) -> Result<Vec<u8>, Trouble> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.held.drain(..=end).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Ok(line);
            }
            if self.held.len() > MOST {
                return Err(Trouble::bad(format!("a line of more than {MOST} bytes")));
            }
            if !self.more().await? {
                if self.held.is_empty() {
                    return Err(Trouble::bad("it closed the connection without a word"));
                }
                return Ok(std::mem::take(&mut self.held));
            }
        }
    }

    /// Reads until `text` came; what came up to then is taken, and kept in `seen` as it comes.
    pub async fn expect(&mut self, text: &[u8], seen: &mut Seen) -> Result<(), Trouble> {
        let mut kept = 0;
        loop {
            keep(&mut seen.body, &self.held[kept..]);
            kept = self.held.len();
            if contains(&self.held, text) {
                self.held.clear();
                return Ok(());
            }
            if self.held.len() > MOST {
                return Err(Trouble::bad(format!("{} not within {MOST} bytes", shown(text))));
            }
            if !self.more().await? {
                let got = if self.held.is_empty() { "nothing".to_string() } else { shown(&self.held) };
                return Err(Trouble::bad(format!("expected {}, got {got}, then the end", shown(text))));
            }
        }
    }
}
