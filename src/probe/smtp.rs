//! SMTP: the greeting, EHLO, STARTTLS if asked for, QUIT (RFC 5321).

use super::stream::Talk;
use super::tls::Tls;
use super::{Job, Seen, Trouble, keep, shown};

#[derive(Clone, Debug)]
pub struct Smtp {
    /// What we call ourselves.
    pub helo: String,
    /// Encrypts after the first EHLO.
    pub starttls: Option<Tls>,
}

pub async fn check(job: &Job, smtp: &Smtp, seen: &mut Seen) -> Result<(), Trouble> {
    let mut talk = Talk::open(job, None, seen).await?;
    reply(&mut talk, "greeting", 220, seen).await?;
    let hello = format!("EHLO {}\r\n", smtp.helo);
    talk.send(hello.as_bytes()).await?;
    reply(&mut talk, "EHLO", 250, seen).await?;
    if let Some(tls) = &smtp.starttls {
        talk.send(b"STARTTLS\r\n").await?;
        reply(&mut talk, "STARTTLS", 220, seen).await?;
        talk = talk.encrypt(job, tls, seen).await?;
        talk.send(hello.as_bytes()).await?;
        reply(&mut talk, "EHLO", 250, seen).await?;
    }
    // Without it some servers log a lost connection every time.
    talk.send(b"QUIT\r\n").await?;
    // It has proved that it works; how it says goodbye does not matter.
    let _ = talk.line().await;
    Ok(())
}

/// One reply of one or more lines; `220-` goes on, `220 ` ends.
async fn reply(talk: &mut Talk, what: &str, wanted: u16, seen: &mut Seen) -> Result<(), Trouble> {
    const LINES: usize = 100;
    seen.waiting = Some((format!("{what}: expected {wanted}"), seen.body.len()));
    for _ in 0..LINES {
        let line = talk.line().await?;
        keep(&mut seen.body, &line);
        keep(&mut seen.body, b"\n");
        let code = line.get(..3).and_then(|code| std::str::from_utf8(code).ok()?.parse::<u16>().ok());
        let Some(code) = code else {
            return Err(Trouble::bad(format!("{what}: {} is not an SMTP reply", shown(&line))));
        };
        seen.status = Some(code);
        if code != wanted {
            return Err(Trouble::bad(format!("{what}: expected {wanted}, got {}", shown(&line))));
        }
        if line.get(3) != Some(&b'-') {
            seen.waiting = None;
            return Ok(());
        }
    }
    Err(Trouble::bad(format!("{what}: a reply of more than {LINES} lines")))
}
