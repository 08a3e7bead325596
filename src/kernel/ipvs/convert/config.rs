//! Timeouts and information ⇄ attributes.

use super::need;
use crate::kernel::ipvs::attr::{self, CmdAttr, InfoAttr, Malformed, put};
use crate::model::Timeouts;

/// All three. For the kernel 0 means "as it is": who wants a timeout unchanged passes what it read.
pub fn put_config(out: &mut Vec<u8>, timeouts: &Timeouts) {
    put(out, &CmdAttr::TimeoutTcp(timeouts.tcp));
    put(out, &CmdAttr::TimeoutTcpFin(timeouts.tcp_fin));
    put(out, &CmdAttr::TimeoutUdp(timeouts.udp));
}

/// From the attributes of `SET_CONFIG`. A kernel built without UDP or TCP leaves theirs out: 0.
pub fn read_config(attrs: &[u8]) -> Result<Timeouts, Malformed> {
    let mut timeouts = Timeouts { tcp: 0, tcp_fin: 0, udp: 0 };
    for attr in attr::read::<CmdAttr<'_>>(attrs) {
        match attr? {
            CmdAttr::TimeoutTcp(seconds) => timeouts.tcp = seconds,
            CmdAttr::TimeoutTcpFin(seconds) => timeouts.tcp_fin = seconds,
            CmdAttr::TimeoutUdp(seconds) => timeouts.udp = seconds,
            _ => {}
        }
    }
    Ok(timeouts)
}

/// From the attributes of `SET_INFO`: version as `1.2.1`, and the slots of the connection table.
pub fn read_info(attrs: &[u8]) -> Result<(String, u32), Malformed> {
    let (mut version, mut slots) = (None, None);
    for attr in attr::read::<InfoAttr>(attrs) {
        match attr? {
            InfoAttr::Version(code) => {
                let [_, major, minor, patch] = code.to_be_bytes();
                version = Some(format!("{major}.{minor}.{patch}"));
            }
            InfoAttr::ConnTabSize(number) => slots = Some(number),
            InfoAttr::Other(_) => {}
        }
    }
    Ok((need("IPVS_INFO_ATTR_VERSION", version)?, need("IPVS_INFO_ATTR_CONN_TAB_SIZE", slots)?))
}
