//! Fifty web servers in a network namespace of their own, of which some break as told.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::cases::must;
use super::probes::listen;

pub const SERVERS: u8 = 50;
/// Those that break.
pub const BROKEN: std::ops::RangeInclusive<u8> = 11..=15;

pub fn address(server: u8) -> String {
    format!("10.1.0.{server}")
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    None,
    /// Its port is closed.
    Refuse,
    /// It swallows packets.
    Drop,
    /// It takes the connection and says nothing.
    Hang,
    /// It answers 500.
    Error,
}

impl Fault {
    pub const ALL: [Fault; 4] = [Fault::Refuse, Fault::Drop, Fault::Hang, Fault::Error];

    pub fn name(self) -> &'static str {
        match self {
            Fault::None => "well",
            Fault::Refuse => "refuses",
            Fault::Drop => "drops packets",
            Fault::Hang => "hangs after accept",
            Fault::Error => "answers 500",
        }
    }
}

pub struct Site {
    faults: Sender<Fault>,
    done: Receiver<()>,
}

impl Site {
    /// Joined to this thread's network namespace, where `10.1.0.254` is its way to everywhere.
    pub fn new() -> Site {
        let ((faults, told), (say, done)) = (channel(), channel());
        beside("front", "10.1.0.254/24", move || stand(&told, &say));
        done.recv().expect("a site");
        Site { faults, done }
    }

    /// From the return on all of [`BROKEN`] are like this.
    pub fn now(&self, fault: Fault) {
        self.faults.send(fault).expect("a site");
        self.done.recv().expect("a site");
    }
}

/// A thread in a network namespace of its own, whose `eth0` is the other end of this thread's device.
pub fn beside(device: &str, here: &str, work: impl FnOnce() + Send + 'static) {
    let (tell, place) = channel();
    let (joined, go) = channel::<()>();
    thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).expect("a network namespace");
        tell.send(nix::unistd::gettid()).expect("someone who waits");
        go.recv().expect("a device");
        must("ip link set lo up && ip link set eth0 up");
        work();
    });
    let thread = place.recv().expect("a thread");
    // By its path: the guest's shell would take busybox's, which does not know namespaces.
    must(&format!("/sbin/ip link add {device} type veth peer name eth0 netns /proc/{thread}/ns/net"));
    must(&format!("ip addr add {here} dev {device} && ip link set {device} up"));
    joined.send(()).expect("a thread that waits");
}

/// The site's own thread: serves in another one, and breaks and mends until nobody asks any more.
fn stand(told: &Receiver<Fault>, say: &Sender<()>) {
    let addresses = (1..=SERVERS).map(|server| format!("ip addr add {}/24 dev eth0", address(server)));
    must(&addresses.collect::<Vec<_>>().join(" && "));
    must("ip route add default via 10.1.0.254");
    must("nft 'add table ip site; add chain ip site input { type filter hook input priority 0; }'");
    let mode = Arc::new(AtomicU8::new(Fault::None as u8));
    let shared = Arc::clone(&mode);
    thread::spawn(move || serve(&shared));
    say.send(()).expect("a measurement");
    while let Ok(fault) = told.recv() {
        let rule = match fault {
            Fault::Refuse => "reject with tcp reset",
            Fault::Drop => "drop",
            _ => "",
        };
        mode.store(fault as u8, Ordering::SeqCst);
        let (first, last) = (address(*BROKEN.start()), address(*BROKEN.end()));
        match rule {
            "" => must("nft flush chain ip site input"),
            rule => must(&format!("nft add rule ip site input ip daddr {first}-{last} tcp dport 80 {rule}")),
        }
        if say.send(()).is_err() {
            return;
        }
    }
}

fn serve(mode: &Arc<AtomicU8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = listen(80);
        while let Ok((stream, _)) = listener.accept().await {
            let mode = Arc::clone(mode);
            tokio::spawn(async move { answer(stream, &mode).await });
        }
    });
}

async fn answer(mut stream: TcpStream, mode: &AtomicU8) {
    let broken = match stream.local_addr().map(|addr| addr.ip()) {
        Ok(IpAddr::V4(addr)) => BROKEN.contains(&addr.octets()[3]),
        _ => false,
    };
    let mut head = [0; 2048];
    if !stream.read(&mut head).await.is_ok_and(|length| length > 0) {
        return;
    }
    let mode = if broken { mode.load(Ordering::SeqCst) } else { Fault::None as u8 };
    if mode != Fault::Hang as u8 {
        let status = if mode == Fault::Error as u8 { "500 Broken" } else { "200 OK" };
        let text = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 5\r\n\r\nfine\n");
        // A client that is gone has its answer.
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
    }
    while stream.read(&mut head).await.is_ok_and(|length| length > 0) {}
}
