//! The records of the API.

use super::outside::{EXEC_RECORD, HTTP_RECORD, NAME_RECORD, PLACE_RECORD};
use super::paths::{GUE_PORT_RECORD, ROUTE_RECORD, RULE_RECORD, TUNNEL_DEVICE_RECORD};
use super::probes::ANSWER_RECORD;
use super::testing::SIM_OBJECT;
use super::watching::{CONNECTION_RECORD, CONNECTIONS_RECORD, EVICTION_RECORD, SYSCTL_RECORD};
use super::{Member, Shape};

/// A service of the fixed machine of the examples: `fwmark = 3` with two servers.
pub static SERVICE_RECORD: Shape = Shape {
    name: "a service",
    fields: &[
        of("key", "string", "What names it, in words: \"fwm:3\", \"tcp 192.0.2.1:80\".", "print(web.key)"),
        of("tcp", "string?", "Address and port of a TCP service.", "if web.tcp then print(web.tcp) end"),
        of("udp", "string?", "Address and port of a UDP service.", "if web.udp then print(web.udp) end"),
        of("sctp", "string?", "Address and port of an SCTP service.", "if web.sctp then print(web.sctp) end"),
        of("fwmark", "integer?", "The firewall mark of a service by mark.", "assert(web.fwmark == 3)"),
        of("family", "string", "\"ipv4\" or \"ipv6\".", "assert(web.family == \"ipv4\")"),
        of("scheduler", "string", "How servers are chosen.", "print(web.scheduler)"),
        of("flags", "string[]", "Flags of the scheduler.", "print(table.concat(web.flags, \" \"))"),
        of(
            "persistent",
            "integer|LvsPersistence|nil",
            "Seconds a client sticks to its server; a record where clients of one network stick together.",
            "if web.persistent then print(\"clients stick\") end",
        ),
        of("pe", "string?", "Persistence engine.", "if web.pe then print(web.pe) end"),
        of("ops", "boolean", "Whether each UDP packet is scheduled anew.", "assert(not web.ops)"),
        of(
            "servers",
            "LvsServer[]",
            "Its real servers, sorted by address.",
            "for _, s in ipairs(web.servers) do print(s.addr, s.weight) end",
        ),
        of("stats", "LvsCounters", "What went through since it was added.", "print(web.stats.in_bytes)"),
        of(
            "rates",
            "LvsCounters",
            "The same per second, as the kernel estimates it.",
            "print(web.rates.conns)",
        ),
    ],
    remedy: "",
    each: "",
};

pub static SERVER_RECORD: Shape = Shape {
    name: "a server record",
    fields: &[
        of("addr", "string", "Its address.", "print(web.servers[1].addr)"),
        of("port", "integer", "Its port; 0 for a service by mark.", "print(web.servers[1].port)"),
        of("method", "string", "\"dr\", \"nat\" or \"tun\".", "print(web.servers[1].method)"),
        of("weight", "integer", "Share of new connections; 0 takes none.", "print(web.servers[1].weight)"),
        of(
            "upper",
            "integer",
            "No new connections above this many; 0 is no limit.",
            "print(web.servers[1].upper)",
        ),
        of("lower", "integer", "New connections again below this many.", "print(web.servers[1].lower)"),
        of(
            "tunnel",
            "LvsTunnel?",
            "Encapsulation of a server behind a tunnel.",
            "for _, s in ipairs(web.servers) do if s.tunnel then print(s.addr, s.tunnel.type) end end",
        ),
        of("active", "integer", "Established connections now.", "print(web.servers[1].active)"),
        of("inactive", "integer", "Other connection entries now.", "print(web.servers[1].inactive)"),
        of(
            "persist",
            "integer",
            "Templates that bind clients to it now.",
            "if web.servers[1].persist == 0 then print \"no client is bound\" end",
        ),
        of(
            "stats",
            "LvsCounters",
            "What went through since it was added.",
            "print(web.servers[1].stats.conns)",
        ),
        of("rates", "LvsCounters", "The same per second.", "print(web.servers[1].rates.in_packets)"),
        of("service", "string", "Its service, in words.", "assert(web.servers[1].service == web.key)"),
    ],
    remedy: "",
    each: "",
};

