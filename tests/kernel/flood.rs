//! A long connection table, made in seconds: datagrams of many clients, sent by the director itself.
//!
//! They carry a source address of their own and go to a virtual address, so that IPVS schedules each as a new client;
//! the server is a neighbour on a device that goes nowhere. UDP entries live for 300 s.

use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};

use super::support::{Cmd, Namespace};

/// How many entries can be read in the time of a test. Before 6.8 a kernel counts through the table for each page.
pub fn affordable() -> u32 {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    let mut numbers = release.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or_default());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= (6, 8) => 200_000,
        _ => 20_000,
    }
}

/// Makes them in the namespace of a director.
pub fn entries(director: &Namespace, count: u32) {
    let run = |line: &str| Cmd::new(director, line.split(' ').map(str::to_string).collect()).run();
    run("ip link add flood type dummy");
    run("ip address add 10.99.0.1/24 dev flood");
    run("ip link set flood up");
    run("ip neighbour add 10.99.0.2 lladdr 02:00:00:00:00:02 dev flood nud permanent");
    let rules = "-A -u 10.99.0.1:53 -s rr\n-a -u 10.99.0.1:53 -r 10.99.0.2:53 -g\n";
    Cmd::new(director, vec!["ipvsadm".to_string(), "-R".to_string()]).stdin(rules).run();
    director.inside(|| send(count)).unwrap_or_else(|error| panic!("a flood of datagrams: {error}"));
}

fn send(count: u32) -> std::io::Result<()> {
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
    for number in 0..count {
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

/// Runs lvsh in the namespace: lines of its output, and its peak memory in KiB.
#[expect(clippy::zombie_processes, reason = "wait4 below waits for it")]
pub fn measured(director: &Namespace, words: &[&str]) -> (usize, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lvsh"));
    command.args(words).stdout(Stdio::piped());
    let mut child = director.inside(|| command.spawn()).expect("lvsh");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().count();
    let pid = i32::try_from(child.id()).expect("a process");
    let mut status = 0;
    // SAFETY: a rusage is numbers only.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live locals of the right types.
    let waited = unsafe { libc::wait4(pid, &mut status, 0, &raw mut usage) };
    assert_eq!((waited, status), (pid, 0), "{words:?}");
    (lines, u64::try_from(usage.ru_maxrss).expect("a size"))
}
