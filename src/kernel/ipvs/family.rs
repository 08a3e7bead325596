//! Which number the kernel gave a family (IPVS, fou), asked of the generic netlink controller.
//!
//! The controller's answer holds much more than the number, and is read by hand: the parser of
//! netlink-packet-generic 0.5 for it panics on some malformed answers.

use netlink_packet_core::{
    DefaultNla, Emitable, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_generic::{GenlFamily, GenlMessage};

use super::attr::{Malformed, value_of};
use super::message::GENL_HDRLEN;

/// linux/genetlink.h
const GENL_ID_CTRL: u16 = 0x10;
const CTRL_CMD_GETFAMILY: u8 = 3;
const CTRL_ATTR_FAMILY_ID: u16 = 1;
const CTRL_ATTR_FAMILY_NAME: u16 = 2;

#[derive(Debug)]
struct GetFamily(DefaultNla);

impl GenlFamily for GetFamily {
    fn family_name() -> &'static str {
        "nlctrl"
    }

    fn family_id(&self) -> u16 {
        GENL_ID_CTRL
    }

    fn command(&self) -> u8 {
        CTRL_CMD_GETFAMILY
    }

    fn version(&self) -> u8 {
        2
    }
}

impl Emitable for GetFamily {
    fn buffer_len(&self) -> usize {
        self.0.buffer_len()
    }

    fn emit(&self, out: &mut [u8]) {
        self.0.emit(out);
    }
}

/// The question, whole.
pub fn question(name: &str, sequence: u32) -> Vec<u8> {
    let name = format!("{name}\0").into_bytes();
    let ask = GetFamily(DefaultNla::new(CTRL_ATTR_FAMILY_NAME, name));
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(GenlMessage::from_payload(ask)));
    message.finalize();
    let mut out = vec![0; message.buffer_len()];
    message.serialize(&mut out);
    out
}

/// The number, from what is behind the netlink header of the answer.
pub fn answer(payload: &[u8]) -> Result<u16, Malformed> {
    let attrs = payload.get(GENL_HDRLEN..).unwrap_or_default();
    for nla in netlink_packet_core::NlasIterator::new(attrs) {
        let nla = nla.map_err(|error| Malformed::Frame(error.to_string()))?;
        if nla.kind() == CTRL_ATTR_FAMILY_ID {
            let bytes = value_of(nla);
            let length = Malformed::Length { attr: "CTRL_ATTR_FAMILY_ID", got: bytes.len(), expected: "2" };
            return bytes.try_into().map(u16::from_ne_bytes).map_err(|_| length);
        }
    }
    Err(Malformed::Missing("CTRL_ATTR_FAMILY_ID"))
}
