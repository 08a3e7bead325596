//! Telling the neighbours where an address is now: gratuitous ARP and unsolicited neighbour advertisement.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use netlink_packet_route::link::LinkFlags;
use nix::sys::socket::{self, AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6};

use super::route::Link;

/// Announces an address on its device. A device without neighbours to tell (loopback, NOARP) is passed over.
///
/// A failure is a sentence for a warning: the address is there all the same, and neighbours find out when their
/// entries grow old.
pub fn announce(link: &Link, addr: IpAddr) -> Result<(), String> {
    if link.flags.intersects(LinkFlags::Loopback | LinkFlags::Noarp) || addr.is_loopback() {
        return Ok(());
    }
    // Ethernet and what looks like it; other hardware has other ways.
    let Ok(mac) = <[u8; 6]>::try_from(link.mac.as_slice()) else { return Ok(()) };
    let sent = match addr {
        IpAddr::V4(addr) => gratuitous_arp(link.index, mac, addr),
        IpAddr::V6(addr) => neighbour_advertisement(link, mac, addr),
    };
    sent.map_err(|error| format!("{addr} was not announced on {}: {error}", link.name))
}

/// Request and reply form, as RFC 5227 section 3 finds hosts that heed only one of them.
fn gratuitous_arp(index: u32, mac: [u8; 6], addr: Ipv4Addr) -> io::Result<()> {
    const REQUEST: u16 = 1;
    const REPLY: u16 = 2;
    // SAFETY: socket() takes numbers and gives a new descriptor or -1, which is checked.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_PACKET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedFd::from_raw_fd(fd)
    };
    for form in [REQUEST, REPLY] {
        send_arp(&socket, index, &arp(form, mac, addr))?;
    }
    Ok(())
}

/// `struct arphdr` and what follows it for IPv4 over Ethernet (linux/if_arp.h, RFC 826): sender and target have
/// the same address. A request knows no target hardware; a reply says the sender's own.
fn arp(form: u16, mac: [u8; 6], addr: Ipv4Addr) -> [u8; 28] {
    const ETHERNET: [u8; 2] = [0, 1];
    const IPV4: [u8; 2] = [8, 0];
    let target = if form == 1 { [0; 6] } else { mac };
    let mut body = [0; 28];
    let parts: [&[u8]; 8] =
        [&ETHERNET, &IPV4, &[6, 4], &form.to_be_bytes(), &mac, &addr.octets(), &target, &addr.octets()];
    for (place, byte) in body.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    body
}

fn send_arp(socket: &OwnedFd, index: u32, body: &[u8]) -> io::Result<()> {
    // SAFETY: sockaddr_ll is plain numbers, for which zero is a value.
    let mut to: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    to.sll_family = libc::AF_PACKET as u16;
    to.sll_protocol = (libc::ETH_P_ARP as u16).to_be();
    to.sll_ifindex = index as i32;
    to.sll_halen = 6;
    to.sll_addr = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0];
    // SAFETY: both pointers are to live values of the lengths given with them.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            body.as_ptr().cast(),
            body.len(),
            0,
            (&raw const to).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// RFC 4861 section 7.2.6, to all nodes of the link. The hop limit must be 255; the kernel fills the checksum of
/// ICMPv6 sockets.
fn neighbour_advertisement(link: &Link, mac: [u8; 6], addr: Ipv6Addr) -> io::Result<()> {
    const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    const HOP_LIMIT: i32 = 255;
    let socket =
        socket::socket(AddressFamily::Inet6, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::IcmpV6)?;
    set_option(&socket, libc::IPV6_MULTICAST_HOPS, HOP_LIMIT)?;
    set_option(&socket, libc::IPV6_MULTICAST_IF, link.index as i32)?;
    set_option(&socket, libc::IPV6_MULTICAST_LOOP, 0)?;
    let address = |addr, scope| SockaddrIn6::from(SocketAddrV6::new(addr, 0, 0, scope));
    let body = advertisement(mac, addr, is_router(link));
    socket::bind(socket.as_raw_fd(), &address(addr, link.index))?;
    socket::sendto(socket.as_raw_fd(), &body, &address(ALL_NODES, link.index), MsgFlags::empty())?;
    Ok(())
}

fn advertisement(mac: [u8; 6], addr: Ipv6Addr, router: bool) -> Vec<u8> {
    const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    const ROUTER: u8 = 0x80;
    const OVERRIDE: u8 = 0x20;
    const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
    let flags = OVERRIDE | if router { ROUTER } else { 0 };
    let mut body = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
    body.extend_from_slice(&addr.octets());
    // The option's length counts in eights.
    body.extend_from_slice(&[TARGET_LINK_LAYER_ADDRESS, 1]);
    body.extend_from_slice(&mac);
    body
}

/// Hosts drop a default router that stops saying it is one (RFC 4861 section 7.2.5).
fn is_router(link: &Link) -> bool {
    let path = format!("/proc/sys/net/ipv6/conf/{}/forwarding", link.name);
    fs::read_to_string(path).is_ok_and(|text| text.trim() != "0")
}

fn set_option(socket: &OwnedFd, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the pointer is to a live i32, and its size is given.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IPV6,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arp_body_is_as_in_the_rfc() {
        let body = arp(2, [2, 0, 0, 0, 0, 9], Ipv4Addr::new(192, 0, 2, 1));
        let wanted = [
            0, 1, 8, 0, 6, 4, 0, 2, // Ethernet, IPv4, lengths, reply
            2, 0, 0, 0, 0, 9, 192, 0, 2, 1, // sender
            2, 0, 0, 0, 0, 9, 192, 0, 2, 1, // target
        ];
        assert_eq!(body, wanted);
    }
}
