//! What host and guest say to each other: one TCP connection per command, frames of `kind, length, bytes`.

use std::io::{self, Read, Write};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Guest to host, first on every connection. QEMU's forwarding accepts before the guest listens, so only this
    /// proves that somebody is there.
    Hello = b'H',
    Run = b'R',
    /// An empty one is the end of the input.
    Stdin = b'I',
    Stdout = b'O',
    Stderr = b'E',
    /// Two little-endian i32: exit code, and the signal that ended it or 0.
    Exit = b'X',
    /// A sentence: the guest could not run the command at all.
    Refused = b'F',
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Hello, Self::Run, Self::Stdin, Self::Stdout, Self::Stderr, Self::Exit, Self::Refused]
            .into_iter()
            .find(|k| *k as u8 == byte)
    }
}

pub fn send(to: &mut impl Write, kind: Kind, bytes: &[u8]) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    // One write per frame: several small ones would wait for each other's acknowledgement.
    let mut frame = Vec::with_capacity(5 + bytes.len());
    frame.push(kind as u8);
    frame.extend(length.to_le_bytes());
    frame.extend(bytes);
    to.write_all(&frame)
}

pub fn receive(from: &mut impl Read) -> io::Result<(Kind, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let kind = Kind::from_byte(head[0])
        .ok_or_else(|| io::Error::other(format!("frame of unknown kind {}", head[0])))?;
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    Ok((kind, bytes))
}

/// An executable that must be at `path` in the guest; `copy` (its name holds size and time) is where to get it.
#[derive(Debug, PartialEq)]
pub struct Binary {
    pub path: String,
    pub copy: String,
}

#[derive(Debug, PartialEq)]
pub struct Request {
    pub cwd: String,
    pub argv: Vec<String>,
    pub env: Vec<(String, String)>,
    pub binaries: Vec<Binary>,
}

impl Request {
    pub fn encode(&self) -> Vec<u8> {
        let mut words = vec![self.cwd.clone(), self.argv.len().to_string()];
        words.extend(self.argv.iter().cloned());
        words.push(self.env.len().to_string());
        words.extend(self.env.iter().flat_map(|(k, v)| [k.clone(), v.clone()]));
        let binaries = self.binaries.iter();
        words.extend(binaries.flat_map(|b| [b.path.clone(), b.copy.clone()]));
        // No argument, variable or path can hold a NUL.
        words.join("\0").into_bytes()
    }

    pub fn decode(bytes: Vec<u8>) -> Option<Self> {
        let text = String::from_utf8(bytes).ok()?;
        let mut words = text.split('\0').map(str::to_owned);
        let cwd = words.next()?;
        let count = words.next()?.parse().ok()?;
        let argv: Vec<_> = words.by_ref().take(count).collect();
        let count: usize = words.next()?.parse().ok()?;
        let env = (0..count).map(|_| Some((words.next()?, words.next()?))).collect::<Option<_>>()?;
        let mut binaries = Vec::new();
        while let Some(path) = words.next() {
            let copy = words.next()?;
            binaries.push(Binary { path, copy });
        }
        Some(Self { cwd, argv, env, binaries })
    }
}
