//! Attributes of a real server.

use super::{BePort, Nested, UnionAddr, attributes};
use crate::kernel::ipvs::consts::*;

attributes! {
    /// A real server, within `IPVS_CMD_ATTR_DEST`.
    'a DestAttr<'a> {
        Addr(UnionAddr) = IPVS_DEST_ATTR_ADDR,
        Port(BePort) = IPVS_DEST_ATTR_PORT,
        FwdMethod(u32) = IPVS_DEST_ATTR_FWD_METHOD,
        Weight(u32) = IPVS_DEST_ATTR_WEIGHT,
        UpperThreshold(u32) = IPVS_DEST_ATTR_U_THRESH,
        LowerThreshold(u32) = IPVS_DEST_ATTR_L_THRESH,
        ActiveConns(u32) = IPVS_DEST_ATTR_ACTIVE_CONNS,
        InactConns(u32) = IPVS_DEST_ATTR_INACT_CONNS,
        PersistConns(u32) = IPVS_DEST_ATTR_PERSIST_CONNS,
        Stats(Nested<'a>) = IPVS_DEST_ATTR_STATS,
        AddrFamily(u16) = IPVS_DEST_ATTR_ADDR_FAMILY,
        Stats64(Nested<'a>) = IPVS_DEST_ATTR_STATS64,
        TunType(u8) = IPVS_DEST_ATTR_TUN_TYPE,
        TunPort(BePort) = IPVS_DEST_ATTR_TUN_PORT,
        TunFlags(u16) = IPVS_DEST_ATTR_TUN_FLAGS,
    }
}
