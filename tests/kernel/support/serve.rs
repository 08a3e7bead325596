//! The services of a real server, in threads of the test: HTTP on 80, HTTPS on 443, a line echo on 7 that keeps its
//! connections open. All listen on every address, IPv4 and IPv6.

use super::{Namespace, ftp};
use rustls::{ServerConfig, ServerConnection, StreamOwned, pki_types::PrivateKeyDer};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    ops::RangeInclusive,
    os::fd::AsRawFd,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU16, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How HTTP and HTTPS are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Takes the request and never answers.
    Hangs,
    /// One byte every 100 ms.
    Drips,
    /// Resets in the middle of the body.
    Resets,
    /// A body of a gigabyte.
    Floods,
    /// HTTPS with a certificate for another name.
    OtherName,
    /// HTTPS with a certificate of the last century.
    Expired,
}

/// What a test may change while it runs.
pub struct Behaviour {
    name: String,
    status: AtomicU16,
    delay_ms: AtomicU64,
    fault: Mutex<Option<Fault>>,
}

pub struct Server {
    namespace: Namespace,
    behaviour: Arc<Behaviour>,
    open: Mutex<Vec<(Arc<TcpListener>, JoinHandle<()>)>>,
    udp: Mutex<Vec<(Arc<AtomicBool>, JoinHandle<()>)>>,
}

#[derive(Clone)]
enum Service {
    Http,
    Https,
    Echo,
    /// With the ports of its data connections.
    Ftp(RangeInclusive<u16>),
}

impl Server {
    pub fn start(namespace: &Namespace) -> Self {
        let server = Self {
            namespace: namespace.clone(),
            behaviour: Arc::new(Behaviour {
                name: namespace.name.clone(),
                status: AtomicU16::new(200),
                delay_ms: AtomicU64::new(0),
                fault: Mutex::default(),
            }),
            open: Mutex::default(),
            udp: Mutex::default(),
        };
        server.up();
        server
    }

    /// Opens all ports; again after `down`.
    pub fn up(&self) {
        for (port, service) in [(80, Service::Http), (443, Service::Https), (7, Service::Echo)] {
            self.listen(port, service);
        }
    }

    /// Serves FTP on port 21, in passive mode alone, with data ports of this range.
    pub fn serve_ftp(&self, passive: RangeInclusive<u16>) {
        self.listen(21, Service::Ftp(passive));
    }

    fn listen(&self, port: u16, service: Service) {
        let listener = self
            .namespace
            .inside(|| TcpListener::bind(("::", port)))
            .unwrap_or_else(|e| panic!("{} cannot listen on {port}: {e}", self.namespace.name));
        let listener = Arc::new(listener);
        let (accepting, behaviour) = (Arc::clone(&listener), Arc::clone(&self.behaviour));
        let namespace = self.namespace.clone();
        let thread = thread::spawn(move || accept(&accepting, &service, &behaviour, &namespace));
        self.open.lock().expect("lock").push((listener, thread));
    }

    /// Closes all ports: connections are refused. Those that exist stay.
    pub fn down(&self) {
        for (listener, thread) in self.open.lock().expect("lock").drain(..) {
            // SAFETY: the descriptor is open as long as `listener`. It wakes accept() in the thread.
            unsafe { libc::shutdown(listener.as_raw_fd(), libc::SHUT_RDWR) };
            thread.join().expect("accepting thread");
        }
        for (stop, thread) in self.udp.lock().expect("lock").drain(..) {
            stop.store(true, Ordering::Relaxed);
            thread.join().expect("UDP thread");
        }
    }

    /// HTTP answers with this status from now on.
    pub fn status(&self, status: u16) {
        self.behaviour.status.store(status, Ordering::Relaxed);
    }

    /// HTTP and HTTPS are broken from now on, or mended.
    pub fn breaks(&self, fault: Option<Fault>) {
        *self.behaviour.fault.lock().expect("lock") = fault;
    }

    /// HTTP answers this much later from now on.
    pub fn delay(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).expect("a delay within reason");
        self.behaviour.delay_ms.store(ms, Ordering::Relaxed);
    }

    /// Answers datagrams. The address must be the one that clients ask (behind DR: the virtual one), so that the
    /// answer comes from it.
    pub fn udp(&self, address: SocketAddr) {
        let socket = self
            .namespace
            .inside(|| UdpSocket::bind(address))
            .unwrap_or_else(|e| panic!("{} cannot listen on UDP {address}: {e}", self.namespace.name));
        let pause = Some(Duration::from_millis(100));
        socket.set_read_timeout(pause).expect("a timeout");
        let stop = Arc::new(AtomicBool::new(false));
        let (until, name) = (Arc::clone(&stop), self.namespace.name.clone());
        let thread = thread::spawn(move || {
            let mut buffer = [0; 2048];
            while !until.load(Ordering::Relaxed) {
                let Ok((count, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let port = address.port();
                let mut answer =
                    format!("name={name} client={from} port={port} scheme=udp path=/\n").into_bytes();
                answer.extend(&buffer[..count]);
                socket.send_to(&answer, from).ok();
            }
        });
        self.udp.lock().expect("lock").push((stop, thread));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.down();
        }
    }
}

