//! Netlink messages in a datagram, with what the kernel itself says: acknowledgement, error, end of a dump.

use netlink_packet_core::{
    NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP, NetlinkBuffer,
    NlasIterator,
};

use super::attr::{Malformed, value_of};
use super::message::NLMSG_HDRLEN;

/// `NLMSGERR_ATTR_MSG` (linux/netlink.h): the kernel's own words.
const NLMSGERR_ATTR_MSG: u16 = 1;

/// One netlink message.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    pub sequence: u32,
    /// `NLM_F_DUMP_INTR`: what is dumped changed since the part before.
    pub interrupted: bool,
    pub body: Body<'a>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Answer to one request: 0 or an errno, and perhaps words.
    Verdict {
        errno: i32,
        text: Option<&'a str>,
    },
    /// End of a dump: 0 or an errno.
    Done {
        errno: i32,
    },
    /// Of a family: what is behind the netlink header.
    Data(&'a [u8]),
    Noop,
}

/// The messages of a datagram; ends at the first that does not hold.
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    pub fn new(datagram: &'a [u8]) -> Frames<'a> {
        Frames { rest: datagram }
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let buffer = match NetlinkBuffer::new_checked(rest) {
            Ok(buffer) => buffer,
            Err(error) => return Some(Err(Malformed::Frame(error.to_string()))),
        };
        let length = buffer.length() as usize;
        // The last message of a datagram may come without its padding.
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        let payload = rest.get(NLMSG_HDRLEN..length).unwrap_or_default();
        let flags = buffer.flags();
        let body = match buffer.message_type() {
            NLMSG_ERROR => match errno(payload) {
                Some(errno) => Body::Verdict { errno, text: text(payload, flags) },
                None => return Some(Err(short("NLMSG_ERROR", payload))),
            },
            NLMSG_DONE => match errno(payload) {
                Some(errno) => Body::Done { errno },
                None => return Some(Err(short("NLMSG_DONE", payload))),
            },
            NLMSG_NOOP => Body::Noop,
            _ => Body::Data(payload),
        };
        let interrupted = flags & NLM_F_DUMP_INTR != 0;
        Some(Ok(Frame { sequence: buffer.sequence_number(), interrupted, body }))
    }
}

fn short(attr: &'static str, payload: &[u8]) -> Malformed {
    Malformed::Length { attr, got: payload.len(), expected: "4" }
}

/// The first word of an error or an end: 0, or the negative of an errno.
fn errno(payload: &[u8]) -> Option<i32> {
    let (code, _) = payload.split_first_chunk::<4>()?;
    Some(i32::from_ne_bytes(*code).saturating_neg())
}

/// The text among the attributes of an extended acknowledgement. They stand behind the header of the request, or
/// behind the whole request when it was not capped.
fn text(payload: &[u8], flags: u16) -> Option<&str> {
    if flags & NLM_F_ACK_TLVS == 0 {
        return None;
    }
    let request = payload.get(4..)?;
    let skip = if flags & NLM_F_CAPPED != 0 {
        NLMSG_HDRLEN
    } else {
        let (length, _) = request.split_first_chunk::<4>()?;
        (u32::from_ne_bytes(*length) as usize).next_multiple_of(4)
    };
    let attrs = request.get(skip..)?;
    let nla = NlasIterator::new(attrs).flatten().find(|nla| nla.kind() == NLMSGERR_ATTR_MSG)?;
    let words = value_of(nla).split(|byte| *byte == 0).next()?;
    std::str::from_utf8(words).ok().filter(|words| !words.is_empty())
}
