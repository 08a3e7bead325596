//! The tables of the API: services, servers, and what a policy declares.

use super::health::{CLIMBING, DRAINING, HEALTHY};
use super::hosts::{D_GUE_PORT, D_LOCAL_ROUTE, D_TUNNEL, SYSCTL_FLOOR};
use super::machine::{MARK_SPEC, SYNC, TIMEOUTS, VIP};
use super::outside::{NOTIFIES, ON_CHANGE, ON_DEGRADED, ON_QUORUM};
use super::{DRAIN, Field, HEALTH, SLOW_START, Schema, Ty, eg, field, needed, or};
use crate::model::{ConnectionState, Forwarding, MAX_PERSIST_SECONDS};

const COUNT: Ty = Ty::Integer { min: 0, max: i32::MAX as i64 };
const PERSIST: Ty = Ty::Seconds { min: 1, max: MAX_PERSIST_SECONDS, whole: true };
pub(super) const FAMILY: Ty = Ty::Enum(&["ipv4", "ipv6"]);

pub const WEIGHT: Ty = Ty::Integer { min: 0, max: 65535 };

pub(super) const MISSING_OK: Field = eg(
    or(field("missing_ok", Ty::Boolean, "Do nothing, instead of failing, when it does not exist."), "false"),
    "lvs.del_service { fwmark = 4, missing_ok = true }",
);
const FLAG: &Ty = &Ty::Either(&[
    Ty::Enum(&["sh-fallback", "sh-port", "mh-fallback", "mh-port", "flag-1", "flag-2", "flag-3"]),
    Ty::Integer { min: 1, max: u32::MAX as i64 },
]);

const TCP: Field = eg(
    field("tcp", Ty::Endpoint, "A TCP service: \"addr:port\". Port 0 is every port and needs persistence."),
    "lvs.add_service { tcp = \"192.168.1.99:80\", scheduler = \"wlc\" }",
);
const UDP: Field = eg(
    field("udp", Ty::Endpoint, "A UDP service: \"addr:port\"."),
    "lvs.add_service { udp = \"192.168.1.99:53\", scheduler = \"rr\", ops = true }",
);
const SCTP: Field = eg(
    field("sctp", Ty::Endpoint, "An SCTP service: \"addr:port\"."),
    "lvs.add_service { sctp = \"192.168.1.99:3868\", scheduler = \"wlc\" }",
);
const FWMARK: Field = eg(
    field("fwmark", Ty::Mark, "A service of all packets with this firewall mark."),
    "lvs.add_service { fwmark = 3, scheduler = \"sh\", flags = { \"sh-fallback\" } }",
);
const SERVICE_FAMILY: Field = eg(
    or(field("family", FAMILY, "Family of a firewall-mark service."), "\"ipv4\""),
    "lvs.add_service { fwmark = 3, family = \"ipv6\", scheduler = \"wlc\" }",
);

const SCHEDULER: Field = eg(
    or(
        field(
            "scheduler",
            Ty::Str,
            "How servers are chosen: wlc, sh, mh, rr, wrr, lc, sed, nq, dh, lblc, lblcr, fo, ovf, twos.",
        ),
        "\"wlc\"",
    ),
    "lvs.set_service({ fwmark = 3 }, { scheduler = \"wlc\" })",
);
const FLAGS: Field = eg(
    field(
        "flags",
        Ty::OneOrList(FLAG),
        "Flags of the scheduler; a number is bits of the kernel's without a word.",
    ),
    "lvs.set_service({ fwmark = 3 }, { scheduler = \"sh\", flags = { \"sh-fallback\", \"sh-port\" } })",
);
const PERSISTENT_TYPES: &[Ty] = &[Ty::Boolean, PERSIST, Ty::Table(&PERSISTENCE)];
const PERSISTENT: Field = eg(
    field(
        "persistent",
        Ty::Either(PERSISTENT_TYPES),
        "How long a client sticks to its server: seconds, true for 360, false for not at all.",
    ),
    "lvs.set_service({ fwmark = 3 }, { persistent = \"10m\" })",
);
const PE: Field = eg(
    or(field("pe", Ty::Enum(&["sip", "none"]), "Persistence engine."), "\"none\""),
    "lvs.add_service { udp = \"192.168.1.99:5060\", scheduler = \"rr\", persistent = 60, pe = \"sip\" }",
);
const OPS: Field = eg(
    or(field("ops", Ty::Boolean, "One-packet scheduling: each UDP packet is scheduled anew."), "false"),
    "lvs.add_service { udp = \"192.168.1.99:53\", scheduler = \"rr\", ops = true }",
);
const WHOLE_MASK: &str =
    "lvs.set_service({ fwmark = 3 }, { persistent = { timeout = \"10m\", netmask = 24 } })";