pub static COUNTERS_RECORD: Shape = Shape {
    name: "a record of counters",
    fields: &[
        of("conns", "integer", "Connections.", "print(web.stats.conns, web.rates.conns)"),
        of("in_packets", "integer", "Packets from clients.", "print(web.stats.in_packets)"),
        of(
            "out_packets",
            "integer",
            "Packets to clients; 0 in direct routing.",
            "print(web.stats.out_packets)",
        ),
        of("in_bytes", "integer", "Bytes from clients.", "print(web.stats.in_bytes)"),
        of("out_bytes", "integer", "Bytes to clients; 0 in direct routing.", "print(web.stats.out_bytes)"),
    ],
    remedy: "",
    each: "",
};

const EACH_TUNNEL: &str = "for _, s in ipairs(web.servers) do local t = s.tunnel if t then print(t.type, t.port, t.checksum) end end";

pub static TUNNEL_RECORD: Shape = Shape {
    name: "a tunnel record",
    fields: &[
        of("type", "string", "\"ipip\", \"gue\" or \"gre\".", EACH_TUNNEL),
        of("port", "integer?", "UDP port of gue.", EACH_TUNNEL),
        of("checksum", "string", "\"none\", \"csum\" or \"remcsum\".", EACH_TUNNEL),
    ],
    remedy: "service:set_server",
    each: "",
};

const PERSISTENCE: &str =
    "local p = web.persistent if type(p) == \"table\" then print(p.timeout, p.netmask) end";

pub static PERSISTENCE_RECORD: Shape = Shape {
    name: "a persistence record",
    fields: &[
        of("timeout", "integer", "Seconds a client sticks to its server.", PERSISTENCE),
        of("netmask", "string", "Clients within one such network stick together.", PERSISTENCE),
    ],
    remedy: "lvs.set_service",
    each: "",
};

const EACH_MARK: &str = "for _, m in ipairs(lvs.marks()) do print(m.mark, m.owner, m.daddr, m.dports) end";

pub static MARK_RECORD: Shape = Shape {
    name: "a mark record",
    fields: &[
        of("mark", "integer", "The firewall mark.", EACH_MARK),
        of("owner", "string", "The policy or script that set it.", EACH_MARK),
        of(
            "family",
            "string",
            "\"ipv4\" or \"ipv6\".",
            "for _, m in ipairs(lvs.marks()) do print(m.mark, m.family) end",
        ),
        of("daddr", "string?", "Destination address or network.", EACH_MARK),
        of(
            "saddr",
            "string?",
            "Source address or network.",
            "for _, m in ipairs(lvs.marks()) do print(m.mark, m.saddr or \"anywhere\") end",
        ),
        of(
            "iif",
            "string?",
            "Device the packet came in by.",
            "for _, m in ipairs(lvs.marks()) do print(m.mark, m.iif or \"any\") end",
        ),
        of("proto", "string?", "Protocol.", "for _, m in ipairs(lvs.marks()) do print(m.mark, m.proto) end"),
        of("dports", "integer|string|nil", "A port, or a range \"8000-8100\".", EACH_MARK),
        of(
            "output",
            "boolean",
            "Whether what the director itself sends is marked.",
            "for _, m in ipairs(lvs.marks()) do if m.output then print(m.mark) end end",
        ),
    ],
    remedy: "lvs.set_mark",
    each: "",
};

const EACH_VIP: &str = "for _, v in ipairs(lvs.vips()) do print(v.addr, v.dev, v.ours) end";

