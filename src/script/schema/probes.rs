//! The tables of checks.

use super::{Field, Schema, Ty, field, needed, or};

const TCP_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&PORT_ONLY)];
const HTTP_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&HTTP)];
const HTTPS_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&HTTPS)];
const DNS_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&DNS)];
const SMTP_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&SMTP)];
const TLS_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&TLS)];
const A_STEP: &Ty = &Ty::Table(&STEP);
const WORDS: Ty = Ty::List(&Ty::Str);
const CHECK_PORT: Field = field(
    "port",
    Ty::Integer { min: 1, max: 65535 },
    "Port, when it is not the server's own or the usual one.",
);
const VERIFY: Field = or(field("verify", Ty::Boolean, "Whether the certificate must be right."), "true");
const CA: Field = field("ca", Ty::Str, "PEM file of the authorities to believe, instead of the system's.");
const CERT: Field = field("cert", Ty::Str, "PEM file of our own certificate.");
const KEY: Field = field("key", Ty::Str, "PEM file of its key, when it is not in the same file.");
const SNI: Field = field("sni", Ty::Str, "Name the certificate must be for, when it is not the host.");

/// How to encrypt.
pub static TLS: Schema = Schema { name: "tls options", fields: &[VERIFY, CA, CERT, KEY, SNI] };

const METHOD: Field = or(field("method", Ty::Str, "Method of the request."), "\"GET\"");
const PATH: Field = or(field("path", Ty::Str, "Path and query."), "\"/\"");
const HOST: Field = field("host", Ty::Str, "Host header, and with https the name of the certificate.");
const HEADERS: Field = field("headers", Ty::Map(&Ty::Str), "More headers of the request.");
const STATUS: Field = or(
    field(
        "status",
        Ty::OneOrList(&Ty::Either(&[Ty::Integer { min: 100, max: 599 }, Ty::Str])),
        "Good status: 200, { 200, 399 } from 200 to 399, or a list with ranges { \"200-299\", 404 }.",
    ),
    "{ 200, 299 }",
);
const BODY: Field = field("body", Ty::Str, "Text that must be somewhere in the body.");
const MATCH: Field = field(
    "match",
    Ty::Str,
    "Lua pattern for what came: body, reply, output or line; it sees the first 64 KiB.",
);
const DYNAMIC: Field = or(
    field(
        "dynamic",
        Ty::Boolean,
        "Exit codes 2 to 255 of exec are weights 0 to 253, as keepalived's misc_dynamic.",
    ),
    "false",
);
const SHA256: Field = field("sha256", Ty::Str, "SHA-256 of the whole body, 64 hexadecimal digits.");
const VERSION: Field =
    field("version", Ty::Enum(&["1.1", "2"]), "HTTP version; https takes what the server prefers.");

pub static HTTP: Schema = Schema {
    name: "an http check",
    fields: &[CHECK_PORT, METHOD, PATH, HOST, HEADERS, STATUS, BODY, SHA256, VERSION],
};

pub static HTTPS: Schema = Schema {
    name: "an https check",
    fields: &[
        CHECK_PORT, METHOD, PATH, HOST, HEADERS, STATUS, BODY, SHA256, VERSION, VERIFY, CA, CERT, KEY, SNI,
    ],
};

pub static PORT_ONLY: Schema = Schema { name: "a tcp check", fields: &[CHECK_PORT] };

pub static DNS: Schema = Schema {
    name: "a dns check",
    fields: &[
        CHECK_PORT,
        or(field("name", Ty::Str, "Name to ask for."), "\".\""),
        or(field("type", Ty::Enum(crate::probe::RecordType::NAMES), "Type of the record."), "\"SOA\""),
        or(field("tcp", Ty::Boolean, "Ask over TCP."), "false"),
        field("expect", Ty::OneOrList(&Ty::Str), "One of these must be among the records."),
    ],
};

pub static SMTP: Schema = Schema {
    name: "an smtp check",
    fields: &[
        CHECK_PORT,
        or(field("helo", Ty::Str, "What we call ourselves."), "\"localhost\""),
        field("starttls", Ty::Either(TLS_TYPES), "Encrypt; with options if needed."),
    ],
};

pub static UDP: Schema = Schema {
    name: "a udp check",
    fields: &[
        CHECK_PORT,
        or(field("send", Ty::Str, "Contents of the datagram."), "\"\""),
        field("expect", Ty::Str, "Text that must be somewhere in the reply."),
        or(field("reply", Ty::Boolean, "Without: good unless the port is refused."), "true"),
    ],
};

pub static AGENT: Schema = Schema {
    name: "an agent check",
    fields: &[CHECK_PORT, field("send", Ty::Str, "Sent first, for agents that want to be asked.")],
};

pub static STEP: Schema = Schema {
    name: "a step",
    fields: &[
        field("send", Ty::Str, "Sent as it is."),
        field("expect", Ty::Str, "Waited for, somewhere in what comes."),
        field("starttls", Ty::Either(TLS_TYPES), "Encrypted from here on."),
    ],
};

