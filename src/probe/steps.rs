//! Send and expect: enough for the greeting of most protocols.

use super::stream::Talk;
use super::tls::Tls;
use super::{Job, Seen, Trouble, shown};

/// A conversation that must go as written.
#[derive(Clone, Debug)]
pub struct Steps {
    pub steps: Vec<StepOf>,
    /// Encrypted from the first byte on.
    pub tls: Option<Tls>,
}

/// One step of a conversation.
#[derive(Clone, Debug)]
pub enum StepOf {
    Send(Vec<u8>),
    /// Somewhere in what comes next.
    Expect(Vec<u8>),
    /// Encrypted from here on.
    StartTls(Tls),
}

pub async fn check(job: &Job, steps: &Steps, seen: &mut Seen) -> Result<(), Trouble> {
    let mut talk = Talk::open(job, steps.tls.as_ref(), seen).await?;
    for (index, step) in steps.steps.iter().enumerate() {
        let at = |trouble: Trouble| match trouble {
            Trouble::Bad(text) => Trouble::Bad(format!("step {}: {text}", index + 1)),
            blind => blind,
        };
        match step {
            StepOf::Send(bytes) => talk.send(bytes).await.map_err(at)?,
            StepOf::Expect(text) => {
                let what = format!("step {}: expected {}", index + 1, shown(text));
                seen.waiting = Some((what, seen.body.len()));
                talk.expect(text, seen).await.map_err(at)?;
                seen.waiting = None;
            }
            StepOf::StartTls(tls) => talk = talk.encrypt(job, tls, seen).await.map_err(at)?,
        }
    }
    Ok(())
}
