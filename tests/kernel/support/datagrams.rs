//! Datagrams of many clients, sent by a director to itself: each makes an entry of the connection table.
//!
//! They carry a source address of their own and go to the virtual address 10.99.0.1, port 53. UDP entries live 300 s.
//! The benchmarks use this file too.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// From the namespace of this thread, which needs CAP_NET_RAW.
pub fn send(clients: std::ops::Range<u32>) -> std::io::Result<()> {
    // SAFETY: no pointers; the descriptor that comes back is ours alone.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error());
    }
    // SAFETY: a descriptor that was opened above, and nobody else has.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let target = Ipv4Addr::new(10, 99, 0, 1);
    let to = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: 0,
        sin_addr: libc::in_addr { s_addr: u32::from(target).to_be() },
        sin_zero: [0; 8],
    };
    for number in clients {
        let packet = datagram(
            Ipv4Addr::from_bits(0x0a62_0000 + number / 50_000),
            10_000 + (number % 50_000) as u16,
            target,
        );
        // SAFETY: packet and address live until after the call, and their lengths are given.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                (&raw const to).cast(),
                size_of::<libc::sockaddr_in>() as libc::socklen_t,
            )
        };
        if sent < 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

/// IPv4 and UDP headers with one byte; the kernel fills in lengths and checksums (raw(7)), and UDP needs none.
fn datagram(from: Ipv4Addr, port: u16, to: Ipv4Addr) -> [u8; 29] {
    let mut packet = [0; 29];
    packet[0] = 0x45;
    packet[3] = 29;
    packet[8] = 64;
    packet[9] = 17;
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&to.octets());
    packet[20..22].copy_from_slice(&port.to_be_bytes());
    packet[22..24].copy_from_slice(&53_u16.to_be_bytes());
    packet[25] = 9;
    packet
}
