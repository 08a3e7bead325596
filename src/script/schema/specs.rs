//! The tables of the API.

use super::{DRAIN, Field, HEALTH, SLOW_START, Schema, Ty, field, needed, or};
use crate::model::MAX_PERSIST_SECONDS;

const MARK_NUMBER: Ty = Ty::Mark;
const PORT: Ty = Ty::Integer { min: 0, max: 65535 };
const COUNT: Ty = Ty::Integer { min: 0, max: i32::MAX as i64 };
const PERSIST: Ty = Ty::Seconds { min: 1, max: MAX_PERSIST_SECONDS, whole: true };
const KEEP: Ty = Ty::Seconds { min: 0, max: i32::MAX as u32 / 1000, whole: true };
const FAMILY: Ty = Ty::Enum(&["ipv4", "ipv6"]);

pub const WEIGHT: Ty = Ty::Integer { min: 0, max: 65535 };

const MISSING_OK: Field =
    or(field("missing_ok", Ty::Boolean, "Do nothing, instead of failing, when it does not exist."), "false");

const TCP: Field =
    field("tcp", Ty::Endpoint, "A TCP service: \"addr:port\". Port 0 is every port and needs persistence.");
const UDP: Field = field("udp", Ty::Endpoint, "A UDP service: \"addr:port\".");
const SCTP: Field = field("sctp", Ty::Endpoint, "An SCTP service: \"addr:port\".");
const FWMARK: Field = field("fwmark", MARK_NUMBER, "A service of all packets with this firewall mark.");
const SERVICE_FAMILY: Field = or(field("family", FAMILY, "Family of a firewall-mark service."), "\"ipv4\"");

const SCHEDULER: Field = or(
    field(
        "scheduler",
        Ty::Str,
        "How servers are chosen: wlc, sh, mh, rr, wrr, lc, sed, nq, dh, lblc, lblcr, fo, ovf, twos.",
    ),
    "\"wlc\"",
);
const FLAGS: Field = field(
    "flags",
    Ty::OneOrList(&Ty::Enum(&[
        "sh-fallback",
        "sh-port",
        "mh-fallback",
        "mh-port",
        "flag-1",
        "flag-2",
        "flag-3",
    ])),
    "Flags of the scheduler.",
);
const PERSISTENT_TYPES: &[Ty] = &[Ty::Boolean, PERSIST, Ty::Table(&PERSISTENCE)];
const PERSISTENT: Field = field(
    "persistent",
    Ty::Either(PERSISTENT_TYPES),
    "How long a client sticks to its server: seconds, true for 360, false for not at all.",
);
const PE: Field = field("pe", Ty::Enum(&["sip"]), "Persistence engine.");
const OPS: Field =
    or(field("ops", Ty::Boolean, "One-packet scheduling: each UDP packet is scheduled anew."), "false");

pub static PERSISTENCE: Schema = Schema {
    name: "a persistence",
    fields: &[
        or(field("timeout", PERSIST, "Seconds a client sticks to its server."), "360"),
        field(
            "netmask",
            Ty::Either(&[Ty::Integer { min: 1, max: 128 }, Ty::Str]),
            "Clients within one network stick together: an IPv4 mask, or a prefix length.",
        ),
    ],
};

/// What names a service.
pub static SERVICE_KEY: Schema =
    Schema { name: "a service's key", fields: &[TCP, UDP, SCTP, FWMARK, SERVICE_FAMILY] };

/// What names a service that is to be removed.
pub static SERVICE_GONE: Schema =
    Schema { name: "a service's key", fields: &[TCP, UDP, SCTP, FWMARK, SERVICE_FAMILY, MISSING_OK] };

pub static SERVICE: Schema = Schema {
    name: "a service",
    fields: &[
        TCP,
        UDP,
        SCTP,
        FWMARK,
        SERVICE_FAMILY,
        SCHEDULER,
        FLAGS,
        PERSISTENT,
        PE,
        OPS,
        field("servers", Ty::List(&Ty::Table(&SERVER)), "The real servers."),
    ],
};

pub static SERVICE_CHANGE: Schema =
    Schema { name: "a service's change", fields: &[SCHEDULER, FLAGS, PERSISTENT, PE, OPS, MISSING_OK] };

