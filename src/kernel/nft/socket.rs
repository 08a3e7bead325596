//! Talking to nf_tables: questions with many answers, questions with one, and batches.

use std::os::fd::AsRawFd;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader,
    NetlinkMessage, NetlinkPayload,
};
use netlink_packet_netfilter::nftables::NfTablesMessage;
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{
    NetfilterHeader, NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::sys::socket::{self, MsgFlags, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

/// The errno of a failure.
pub type Errno = i32;

/// `NFNL_SUBSYS_NFTABLES` (linux/netfilter/nfnetlink.h): whom a batch is for.
const SUBSYS_NFTABLES: u16 = 10;
/// The kernel fills dump answers up to 32 KiB (`netlink_dump`, net/netlink/af_netlink.c).
const RECEIVE: usize = 64 * 1024;
/// A dump that somebody disturbs is asked for again this many times.
const DUMP_TRIES: usize = 10;

/// One message of a batch.
pub struct Request {
    pub message: NfTablesMessage,
    /// Beside `NLM_F_REQUEST`.
    pub flags: u16,
}

/// Why a batch was not done: which of its messages (by place) the kernel refused.
#[derive(Debug)]
pub struct Refused {
    pub messages: Vec<(usize, Errno)>,
    /// The batch as a whole.
    pub whole: Option<Errno>,
}

/// A netlink socket of the namespace of the thread that opened it.
pub struct NftSocket {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl NftSocket {
    pub fn open() -> Result<NftSocket, Errno> {
        let mut socket = Socket::new(NETLINK_NETFILTER).map_err(errno_of)?;
        socket.bind_auto().map_err(errno_of)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(errno_of)?;
        // An error then carries the head of the message it is about, not all of it.
        socket.set_cap_ack(true).map_err(errno_of)?;
        // Answers are there when send() returns; the limit is for a kernel that never answers.
        let _ = socket::setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::seconds(5));
        let _ = socket::setsockopt(&socket, sockopt::RcvBufForce, &(4 << 20));
        Ok(NftSocket { socket, sequence: 0, buffer: vec![0; RECEIVE] })
    }

    /// All answers to a question.
    pub fn dump(&mut self, question: &NfTablesMessage) -> Result<Vec<Answer>, Errno> {
        for _ in 0..DUMP_TRIES {
            let mut answers = Vec::new();
            let mut disturbed = false;
            self.send_one(question.clone(), NLM_F_DUMP)?;
            let mut done = false;
            while !done {
                for (header, payload) in self.receive(MsgFlags::empty())? {
                    disturbed |= header.flags & NLM_F_DUMP_INTR != 0;
                    match payload {
                        Reply::Message(message) => answers.push(message),
                        Reply::Done(0) => done = true,
                        Reply::Done(errno) | Reply::Error(errno) => return Err(errno),
                        Reply::Other => {}
                    }
                }
            }
            if !disturbed {
                return Ok(answers);
            }
        }
        Err(libc::EINTR)
    }

    /// The one answer to a question; `None` when there is no such thing.
    pub fn get(&mut self, question: NfTablesMessage) -> Result<Option<Answer>, Errno> {
        self.send_one(question, 0)?;
        loop {
            for (_, payload) in self.receive(MsgFlags::empty())? {
                match payload {
                    Reply::Message(message) => return Ok(Some(message)),
                    Reply::Error(libc::ENOENT) => return Ok(None),
                    Reply::Error(errno) => return Err(errno),
                    Reply::Done(_) | Reply::Other => {}
                }
            }
        }
    }

    /// Sends all as one transaction: all is done, or nothing.
    ///
    /// The kernel works through the whole batch inside `send`. A refused batch has an error for each refused
    /// message and no other answer, a done one answers the last message; kernels before 6.10 never answer the
    /// closing one. So the last is asked to answer, and reading ends when nothing is left.
    pub fn batch(&mut self, requests: Vec<Request>) -> Result<(), Refused> {
        let whole = |errno| Refused { messages: Vec::new(), whole: Some(errno) };
        let count = requests.len();
        let first = self.sequence.wrapping_add(1);
        let begin = self.next(control(ControlMessage::BatchBegin), 0);
        let mut bytes = Vec::new();
        append(&mut bytes, begin);
        for (place, request) in requests.into_iter().enumerate() {
            let ack = if place + 1 == count { NLM_F_ACK } else { 0 };
            let message = self.next(ours(request.message), request.flags | ack);
            append(&mut bytes, message);
        }
        let end = self.next(control(ControlMessage::BatchEnd), 0);
        append(&mut bytes, end);

        // The kernel takes a message only if it fits the send buffer with its own overhead.
        let room = bytes.len().saturating_mul(2).max(256 * 1024);
        if socket::setsockopt(&self.socket, sockopt::SndBufForce, &room).is_err() {
            let _ = socket::setsockopt(&self.socket, sockopt::SndBuf, &room);
        }
        self.socket.send(&bytes, 0).map_err(|error| whole(errno_of(error)))?;

        let mut refused = Refused { messages: Vec::new(), whole: None };
        let mut answered = false;
        loop {
            let replies = match self.receive(MsgFlags::MSG_DONTWAIT) {
                Ok(replies) => replies,
                Err(libc::EAGAIN) => break,
                // More errors than the buffer holds: those that came are enough to refuse.
                Err(libc::ENOBUFS) => {
                    refused.whole.get_or_insert(libc::ENOBUFS);
                    continue;
                }
                Err(errno) => return Err(whole(errno)),
            };
            for (header, payload) in replies {
                // The opening message has the number `first`, the requests follow.
                let place = header.sequence_number.wrapping_sub(first).wrapping_sub(1) as usize;
                match payload {
                    Reply::Error(errno) if place < count => refused.messages.push((place, errno)),
                    Reply::Error(errno) => refused.whole = Some(errno),
                    Reply::Done(_) | Reply::Message(_) => {}
                    Reply::Other => answered |= place + 1 == count,
                }
            }
        }
        match refused {
            Refused { messages, whole: None } if messages.is_empty() && answered => Ok(()),
            Refused { messages, whole: None } if messages.is_empty() => Err(whole(libc::EPROTO)),
            refused => Err(refused),
        }
    }

    fn send_one(&mut self, question: NfTablesMessage, flags: u16) -> Result<(), Errno> {
        // What an earlier, failed exchange may have left.
        while self.receive(MsgFlags::MSG_DONTWAIT).is_ok() {}
        let message = self.next(ours(question), flags);
        let mut bytes = Vec::new();
        append(&mut bytes, message);
        self.socket.send(&bytes, 0).map_err(errno_of)?;
        Ok(())
    }

    fn next(&mut self, message: NetfilterMessage, flags: u16) -> NetlinkMessage<NetfilterMessage> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = self.sequence;
        NetlinkMessage::new(header, NetlinkPayload::from(message))
    }

    /// One datagram of answers.
    fn receive(&mut self, flags: MsgFlags) -> Result<Vec<(NetlinkHeader, Reply)>, Errno> {
        let length = loop {
            match socket::recv(self.socket.as_raw_fd(), &mut self.buffer, flags) {
                Ok(length) => break length,
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno as i32),
            }
        };
        let mut rest = self.buffer.get(..length).unwrap_or_default();
        let mut replies = Vec::new();
        while let Some(length) = rest.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes) as usize) {
            let Some(one) = rest.get(..length).filter(|one| one.len() >= 16) else { break };
            replies.push(parse(one));
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(replies)
    }
}

