//! Questions and answers over the socket: many requests in one datagram, and dumps.

use netlink_packet_core::{Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_NOOP, NetlinkHeader};
use nix::errno::Errno;

use super::attr::Malformed;
use super::frame::{Body, Frames};
use super::message::Message;
use super::request::Request;
use super::socket::{GenlSocket, lost, malformed, refused};
use crate::error::Result;

/// What became of one request of a datagram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    Failed {
        errno: i32,
        /// The kernel's own words, where it has some.
        text: Option<String>,
    },
    /// Answers were dropped for want of room: it may be done or refused.
    Unknown,
}

/// How a dump ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dumped {
    /// Datagrams that held entries. What came in one was read under one hold of the kernel's lock.
    pub parts: usize,
    /// `NLM_F_DUMP_INTR` was set. No kernel so far sets it for IPVS.
    pub interrupted: bool,
}

impl GenlSocket {
    /// Sends all of `requests` (at most [`GenlSocket::window`], none of them a dump) at once and collects one verdict
    /// for each. `take` gets the answers that are data, with the index of their request.
    ///
    /// The kernel reports failures in any case, and handles messages and queues answers in order. So no request asks
    /// for an acknowledgement; an empty message behind them does, and its answer ends the list. (It is not the last
    /// request that asks, because a handler that returns EINTR is never answered: `netlink_rcv_skb`, af_netlink.c.
    /// Stopping a sync daemon that has not run yet does that, and has stopped it.) `Err` means nothing was sent.
    pub fn exchange(
        &mut self,
        requests: &[Request<'_>],
        mut take: impl FnMut(usize, &Message<'_>) -> Result<(), Malformed>,
    ) -> std::result::Result<Vec<Verdict>, Errno> {
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        let first = self.sequences(requests.len() + 1);
        let mut outbox = std::mem::take(&mut self.outbox);
        let mut scratch = std::mem::take(&mut self.scratch);
        outbox.clear();
        let mut sequence = first;
        for request in requests {
            request.message(&mut scratch).append(&mut outbox, self.family, NLM_F_REQUEST, sequence);
            sequence = sequence.wrapping_add(1);
        }
        put_end(&mut outbox, sequence);
        let sent = self.send(&outbox);
        (self.outbox, self.scratch) = (outbox, scratch);
        sent?;

        let mut verdicts: Vec<Option<Verdict>> = vec![None; requests.len()];
        let (mut complete, mut ended) = (true, false);
        while !ended {
            let datagram = match self.receive() {
                Ok(Some(datagram)) => datagram,
                Ok(None) => break,
                Err(Errno::ENOBUFS) => {
                    complete = false;
                    continue;
                }
                Err(_) => break,
            };
            for frame in Frames::new(datagram) {
                // What cannot be read says nothing about any request; the missing verdict will show.
                let Ok(frame) = frame else {
                    complete = false;
                    break;
                };
                let index = frame.sequence.wrapping_sub(first) as usize;
                ended |= index == requests.len();
                let Some(slot) = verdicts.get_mut(index) else { continue };
                match frame.body {
                    Body::Verdict { errno, text } if errno != 0 => {
                        *slot = Some(Verdict::Failed { errno, text: text.map(str::to_string) });
                    }
                    Body::Data(payload) => {
                        let taken = Message::read(payload).and_then(|message| take(index, &message));
                        if let Err(error) = taken {
                            *slot =
                                Some(Verdict::Failed { errno: libc::EBADMSG, text: Some(error.to_string()) });
                        }
                    }
                    Body::Verdict { .. } | Body::Done { .. } | Body::Noop => {}
                }
            }
        }
        let silent = if complete && ended { Verdict::Done } else { Verdict::Unknown };
        Ok(verdicts.into_iter().map(|verdict| verdict.unwrap_or_else(|| silent.clone())).collect())
    }

    /// One request that is not a dump, by itself.
    pub fn ask(
        &mut self,
        op: &str,
        subject: &str,
        request: Request<'_>,
        mut take: impl FnMut(&Message<'_>) -> Result<(), Malformed>,
    ) -> Result<()> {
        let verdicts = self.exchange(&[request], |_, message| take(message));
        let verdicts = verdicts.map_err(|errno| refused(op, subject, errno as i32, None))?;
        match verdicts.into_iter().next() {
            Some(Verdict::Done) => Ok(()),
            Some(Verdict::Failed { errno, text }) => Err(refused(op, subject, errno, text.as_deref())),
            Some(Verdict::Unknown) | None => Err(lost(op, subject)),
        }
    }

    /// Reads a dump to its end, giving each entry to `take`.
    pub fn dump(
        &mut self,
        subject: &str,
        request: Request<'_>,
        mut take: impl FnMut(&Message<'_>) -> Result<(), Malformed>,
    ) -> Result<Dumped> {
        let done = self.dump_once(subject, &request, &mut take);
        match done {
            // A dump that was given up before its end blocks the socket until it is read away.
            Err(error) if error.errno == Some(libc::EBUSY) => {
                self.drain();
                self.dump_once(subject, &request, &mut take)
            }
            Err(error) => {
                self.drain();
                Err(error)
            }
            done => done,
        }
    }

    fn dump_once(
        &mut self,
        subject: &str,
        request: &Request<'_>,
        take: &mut impl FnMut(&Message<'_>) -> Result<(), Malformed>,
    ) -> Result<Dumped> {
        let refuse = |errno: i32, text: Option<&str>| refused("read", subject, errno, text);
        let sequence = self.sequences(1);
        let mut outbox = std::mem::take(&mut self.outbox);
        let mut scratch = std::mem::take(&mut self.scratch);
        outbox.clear();
        request.message(&mut scratch).append(&mut outbox, self.family, NLM_F_REQUEST | NLM_F_DUMP, sequence);
        let sent = self.send(&outbox);
        (self.outbox, self.scratch) = (outbox, scratch);
        sent.map_err(|errno| refuse(errno as i32, None))?;

        let mut dumped = Dumped::default();
        loop {
            let datagram = match self.receive() {
                Ok(Some(datagram)) => datagram,
                Ok(None) => return Err(lost("read", subject)),
                Err(errno) => return Err(refuse(errno as i32, None)),
            };
            let mut entries = false;
            for frame in Frames::new(datagram) {
                let frame = frame.map_err(malformed)?;
                if frame.sequence != sequence {
                    continue;
                }
                dumped.interrupted |= frame.interrupted;
                match frame.body {
                    Body::Data(payload) => {
                        entries = true;
                        Message::read(payload).and_then(|message| take(&message)).map_err(malformed)?;
                    }
                    Body::Done { errno: 0 } => {
                        dumped.parts += usize::from(entries);
                        return Ok(dumped);
                    }
                    Body::Done { errno } => return Err(refuse(errno, None)),
                    // An acknowledgement of a dump was not asked for and is no end.
                    Body::Verdict { errno: 0, .. } | Body::Noop => {}
                    Body::Verdict { errno, text } => return Err(refuse(errno, text)),
                }
            }
            dumped.parts += usize::from(entries);
        }
    }
}

/// Appends a message that does nothing and is acknowledged.
fn put_end(out: &mut Vec<u8>, sequence: u32) {
    let mut header = NetlinkHeader::default();
    header.message_type = NLMSG_NOOP;
    header.flags = NLM_F_REQUEST | NLM_F_ACK;
    header.sequence_number = sequence;
    header.length = header.buffer_len() as u32;
    let start = out.len();
    out.resize(start + header.buffer_len(), 0);
    header.emit(out.get_mut(start..).unwrap_or_default());
}
