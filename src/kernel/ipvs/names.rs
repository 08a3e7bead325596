//! The keys of all IPv4 services in one piece.
//!
//! The old interface of IPVS, `getsockopt`, knows neither IPv6 nor tunnels and is not used for anything else. But it
//! copies its list under one hold of the lock that every writer takes (`__ip_vs_get_service_entries`, ip_vs_ctl.c),
//! which generic netlink does only for lists of one datagram.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::consts::{IP_VS_SO_GET_INFO, IP_VS_SO_GET_SERVICES};
use crate::model::{Family, Fwmark, Port, Protocol, ServiceKey};

/// `struct ip_vs_getinfo` (linux/ip_vs.h): version, size of the connection table, number of services.
const INFO: usize = 12;
const INFO_SERVICES: usize = 8;
/// `struct ip_vs_get_services` (linux/ip_vs.h): their number, padding, the entries.
const HEAD: usize = 8;
/// `struct ip_vs_service_entry` (linux/ip_vs.h): protocol u16 · addr be32 at 4 · port be16 at 8 · fwmark u32 at 12 ·
/// scheduler 16 bytes at 16 · flags, timeout, netmask, servers u32 each · `ip_vs_stats_user`: 3 u32, padding, 2 u64,
/// 5 u32, padding.
const ENTRY: usize = 104;
const SCHEDULER: usize = 16;

/// A socket to ask at, in the network namespace of the thread that opened it.
pub struct Names {
    /// `None` on a machine without IPv4, which has no such service.
    socket: Option<OwnedFd>,
}

impl Names {
    pub fn open() -> Names {
        let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
        Names { socket: socket.ok() }
    }

    /// The keys at one moment; empty when the kernel does not say. Whoever needs them has a list already and only
    /// looks for what it lacks, so no answer is no failure.
    pub fn read(&self) -> Vec<ServiceKey> {
        let mut info = [0; INFO];
        if self.ask(IP_VS_SO_GET_INFO, &mut info).is_none() {
            return Vec::new();
        }
        let mut room = word(&info, INFO_SERVICES).unwrap_or(0) as usize;
        loop {
            // Others may be adding. A full list may have been cut.
            room = room * 2 + 64;
            let mut list = vec![0; HEAD + room * ENTRY];
            let Some(count) = list.get_mut(..4) else { return Vec::new() };
            count.copy_from_slice(&(room as u32).to_ne_bytes());
            if self.ask(IP_VS_SO_GET_SERVICES, &mut list).is_none() {
                return Vec::new();
            }
            // The kernel does not say how many it filled in; one without a scheduler's name is none.
            let entries = list.get(HEAD..).unwrap_or_default().chunks_exact(ENTRY);
            let filled = entries.take_while(|entry| entry.get(SCHEDULER).is_some_and(|byte| *byte != 0));
            let (count, keys) = filled.fold((0, Vec::new()), |(count, mut keys), entry| {
                keys.extend(key(entry));
                (count + 1, keys)
            });
            if count < room {
                return keys;
            }
        }
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

fn key(entry: &[u8]) -> Option<ServiceKey> {
    if let Ok(mark) = Fwmark::new(word(entry, 12)?) {
        return Some(ServiceKey::Mark { family: Family::Ipv4, mark });
    }
    let addr = IpAddr::V4(Ipv4Addr::from(*entry.get(4..)?.first_chunk::<4>()?));
    let port = Port(u16::from_be_bytes(*entry.get(8..)?.first_chunk()?));
    let number = u16::from_ne_bytes(*entry.first_chunk()?);
    Some(ServiceKey::Address { protocol: Protocol::from_number(u8::try_from(number).ok()?), addr, port })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}
