//! ICMP echo.

use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};

use socket2::{Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{Job, Trouble, socket};

/// Of RFC 792 and RFC 4443.
const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REPLY_V4: u8 = 0;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;

/// Tells the pings of one process apart: a raw socket hears the answers to all of them.
static NEXT: AtomicU16 = AtomicU16::new(1);

pub async fn check(job: &Job) -> Result<(), Trouble> {
    let v4 = job.addr.is_ipv4();
    let protocol = if v4 { Protocol::ICMPV4 } else { Protocol::ICMPV6 };
    // Not a datagram socket for ICMP: net.ipv4.ping_group_range refuses those even to root on most machines.
    let raw = socket::socket(job.addr, &job.route, Type::RAW, Some(protocol)).map_err(|error| {
        let why = if error.raw_os_error() == Some(libc::EPERM) { "; ping needs CAP_NET_RAW" } else { "" };
        Trouble::blind(format!("cannot open a socket: {}{why}", super::words(&error)))
    })?;
    raw.connect(&SocketAddr::new(job.addr, 0).into()).map_err(|error| Trouble::of("connect", &error))?;
    let id = std::process::id() as u16;
    let sequence = NEXT.fetch_add(1, Ordering::Relaxed);
    let request = request(v4, id, sequence);
    // SAFETY: the descriptor is the socket's own and stays open and the same as long as `AsyncFd` has the socket.
    let socket = unsafe { AsyncFd::register_with_interest(raw, Interest::READABLE) }
        .map_err(|error| Trouble::blind(format!("cannot wait for an answer: {error}")))?;
    socket.get_ref().send(&request).map_err(|error| Trouble::of("send", &error))?;
    loop {
        let mut ready = socket.readable().await.map_err(|error| Trouble::of("receive", &error))?;
        match ready.try_io(|socket| receive(socket.get_ref())) {
            Ok(Ok(packet)) if is_reply(&packet, v4, id, sequence) => return Ok(()),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(Trouble::of("receive", &error)),
            Err(_would_block) => {}
        }
    }
}

fn receive(socket: &Socket) -> io::Result<Vec<u8>> {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 1500];
    let count = socket.recv(&mut buffer)?;
    // SAFETY: the kernel wrote the first `count` bytes.
    Ok(buffer[..count].iter().map(|byte| unsafe { byte.assume_init() }).collect())
}

fn request(v4: bool, id: u16, sequence: u16) -> Vec<u8> {
    let mut packet = vec![if v4 { ECHO_REQUEST_V4 } else { ECHO_REQUEST_V6 }, 0, 0, 0];
    packet.extend(id.to_be_bytes());
    packet.extend(sequence.to_be_bytes());
    packet.extend(b"lvsh health check, 32 bytes.....");
    if v4 {
        // The kernel fills in that of ICMPv6 itself, because it covers the addresses.
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A raw socket of IPv4 gives the IP header as well, one of IPv6 does not.
fn is_reply(packet: &[u8], v4: bool, id: u16, sequence: u16) -> bool {
    let header = if v4 { packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4) } else { 0 };
    let wanted = if v4 { ECHO_REPLY_V4 } else { ECHO_REPLY_V6 };
    let Some(icmp) = packet.get(header..header + 8) else { return false };
    icmp[0] == wanted && icmp[4..6] == id.to_be_bytes() && icmp[6..8] == sequence.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_a_sum_that_checks() {
        let packet = request(true, 0x1234, 7);
        assert_eq!(packet.len(), 40);
        // The sum over a packet with its own sum is zero.
        assert_eq!(checksum(&packet), 0);
    }

    #[test]
    fn replies_are_told_apart() {
        let mut packet = vec![0x45; 20];
        packet.extend([ECHO_REPLY_V4, 0, 0, 0, 0x12, 0x34, 0, 7]);
        assert!(is_reply(&packet, true, 0x1234, 7));
        assert!(!is_reply(&packet, true, 0x1234, 8));
        assert!(!is_reply(&packet[..22], true, 0x1234, 7));
        assert!(is_reply(&[ECHO_REPLY_V6, 0, 0, 0, 0x12, 0x34, 0, 7], false, 0x1234, 7));
    }
}