/// What the kernel says of something it has.
pub enum Answer {
    Object(NfTablesMessage),
    /// The attributes of a message about elements, for `element::list`.
    Elements(Vec<u8>),
}

enum Reply {
    Message(Answer),
    Error(Errno),
    Done(Errno),
    /// An acknowledgement, or a message that could not be understood.
    Other,
}

/// Reads one message; what cannot be understood is none of ours.
fn parse(bytes: &[u8]) -> (NetlinkHeader, Reply) {
    match NetlinkMessage::<AnyAnswer>::deserialize(bytes) {
        Ok(message) => {
            let (header, payload) = message.into_parts();
            let reply = match payload {
                NetlinkPayload::Error(error) if error.raw_code() == 0 => Reply::Other,
                NetlinkPayload::Error(error) => Reply::Error(-error.raw_code()),
                NetlinkPayload::Done(done) => Reply::Done(-done.code),
                NetlinkPayload::InnerMessage(AnyAnswer(Some(answer))) => Reply::Message(answer),
                _ => Reply::Other,
            };
            (header, reply)
        }
        Err(_) => (NetlinkHeader::default(), Reply::Other),
    }
}

/// An answer whose body may be beyond what the crate knows; the header is then still good.
struct AnyAnswer(Option<Answer>);

impl NetlinkDeserializable for AnyAnswer {
    type Error = netlink_packet_core::DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<AnyAnswer, Self::Error> {
        const NFT_MSG_NEWSETELEM: u16 = 12;
        /// `struct nfgenmsg`
        const HEAD: usize = 4;
        if header.message_type == SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM {
            let body = payload.get(HEAD..).unwrap_or_default();
            return Ok(AnyAnswer(Some(Answer::Elements(body.to_vec()))));
        }
        let message = <NetfilterMessage as NetlinkDeserializable>::deserialize(header, payload);
        Ok(AnyAnswer(match message.map(|message| message.inner) {
            Ok(NetfilterMessageInner::NfTables(message)) => Some(Answer::Object(message)),
            _ => None,
        }))
    }
}

fn ours(message: NfTablesMessage) -> NetfilterMessage {
    NetfilterMessage::new(NetfilterHeader::new(NetfilterProtoFamily::Inet, 0, 0), message)
}

fn control(message: ControlMessage) -> NetfilterMessage {
    let header = NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, SUBSYS_NFTABLES);
    NetfilterMessage::new(header, message)
}

fn append(bytes: &mut Vec<u8>, mut message: NetlinkMessage<NetfilterMessage>) {
    message.finalize();
    let start = bytes.len();
    bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
    if let Some(place) = bytes.get_mut(start..) {
        message.serialize(place);
    }
}

fn errno_of(error: std::io::Error) -> Errno {
    error.raw_os_error().unwrap_or(libc::EIO)
}
