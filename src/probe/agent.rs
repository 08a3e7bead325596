//! HAProxy's agent-check: the server says in one line how it is.

use super::stream::Talk;
use super::{Job, Seen, Trouble, keep, shown};

pub async fn check(job: &Job, send: &[u8], seen: &mut Seen) -> Result<(), Trouble> {
    let mut talk = Talk::open(job, None, seen).await?;
    if !send.is_empty() {
        talk.send(send).await?;
    }
    let line = talk.line().await?;
    keep(&mut seen.body, &line);
    said(&line, seen)
}

/// Takes the words of an agent: `75%`, `drain`, `maint`, `ready`, `up`, `down`, `fail`, `stopped`, `maxconn:30`,
/// apart by spaces, tabs or commas; what follows `#` is a reason (HAProxy's manual, agent-check).
pub fn said(line: &[u8], seen: &mut Seen) -> Result<(), Trouble> {
    let text = String::from_utf8_lossy(line);
    let (words, reason) = text.split_once('#').unwrap_or((&text, ""));
    let mut known = 0;
    for word in words.split([' ', '\t', ',', '\r']).filter(|word| !word.is_empty()) {
        let lower = word.to_ascii_lowercase();
        if let Some(number) = lower.strip_suffix('%') {
            let percent = number.parse::<u32>().ok().filter(|percent| *percent <= 1000);
            let wrong =
                || Trouble::bad(format!("the agent said {}: not a percentage", shown(word.as_bytes())));
            seen.percent = Some(percent.ok_or_else(wrong)?);
        } else if matches!(
            lower.as_str(),
            "ready" | "drain" | "maint" | "up" | "down" | "fail" | "failed" | "stopped"
        ) {
            seen.word = Some(lower);
        } else if !lower.starts_with("maxconn:") {
            continue;
        }
        known += 1;
    }
    if known == 0 {
        return Err(Trouble::bad(format!("the agent said {}: no word of it is known", shown(line))));
    }
    match seen.word.as_deref() {
        Some(word @ ("down" | "fail" | "failed" | "stopped")) => {
            let reason = reason.trim();
            let why = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            Err(Trouble::bad(format!("the agent says {word}{why}")))
        }
        // Both mean no new clients; the state of the server is not bad, its weight is none.
        Some("drain" | "maint") => {
            seen.percent = Some(0);
            Ok(())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hear(line: &str) -> (Result<(), Trouble>, Seen) {
        let mut seen = Seen::default();
        (said(line.as_bytes(), &mut seen), seen)
    }

    #[test]
    fn its_words() {
        assert_eq!(hear("75%").1.percent, Some(75));
        assert_eq!(hear("ready, 50%").1.percent, Some(50));
        assert_eq!(hear("drain").1.percent, Some(0));
        assert!(hear("up 100% maxconn:30").0.is_ok());
        assert_eq!(hear("down # disk full").0, Err(Trouble::bad("the agent says down (disk full)")));
        assert!(matches!(hear("stopped").0, Err(Trouble::Bad(_))));
        assert!(matches!(hear("hello").0, Err(Trouble::Bad(_))));
        assert!(matches!(hear("-5%").0, Err(Trouble::Bad(_))));
    }
}
