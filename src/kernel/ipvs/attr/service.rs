//! Attributes of a virtual service.

use super::{BePort, FlagBits, Nested, UnionAddr, attributes};
use crate::kernel::ipvs::consts::*;

attributes! {
    /// A virtual service, within `IPVS_CMD_ATTR_SERVICE`. Requests may leave out `Stats` and `Stats64`; a mark
    /// service has `Af` and `Fwmark` in place of `Protocol`, `Addr` and `Port`.
    'a ServiceAttr<'a> {
        Af(u16) = IPVS_SVC_ATTR_AF,
        Protocol(u16) = IPVS_SVC_ATTR_PROTOCOL,
        Addr(UnionAddr) = IPVS_SVC_ATTR_ADDR,
        Port(BePort) = IPVS_SVC_ATTR_PORT,
        Fwmark(u32) = IPVS_SVC_ATTR_FWMARK,
        SchedName(&'a str) = IPVS_SVC_ATTR_SCHED_NAME,
        Flags(FlagBits) = IPVS_SVC_ATTR_FLAGS,
        Timeout(u32) = IPVS_SVC_ATTR_TIMEOUT,
        Netmask([u8; 4]) = IPVS_SVC_ATTR_NETMASK,
        Stats(Nested<'a>) = IPVS_SVC_ATTR_STATS,
        PeName(&'a str) = IPVS_SVC_ATTR_PE_NAME,
        Stats64(Nested<'a>) = IPVS_SVC_ATTR_STATS64,
    }
}