pub static PERSISTENCE: Schema = Schema {
    name: "a persistence",
    fields: &[
        eg(or(field("timeout", PERSIST, "Seconds a client sticks to its server."), "360"), WHOLE_MASK),
        eg(
            field(
                "netmask",
                Ty::Either(&[Ty::Integer { min: 1, max: 128 }, Ty::Str]),
                "Clients within one network stick together: an IPv4 mask, or a prefix length.",
            ),
            WHOLE_MASK,
        ),
    ],
};

/// What names a service.
pub static SERVICE_KEY: Schema =
    Schema { name: "a service's key", fields: &[TCP, UDP, SCTP, FWMARK, SERVICE_FAMILY] };

/// What names a service that is to be removed.
pub static SERVICE_GONE: Schema =
    Schema { name: "an existing service", fields: &[TCP, UDP, SCTP, FWMARK, SERVICE_FAMILY, MISSING_OK] };

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
        eg(
            field("servers", Ty::List(&Ty::Table(&SERVER)), "The real servers."),
            "lvs.add_service { fwmark = 3, scheduler = \"wlc\", servers = { { addr = \"192.168.1.107\" } } }",
        ),
    ],
};

pub static SERVICE_CHANGE: Schema =
    Schema { name: "a service's change", fields: &[SCHEDULER, FLAGS, PERSISTENT, PE, OPS, MISSING_OK] };

pub static SERVICE_FILTER: Schema = Schema {
    name: "a service filter",
    fields: &[
        eg(
            field("scheduler", Ty::Str, "Only services with this scheduler."),
            "print(#lvs.services { scheduler = \"sh\" })",
        ),
        eg(
            field("family", FAMILY, "Only services of this family."),
            "print(#lvs.services { family = \"ipv6\" })",
        ),
        eg(
            field("protocol", Ty::Enum(&["tcp", "udp", "sctp", "fwmark"]), "Only services of this sort."),
            "print(#lvs.services { protocol = \"fwmark\" })",
        ),
        eg(
            field("server", Ty::Address, "Only services with this server."),
            "print(#lvs.services { server = \"192.168.1.107\" })",
        ),
    ],
};

const METHOD: Field = eg(
    or(
        field(
            "method",
            Ty::Enum(&Forwarding::KNOWN),
            "How packets reach the server: direct routing, NAT, or a tunnel.",
        ),
        "\"dr\"",
    ),
    "web:set_server(\"192.168.1.107\", { method = \"nat\" })",
);
const WEIGHT_FIELD: Field = eg(
    or(field("weight", WEIGHT, "Share of new connections; 0 takes none."), "1"),
    "web:set_server(\"192.168.1.107\", { weight = 4 })",
);
const LIMITS: &str = "web:set_server(\"192.168.1.107\", { upper = 1000, lower = 800 })";
const UPPER: Field =
    eg(or(field("upper", COUNT, "No new connections above this many; 0 is no limit."), "0"), LIMITS);
const LOWER: Field = eg(or(field("lower", COUNT, "New connections again below this many."), "0"), LIMITS);
const IN_GUE: &str = "web:set_server(\"192.168.1.107\", { method = \"tun\", tunnel = { type = \"gue\", port = 6080, checksum = \"csum\" } })";
const TUNNEL: Field =
    eg(field("tunnel", Ty::Table(&TUNNEL_SPEC), "Encapsulation; only with method \"tun\"."), IN_GUE);