pub static SERVICE_FILTER: Schema = Schema {
    name: "a filter of services",
    fields: &[
        field("scheduler", Ty::Str, "Only services with this scheduler."),
        field("family", FAMILY, "Only services of this family."),
        field("protocol", Ty::Enum(&["tcp", "udp", "sctp", "fwmark"]), "Only services of this sort."),
        field("server", Ty::Address, "Only services with this server."),
    ],
};

const METHOD: Field = or(
    field(
        "method",
        Ty::Enum(&["dr", "nat", "tun"]),
        "How packets reach the server: direct routing, NAT, or a tunnel.",
    ),
    "\"dr\"",
);
const WEIGHT_FIELD: Field = or(field("weight", WEIGHT, "Share of new connections; 0 takes none."), "1");
const UPPER: Field = or(field("upper", COUNT, "No new connections above this many; 0 is no limit."), "0");
const LOWER: Field = or(field("lower", COUNT, "New connections again below this many."), "0");
const TUNNEL: Field = field("tunnel", Ty::Table(&TUNNEL_SPEC), "Encapsulation; only with method \"tun\".");

pub static TUNNEL_SPEC: Schema = Schema {
    name: "a tunnel",
    fields: &[
        or(field("type", Ty::Enum(&["ipip", "gue", "gre"]), "Encapsulation."), "\"ipip\""),
        field("port", Ty::Integer { min: 1, max: 65535 }, "UDP port; only with gue, which needs it."),
        or(
            field("checksum", Ty::Enum(&["none", "csum", "remcsum"]), "Checksum of the outer header."),
            "\"none\"",
        ),
    ],
};

pub static SERVER: Schema = Schema {
    name: "a server",
    fields: &[
        needed(
            "addr",
            Ty::Endpoint,
            "Its address; with a port only when it differs from the service's (needs nat).",
        ),
        METHOD,
        WEIGHT_FIELD,
        UPPER,
        LOWER,
        TUNNEL,
    ],
};

pub static SERVER_CHANGE: Schema =
    Schema { name: "a server's change", fields: &[METHOD, WEIGHT_FIELD, UPPER, LOWER, TUNNEL, MISSING_OK] };

pub static GONE: Schema = Schema { name: "options", fields: &[MISSING_OK] };

const MARK_DADDR: Field = field("daddr", Ty::Net, "Destination address or network.");
const MARK_SADDR: Field = field("saddr", Ty::Net, "Source address or network.");
const MARK_IIF: Field = field("iif", Ty::Str, "Device the packet came in by.");
const MARK_PROTO: Field =
    field("proto", Ty::OneOrList(&Ty::Enum(&["tcp", "udp", "sctp"])), "Protocol, one or several.");
const MARK_DPORTS: Field = field(
    "dports",
    Ty::OneOrList(&Ty::Ports),
    "Destination ports: numbers, ranges \"8000-8100\", names; needs proto.",
);
const MARK_OUTPUT: Field = or(
    field("output", Ty::Boolean, "Marks what the director itself sends, instead of what arrives."),
    "false",
);
const MARK_FAMILY: Field = or(field("family", FAMILY, "Only needed when no address says it."), "\"ipv4\"");
const MARK: Field = needed("mark", MARK_NUMBER, "The firewall mark.");

pub static MARK_SPEC: Schema = Schema {
    name: "a mark",
    fields: &[MARK, MARK_DADDR, MARK_SADDR, MARK_IIF, MARK_PROTO, MARK_DPORTS, MARK_OUTPUT, MARK_FAMILY],
};

