//! The records of what goes on: connections, evictions, kernel settings.

use super::{Member, Shape};

const EACH: &str = "for c in lvs.connections() do print(c.protocol, c.client, c.client_port, c.server, c.server_port, c.state, c.expires) end";
const TO_WHAT: &str = "for c in lvs.connections() do print(c.virtual, c.virtual_port, c.service) end";
const STICKY: &str = "for t in lvs.templates() do print(t.client, t.fwmark, t.server, t.template) end";
const BY_ENGINE: &str = "for t in lvs.templates() do if t.pe then print(t.pe, t.pe_data) end end";

pub static CONNECTION_RECORD: Shape = Shape {
    name: "a connection record",
    fields: &[
        of("protocol", "string", "\"tcp\", \"udp\", \"sctp\", or \"ip\" for a template by mark.", EACH),
        of("client", "string", "Its address; of a template masked by the service's netmask.", EACH),
        of("client_port", "integer", "Its port; 0 for a template.", EACH),
        of("virtual", "string?", "The address the client asked for; nil in a template by mark.", TO_WHAT),
        of("virtual_port", "integer?", "The port the client asked for.", TO_WHAT),
        of("fwmark", "integer?", "The mark, in a template by mark.", STICKY),
        of("server", "string", "Address of the real server.", EACH),
        of("server_port", "integer", "Port of the real server.", EACH),
        of(
            "state",
            "string",
            "\"ESTABLISHED\", \"SYN_RECV\", \"NONE\" and so on, as ipvsadm shows it.",
            EACH,
        ),
        of("expires", "integer", "Seconds until it goes if nothing comes.", EACH),
        of("template", "boolean", "Whether it binds a client to a server and is no connection.", STICKY),
        of("service", "string?", "The service that made it, where that can be told.", TO_WHAT),
        of("pe", "string?", "Persistence engine of a template.", BY_ENGINE),
        of("pe_data", "string?", "What the engine found in the packets: a Call-ID.", BY_ENGINE),
    ],
    remedy: "lvs.evict",
    each: "",
};

/// The connection table while it is walked.
pub static CONNECTIONS_RECORD: Shape =
    Shape { name: "connections", fields: &[], remedy: "", each: "LvsConnection" };

const EVICTED: &str = "local gone = lvs.evict({ fwmark = 3 }, \"192.168.1.107\") print(gone.connections, gone.templates, gone.seconds)";

pub static EVICTION_RECORD: Shape = Shape {
    name: "an eviction's record",
    fields: &[
        of("connections", "integer", "How many connections ended.", EVICTED),
        of("templates", "integer", "How many clients are bound no longer.", EVICTED),
        of("seconds", "number", "How long the server took no connections.", EVICTED),
    ],
    remedy: "",
    each: "",
};

const SETTING: &str = "for _, s in ipairs(lvs.sysctls \"conn_reuse_mode\") do print(s.name, s.value, s.values, s.default, s.doc, s.cost) end";
const SETTING_OF: &str = "for _, s in ipairs(lvs.sysctls()) do print(s.name, s.unit, s.since) end";

pub static SYSCTL_RECORD: Shape = Shape {
    name: "a sysctl's record",
    fields: &[
        of("name", "string", "With dots, as sysctl(8) writes it.", SETTING),
        of("value", "string?", "As it is here; nil where this kernel lacks it.", SETTING),
        of("values", "string", "What it may be, in words.", SETTING),
        of("default", "string?", "In a new network namespace; nil where it depends on the machine.", SETTING),
        of("unit", "string?", "What the number counts.", SETTING_OF),
        of("since", "string?", "The first Linux that has it, where that is later than 6.1.", SETTING_OF),
        of("doc", "string", "What it does.", SETTING),
        of("cost", "string", "What the choice costs.", SETTING),
    ],
    remedy: "lvs.sysctl",
    each: "",
};

const fn of(name: &'static str, ty: &'static str, doc: &'static str, example: &'static str) -> Member {
    Member::new(name, ty, doc, example)
}
