//! IPv4 lists in one piece.
//!
//! The old interface of IPVS, `getsockopt`, knows neither IPv6 nor tunnels nor persistence engines, and nothing is
//! written with it. But it copies each list under one hold of the lock that every writer takes
//! (`__ip_vs_get_service_entries` and `__ip_vs_get_dest_entries`, ip_vs_ctl.c), which generic netlink does only for
//! lists of one datagram; and a server takes one copy of 96 bytes there in place of 37 attributes. So it is what tells
//! whether a long reading was disturbed, and where counters are not asked for, the servers of IPv4 are read with it.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::consts::{IP_VS_SO_GET_DESTS, IP_VS_SO_GET_INFO, IP_VS_SO_GET_SERVICES};
use crate::model::{
    Family, Forwarding, Fwmark, Port, Protocol, Server, ServerKey, ServiceKey, Tunnel, Weight,
};

/// `struct ip_vs_getinfo` (linux/ip_vs.h): version, size of the connection table, number of services.
const INFO: usize = 12;
const INFO_SERVICES: usize = 8;
/// `struct ip_vs_get_services` (linux/ip_vs.h): their number, padding, the entries.
const SERVICES_HEAD: usize = 8;
/// `struct ip_vs_service_entry` (linux/ip_vs.h): protocol u16 · addr be32 at 4 · port be16 at 8 · fwmark u32 at 12 ·
/// scheduler 16 bytes at 16 · flags, timeout, netmask, servers u32 each · `ip_vs_stats_user`: 3 u32, padding, 2 u64,
/// 5 u32, padding.
const SERVICE: usize = 104;
const SCHEDULER: usize = 16;
const SETTINGS: std::ops::Range<usize> = 32..44;
const SERVERS: usize = 44;
/// `struct ip_vs_get_dests` (linux/ip_vs.h): protocol u16 · addr be32 at 4 · port be16 at 8 · fwmark u32 at 12 · number
/// of entries u32 at 16 · padding, the entries.
const SERVERS_HEAD: usize = 24;
/// `struct ip_vs_dest_entry` (linux/ip_vs.h): addr be32 · port be16 at 4 · flags u32 at 8 · weight i32 at 12 · upper and
/// lower threshold, active, inactive and persistent connections u32 each · padding, `ip_vs_stats_user` as above.
const SERVER: usize = 96;

/// One service of the list: enough to see that it is the same as in another list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub key: ServiceKey,
    pub servers: usize,
    scheduler: Vec<u8>,
    /// Flags, persistence timeout and netmask, as the kernel has them.
    settings: [u8; 12],
}

/// A socket to ask at, in the network namespace of the thread that opened it.
pub struct Pieces {
    /// `None` on a machine without IPv4, which has no such service.
    socket: Option<OwnedFd>,
    inbox: Vec<u8>,
}

impl Pieces {
    pub fn open() -> Pieces {
        let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
        Pieces { socket: socket.ok(), inbox: Vec::new() }
    }

    /// All IPv4 services at one moment, sorted by key; `None` when the kernel does not say, and then nothing is lost:
    /// whoever asks has another list already, or another way to read one.
    pub fn services(&mut self) -> Option<Vec<Piece>> {
        let mut info = [0; INFO];
        self.ask(IP_VS_SO_GET_INFO, &mut info)?;
        let mut room = word(&info, INFO_SERVICES)? as usize;
        loop {
            // Others may be adding. A full list may have been cut.
            room = room + room / 8 + 64;
            let mut list = std::mem::take(&mut self.inbox);
            list.clear();
            list.resize(SERVICES_HEAD + room * SERVICE, 0);
            list.get_mut(..4)?.copy_from_slice(&(room as u32).to_ne_bytes());
            self.ask(IP_VS_SO_GET_SERVICES, &mut list)?;
            // The kernel does not say how many it filled in; one without a scheduler's name is none.
            let entries = list.get(SERVICES_HEAD..)?.chunks_exact(SERVICE);
            let filled = entries.take_while(|entry| entry.get(SCHEDULER).is_some_and(|byte| *byte != 0));
            let mut pieces = filled.map(piece).collect::<Option<Vec<Piece>>>()?;
            self.inbox = list;
            if pieces.len() < room {
                pieces.sort_by_key(|piece| piece.key);
                return Some(pieces);
            }
        }
    }