pub static VIP_RECORD: Shape = Shape {
    name: "a vip record",
    fields: &[
        of("addr", "string", "Address with prefix length.", EACH_VIP),
        of("dev", "string", "The device that carries it.", EACH_VIP),
        of("ours", "boolean", "Whether lvsh added it.", EACH_VIP),
    ],
    remedy: "lvs.add_vip and lvs.del_vip",
    each: "",
};

pub static TIMEOUTS_RECORD: Shape = Shape {
    name: "a record of timeouts",
    fields: &[
        of("tcp", "integer", "Seconds an established TCP entry lives.", "print(lvs.timeouts().tcp)"),
        of("tcp_fin", "integer", "Seconds after a FIN.", "print(lvs.timeouts().tcp_fin)"),
        of("udp", "integer", "Seconds a UDP entry lives.", "print(lvs.timeouts().udp)"),
    ],
    remedy: "lvs.set_timeouts",
    each: "",
};

const EACH_SYNC: &str = "for _, d in ipairs(lvs.syncs()) do print(d.role, d.dev, d.id, d.group, d.port) end";
const SYNC_LIMITS: &str = "for _, d in ipairs(lvs.syncs()) do print(d.role, d.ttl, d.maxlen) end";

pub static SYNC_RECORD: Shape = Shape {
    name: "a sync daemon's record",
    fields: &[
        of("role", "string", "\"master\" sends, \"backup\" receives.", EACH_SYNC),
        of("dev", "string", "Device of the multicast.", EACH_SYNC),
        of("id", "integer", "Daemons with the same id belong together.", EACH_SYNC),
        of("group", "string", "Multicast group.", EACH_SYNC),
        of("port", "integer", "UDP port.", EACH_SYNC),
        of("ttl", "integer", "Time to live.", SYNC_LIMITS),
        of("maxlen", "integer", "Bytes of one message.", SYNC_LIMITS),
    ],
    remedy: "lvs.stop_sync and lvs.start_sync",
    each: "",
};

pub static INFO_RECORD: Shape = Shape {
    name: "an info record",
    fields: &[
        of("version", "string", "Version of the kernel's IPVS.", "print(lvs.info().version)"),
        of("release", "string", "Version of the kernel.", "print(lvs.info().release)"),
        of(
            "schedulers",
            "string[]?",
            "Schedulers this kernel has; nil where it cannot be known.",
            "for _, name in ipairs(lvs.info().schedulers or {}) do print(name) end",
        ),
        of("conn_tab_size", "integer", "Buckets of the connection table.", "print(lvs.info().conn_tab_size)"),
        of("lvsh", "string", "Version of this program.", "print(lvs.info().lvsh)"),
    ],
    remedy: "",
    each: "",
};

const A_PLAN: &str = "print(lvs.plan(function() lvs.del_service { fwmark = 3 } end).count)";
const EACH_STEP: &str = "local plan = lvs.plan(function() lvs.del_service { fwmark = 3 } end) for _, s in ipairs(plan.steps) do print(s.op, s.kind, s.subject, s.text) end";
const WHENCE: &str = "local plan = lvs.plan(function() lvs.del_service { fwmark = 3 } end) for _, s in ipairs(plan.steps) do print(s.ipvsadm, s.source, s.line) end";

pub static PLAN_RECORD: Shape = Shape {
    name: "a plan",
    fields: &[
        of("steps", "LvsPlanStep[]", "What would be sent, in order.", EACH_STEP),
        of("count", "integer", "How many steps.", A_PLAN),
    ],
    remedy: "",
    each: "",
};

