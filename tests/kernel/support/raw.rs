//! IPv4 packets of a protocol that this kernel has no sockets for.

use super::Namespace;
use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

pub struct Raw {
    socket: std::net::UdpSocket,
}

impl Raw {
    /// A raw socket of an IP protocol, by its number.
    pub fn open(namespace: &Namespace, protocol: i32) -> io::Result<Self> {
        let fd = namespace.inside(|| {
            // SAFETY: no pointers; the descriptor is checked before it is owned.
            let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, protocol) };
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            // SAFETY: just opened, and of nobody else.
            Ok(unsafe { OwnedFd::from_raw_fd(fd) })
        })?;
        // Reading and writing datagrams is the same for all sockets.
        let socket = std::net::UdpSocket::from(fd);
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        Ok(Self { socket })
    }

    /// The payload behind an IP header that the kernel writes.
    pub fn send(&self, to: Ipv4Addr, payload: &[u8]) -> io::Result<usize> {
        // The port means nothing here.
        self.socket.send_to(payload, SocketAddrV4::new(to, 0))
    }

    /// The payload of the next packet; `None` when none comes.
    pub fn receive(&self) -> Option<Vec<u8>> {
        let mut packet = [0; 2048];
        // SAFETY: the buffer is as long as said.
        let count =
            unsafe { libc::recv(self.socket.as_raw_fd(), packet.as_mut_ptr().cast(), packet.len(), 0) };
        let packet = &packet[..usize::try_from(count).ok()?];
        let header = usize::from(packet.first()? & 0xf) * 4;
        packet.get(header..).map(<[u8]>::to_vec)
    }
}
