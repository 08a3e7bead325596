//! The netlink socket: opened, sized, tied to the family.
//!
//! The kernel does all of a datagram's work inside `send`: when it returns, every answer is queued. So nothing here
//! waits, and an answer that is not there never comes.

use std::os::fd::AsRawFd;
use std::process::Command as Process;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};

use super::attr::Malformed;
use super::consts::IPVS_GENL_NAME;
use super::family;
use super::frame::{Body, Frames};
use crate::error::{Error, Kind, Result, errno_name};

/// The kernel makes dump parts as long as the longest read so far, up to 32 KiB (`netlink_recvmsg`, af_netlink.c), and
/// clears that much memory for each, also for the last, which says only that the dump is over. So reads are short as
/// long as short parts do: this fills 8 KiB together with the kernel's own `skb_shared_info`, and holds 20 servers.
const SHORT_READ: usize = 8 * 1024 - 320;
const LONG_READ: usize = 32 * 1024;
const RECEIVE_BUFFER: usize = 4 << 20;
const SEND_BUFFER: usize = 1 << 20;
/// What one queued answer takes of the receive buffer at most: a socket buffer of a page and its bookkeeping, which
/// is what GET_SERVICE answers are put in.
const ANSWER: usize = 8 * 1024;
const MOST_PER_DATAGRAM: usize = 128;

/// A family, and what is to be said when the kernel lacks it.
pub struct FamilyName {
    pub family: &'static str,
    pub module: &'static str,
    /// The error, from why its module could not be loaded.
    pub absent: fn(&str) -> Error,
}

const IPVS: FamilyName = FamilyName { family: IPVS_GENL_NAME, module: "ip_vs", absent: no_ipvs };

/// A socket of one family, in the network namespace of the thread that opened it.
pub struct GenlSocket {
    socket: Socket,
    pub(in crate::kernel) family: u16,
    sequence: u32,
    window: usize,
    inbox: Vec<u8>,
    pub(super) outbox: Vec<u8>,
    pub(super) scratch: Vec<u8>,
}

impl GenlSocket {
    /// Opens one of IPVS, loading the module if it must.
    pub fn open() -> Result<GenlSocket> {
        GenlSocket::open_family(&IPVS)
    }

    /// Opens, and resolves the family, loading its module if it must.
    pub fn open_family(name: &FamilyName) -> Result<GenlSocket> {
        if let Some(socket) = GenlSocket::open_if_there(name)? {
            return Ok(socket);
        }
        load_module(name)?;
        let module = name.module;
        let silent = || (name.absent)(&format!("{module} is loaded but has no family {}", name.family));
        GenlSocket::open_if_there(name)?.ok_or_else(silent)
    }

    /// As [`GenlSocket::open_family`], but loads nothing; `None` when the kernel has no such family now.
    pub fn open_if_there(name: &FamilyName) -> Result<Option<GenlSocket>> {
        let failed = |error: std::io::Error| {
            let errno = error.raw_os_error().unwrap_or(libc::EIO);
            Error::system(Kind::Unable, "open", "generic netlink", errno)
        };
        let mut socket = Socket::new(NETLINK_GENERIC).map_err(failed)?;
        socket.bind_auto().map_err(failed)?;
        socket.connect(&SocketAddr::new(0, 0)).map_err(failed)?;
        // Words with errors; old kernels have none, which is no reason to stop.
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        let window = size_buffers(&socket);
        let mut socket = GenlSocket {
            socket,
            family: 0,
            sequence: 0,
            window,
            inbox: vec![0; SHORT_READ],
            outbox: Vec::new(),
            scratch: Vec::new(),
        };
        let Some(family) = socket.resolve(name.family)? else { return Ok(None) };
        socket.family = family;
        Ok(Some(socket))
    }

    /// How many requests one datagram may carry: few enough that all their answers fit into the receive buffer.
    pub fn window(&self) -> usize {
        self.window
    }

    /// From here on dump parts are as long as the kernel makes them.
    pub fn read_long(&mut self) {
        self.inbox.resize(LONG_READ, 0);
    }

    /// The first of `count` sequence numbers in a row, none of them used before.
    pub(in crate::kernel) fn sequences(&mut self, count: usize) -> u32 {
        let first = self.sequence.wrapping_add(1);
        self.sequence = self.sequence.wrapping_add(count as u32);
        first
    }