pub static STEP_RECORD: Shape = Shape {
    name: "a plan's step",
    fields: &[
        of("op", "string", "\"add\", \"set\", \"del\", \"start\" or \"stop\".", EACH_STEP),
        of("kind", "string", "\"service\", \"server\", \"mark\", \"vip\" and so on.", EACH_STEP),
        of("subject", "string", "What it is about, in words.", EACH_STEP),
        of("text", "string", "The step in one line.", EACH_STEP),
        of("ipvsadm", "string?", "The same for ipvsadm; nil where it is not about IPVS.", WHENCE),
        of("source", "string?", "File that asks for it.", WHENCE),
        of("line", "integer?", "Line of that file.", WHENCE),
    ],
    remedy: "",
    each: "",
};

const POLICY_STATUS: &str = "local s = policy:status() print(s.name, s.state, s.differs, s.text)";

/// Not a record but an object; its methods are entries of the registry.
pub static POLICY_OBJECT: Shape = Shape {
    name: "a policy",
    fields: &[of(
        "name",
        "string",
        "Its name, which its lock and state file have too.",
        "print(policy.name)",
    )],
    remedy: "",
    each: "",
};

pub static STATUS_RECORD: Shape = Shape {
    name: "a policy's status",
    fields: &[
        of("name", "string", "The policy's name.", POLICY_STATUS),
        of("state", "string", "\"up\", \"down\", or \"changed\" when something differs.", POLICY_STATUS),
        of("differs", "integer", "How many things differ from what is declared.", POLICY_STATUS),
        of("text", "string", "The same in words.", POLICY_STATUS),
    ],
    remedy: "",
    each: "",
};

const AN_ERROR: &str = "local ok, e = pcall(lvs.del_service, { fwmark = 4 }) if not ok then print(e.code, e.message, e.hint) end";
const WHAT_FAILED: &str =
    "local ok, e = pcall(lvs.del_service, { fwmark = 4 }) if not ok then print(e.op, e.subject, e.errno) end";
const WHERE_FAILED: &str =
    "local ok, e = pcall(lvs.del_service, { fwmark = 4 }) if not ok then print(e.source, e.line) end";

/// What is raised, and what `pcall` gives.
pub static ERROR_OBJECT: Shape = Shape {
    name: "an error",
    fields: &[
        of("code", "LvsCode", "The kernel's name of the error, or ours in lower case.", AN_ERROR),
        of("op", "string?", "What was tried: \"add service\".", WHAT_FAILED),
        of("subject", "string?", "With what: \"fwm:3\".", WHAT_FAILED),
        of("message", "string", "The whole in one line.", AN_ERROR),
        of("hint", "string?", "What helps.", AN_ERROR),
        of("source", "string?", "File of the call.", WHERE_FAILED),
        of("line", "integer?", "Line of that file.", WHERE_FAILED),
        of("errno", "integer?", "The kernel's number.", WHAT_FAILED),
    ],
    remedy: "",
    each: "",
};

/// All of them, in the order of the manual.
pub static RECORDS: &[&Shape] = &[
    &SERVICE_RECORD,
    &SERVER_RECORD,
    &TUNNEL_RECORD,
    &PERSISTENCE_RECORD,
    &COUNTERS_RECORD,
    &MARK_RECORD,
    &VIP_RECORD,
    &RULE_RECORD,
    &ROUTE_RECORD,
    &TUNNEL_DEVICE_RECORD,
    &GUE_PORT_RECORD,
    &TIMEOUTS_RECORD,
    &SYNC_RECORD,
    &INFO_RECORD,
    &SYSCTL_RECORD,
    &CONNECTIONS_RECORD,
    &CONNECTION_RECORD,
    &EVICTION_RECORD,
    &ANSWER_RECORD,
    &EXEC_RECORD,
    &HTTP_RECORD,
    &NAME_RECORD,
    &PLACE_RECORD,
    &PLAN_RECORD,
    &STEP_RECORD,
    &POLICY_OBJECT,
    &STATUS_RECORD,
    &SIM_OBJECT,
    &ERROR_OBJECT,
];

const fn of(name: &'static str, ty: &'static str, doc: &'static str, example: &'static str) -> Member {
    Member::new(name, ty, doc, example)
}