    /// All servers of an IPv4 service at one moment, sorted by key. `None` when this interface cannot tell all of
    /// them: they are not `count`, one is of the other family, or one is tunnelled, of which it does not say how.
    pub fn servers(&mut self, service: &ServiceKey, count: usize) -> Option<Vec<(ServerKey, Server)>> {
        let mut list = std::mem::take(&mut self.inbox);
        list.clear();
        list.resize(SERVERS_HEAD + count * SERVER, 0);
        put_key(&mut list, service)?;
        list.get_mut(16..20)?.copy_from_slice(&(count as u32).to_ne_bytes());
        self.ask(IP_VS_SO_GET_DESTS, &mut list)?;
        let servers = list.get(SERVERS_HEAD..)?.chunks_exact(SERVER).map(server).collect::<Option<Vec<_>>>();
        self.inbox = list;
        let mut servers = servers?;
        servers.sort_by_key(|(key, _)| *key);
        Some(servers)
    }

    fn ask(&self, option: libc::c_int, answer: &mut [u8]) -> Option<()> {
        let socket = self.socket.as_ref()?;
        let mut length = answer.len() as libc::socklen_t;
        let to = answer.as_mut_ptr().cast();
        // SAFETY: the kernel writes at most `length` bytes, which is what `answer` has.
        let code = unsafe { libc::getsockopt(socket.as_raw_fd(), libc::IPPROTO_IP, option, to, &mut length) };
        (code == 0).then_some(())
    }
}

fn piece(entry: &[u8]) -> Option<Piece> {
    let name = entry.get(SCHEDULER..SETTINGS.start)?;
    Some(Piece {
        key: service_key(entry)?,
        servers: word(entry, SERVERS)? as usize,
        scheduler: name.iter().copied().take_while(|byte| *byte != 0).collect(),
        settings: entry.get(SETTINGS)?.try_into().ok()?,
    })
}

fn service_key(entry: &[u8]) -> Option<ServiceKey> {
    if let Ok(mark) = Fwmark::new(word(entry, 12)?) {
        return Some(ServiceKey::Mark { family: Family::Ipv4, mark });
    }
    let number = u16::from_ne_bytes(*entry.first_chunk()?);
    let protocol = Protocol::from_number(u8::try_from(number).ok()?);
    Some(ServiceKey::Address { protocol, addr: addr(entry, 4)?, port: port(entry, 8)? })
}

/// The head of both structs begins alike.
fn put_key(list: &mut [u8], key: &ServiceKey) -> Option<()> {
    match *key {
        ServiceKey::Mark { family: Family::Ipv4, mark } => {
            list.get_mut(12..16)?.copy_from_slice(&mark.get().to_ne_bytes());
        }
        ServiceKey::Address { protocol, addr: IpAddr::V4(addr), port } => {
            list.get_mut(..2)?.copy_from_slice(&u16::from(protocol.number()).to_ne_bytes());
            list.get_mut(4..8)?.copy_from_slice(&addr.octets());
            list.get_mut(8..10)?.copy_from_slice(&port.0.to_be_bytes());
        }
        _ => return None,
    }
    Some(())
}

/// An entry that the kernel did not fill in has the address 0.0.0.0, which it refuses of a server.
fn server(entry: &[u8]) -> Option<(ServerKey, Server)> {
    let addr = addr(entry, 0)?;
    let method = Forwarding::from_number(word(entry, 8)?);
    if addr.is_unspecified() || method == Forwarding::Tun {
        return None;
    }
    let server = Server {
        method,
        weight: Weight::new(word(entry, 12)?).ok()?,
        upper: word(entry, 16)?,
        lower: word(entry, 20)?,
        tunnel: Tunnel::default(),
    };
    Some((ServerKey { addr, port: port(entry, 4)? }, server))
}

fn addr(bytes: &[u8], at: usize) -> Option<IpAddr> {
    bytes.get(at..)?.first_chunk::<4>().map(|bytes| IpAddr::V4(Ipv4Addr::from(*bytes)))
}

fn port(bytes: &[u8], at: usize) -> Option<Port> {
    bytes.get(at..)?.first_chunk().map(|bytes| Port(u16::from_be_bytes(*bytes)))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}