pub static MARK_GONE: Schema = Schema {
    name: "a mark",
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

const VIP_ADDR: Field =
    needed("addr", Ty::Net, "The address; without a prefix length it is a host's (/32, /128).");
const VIP_DEV: Field = needed("dev", Ty::Str, "The device that carries it.");

pub static VIP: Schema = Schema { name: "a vip", fields: &[VIP_ADDR, VIP_DEV] };
pub static VIP_GONE: Schema = Schema { name: "a vip", fields: &[VIP_ADDR, VIP_DEV, MISSING_OK] };

pub static TIMEOUTS: Schema = Schema {
    name: "timeouts",
    fields: &[
        field("tcp", KEEP, "Seconds an established TCP entry lives; left out or 0, it stays as it is."),
        field("tcp_fin", KEEP, "Seconds after a FIN."),
        field("udp", KEEP, "Seconds a UDP entry lives."),
    ],
};

const ROLE: Field = needed("role", Ty::Enum(&["master", "backup"]), "master sends, backup receives.");

pub static SYNC: Schema = Schema {
    name: "a sync daemon",
    fields: &[
        ROLE,
        needed("dev", Ty::Str, "Device for the multicast."),
        or(field("id", Ty::Integer { min: 0, max: 255 }, "Daemons with the same id belong together."), "0"),
        or(field("group", Ty::Address, "Multicast group."), "\"224.0.0.81\""),
        or(field("port", Ty::Integer { min: 1, max: 65535 }, "UDP port."), "8848"),
        or(field("ttl", Ty::Integer { min: 1, max: 255 }, "Time to live."), "1"),
        field("maxlen", PORT, "Bytes of one message; left out, it follows the device's MTU."),
    ],
};

pub static SYNC_GONE: Schema = Schema { name: "a sync daemon's key", fields: &[ROLE, MISSING_OK] };

pub static SYSCTL_VALUE: Ty =
    Ty::Either(&[Ty::Boolean, Ty::Integer { min: i64::MIN, max: i64::MAX }, Ty::Str]);

const A_VIP: &Ty = &Ty::Table(&VIP);
const A_MARK: &Ty = &Ty::Table(&MARK_SPEC);
const A_SERVICE: &Ty = &Ty::Table(&SERVICE);
const A_SYNC: &Ty = &Ty::Table(&SYNC);
const D_VIP: Field =
    field("vip", Ty::OneOrList(A_VIP), "Addresses that clients use; added last, removed first.");
const D_MARK: Field = field("mark", Ty::OneOrList(A_MARK), "Which packets get which mark.");
const D_SERVICE: Field = field("service", Ty::OneOrList(A_SERVICE), "Virtual services.");
const D_SYSCTLS: Field = field(
    "sysctls",
    Ty::Map(&SYSCTL_VALUE),
    "Kernel settings by name; net.ipv4.vs. may be left out. Restored by stop.",
);
const D_TIMEOUTS: Field = field("timeouts", Ty::Table(&TIMEOUTS), "Connection timeouts. Restored by stop.");
const D_SYNC: Field = field("sync", Ty::OneOrList(A_SYNC), "Connection synchronisation daemons.");

/// What shall exist.
pub static DESIRED: Schema =
    Schema { name: "a desired state", fields: &[D_VIP, D_MARK, D_SERVICE, D_SYSCTLS, D_TIMEOUTS, D_SYNC] };

pub static APPLY: Schema = Schema {
    name: "options of apply",
    fields: &[field("owner", Ty::Str, "Whose marks these are; the policy's name unless said otherwise.")],
};

pub static POLICY: Schema = Schema {
    name: "a policy",
    fields: &[
        field("name", Ty::Str, "Letters, digits, '-' and '_'; the file's name unless said otherwise."),
        D_VIP,
        D_MARK,
        D_SERVICE,
        D_SYSCTLS,
        D_TIMEOUTS,
        D_SYNC,
        field("health", Ty::Table(&HEALTH), "How servers are checked, and when they are up or down."),
        field("slow_start", Ty::Table(&SLOW_START), "A server that came up gets its weight in steps."),
        field("drain", Ty::Table(&DRAIN), "What becomes of a drained server."),
        field("sorry", Ty::Table(&SERVER), "Takes the clients when the service is down."),
        field(
            "weight",
            Ty::Function,
            "The last word on a server's weight: called with the policy and facts, returns a number or nil.",
        ),
        field("on_change", Ty::Function, "Called with each change that a check made."),
        field("on_start", Ty::Function, "Called with the policy after everything was declared."),
        field("on_stop", Ty::Function, "Called with the policy before everything is released."),
        field("start", Ty::Function, "Replaces the derived start; self:default_start() is the derived one."),
        field("stop", Ty::Function, "Replaces the derived stop; self:default_stop() is the derived one."),
        field(
            "status",
            Ty::Function,
            "Replaces the derived status; self:default_status() is the derived one.",
        ),
    ],
};