pub static TUNNEL_SPEC: Schema = Schema {
    name: "a tunnel",
    fields: &[
        eg(or(field("type", Ty::Enum(&["ipip", "gue", "gre"]), "Encapsulation."), "\"ipip\""), IN_GUE),
        eg(
            field("port", Ty::Integer { min: 1, max: 65535 }, "UDP port; only with gue, which needs it."),
            IN_GUE,
        ),
        eg(
            or(
                field("checksum", Ty::Enum(&["none", "csum", "remcsum"]), "Checksum of the outer header."),
                "\"none\"",
            ),
            IN_GUE,
        ),
    ],
};

pub static SERVER: Schema = Schema {
    name: "a server",
    fields: &[
        eg(
            needed(
                "addr",
                Ty::Endpoint,
                "Its address; with a port only when it differs from the service's (needs nat).",
            ),
            "web:add_server { addr = \"192.168.1.107\", method = \"dr\", weight = 1 }",
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

/// Which entries of the connection table.
pub static CONNECTION_FILTER: Schema = Schema {
    name: "a connection filter",
    fields: &[
        eg(
            field("client", Ty::Net, "Only of this client, or of clients in this network."),
            "print(lvs.connections { client = \"192.0.2.0/24\" }:count())",
        ),
        eg(
            field("service", Ty::Service(&SERVICE_KEY), "Only of this service: its key, or its record."),
            "print(lvs.templates { service = { fwmark = 3 } }:count())",
        ),
        eg(
            field("server", Ty::Endpoint, "Only to this server."),
            "print(lvs.connections { server = \"192.168.1.107\" }:count())",
        ),
        eg(
            field("protocol", Ty::Enum(&["tcp", "udp", "sctp"]), "Only of this protocol."),
            "print(lvs.connections { protocol = \"udp\" }:count())",
        ),
        eg(
            field(
                "state",
                Ty::OneOrList(&Ty::Enum(&ConnectionState::KNOWN)),
                "Only in this state, or one of these.",
            ),
            "print(lvs.connections { state = { \"SYN_RECV\", \"ESTABLISHED\" } }:count())",
        ),
    ],
};

pub static LIST_LIMIT: Ty = Ty::Integer { min: 1, max: 1_000_000 };

pub static EVICT: Schema = Schema {
    name: "evict's options",
    fields: &[eg(
        or(
            field(
                "timeout",
                Ty::Seconds { min: 1, max: 300, whole: false },
                "How long to wait for the last entry.",
            ),
            "5",
        ),
        "lvs.evict({ fwmark = 3 }, \"192.168.1.107\", { timeout = \"2s\" })",
    )],
};

pub static GONE: Schema = Schema { name: "options", fields: &[MISSING_OK] };

pub static SYSCTL_VALUE: Ty =
    Ty::Either(&[Ty::Boolean, Ty::Integer { min: i64::MIN, max: i64::MAX }, Ty::Str]);

/// A value, or the least that it shall be.
static SYSCTL_WANTED: Ty = Ty::Either(&[
    Ty::Boolean,
    Ty::Integer { min: i64::MIN, max: i64::MAX },
    Ty::Str,
    Ty::Table(&SYSCTL_FLOOR),
]);

const A_VIP: &Ty = &Ty::Table(&VIP);
const A_MARK: &Ty = &Ty::Table(&MARK_SPEC);
const A_SERVICE: &Ty = &Ty::Table(&SERVICE);
const A_SYNC: &Ty = &Ty::Table(&SYNC);
const D_VIP: Field = eg(
    field("vip", Ty::OneOrList(A_VIP), "Addresses that clients use; added last, removed first."),
    "return lvs.policy { name = \"web\", vip = { addr = \"192.168.1.99/32\", dev = \"eth0\" } }",
);
const D_MARK: Field = eg(
    field("mark", Ty::OneOrList(A_MARK), "Which packets get which mark."),
    "return lvs.policy { name = \"web\", mark = { mark = 3, daddr = \"192.168.1.99\", proto = \"tcp\", dports = { 80, 443 } } }",
);
const D_SERVICE: Field = eg(
    field("service", Ty::OneOrList(A_SERVICE), "Virtual services."),
    "return lvs.policy { name = \"web\", service = { fwmark = 3, scheduler = \"sh\", flags = \"sh-fallback\" } }",
);
const D_SYSCTLS: Field = eg(
    field(
        "sysctls",
        Ty::Settings(&SYSCTL_WANTED),
        "Kernel settings by name; net.ipv4.vs. may be left out. { min = 1 } raises, and never lowers. Restored by stop.",
    ),
    "return lvs.policy { name = \"web\", sysctls = { expire_quiescent_template = 1 } }",
);
const D_TIMEOUTS: Field = eg(
    field("timeouts", Ty::Table(&TIMEOUTS), "Connection timeouts. Restored by stop."),
    "return lvs.policy { name = \"web\", timeouts = { tcp = \"15m\" } }",
);
const D_SYNC: Field = eg(
    field("sync", Ty::OneOrList(A_SYNC), "Connection synchronisation daemons."),
    "return lvs.policy { name = \"web\", sync = { role = \"master\", dev = \"eth0\", id = 1 } }",
);

/// What shall exist.
pub static DESIRED: Schema = Schema {
    name: "a desired state",
    fields: &[D_VIP, D_MARK, D_SERVICE, D_LOCAL_ROUTE, D_TUNNEL, D_GUE_PORT, D_SYSCTLS, D_TIMEOUTS, D_SYNC],
};

pub static APPLY: Schema = Schema {
    name: "apply's options",
    fields: &[eg(
        field("owner", Ty::Str, "Whose marks these are; the policy's name unless said otherwise."),
        "lvs.apply({ mark = { mark = 4, daddr = \"192.168.1.98\" } }, { owner = \"web\" })",
    )],
};

pub static POLICY: Schema = Schema {
    name: "a policy",
    fields: &[
        eg(
            field("name", Ty::Str, "Letters, digits, '-' and '_'; the file's name unless said otherwise."),
            "return lvs.policy { name = \"web\" }",
        ),
        D_VIP,
        D_MARK,
        D_SERVICE,
        D_LOCAL_ROUTE,
        D_TUNNEL,
        D_GUE_PORT,
        D_SYSCTLS,
        D_TIMEOUTS,
        D_SYNC,
        eg(
            field("health", Ty::Table(&HEALTH), "How servers are checked, and when they are up or down."),
            HEALTHY,
        ),
        eg(
            field("slow_start", Ty::Table(&SLOW_START), "A server that came up gets its weight in steps."),
            CLIMBING,
        ),
        eg(field("drain", Ty::Table(&DRAIN), "What becomes of a drained server."), DRAINING),
        eg(
            field("sorry", Ty::Table(&SERVER), "Takes the clients when the service is down."),
            "return lvs.policy { name = \"web\", sorry = { addr = \"192.168.1.250\" } }",
        ),
        eg(
            field(
                "weight",
                Ty::Function,
                "The last word on a server's weight: called with the policy and facts, returns a number or nil.",
            ),
            "return lvs.policy { name = \"web\", weight = function(_, facts) return facts.base end }",
        ),
        ON_CHANGE,
        ON_QUORUM,
        ON_DEGRADED,
        NOTIFIES,
        eg(
            field("on_start", Ty::Function, "Called with the policy after everything was declared."),
            "return lvs.policy { name = \"web\", on_start = function(self) lvs.log.notice(\"%s is up\", self.name) end }",
        ),
        eg(
            field("on_stop", Ty::Function, "Called with the policy before everything is released."),
            "return lvs.policy { name = \"web\", on_stop = function(self) lvs.log.notice(\"%s goes down\", self.name) end }",
        ),
        eg(
            field(
                "start",
                Ty::Function,
                "Replaces the derived start; self:default_start() is the derived one.",
            ),
            "return lvs.policy { name = \"web\", start = function(self, args) self:default_start(args) end }",
        ),
        eg(
            field("stop", Ty::Function, "Replaces the derived stop; self:default_stop() is the derived one."),
            "return lvs.policy { name = \"web\", stop = function(self) self:default_stop() end }",
        ),
        eg(
            field(
                "status",
                Ty::Function,
                "Replaces the derived status; self:default_status() is the derived one.",
            ),
            "return lvs.policy { name = \"web\", status = function(self) return self:default_status() end }",
        ),
    ],
};
