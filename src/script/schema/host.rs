//! The tables of the API that are about the machine around the services: marks, addresses, timeouts, sync daemons.

use super::specs::{FAMILY, MISSING_OK};
use super::{Field, Schema, Ty, eg, field, needed, or};

const KEEP: Ty = Ty::Seconds { min: 0, max: i32::MAX as u32 / 1000, whole: true };

const WEB_PORTS: &str = "lvs.add_mark { mark = 3, daddr = \"192.168.1.99\", proto = \"tcp\", dports = { 80, 443, \"8000-8100\" } }";
const FROM_OUTSIDE: &str = "lvs.add_mark { mark = 3, saddr = \"192.0.2.0/24\", iif = \"eth0\" }";
const MARK_DADDR: Field = eg(field("daddr", Ty::Net, "Destination address or network."), WEB_PORTS);
const MARK_SADDR: Field = eg(field("saddr", Ty::Net, "Source address or network."), FROM_OUTSIDE);
const MARK_IIF: Field = eg(field("iif", Ty::Str, "Device the packet came in by."), FROM_OUTSIDE);
const MARK_PROTO: Field = eg(
    field("proto", Ty::OneOrList(&Ty::Enum(&["tcp", "udp", "sctp"])), "Protocol, one or several."),
    WEB_PORTS,
);
const MARK_DPORTS: Field = eg(
    field(
        "dports",
        Ty::OneOrList(&Ty::Ports),
        "Destination ports: numbers, ranges \"8000-8100\", names; needs proto.",
    ),
    WEB_PORTS,
);
const MARK_OUTPUT: Field = eg(
    or(
        field("output", Ty::Boolean, "Marks what the director itself sends, instead of what arrives."),
        "false",
    ),
    "lvs.add_mark { mark = 3, daddr = \"192.168.1.99\", output = true }",
);
const MARK_FAMILY: Field = eg(
    or(field("family", FAMILY, "Only needed when no address says it."), "\"ipv4\""),
    "lvs.add_mark { mark = 3, family = \"ipv6\", proto = \"tcp\", dports = 80 }",
);
const MARK: Field = eg(needed("mark", Ty::Mark, "The firewall mark."), WEB_PORTS);

pub static MARK_SPEC: Schema = Schema {
    name: "a mark",
    fields: &[MARK, MARK_DADDR, MARK_SADDR, MARK_IIF, MARK_PROTO, MARK_DPORTS, MARK_OUTPUT, MARK_FAMILY],
};

pub static MARK_GONE: Schema = Schema {
    name: "an existing mark",
    fields: &[
        MARK,
        MARK_DADDR,
        MARK_SADDR,
        MARK_IIF,
        MARK_PROTO,
        MARK_DPORTS,
        MARK_OUTPUT,
        MARK_FAMILY,
        MISSING_OK,
    ],
};

const A_VIP_ADDED: &str = "lvs.add_vip { addr = \"192.168.1.99/32\", dev = \"eth0\" }";
const VIP_ADDR: Field = eg(
    needed("addr", Ty::Net, "The address; without a prefix length it is a host's (/32, /128)."),
    A_VIP_ADDED,
);
const VIP_DEV: Field = eg(needed("dev", Ty::Str, "The device that carries it."), A_VIP_ADDED);

pub static VIP: Schema = Schema { name: "a vip", fields: &[VIP_ADDR, VIP_DEV] };
pub static VIP_GONE: Schema = Schema { name: "an existing vip", fields: &[VIP_ADDR, VIP_DEV, MISSING_OK] };

const ALL_TIMEOUTS: &str = "lvs.set_timeouts { tcp = \"15m\", tcp_fin = 120, udp = \"5m\" }";

pub static TIMEOUTS: Schema = Schema {
    name: "timeouts",
    fields: &[
        eg(
            field("tcp", KEEP, "Seconds an established TCP entry lives; left out or 0, it stays as it is."),
            ALL_TIMEOUTS,
        ),
        eg(field("tcp_fin", KEEP, "Seconds after a FIN."), ALL_TIMEOUTS),
        eg(field("udp", KEEP, "Seconds a UDP entry lives."), ALL_TIMEOUTS),
    ],
};

const A_DAEMON: &str = "lvs.start_sync { role = \"master\", dev = \"eth0\", id = 1, group = \"224.0.0.81\", port = 8848, ttl = 1, maxlen = 1400 }";
const ROLE: Field =
    eg(needed("role", Ty::Enum(&["master", "backup"]), "master sends, backup receives."), A_DAEMON);

pub static SYNC: Schema = Schema {
    name: "a sync daemon",
    fields: &[
        ROLE,
        eg(needed("dev", Ty::Str, "Device for the multicast."), A_DAEMON),
        eg(
            or(
                field("id", Ty::Integer { min: 0, max: 255 }, "Daemons with the same id belong together."),
                "0",
            ),
            A_DAEMON,
        ),
        eg(or(field("group", Ty::Address, "Multicast group."), "\"224.0.0.81\""), A_DAEMON),
        eg(or(field("port", Ty::Integer { min: 1, max: 65535 }, "UDP port."), "8848"), A_DAEMON),
        eg(or(field("ttl", Ty::Integer { min: 1, max: 255 }, "Time to live."), "1"), A_DAEMON),
        eg(
            field(
                "maxlen",
                Ty::Integer { min: 0, max: 65535 },
                "Bytes of one message; left out, it follows the device's MTU.",
            ),
            A_DAEMON,
        ),
    ],
};

pub static SYNC_GONE: Schema = Schema { name: "a sync daemon's key", fields: &[ROLE, MISSING_OK] };
