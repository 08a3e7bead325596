//! Requests as a client of a topology makes them, in the test's own process.

use super::{Answer, Namespace};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use socket2::{Domain, Socket, Type};
use std::{
    fmt,
    io::{self, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    sync::Arc,
    time::Duration,
};

pub const LIMIT: Duration = Duration::from_secs(5);

/// How a request can fail, in words that a test can compare.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    Refused,
    Timeout,
    Reset,
    Unreachable,
    Other(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::TimedOut | ErrorKind::WouldBlock => Self::Timeout,
            ErrorKind::ConnectionReset => Self::Reset,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Self::Unreachable,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// `http://10.0.0.99/path`, `https://[fd00::99]:8443/`: addresses only, there are no names here.
struct Url<'a> {
    tls: bool,
    host: &'a str,
    address: SocketAddr,
    path: &'a str,
}

impl<'a> Url<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let port = if tls { 443 } else { 80 };
        let address = host.parse().or_else(|_| format!("{host}:{port}").parse()).ok()?;
        Some(Self { tls, host, address, path })
    }
}

#[track_caller]
pub fn get(from: &Namespace, url: &str, limit: Duration) -> Result<Answer, Failure> {
    get_as(from, None, url, limit)
}

/// The same from this one of the client's addresses and ports; 0.0.0.0 and 0 are any.
#[track_caller]
pub fn get_as(
    from: &Namespace,
    source: Option<SocketAddr>,
    url: &str,
    limit: Duration,
) -> Result<Answer, Failure> {
    let url = Url::parse(url).unwrap_or_else(|| panic!("{url} is not a URL with an address"));
    let mut stream = connect_as(from, source, url.address, limit)?;
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", url.path, url.host);
    let text = if url.tls {
        let name = ServerName::IpAddress(url.address.ip().into());
        let session = ClientConnection::new(trusting(), name).map_err(io::Error::other)?;
        exchange(&mut StreamOwned::new(session, stream), &request)?
    } else {
        exchange(&mut stream, &request)?
    };
    let broken = || Failure::Other(format!("not an answer: {text:?}"));
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    Ok(Answer::parse(status.ok_or_else(broken)?, body))
}

fn exchange(stream: &mut (impl Read + Write), request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// A connection that the test keeps; reads and writes give up after `limit`.
pub fn connect(from: &Namespace, to: SocketAddr, limit: Duration) -> Result<TcpStream, Failure> {
    connect_as(from, None, to, limit)
}

fn connect_as(
    from: &Namespace,
    source: Option<SocketAddr>,
    to: SocketAddr,
    limit: Duration,
) -> Result<TcpStream, Failure> {
    let dial = || -> io::Result<TcpStream> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
        if let Some(source) = source {
            socket.bind(&source.into())?;
        }
        socket.connect_timeout(&to.into(), limit)?;
        Ok(socket.into())
    };
    let stream = from.inside(dial)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A UDP socket of the client; port 0 takes any.
pub fn udp_socket(from: &Namespace, port: u16, to: SocketAddr) -> Result<UdpSocket, Failure> {
    let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
    let socket = from.inside(|| UdpSocket::bind((any, port)))?;
    socket.connect(to)?;
    socket.set_read_timeout(Some(LIMIT))?;
    Ok(socket)
}

pub fn ask(socket: &UdpSocket, text: &str) -> Result<Answer, Failure> {
    socket.send(text.as_bytes())?;
    let mut buffer = [0; 2048];
    let count = socket.recv(&mut buffer)?;
    Ok(Answer::parse(0, &String::from_utf8_lossy(&buffer[..count])))
}

fn trusting() -> Arc<ClientConfig> {
    let config = ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(ring::default_provider())))
        .with_no_client_auth();
    Arc::new(config)
}

/// Takes any certificate: what is tested is where the packets go.
#[derive(Debug)]
struct Trusting(CryptoProvider);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer,
        _: &[CertificateDer],
        _: &ServerName,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
