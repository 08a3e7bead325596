//! UDP ports that unpack tunnels: the generic netlink family "fou" (linux/fou.h).

use std::collections::BTreeMap;

use netlink_packet_core::{DefaultNla, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NlasIterator};

use super::ipvs::attr::{Malformed, put, value_of};
use super::ipvs::frame::{Body, Frames};
use super::ipvs::message::{GENL_HDRLEN, NLMSG_HDRLEN};
use super::ipvs::socket::{FamilyName, GenlSocket, lost, malformed, refused};
use crate::backend::Outcome;
use crate::error::{Error, Kind, Result};
use crate::model::{Family, Fou, FouKey};
use crate::plan::{Step, refusal};

const FOU_CMD_ADD: u8 = 1;
const FOU_CMD_DEL: u8 = 2;
const FOU_CMD_GET: u8 = 3;
const FOU_ATTR_PORT: u16 = 1;
const FOU_ATTR_AF: u16 = 2;
const FOU_ATTR_IPPROTO: u16 = 3;
const FOU_ATTR_TYPE: u16 = 4;
const FOU_ENCAP_DIRECT: u8 = 1;
const FOU_ENCAP_GUE: u8 = 2;
const FOU_GENL_VERSION: u8 = 1;

/// Its module has no alias for the family, so the kernel does not load it by itself.
const NAME: FamilyName = FamilyName { family: "fou", module: "fou", absent };

fn absent(why: &str) -> Error {
    Error::new(Kind::Unable, "no_fou", format!("the kernel cannot unpack tunnels in UDP: {why}"))
        .hint("load it as root: modprobe fou; a container needs it loaded on its host; tunnel type ipip or gre does without")
}

/// Ports of the network namespace that the thread was in at the first use.
#[derive(Default)]
pub struct Ports(Option<GenlSocket>);

impl Ports {
    /// All of them, whoever opened them. Without the module there are none, and reading does not load it.
    pub fn all(&mut self) -> Result<BTreeMap<FouKey, Fou>> {
        let socket = match &mut self.0 {
            Some(socket) => socket,
            none => match GenlSocket::open_if_there(&NAME)? {
                Some(socket) => none.insert(socket),
                None => return Ok(BTreeMap::new()),
            },
        };
        let subject = "UDP ports that unpack";
        let failed = |errno: nix::errno::Errno| refused("read", subject, errno as i32, None);
        ask(socket, FOU_CMD_GET, NLM_F_DUMP, &[]).map_err(failed)?;
        let mut found = BTreeMap::new();
        while let Some(datagram) = socket.receive().map_err(failed)? {
            for frame in Frames::new(datagram) {
                match frame.map_err(malformed)?.body {
                    Body::Data(payload) => found.extend(port_of(payload).map_err(malformed)?),
                    Body::Done { errno: 0 } => return Ok(found),
                    Body::Done { errno } | Body::Verdict { errno, .. } if errno != 0 => {
                        return Err(refused("read", subject, errno, None));
                    }
                    _ => {}
                }
            }
        }
        Err(lost("read", subject))
    }

    /// Makes the changes one after the other, up to the first that fails.
    pub fn apply(&mut self, steps: &[&Step]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(steps.len());
        for step in steps {
            let done = self.one(step);
            let failed = done.is_err();
            outcomes.push(done.map_or_else(Outcome::Failed, |()| Outcome::Done));
            if failed {
                break;
            }
        }
        outcomes.resize(steps.len(), Outcome::NotSent);
        outcomes
    }

    fn one(&mut self, step: &Step) -> Result<()> {
        let (command, key, fou) = match step {
            Step::AddFou { key, fou } => (FOU_CMD_ADD, key, fou),
            Step::DelFou { key, fou } => (FOU_CMD_DEL, key, fou),
            _ => return Err(refusal(step, libc::EINVAL)),
        };
        let socket = match &mut self.0 {
            Some(socket) => socket,
            none => none.insert(GenlSocket::open_family(&NAME)?),
        };
        let failed = |errno: nix::errno::Errno| refusal(step, errno as i32);
        ask(socket, command, NLM_F_ACK, &attributes(key, *fou)).map_err(failed)?;
        while let Some(datagram) = socket.receive().map_err(failed)? {
            for frame in Frames::new(datagram) {
                if let Body::Verdict { errno, .. } = frame.map_err(malformed)?.body {
                    return if errno == 0 { Ok(()) } else { Err(refusal(step, errno)) };
                }
            }
        }
        let mut error = lost(&step.words(), &step.subject());
        error.op = step.op();
        Err(error)
    }
}

