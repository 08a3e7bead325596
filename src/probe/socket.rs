//! Sockets with a source, a device, a mark.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};

use super::{Job, Route, Trouble};

/// A socket that leaves by the route asked for.
pub fn socket(addr: IpAddr, route: &Route, ty: Type, protocol: Option<Protocol>) -> io::Result<Socket> {
    let domain = if addr.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, ty, protocol)?;
    socket.set_nonblocking(true)?;
    if let Some(mark) = route.mark {
        socket.set_mark(mark)?;
    }
    if let Some(dev) = &route.dev {
        socket.bind_device(Some(dev.to_string().as_bytes()))?;
    }
    let facing = route.facing.filter(|facing| facing.is_ipv4() == addr.is_ipv4());
    let from = match (route.from, facing) {
        (Some(from), _) => Some(from),
        (None, Some(facing)) => Some(source_towards(facing, route)?),
        (None, None) => None,
    };
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    Ok(socket)
}

/// The address from which this machine talks to that one; no packet is sent to find out.
fn source_towards(addr: IpAddr, route: &Route) -> io::Result<IpAddr> {
    const ANY_PORT: u16 = 9;
    let plain = Route { dev: route.dev.clone(), ..Route::default() };
    let asking = socket(addr, &plain, Type::DGRAM, Some(Protocol::UDP))?;
    asking.connect(&SocketAddr::new(addr, ANY_PORT).into())?;
    let local = asking.local_addr()?.as_socket();
    local.map(|local| local.ip()).ok_or_else(|| io::Error::from_raw_os_error(libc::EADDRNOTAVAIL))
}

/// A connection to the server of this job.
pub async fn connect(job: &Job) -> Result<TcpStream, Trouble> {
    let local = |error: io::Error| local(job, &error);
    let socket = socket(job.addr, &job.route, Type::STREAM, Some(Protocol::TCP)).map_err(local)?;
    // A check is over when it is over: thousands in a row must not fill the port range with TIME_WAIT. The reset
    // at the end is what other balancers' checks send as well.
    socket.set_linger(Some(Duration::ZERO)).map_err(local)?;
    socket.set_tcp_nodelay(true).map_err(local)?;
    let stream = TcpSocket::from_std_stream(socket.into());
    stream.connect(SocketAddr::new(job.addr, job.port)).await.map_err(|error| Trouble::of("connect", &error))
}

/// A datagram socket that takes answers of this server only, and hears of its refusals.
pub async fn datagrams(job: &Job) -> Result<UdpSocket, Trouble> {
    let make = || -> io::Result<UdpSocket> {
        let socket = socket(job.addr, &job.route, Type::DGRAM, Some(Protocol::UDP))?;
        if job.route.from.is_none() {
            let any: IpAddr = if job.addr.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
            socket.bind(&SocketAddr::new(any, 0).into())?;
        }
        UdpSocket::from_std(socket.into())
    };
    let socket = make().map_err(|error| local(job, &error))?;
    let to = SocketAddr::new(job.addr, job.port);
    socket.connect(to).await.map_err(|error| Trouble::of("connect", &error))?;
    Ok(socket)
}

/// What failed before a packet was sent is ours, whatever it is.
fn local(job: &Job, error: &io::Error) -> Trouble {
    let words = super::words(error);
    match error.raw_os_error() {
        Some(libc::EPERM) if job.route.mark.is_some() => {
            Trouble::blind(format!("cannot set mark on the socket: {words}; it needs CAP_NET_ADMIN"))
        }
        Some(libc::ENODEV) => {
            let dev = job.route.dev.as_ref().map_or(String::new(), ToString::to_string);
            Trouble::blind(format!("there is no device {dev} here"))
        }
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) if job.route.facing.is_some() => {
            let to = job.route.facing.map(|to| to.to_string()).unwrap_or_default();
            Trouble::blind(format!("this machine has no route to {to}"))
        }
        Some(libc::EADDRNOTAVAIL) => {
            let from = job.route.from.map(|from| from.to_string()).unwrap_or_default();
            Trouble::blind(format!("{from} is not an address of this machine"))
        }
        _ => Trouble::blind(format!("cannot open a socket: {words}")),
    }
}
