//! Names of hosts and services, as the C library knows them: /etc/hosts, DNS, /etc/services.
//!
//! Policies never use names; ipvsadm does, in both directions, unless it is told `-n`.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ptr;

use nix::sys::socket::{SockaddrLike, SockaddrStorage};

use crate::model::{Port, Protocol};
use crate::view::ipvsadm::Names;

/// The first IPv4 address of a host.
pub fn host(name: &str) -> Option<Ipv4Addr> {
    let name = CString::new(name).ok()?;
    // SAFETY: an addrinfo is integers and pointers, for which zero is "none".
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_family = libc::AF_INET;
    hints.ai_socktype = libc::SOCK_STREAM;
    let mut list = ptr::null_mut();
    // SAFETY: name and hints outlive the call; list is set when it answers 0.
    if unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) } != 0 {
        return None;
    }
    // SAFETY: on success there is at least one entry, and of family AF_INET its address is a sockaddr_in.
    let addr = unsafe { (*(*list).ai_addr.cast::<libc::sockaddr_in>()).sin_addr.s_addr };
    // SAFETY: the list is what getaddrinfo gave, and nothing of it is used after this.
    unsafe { libc::freeaddrinfo(list) };
    Some(Ipv4Addr::from_bits(u32::from_be(addr)))
}

/// The port that /etc/services gives a name.
pub fn port(name: &str, protocol: Protocol) -> Option<u16> {
    let name = CString::new(name).ok()?;
    // SAFETY: both strings end with a zero. The answer is in the C library's own memory, which only calls like this
    // one change; this program makes them from one thread.
    let entry = unsafe { libc::getservbyname(name.as_ptr(), database(protocol)?.as_ptr()) };
    // SAFETY: a pointer that is not null is to a servent that stays until the next such call.
    (!entry.is_null()).then(|| u16::from_be(unsafe { (*entry).s_port } as u16))
}

fn service(port: Port, protocol: Protocol) -> Option<String> {
    // SAFETY: as in `port`.
    let entry = unsafe { libc::getservbyport(i32::from(port.0.to_be()), database(protocol)?.as_ptr()) };
    // SAFETY: as in `port`; its name ends with a zero and is copied here.
    (!entry.is_null()).then(|| unsafe { CStr::from_ptr((*entry).s_name) }.to_string_lossy().into_owned())
}

/// The name of a protocol in /etc/services.
fn database(protocol: Protocol) -> Option<&'static CStr> {
    match protocol {
        Protocol::Tcp => Some(c"tcp"),
        Protocol::Udp => Some(c"udp"),
        Protocol::Sctp => Some(c"sctp"),
        Protocol::Other(_) => None,
    }
}

fn address_name(addr: IpAddr) -> Option<String> {
    let storage = SockaddrStorage::from(SocketAddr::new(addr, 0));
    let mut text = [0 as c_char; libc::NI_MAXHOST as usize];
    // SAFETY: the address and its length belong together; the buffer is as long as is said, and gets a zero at its end.
    let said = unsafe {
        libc::getnameinfo(
            storage.as_ptr(),
            storage.len(),
            text.as_mut_ptr(),
            libc::NI_MAXHOST,
            ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    // SAFETY: on success the buffer holds a string with its zero.
    (said == 0).then(|| unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned())
}

/// Looks every address and port up once.
#[derive(Default)]
pub struct Resolver {
    hosts: HashMap<IpAddr, Option<String>>,
    services: HashMap<(Port, Protocol), Option<String>>,
}

impl Names for Resolver {
    fn host(&mut self, addr: IpAddr) -> Option<String> {
        self.hosts.entry(addr).or_insert_with(|| address_name(addr)).clone()
    }

    fn service(&mut self, port: Port, protocol: Protocol) -> Option<String> {
        self.services.entry((port, protocol)).or_insert_with(|| service(port, protocol)).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_every_machine_has() {
        assert_eq!(host("localhost"), Some(Ipv4Addr::LOCALHOST));
        assert_eq!(host("no.such.host.invalid"), None);
        assert_eq!(host("a\0b"), None);
        assert_eq!(port("http", Protocol::Tcp), Some(80));
        assert_eq!(port("no-such-service", Protocol::Tcp), None);
        assert_eq!(port("http", Protocol::Other(0)), None);
        let mut names = Resolver::default();
        assert_eq!(names.host(Ipv4Addr::LOCALHOST.into()).as_deref(), Some("localhost"));
        assert_eq!(names.service(Port(53), Protocol::Udp).as_deref(), Some("domain"));
        assert_eq!(names.service(Port(1), Protocol::Other(0)), None);
    }
}