const C_TCP: Field = field("tcp", Ty::Either(TCP_TYPES), "It accepts a connection.");
const C_HTTP: Field = field("http", Ty::Either(HTTP_TYPES), "It answers a request.");
const C_HTTPS: Field = field("https", Ty::Either(HTTPS_TYPES), "The same over TLS.");
const C_DNS: Field = field("dns", Ty::Either(DNS_TYPES), "It answers a question for a name.");
const C_SMTP: Field = field("smtp", Ty::Either(SMTP_TYPES), "It takes mail.");
const C_PING: Field = field("ping", Ty::Boolean, "It answers an ICMP echo request.");
const C_UDP: Field = field("udp", Ty::Table(&UDP), "It replies to a datagram.");
const C_EXEC: Field = field(
    "exec",
    WORDS,
    "A program says so with exit code 0: program and arguments, no shell; {addr} and {port} become the server's.",
);
const C_AGENT: Field = field("agent", Ty::Table(&AGENT), "It says so itself: HAProxy's agent-check line.");
const C_STEPS: Field = field("steps", Ty::List(A_STEP), "A conversation goes as written.");
const C_TLS: Field = field("tls", Ty::Either(TLS_TYPES), "Steps are encrypted from the first byte on.");
const TIMEOUT: Field = or(
    field(
        "timeout",
        Ty::Seconds { min: 0, max: 3600, whole: false },
        "Seconds from the first packet to the verdict.",
    ),
    "2",
);
const PORT: Field = field("port", Ty::Integer { min: 1, max: 65535 }, "Port, for any kind of check.");
const FROM: Field = field("from", Ty::Address, "Source address.");
const DEV: Field = field("dev", Ty::Str, "Device to leave by; needed for link-local addresses.");
const MARK: Field = field("mark", Ty::Mark, "Firewall mark of what the check sends.");
const CONCURRENCY: Field = or(
    field(
        "concurrency",
        Ty::Integer { min: 1, max: 100_000 },
        "Checks at once, as far as descriptors allow.",
    ),
    "1000",
);

/// One check; exactly one of its kinds.
pub static PROBE: Schema = Schema {
    name: "a probe",
    fields: &[
        C_TCP,
        C_HTTP,
        C_HTTPS,
        C_DNS,
        C_SMTP,
        C_PING,
        C_UDP,
        C_EXEC,
        C_AGENT,
        C_STEPS,
        C_TLS,
        DYNAMIC,
        MATCH,
        TIMEOUT,
        PORT,
        FROM,
        DEV,
        MARK,
        CONCURRENCY,
    ],
};

/// The names of the kinds of checks, in the order of [`PROBE`].
pub const KINDS: &[&str] = &["tcp", "http", "https", "dns", "smtp", "ping", "udp", "exec", "agent", "steps"];

const COUNT: Ty = Ty::Integer { min: 1, max: 1000 };
const SOME_TIME: Ty = Ty::Seconds { min: 0, max: 31 * 86_400, whole: false };
const PROBES: &Ty = &Ty::Table(&PROBE);

/// Servers that come and go too often have to wait.
pub static FLAP: Schema = Schema {
    name: "a flap rule",
    fields: &[
        needed("changes", COUNT, "This many changes …"),
        needed("within", SOME_TIME, "… within this time …"),
        needed("hold", SOME_TIME, "… keep a server down until this long after the last one."),
    ],
};

/// How a policy's servers are checked: one probe said here, or several in `probes`.
pub static HEALTH: Schema = Schema {
    name: "a health rule",
    fields: &[
        C_TCP,
        C_HTTP,
        C_HTTPS,
        C_DNS,
        C_SMTP,
        C_PING,
        C_UDP,
        C_EXEC,
        C_AGENT,
        C_STEPS,
        C_TLS,
        DYNAMIC,
        MATCH,
        TIMEOUT,
        PORT,
        FROM,
        DEV,
        MARK,
        CONCURRENCY,
        field("probes", Ty::List(PROBES), "Several checks of each server, instead of one."),
        or(field("need", Ty::Enum(&["all", "any"]), "How many of several probes must be good."), "\"all\""),
        or(field("rise", COUNT, "Good rounds in a row until a server is up."), "2"),
        or(field("fall", COUNT, "Bad rounds in a row until it is down."), "3"),
        or(
            field(
                "initial",
                Ty::Enum(&["up", "down", "first"]),
                "Before the first answer; first: that one decides alone.",
            ),
            "\"up\"",
        ),
        or(
            field(
                "down",
                Ty::Enum(&["inhibit", "remove"]),
                "A server that is down gets weight 0, or leaves the table.",
            ),
            "\"inhibit\"",
        ),
        or(
            field(
                "min_up",
                Ty::Integer { min: 0, max: 65535 },
                "Keep the last weights rather than have fewer servers above 0; 0 with a sorry server.",
            ),
            "1",
        ),
        or(
            field(
                "panic",
                Ty::Integer { min: 0, max: 100 },
                "With fewer per cent of the servers up, keep the last weights.",
            ),
            "0",
        ),
        or(
            field(
                "quorum",
                Ty::Integer { min: 1, max: 1 << 24 },
                "Weight that must be up for the service to be up.",
            ),
            "1",
        ),
        or(
            field(
                "hysteresis",
                Ty::Integer { min: 0, max: 1 << 24 },
                "quorum + this to come up, quorum - this to stay up.",
            ),
            "0",
        ),
        field("flap", Ty::Table(&FLAP), "Damping of servers that come and go."),
        field(
            "max_change",
            Ty::Integer { min: 1, max: 65535 },
            "Most that weight() and agents change in one round.",
        ),
    ],
};

pub static SLOW_START: Schema = Schema {
    name: "a slow start",
    fields: &[
        needed("over", SOME_TIME, "Time from coming up to the full weight."),
        or(field("from", Ty::Integer { min: 1, max: 65535 }, "Weight at first."), "1"),
    ],
};

pub static DRAIN: Schema = Schema {
    name: "a drain rule",
    fields: &[
        field("timeout", SOME_TIME, "A drained server has this long to lose its connections."),
        or(field("remove", Ty::Boolean, "Then it leaves the table, until undrain or ready."), "false"),
    ],
};
