//! Tables about the host: local routes, devices and ports that unpack tunnels, and what makes a real server.

use super::specs::{FAMILY, MISSING_OK};
use super::{Field, Schema, Ty, eg, field, needed, or};

const PORT: Ty = Ty::Integer { min: 1, max: 65535 };

const A_ROUTE: &str = "lvs.add_local_route { mark = 3, table = 100, family = \"ipv6\", priority = 90 }";
const MARK: Field = eg(
    field("mark", Ty::Mark, "The firewall mark that is looked up there; left out, only the route is meant."),
    A_ROUTE,
);
const TABLE: Field = eg(
    needed(
        "table",
        Ty::Integer { min: 1, max: u32::MAX as i64 },
        "A routing table of one's own, not 253, 254 or 255; other routes in it are left alone.",
    ),
    A_ROUTE,
);
const ROUTE_FAMILY: Field = eg(or(field("family", FAMILY, "Family of the packets."), "\"ipv4\""), A_ROUTE);
const PRIORITY: Field = eg(
    or(
        field(
            "priority",
            Ty::Integer { min: 1, max: 32765 },
            "Place among the rules; lower is asked first, and table main is at 32766.",
        ),
        "100",
    ),
    A_ROUTE,
);

pub static LOCAL_ROUTE: Schema =
    Schema { name: "a local route", fields: &[MARK, TABLE, ROUTE_FAMILY, PRIORITY] };
pub static LOCAL_ROUTE_GONE: Schema =
    Schema { name: "an existing local route", fields: &[MARK, TABLE, ROUTE_FAMILY, PRIORITY, MISSING_OK] };

const A_DEVICE: &str = "lvs.add_tunnel { dev = \"lvsh-ipip\", type = \"ipip\" }";
const TUNNEL_DEV: Field = eg(needed("dev", Ty::Str, "The device's name."), A_DEVICE);

pub static TUNNEL_DEVICE: Schema = Schema {
    name: "a tunnel device",
    fields: &[
        TUNNEL_DEV,
        eg(
            needed(
                "type",
                Ty::Enum(&["ipip", "sit", "ip6tnl", "gre", "ip6gre"]),
                "As ip link calls it: IPv4 in IPv4, IPv6 in IPv4, any in IPv6, any in GRE in IPv4, any in GRE in IPv6.",
            ),
            A_DEVICE,
        ),
        eg(
            or(
                field(
                    "checksum",
                    Ty::Boolean,
                    "Only of the gre types: takes packets with a checksum, and no others.",
                ),
                "false",
            ),
            "lvs.add_tunnel { dev = \"lvs-gre\", type = \"gre\", checksum = true }",
        ),
    ],
};
pub static TUNNEL_DEVICE_GONE: Schema =
    Schema { name: "an existing tunnel device", fields: &[TUNNEL_DEV, MISSING_OK] };

const AN_OPEN_PORT: &str = "lvs.add_gue_port { port = 6080, family = \"ipv4\" }";
const GUE_PORT_NUMBER: Field = eg(needed("port", PORT, "The UDP port."), AN_OPEN_PORT);
const GUE_FAMILY: Field =
    eg(or(field("family", FAMILY, "Family of the outer packets."), "\"ipv4\""), AN_OPEN_PORT);

pub static GUE_PORT: Schema = Schema { name: "a GUE port", fields: &[GUE_PORT_NUMBER, GUE_FAMILY] };
pub static GUE_PORT_GONE: Schema =
    Schema { name: "an existing GUE port", fields: &[GUE_PORT_NUMBER, GUE_FAMILY, MISSING_OK] };

pub static SYSCTL_FLOOR: Schema = Schema {
    name: "a lower bound",
    fields: &[eg(
        needed(
            "min",
            Ty::Integer { min: i64::MIN, max: i64::MAX },
            "Raised to this when it is lower; left as it is when it is higher.",
        ),
        "return lvs.policy { name = \"web\", sysctls = { [\"net.ipv4.conf.all.arp_ignore\"] = { min = 1 } } }",
    )],
};

const A_LOCAL_ROUTE: &Ty = &Ty::Table(&LOCAL_ROUTE);
const A_TUNNEL_DEVICE: &Ty = &Ty::Table(&TUNNEL_DEVICE);
const A_GUE_PORT: &Ty = &Ty::Table(&GUE_PORT);

pub const D_LOCAL_ROUTE: Field = eg(
    field(
        "local_route",
        Ty::OneOrList(A_LOCAL_ROUTE),
        "Delivers marked packets here although their address is not: a director without a VIP.",
    ),
    "return lvs.policy { name = \"web\", local_route = { mark = 3, table = 100 } }",
);
pub const D_TUNNEL: Field = eg(
    field("tunnel", Ty::OneOrList(A_TUNNEL_DEVICE), "Devices that unpack tunnelled packets of any sender."),
    "return lvs.policy { name = \"rs\", tunnel = { dev = \"lvsh-ipip\", type = \"ipip\" } }",
);
pub const D_GUE_PORT: Field = eg(
    field(
        "gue_port",
        Ty::OneOrList(A_GUE_PORT),
        "UDP ports that unpack GUE; a tunnel device gets what was in it.",
    ),
    "return lvs.policy { name = \"rs\", gue_port = { port = 6080 } }",
);

const ON_LO: &str = "return lvs.real_server { vip = \"192.168.1.99\", method = \"dr\", dev = \"lo\" }";
const UNPACKS: &str = "return lvs.real_server { vip = \"192.168.1.99\", method = \"tun\", tunnel = { type = \"gue\", port = 6080 } }";

/// How packets come to a real server; the fields of a server's tunnel, so that one table can be used on both sides.
pub static REAL_TUNNEL: Schema = Schema {
    name: "a real server's tunnel",
    fields: &[
        eg(
            or(
                field("type", Ty::Enum(&["ipip", "gue", "gre"]), "Encapsulation, as the directors have it."),
                "\"ipip\"",
            ),
            UNPACKS,
        ),
        eg(field("port", PORT, "UDP port of GUE; only with gue, which needs it."), UNPACKS),
        eg(
            field(
                "checksum",
                Ty::Enum(&["none", "csum", "remcsum"]),
                "As the directors have it; gre takes packets that are so, and no others.",
            ),
            UNPACKS,
        ),
        eg(field("family", FAMILY, "Family of the outer packets; left out, that of each vip."), UNPACKS),
    ],
};

pub static REAL_SERVER: Schema = Schema {
    name: "a real server",
    fields: &[
        field("name", Ty::Str, "Letters, digits, '-' and '_'; the file's name unless said otherwise."),
        eg(
            needed("vip", Ty::OneOrList(&Ty::Net), "The addresses that clients use, without prefix length."),
            ON_LO,
        ),
        eg(
            or(field("method", Ty::Enum(&["dr", "tun"]), "How the directors send packets here."), "\"dr\""),
            ON_LO,
        ),
        eg(
            field("tunnel", Ty::Table(&REAL_TUNNEL), "How packets are unpacked; only with method \"tun\"."),
            UNPACKS,
        ),
        eg(or(field("dev", Ty::Str, "Device for the addresses; only with method \"dr\"."), "\"lo\""), ON_LO),
        field("on_start", Ty::Function, "Called with the policy after everything was declared."),
        field("on_stop", Ty::Function, "Called with the policy before everything is released."),
    ],
};