fn accept(listener: &TcpListener, service: &Service, behaviour: &Arc<Behaviour>, here: &Namespace) {
    while let Ok((stream, from)) = listener.accept() {
        let (behaviour, service, here) = (Arc::clone(behaviour), service.clone(), here.clone());
        thread::spawn(move || {
            let raw = stream.try_clone();
            let from = SocketAddr::new(from.ip().to_canonical(), from.port());
            // A client that goes away early is its own business.
            match service {
                Service::Http => answer(stream, "http", from, &behaviour).map(drop),
                Service::Https => answer_tls(stream, from, &behaviour),
                Service::Echo => echo(stream, &behaviour.name),
                // It opens sockets of its own.
                Service::Ftp(passive) => here.inside(|| ftp::session(stream, &behaviour.name, &passive)),
            }
            .ok();
            // Said of the last descriptor before it is closed: then the end is a reset.
            if let (Some(Fault::Resets), Ok(raw)) = (behaviour.fault(), raw) {
                socket2::SockRef::from(&raw).set_linger(Some(Duration::ZERO)).ok();
            }
        });
    }
}

impl Behaviour {
    fn fault(&self) -> Option<Fault> {
        *self.fault.lock().expect("lock")
    }
}

fn answer<S: Read + Write>(
    stream: S,
    scheme: &str,
    from: SocketAddr,
    behaviour: &Behaviour,
) -> io::Result<S> {
    let mut stream = BufReader::new(stream);
    let mut request = String::new();
    stream.read_line(&mut request)?;
    let mut line = String::new();
    while stream.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or("/");
    thread::sleep(Duration::from_millis(behaviour.delay_ms.load(Ordering::Relaxed)));
    let port = if scheme == "http" { 80 } else { 443 };
    let body = format!("name={} client={from} port={port} scheme={scheme} path={path}\n", behaviour.name);
    let status = behaviour.status.load(Ordering::Relaxed);
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = stream.into_inner();
    match behaviour.fault() {
        Some(fault) => badly(&mut stream, fault, &(head + &body))?,
        None => stream.write_all((head + &body).as_bytes())?,
    }
    stream.flush()?;
    Ok(stream)
}

fn badly<S: Write>(stream: &mut S, fault: Fault, whole: &str) -> io::Result<()> {
    let long = "HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n";
    match fault {
        Fault::Hangs => thread::sleep(Duration::from_secs(20)),
        Fault::Drips => {
            for byte in whole.bytes() {
                stream.write_all(&[byte])?;
                stream.flush()?;
                thread::sleep(Duration::from_millis(100));
            }
        }
        Fault::Resets => {
            stream.write_all(format!("{long}half").as_bytes())?;
            stream.flush()?;
            thread::sleep(Duration::from_millis(50));
        }
        Fault::Floods => {
            stream.write_all(long.as_bytes())?;
            let part = [b'x'; 65536];
            for _ in 0..16384 {
                stream.write_all(&part)?;
            }
        }
        Fault::OtherName | Fault::Expired => stream.write_all(whole.as_bytes())?,
    }
    Ok(())
}

fn answer_tls(stream: TcpStream, from: SocketAddr, behaviour: &Behaviour) -> io::Result<()> {
    let connection = ServerConnection::new(identity(behaviour.fault())).map_err(io::Error::other)?;
    let mut stream = answer(StreamOwned::new(connection, stream), "https", from, behaviour)?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn echo(mut stream: TcpStream, name: &str) -> io::Result<()> {
    stream.set_nodelay(true)?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        stream.write_all(format!("{name} {}\n", line?).as_bytes())?;
    }
    Ok(())
}

/// Self-signed certificates for all servers of a test: one that is right, one for another name, one that has expired.
static CERTIFICATES: OnceLock<[(Arc<ServerConfig>, String); 3]> = OnceLock::new();

fn certificates() -> &'static [(Arc<ServerConfig>, String); 3] {
    CERTIFICATES.get_or_init(|| {
        [("lab.test", 2090), ("other.test", 2090), ("lab.test", 1999)].map(|(name, year)| {
            let secret = rcgen::KeyPair::generate().expect("a key");
            let mut params = rcgen::CertificateParams::new([name.to_owned()]).expect("a certificate");
            params.not_before = rcgen::date_time_ymd(1990, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 12, 31);
            let made = params.self_signed(&secret).expect("a certificate");
            let key = PrivateKeyDer::Pkcs8(secret.serialize_der().into());
            let config = ServerConfig::builder()
                .with_no_client_auth()
                .with_single_cert(vec![made.der().clone()], key)
                .expect("a TLS configuration");
            (Arc::new(config), made.pem())
        })
    })
}

fn identity(fault: Option<Fault>) -> Arc<ServerConfig> {
    let [right, other, expired] = certificates();
    let (config, _) = match fault {
        Some(Fault::OtherName) => other,
        Some(Fault::Expired) => expired,
        _ => right,
    };
    Arc::clone(config)
}

/// Who believes this file believes all three, as far as name and time allow.
pub fn trusted() -> String {
    certificates().each_ref().map(|(_, pem)| pem.as_str()).concat()
}
