//! A datagram, and perhaps an answer.

use super::socket::datagrams;
use super::{Job, Seen, Trouble, contains, keep, shown};

#[derive(Clone, Debug)]
pub struct Udp {
    pub send: Vec<u8>,
    /// Somewhere in the reply.
    pub expect: Option<Vec<u8>>,
    /// Without: it is good when no refusal (ICMP port unreachable) comes before the deadline.
    pub reply: bool,
}

pub async fn check(job: &Job, udp: &Udp, seen: &mut Seen) -> Result<(), Trouble> {
    let socket = datagrams(job).await?;
    socket.send(&udp.send).await.map_err(|error| Trouble::of("send", &error))?;
    let mut reply = vec![0; 65536];
    let receive = async {
        let count = socket.recv(&mut reply).await.map_err(|error| Trouble::of("receive", &error))?;
        Ok(reply[..count].to_vec())
    };
    let reply: Vec<u8> = match udp.reply {
        true => receive.await?,
        false => {
            // The deadline is the answer here, so it must come before that of the whole check.
            let patience = job.timeout.mul_f64(0.9);
            match tokio::time::timeout(patience, receive).await {
                Ok(came) => came?,
                Err(_) => return Ok(()),
            }
        }
    };
    keep(&mut seen.body, &reply);
    match &udp.expect {
        Some(text) if !contains(&reply, text) => {
            Err(Trouble::bad(format!("expected {}, got {}", shown(text), shown(&reply))))
        }
        _ => Ok(()),
    }
}
