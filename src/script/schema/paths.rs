//! The records of local routes, and of what unpacks tunnels.

use super::{Member, Shape};

const RULES: &str =
    "for _, r in ipairs(lvs.rules()) do print(r.mark, r.table, r.family, r.priority, r.ours) end";

pub static RULE_RECORD: Shape = Shape {
    name: "a rule record",
    fields: &[
        of("mark", "integer", "The firewall mark that is looked up.", RULES),
        of("table", "integer", "The routing table it is looked up in.", RULES),
        of("family", "string", "\"ipv4\" or \"ipv6\".", RULES),
        of("priority", "integer", "Place among the rules; lower is asked first.", RULES),
        of("ours", "boolean", "Whether lvsh added it.", RULES),
    ],
    remedy: "lvs.add_local_route and lvs.del_local_route",
    each: "",
};

const ROUTES: &str = "for _, r in ipairs(lvs.routes()) do print(r.table, r.family, r.ours) end";

pub static ROUTE_RECORD: Shape = Shape {
    name: "a route record",
    fields: &[
        of("table", "integer", "The routing table that delivers everything to this machine.", ROUTES),
        of("family", "string", "\"ipv4\" or \"ipv6\".", ROUTES),
        of("ours", "boolean", "Whether lvsh added it.", ROUTES),
    ],
    remedy: "lvs.add_local_route and lvs.del_local_route",
    each: "",
};

const TUNNELS: &str = "for _, t in ipairs(lvs.tunnels()) do print(t.dev, t.type, t.from_anyone, t.checksum, t.up, t.rp_filter, t.ours) end";

pub static TUNNEL_DEVICE_RECORD: Shape = Shape {
    name: "a tunnel device's record",
    fields: &[
        of("dev", "string", "The device's name.", TUNNELS),
        of(
            "type",
            "string",
            "As ip link calls it: \"ipip\", \"sit\", \"ip6tnl\", \"gre\", \"ip6gre\".",
            TUNNELS,
        ),
        of("from_anyone", "boolean", "Whether it unpacks packets of any sender.", TUNNELS),
        of("checksum", "boolean", "Whether it takes only packets with a checksum (gre).", TUNNELS),
        of("up", "boolean", "Whether it is raised.", TUNNELS),
        of("rp_filter", "integer?", "Its reverse-path filter; nil where it has none.", TUNNELS),
        of("ours", "boolean", "Whether lvsh made it.", TUNNELS),
    ],
    remedy: "lvs.add_tunnel and lvs.del_tunnel",
    each: "",
};

const GUE_PORTS: &str = "for _, g in ipairs(lvs.gue_ports()) do print(g.port, g.family) end";

pub static GUE_PORT_RECORD: Shape = Shape {
    name: "a GUE port's record",
    fields: &[
        of("port", "integer", "The UDP port.", GUE_PORTS),
        of("family", "string", "Family of the outer packets.", GUE_PORTS),
    ],
    remedy: "lvs.add_gue_port and lvs.del_gue_port",
    each: "",
};

const fn of(name: &'static str, ty: &'static str, doc: &'static str, example: &'static str) -> Member {
    Member::new(name, ty, doc, example)
}
