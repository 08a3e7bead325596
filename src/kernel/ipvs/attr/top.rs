//! The outermost attributes, and those of `GET_INFO`.

use super::{Nested, attributes};
use crate::kernel::ipvs::consts::*;

attributes! {
    /// The outermost attributes of a message, but for the answer of `GET_INFO`. Timeouts are seconds.
    'a CmdAttr<'a> {
        Service(Nested<'a>) = IPVS_CMD_ATTR_SERVICE,
        Dest(Nested<'a>) = IPVS_CMD_ATTR_DEST,
        Daemon(Nested<'a>) = IPVS_CMD_ATTR_DAEMON,
        TimeoutTcp(u32) = IPVS_CMD_ATTR_TIMEOUT_TCP,
        TimeoutTcpFin(u32) = IPVS_CMD_ATTR_TIMEOUT_TCP_FIN,
        TimeoutUdp(u32) = IPVS_CMD_ATTR_TIMEOUT_UDP,
    }
}

attributes! {
    /// The answer of `GET_INFO`: the numbers overlap with those of [`CmdAttr`], so the command decides.
    'a InfoAttr {
        Version(u32) = IPVS_INFO_ATTR_VERSION,
        ConnTabSize(u32) = IPVS_INFO_ATTR_CONN_TAB_SIZE,
    }
}