/// `ip fou add port 6080 gue`: the port in network order, the family of the outer packets.
fn attributes(key: &FouKey, fou: Fou) -> Vec<u8> {
    let family = match key.family {
        Family::Ipv4 => libc::AF_INET,
        Family::Ipv6 => libc::AF_INET6,
    };
    let mut out = Vec::new();
    put(&mut out, &DefaultNla::new(FOU_ATTR_PORT, key.port.to_be_bytes().to_vec()));
    put(&mut out, &DefaultNla::new(FOU_ATTR_AF, vec![family as u8]));
    match fou {
        Fou::Gue => put(&mut out, &DefaultNla::new(FOU_ATTR_TYPE, vec![FOU_ENCAP_GUE])),
        Fou::Protocol(number) => {
            put(&mut out, &DefaultNla::new(FOU_ATTR_TYPE, vec![FOU_ENCAP_DIRECT]));
            put(&mut out, &DefaultNla::new(FOU_ATTR_IPPROTO, vec![number]));
        }
    }
    out
}

/// One port of a dump, from what is behind the netlink header; `None` for families and types of later kernels.
fn port_of(payload: &[u8]) -> Result<Option<(FouKey, Fou)>, Malformed> {
    let (mut port, mut family, mut protocol, mut kind) = (None, None, 0, 0);
    for nla in NlasIterator::new(payload.get(GENL_HDRLEN..).unwrap_or_default()) {
        let nla = nla.map_err(|error| Malformed::Frame(error.to_string()))?;
        let (attribute, bytes) = (nla.kind(), value_of(nla));
        let byte = || bytes.first().copied().unwrap_or(0);
        match attribute {
            FOU_ATTR_PORT => port = bytes.try_into().ok().map(u16::from_be_bytes),
            FOU_ATTR_AF if i32::from(byte()) == libc::AF_INET => family = Some(Family::Ipv4),
            FOU_ATTR_AF if i32::from(byte()) == libc::AF_INET6 => family = Some(Family::Ipv6),
            FOU_ATTR_IPPROTO => protocol = byte(),
            FOU_ATTR_TYPE => kind = byte(),
            _ => {}
        }
    }
    let port = port.ok_or(Malformed::Missing("FOU_ATTR_PORT"))?;
    let fou = match kind {
        FOU_ENCAP_GUE => Fou::Gue,
        FOU_ENCAP_DIRECT => Fou::Protocol(protocol),
        _ => return Ok(None),
    };
    Ok(family.map(|family| (FouKey { family, port }, fou)))
}

/// Sends one message: nlmsghdr, genlmsghdr, attributes.
fn ask(socket: &mut GenlSocket, command: u8, flags: u16, attrs: &[u8]) -> Result<(), nix::errno::Errno> {
    let sequence = socket.sequences(1);
    let length = u32::try_from(NLMSG_HDRLEN + GENL_HDRLEN + attrs.len()).unwrap_or(u32::MAX);
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(&length.to_ne_bytes());
    out.extend_from_slice(&socket.family.to_ne_bytes());
    out.extend_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
    out.extend_from_slice(&sequence.to_ne_bytes());
    out.extend_from_slice(&0u32.to_ne_bytes());
    out.extend_from_slice(&[command, FOU_GENL_VERSION, 0, 0]);
    out.extend_from_slice(attrs);
    socket.send(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_survives_its_attributes() {
        for family in [Family::Ipv4, Family::Ipv6] {
            for fou in [Fou::Gue, Fou::Protocol(4)] {
                let key = FouKey { family, port: 6080 };
                let payload = [&[0; GENL_HDRLEN][..], &attributes(&key, fou)].concat();
                assert_eq!(port_of(&payload), Ok(Some((key, fou))));
            }
        }
        // As `ip fou add port 6080 gue` writes it: 0x17c0 in network order first.
        let bytes = attributes(&FouKey { family: Family::Ipv4, port: 6080 }, Fou::Gue);
        assert_eq!(bytes[..8], [6, 0, 1, 0, 0x17, 0xc0, 0, 0]);
        assert!(port_of(&[0; GENL_HDRLEN]).is_err());
        assert!(port_of(&[0, 0, 0, 0, 3, 0]).is_err());
    }
}
