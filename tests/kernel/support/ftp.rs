//! FTP as far as a load balancer is concerned: a control connection, and a passive data connection that has to reach
//! the same server.

use super::{Failure, Host, client};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    ops::RangeInclusive,
};

/// Serves one control connection: USER, PASV, RETR, QUIT. Data ports are taken from `passive`.
pub(super) fn session(mut control: TcpStream, name: &str, passive: &RangeInclusive<u16>) -> io::Result<()> {
    let lines = BufReader::new(control.try_clone()?).lines();
    let IpAddr::V4(own) = control.local_addr()?.ip().to_canonical() else {
        return Err(io::Error::other("PASV is IPv4"));
    };
    let mut data = None;
    control.write_all(format!("220 {name}\r\n").as_bytes())?;
    for line in lines {
        let answer = match line?.split(' ').next().unwrap_or_default() {
            "USER" => "230 welcome\r\n".to_owned(),
            "PASV" => {
                let bound = passive.clone().find_map(|port| TcpListener::bind((own, port)).ok());
                let listener = bound.ok_or_else(|| io::Error::other("no data port is free"))?;
                let port = listener.local_addr()?.port();
                data = Some(listener);
                let [a, b, c, d] = own.octets();
                format!("227 Entering Passive Mode ({a},{b},{c},{d},{},{})\r\n", port / 256, port % 256)
            }
            "RETR" => {
                control.write_all(b"150 here it comes\r\n")?;
                let listener = data.take().ok_or_else(|| io::Error::other("RETR before PASV"))?;
                listener.accept()?.0.write_all(name.as_bytes())?;
                "226 done\r\n".to_owned()
            }
            "QUIT" => break,
            _ => "502 what?\r\n".to_owned(),
        };
        control.write_all(answer.as_bytes())?;
    }
    Ok(())
}

/// One file fetched.
#[derive(Debug, Clone, PartialEq)]
pub struct Fetched {
    /// The server of the control connection, by its greeting.
    pub control: String,
    /// Where it said the data is.
    pub address: SocketAddr,
    /// The server of the data connection.
    pub data: String,
}

impl Host {
    /// Fetches a file in passive mode.
    pub fn ftp(&self, server: &str) -> Result<Fetched, Failure> {
        let mut control = self.connect(server)?;
        let mut lines = BufReader::new(control.try_clone()?).lines();
        let mut reply = || lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
        let greeting = reply()?;
        control.write_all(b"USER anonymous\r\n")?;
        reply()?;
        control.write_all(b"PASV\r\n")?;
        let passive = reply()?;
        let address =
            passive_address(&passive).ok_or_else(|| Failure::Other(format!("no address: {passive}")))?;
        control.write_all(b"RETR file\r\n")?;
        let mut stream = client::connect(&self.namespace, address, client::LIMIT)?;
        let mut data = String::new();
        stream.read_to_string(&mut data)?;
        reply()?;
        reply()?;
        control.write_all(b"QUIT\r\n")?;
        let control = greeting.trim_start_matches("220 ").to_owned();
        Ok(Fetched { control, address, data })
    }
}

/// `227 Entering Passive Mode (10,0,0,1,195,80)`
fn passive_address(line: &str) -> Option<SocketAddr> {
    let inside = line.split_once('(')?.1.split_once(')')?.0;
    let numbers: Vec<u8> = inside.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [a, b, c, d, high, low] = numbers.as_slice() else { return None };
    Some((Ipv4Addr::new(*a, *b, *c, *d), u16::from_be_bytes([*high, *low])).into())
}