    /// Sends a datagram. When this fails, the kernel has looked at none of its messages.
    pub(in crate::kernel) fn send(&self, datagram: &[u8]) -> std::result::Result<(), Errno> {
        loop {
            match self.socket.send(datagram, 0) {
                Ok(_) => return Ok(()),
                Err(error) => match Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)) {
                    Errno::EINTR => {}
                    errno => return Err(errno),
                },
            }
        }
    }

    /// The next datagram; `None` when there is none. ENOBUFS: answers were dropped, those queued can still be read.
    pub(in crate::kernel) fn receive(&mut self) -> std::result::Result<Option<&[u8]>, Errno> {
        loop {
            match recv(self.socket.as_raw_fd(), &mut self.inbox, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC)
            {
                // The kernel never makes a longer one than we read; if it did, half of it would be worse than none.
                Ok(length) => match self.inbox.get(..length) {
                    Some(datagram) => return Ok(Some(datagram)),
                    None => return Err(Errno::EMSGSIZE),
                },
                Err(Errno::EAGAIN) => return Ok(None),
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }

    /// Forgets what is queued, so that a broken answer does not spoil the next question.
    pub(super) fn drain(&mut self) {
        while matches!(self.receive(), Ok(Some(_)) | Err(Errno::ENOBUFS | Errno::EMSGSIZE)) {}
    }

    /// The number of the family; `None` when the kernel has none of this name.
    fn resolve(&mut self, name: &str) -> Result<Option<u16>> {
        let subject = format!("generic netlink family {name}");
        let failed = |errno: Errno| Error::system(Kind::Unable, "look up", &subject, errno as i32);
        let sequence = self.sequences(1);
        self.send(&family::question(name, sequence)).map_err(failed)?;
        let datagram = self.receive().map_err(failed)?.unwrap_or_default();
        for frame in Frames::new(datagram) {
            match frame.map_err(malformed)?.body {
                Body::Data(payload) => return family::answer(payload).map(Some).map_err(malformed),
                Body::Verdict { errno: libc::ENOENT, .. } => return Ok(None),
                Body::Verdict { errno, .. } if errno != 0 => return Err(failed(Errno::from_raw(errno))),
                _ => {}
            }
        }
        Err(lost("look up", &subject))
    }

    /// A device's MTU in the socket's namespace, which `/sys` may not show; `None` when there is no such device.
    pub(super) fn mtu(&self, dev: &str) -> Option<u32> {
        // SAFETY: an ifreq is plain data for which zero is valid.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let room = request.ifr_name.len() - 1;
        for (to, from) in request.ifr_name.iter_mut().take(room).zip(dev.bytes()) {
            *to = from as libc::c_char;
        }
        // SAFETY: SIOCGIFMTU reads the name (closed by a zero) and writes ifru_mtu of the ifreq it is given.
        let code = unsafe { libc::ioctl(self.socket.as_raw_fd(), libc::SIOCGIFMTU as _, &mut request) };
        // SAFETY: every member of the union is plain data; on success the kernel has filled this one.
        let mtu = unsafe { request.ifr_ifru.ifru_mtu };
        u32::try_from(mtu).ok().filter(|_| code == 0)
    }
}

/// Makes room for answers; without CAP_NET_ADMIN as much as the system allows. Returns the window that fits.
fn size_buffers(socket: &Socket) -> usize {
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        let _ = setsockopt(socket, sockopt::RcvBuf, &RECEIVE_BUFFER);
    }
    if setsockopt(socket, sockopt::SndBufForce, &SEND_BUFFER).is_err() {
        let _ = setsockopt(socket, sockopt::SndBuf, &SEND_BUFFER);
    }
    (socket.get_rx_buf_sz().unwrap_or(0) / ANSWER).clamp(1, MOST_PER_DATAGRAM)
}

/// `modprobe ip_vs`: the kernel does not load a module by a family that is no alias of it (`ip_vs` before 6.x, `fou`).
fn load_module(name: &FamilyName) -> Result<()> {
    let module = name.module;
    match Process::new("modprobe").arg(module).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let words = String::from_utf8_lossy(&output.stderr);
            let line = words.lines().map(str::trim).find(|line| !line.is_empty());
            let why = line.unwrap_or("it does not say why");
            Err((name.absent)(&format!("modprobe {module} failed: {why}")))
        }
        Err(error) => Err((name.absent)(&format!("modprobe {module} failed: {error}"))),
    }
}

fn no_ipvs(why: &str) -> Error {
    let hint = "load it as root: modprobe ip_vs; a container needs it loaded on its host; a kernel without \
                CONFIG_IP_VS cannot have it";
    Error::new(Kind::Unable, "no_ipvs", format!("the kernel has no IPVS: {why}")).hint(hint)
}

/// An answer of the kernel that cannot be.
pub(in crate::kernel) fn malformed(error: Malformed) -> Error {
    Error::new(Kind::Unable, "bad_answer", format!("the kernel's answer cannot be read: {error}"))
}

/// An answer that did not come.
pub(in crate::kernel) fn lost(op: &str, subject: &str) -> Error {
    let space = if subject.is_empty() { "" } else { " " };
    let message = format!("cannot {op}{space}{subject}: the kernel's answer was lost (ENOBUFS)");
    let mut error = Error::new(Kind::Unable, "ENOBUFS", message).about(subject);
    error.op = op.to_string();
    error.errno = Some(libc::ENOBUFS);
    error
}

/// A question that the kernel refused.
pub(in crate::kernel) fn refused(op: &str, subject: &str, errno: i32, text: Option<&str>) -> Error {
    let error = if errno == libc::EPERM {
        let mut error = Error::new(
            Kind::Unable,
            &errno_name(errno),
            format!(
                "cannot {op} {subject}: permission denied: needs CAP_NET_ADMIN in the initial user namespace"
            ),
        );
        error.errno = Some(errno);
        error.op = op.to_string();
        error.about(subject).hint("run as root, or: setcap cap_net_admin,cap_net_raw+ep on the program")
    } else {
        let kind = if errno == libc::EOPNOTSUPP { Kind::Unable } else { Kind::Refused };
        Error::system(kind, op, subject, errno)
    };
    match text {
        Some(text) => error.note(format!("the kernel says: {text}")),
        None => error,
    }
}
