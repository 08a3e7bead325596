//! Tables about the host: local routes, devices and ports that unpack tunnels, and what makes a real server.

use super::{Field, Schema, Ty, field, needed, or};

const FAMILY: Ty = Ty::Enum(&["ipv4", "ipv6"]);
const PORT: Ty = Ty::Integer { min: 1, max: 65535 };
const MISSING_OK: Field =
    or(field("missing_ok", Ty::Boolean, "Do nothing, instead of failing, when it does not exist."), "false");

const MARK: Field =
    field("mark", Ty::Mark, "The firewall mark that is looked up there; left out, only the route is meant.");
const TABLE: Field = needed(
    "table",
    Ty::Integer { min: 1, max: u32::MAX as i64 },
    "A routing table of one's own, not 253, 254 or 255; other routes in it are left alone.",
);
const ROUTE_FAMILY: Field = or(field("family", FAMILY, "Family of the packets."), "\"ipv4\"");
const PRIORITY: Field = or(
    field(
        "priority",
        Ty::Integer { min: 1, max: 32765 },
        "Place among the rules; lower is asked first, and table main is at 32766.",
    ),
    "100",
);

pub static LOCAL_ROUTE: Schema =
    Schema { name: "a local route", fields: &[MARK, TABLE, ROUTE_FAMILY, PRIORITY] };
pub static LOCAL_ROUTE_GONE: Schema =
    Schema { name: "a local route", fields: &[MARK, TABLE, ROUTE_FAMILY, PRIORITY, MISSING_OK] };

const TUNNEL_DEV: Field = needed("dev", Ty::Str, "The device's name.");

pub static TUNNEL_DEVICE: Schema = Schema {
    name: "a tunnel device",
    fields: &[
        TUNNEL_DEV,
        needed(
            "type",
            Ty::Enum(&["ipip", "sit", "ip6tnl", "gre", "ip6gre"]),
            "As ip link calls it: IPv4 in IPv4, IPv6 in IPv4, any in IPv6, any in GRE in IPv4, any in GRE in IPv6.",
        ),
        or(
            field(
                "checksum",
                Ty::Boolean,
                "Only of the gre types: takes packets with a checksum, and no others.",
            ),
            "false",
        ),
    ],
};
pub static TUNNEL_DEVICE_GONE: Schema = Schema { name: "a tunnel device", fields: &[TUNNEL_DEV, MISSING_OK] };

const GUE_PORT_NUMBER: Field = needed("port", PORT, "The UDP port.");
const GUE_FAMILY: Field = or(field("family", FAMILY, "Family of the outer packets."), "\"ipv4\"");

pub static GUE_PORT: Schema = Schema { name: "a GUE port", fields: &[GUE_PORT_NUMBER, GUE_FAMILY] };
pub static GUE_PORT_GONE: Schema =
    Schema { name: "a GUE port", fields: &[GUE_PORT_NUMBER, GUE_FAMILY, MISSING_OK] };

pub static SYSCTL_FLOOR: Schema = Schema {
    name: "a lower bound",
    fields: &[needed(
        "min",
        Ty::Integer { min: i64::MIN, max: i64::MAX },
        "Raised to this when it is lower; left as it is when it is higher.",
    )],
};

const A_LOCAL_ROUTE: &Ty = &Ty::Table(&LOCAL_ROUTE);
const A_TUNNEL_DEVICE: &Ty = &Ty::Table(&TUNNEL_DEVICE);
const A_GUE_PORT: &Ty = &Ty::Table(&GUE_PORT);

pub const D_LOCAL_ROUTE: Field = field(
    "local_route",
    Ty::OneOrList(A_LOCAL_ROUTE),
    "Delivers marked packets here although their address is not: a director without a VIP.",
);
pub const D_TUNNEL: Field =
    field("tunnel", Ty::OneOrList(A_TUNNEL_DEVICE), "Devices that unpack tunnelled packets of any sender.");
pub const D_GUE_PORT: Field = field(
    "gue_port",
    Ty::OneOrList(A_GUE_PORT),
    "UDP ports that unpack GUE; a tunnel device gets what was in it.",
);

/// How packets come to a real server; the fields of a server's tunnel, so that one table can be used on both sides.
pub static REAL_TUNNEL: Schema = Schema {
    name: "a real server's tunnel",
    fields: &[
        or(
            field("type", Ty::Enum(&["ipip", "gue", "gre"]), "Encapsulation, as the directors have it."),
            "\"ipip\"",
        ),
        field("port", PORT, "UDP port; only with gue, which needs it."),
        field(
            "checksum",
            Ty::Enum(&["none", "csum", "remcsum"]),
            "As the directors have it; gre takes packets that are so, and no others.",
        ),
        field("family", FAMILY, "Family of the outer packets; left out, that of each vip."),
    ],
};

pub static REAL_SERVER: Schema = Schema {
    name: "a real server",
    fields: &[
        field("name", Ty::Str, "Letters, digits, '-' and '_'; the file's name unless said otherwise."),
        needed("vip", Ty::OneOrList(&Ty::Net), "The addresses that clients use, without prefix length."),
        or(field("method", Ty::Enum(&["dr", "tun"]), "How the directors send packets here."), "\"dr\""),
        field("tunnel", Ty::Table(&REAL_TUNNEL), "Encapsulation; only with method \"tun\"."),
        or(field("dev", Ty::Str, "Device for the addresses; only with method \"dr\"."), "\"lo\""),
        field("on_start", Ty::Function, "Called with the policy after everything was declared."),
        field("on_stop", Ty::Function, "Called with the policy before everything is released."),
    ],
};
