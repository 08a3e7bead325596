//! The tables of checks.

use super::{Field, Member, Schema, Shape, Ty, eg, field, or};

const TCP_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&PORT_ONLY)];
const HTTP_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&HTTP)];
const HTTPS_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&HTTPS)];
const DNS_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&DNS)];
const SMTP_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&SMTP)];
const TLS_TYPES: &[Ty] = &[Ty::Boolean, Ty::Table(&TLS)];
const A_STEP: &Ty = &Ty::Table(&STEP);
const WORDS: Ty = Ty::List(&Ty::Str);
const CHECK_PORT: Field = eg(
    field(
        "port",
        Ty::Integer { min: 1, max: 65535 },
        "Port, when it is not the server's own or the usual one.",
    ),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, path = \"/healthz\", host = \"www.example.org\", status = { 200, 399 } }, timeout = 0.2 })",
);
const VERIFY: Field = eg(
    or(field("verify", Ty::Boolean, "Whether the certificate must be right."), "true"),
    "lvs.probe(\"127.0.0.1\", { https = { port = 1, verify = false }, timeout = 0.2 })",
);
const CA: Field = eg(
    field("ca", Ty::Str, "PEM file of the authorities to believe, instead of the system's."),
    "pcall(lvs.probe, \"127.0.0.1\", { https = { port = 1, ca = \"/etc/lvsh/ca.pem\" }, timeout = 0.2 })",
);
const CERT: Field = eg(
    field("cert", Ty::Str, "PEM file of our own certificate."),
    "pcall(lvs.probe, \"127.0.0.1\", { https = { port = 1, cert = \"/etc/lvsh/check.pem\" }, timeout = 0.2 })",
);
const KEY: Field = eg(
    field("key", Ty::Str, "PEM file of its key, when it is not in the same file."),
    "pcall(lvs.probe, \"127.0.0.1\", { https = { port = 1, cert = \"/etc/lvsh/check.pem\", key = \"/etc/lvsh/check.key\" }, timeout = 0.2 })",
);
const SNI: Field = eg(
    field("sni", Ty::Str, "Name the certificate must be for, when it is not the host."),
    "lvs.probe(\"127.0.0.1\", { https = { port = 1, verify = false, sni = \"www.example.org\" }, timeout = 0.2 })",
);

/// How to encrypt.
pub static TLS: Schema = Schema { name: "tls options", fields: &[VERIFY, CA, CERT, KEY, SNI] };

const METHOD: Field = eg(
    or(field("method", Ty::Str, "Method of the request."), "\"GET\""),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, method = \"HEAD\" }, timeout = 0.2 })",
);
const PATH: Field = eg(
    or(field("path", Ty::Str, "Path and query."), "\"/\""),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, path = \"/healthz\", host = \"www.example.org\", status = { 200, 399 } }, timeout = 0.2 })",
);
const HOST: Field = eg(
    field("host", Ty::Str, "Host header, and with https the name of the certificate."),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, path = \"/healthz\", host = \"www.example.org\", status = { 200, 399 } }, timeout = 0.2 })",
);
const HEADERS: Field = eg(
    field("headers", Ty::Map(&Ty::Str), "More headers of the request."),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, headers = { [\"X-From\"] = \"lvsh\" } }, timeout = 0.2 })",
);
const STATUS: Field = eg(
    field(
        "status",
        Ty::OneOrList(&Ty::Either(&[Ty::Integer { min: 100, max: 599 }, Ty::Str])),
        "Good status: 200, { 200, 399 } from 200 to 399, or a list with ranges { \"200-299\", 404 }; 200 to 299 when left out.",
    ),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, status = { \"200-299\", 404 } }, timeout = 0.2 })",
);
const BODY: Field = eg(
    field("body", Ty::Bytes, "Text that must be somewhere in the body."),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, body = \"all is well\" }, timeout = 0.2 })",
);
pub(super) const MATCH: Field = eg(
    field(
        "match",
        Ty::Str,
        "Lua pattern for what came: body, reply, output or line; it sees the first 64 KiB.",
    ),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1 }, match = \"load: %d+\", timeout = 0.2 })",
);
pub(super) const DYNAMIC: Field = eg(
    or(
        field(
            "dynamic",
            Ty::Boolean,
            "Exit codes 2 to 255 of exec are weights 0 to 253, as keepalived's misc_dynamic.",
        ),
        "false",
    ),
    "lvs.probe(\"127.0.0.1\", { exec = { \"true\" }, dynamic = true, timeout = 0.2 })",
);
const SHA256: Field = eg(
    field("sha256", Ty::Str, "SHA-256 of the whole body, 64 hexadecimal digits."),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, sha256 = (\"00\"):rep(32) }, timeout = 0.2 })",
);
const VERSION: Field = eg(
    field("version", Ty::Enum(&["1.1", "2"]), "HTTP version; https takes what the server prefers."),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, version = \"2\" }, timeout = 0.2 })",
);

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
        eg(
            or(field("name", Ty::Str, "Name to ask for."), "\".\""),
            "lvs.probe(\"127.0.0.1\", { dns = { port = 1, name = \"www.example.org\", type = \"A\" }, timeout = 0.2 })",
        ),
        eg(
            or(field("type", Ty::Enum(crate::probe::RecordType::NAMES), "Type of the record."), "\"SOA\""),
            "lvs.probe(\"127.0.0.1\", { dns = { port = 1, name = \"www.example.org\", type = \"A\" }, timeout = 0.2 })",
        ),
        eg(
            or(field("tcp", Ty::Boolean, "Ask over TCP."), "false"),
            "lvs.probe(\"127.0.0.1\", { dns = { port = 1, tcp = true }, timeout = 0.2 })",
        ),
        eg(
            field("expect", Ty::OneOrList(&Ty::Str), "One of these must be among the records."),
            "lvs.probe(\"127.0.0.1\", { dns = { port = 1, name = \"www.example.org\", type = \"A\", expect = { \"192.0.2.7\" } }, timeout = 0.2 })",
        ),
    ],
};

pub static SMTP: Schema = Schema {
    name: "an smtp check",
    fields: &[
        CHECK_PORT,
        eg(
            or(field("helo", Ty::Str, "What we call ourselves."), "\"localhost\""),
            "lvs.probe(\"127.0.0.1\", { smtp = { port = 1, helo = \"director.example.org\" }, timeout = 0.2 })",
        ),
        eg(
            field("starttls", Ty::Either(TLS_TYPES), "Encrypt; with options if needed."),
            "lvs.probe(\"127.0.0.1\", { smtp = { port = 1, starttls = { verify = false } }, timeout = 0.2 })",
        ),
    ],
};

pub static UDP: Schema = Schema {
    name: "a udp check",
    fields: &[
        CHECK_PORT,
        eg(
            or(field("send", Ty::Bytes, "Contents of the datagram."), "\"\""),
            "lvs.probe(\"127.0.0.1\", { udp = { port = 1, send = \"hello\" }, timeout = 0.2 })",
        ),
        eg(
            field("expect", Ty::Bytes, "Text that must be somewhere in the reply."),
            "lvs.probe(\"127.0.0.1\", { udp = { port = 1, send = \"hello\", expect = \"world\" }, timeout = 0.2 })",
        ),
        eg(
            or(field("reply", Ty::Boolean, "Without: good unless the port is refused."), "true"),
            "lvs.probe(\"127.0.0.1\", { udp = { port = 1, send = \"x\", reply = false }, timeout = 0.2 })",
        ),
    ],
};

pub static AGENT: Schema = Schema {
    name: "an agent check",
    fields: &[
        CHECK_PORT,
        eg(
            field("send", Ty::Bytes, "Sent first, for agents that want to be asked."),
            "lvs.probe(\"127.0.0.1\", { agent = { port = 1, send = \"state\\n\" }, timeout = 0.2 })",
        ),
    ],
};

pub static STEP: Schema = Schema {
    name: "a step",
    fields: &[
        eg(
            field("send", Ty::Bytes, "Sent as it is."),
            "lvs.probe(\"127.0.0.1\", { port = 1, steps = { { send = \"PING\\r\\n\" }, { expect = \"+PONG\" } }, timeout = 0.2 })",
        ),
        eg(
            field("expect", Ty::Bytes, "Waited for, somewhere in what comes."),
            "lvs.probe(\"127.0.0.1\", { port = 1, steps = { { send = \"PING\\r\\n\" }, { expect = \"+PONG\" } }, timeout = 0.2 })",
        ),
        eg(
            field("starttls", Ty::Either(TLS_TYPES), "Encrypted from here on."),
            "lvs.probe(\"127.0.0.1\", { port = 1, steps = { { send = \"PING\\r\\n\" }, { expect = \"+PONG\" } }, timeout = 0.2 })",
        ),
    ],
};

pub(super) const C_TCP: Field = eg(
    field("tcp", Ty::Either(TCP_TYPES), "It accepts a connection."),
    "lvs.probe(\"127.0.0.1\", { tcp = { port = 1 }, timeout = 0.2 })",
);
pub(super) const C_HTTP: Field = eg(
    field("http", Ty::Either(HTTP_TYPES), "It answers a request."),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, path = \"/healthz\", host = \"www.example.org\", status = { 200, 399 } }, timeout = 0.2 })",
);
pub(super) const C_HTTPS: Field = eg(
    field("https", Ty::Either(HTTPS_TYPES), "The same over TLS."),
    "lvs.probe(\"127.0.0.1\", { https = { port = 1, verify = false }, timeout = 0.2 })",
);
pub(super) const C_DNS: Field = eg(
    field("dns", Ty::Either(DNS_TYPES), "It answers a question for a name."),
    "lvs.probe(\"127.0.0.1\", { dns = { port = 1, name = \"www.example.org\", type = \"A\" }, timeout = 0.2 })",
);
pub(super) const C_SMTP: Field = eg(
    field("smtp", Ty::Either(SMTP_TYPES), "It takes mail."),
    "lvs.probe(\"127.0.0.1\", { smtp = { port = 1 }, timeout = 0.2 })",
);
pub(super) const C_PING: Field = eg(
    field("ping", Ty::Boolean, "It answers an ICMP echo request."),
    "lvs.probe(\"127.0.0.1\", { ping = true, timeout = 0.2 })",
);
pub(super) const C_UDP: Field = eg(
    field("udp", Ty::Table(&UDP), "It replies to a datagram."),
    "lvs.probe(\"127.0.0.1\", { udp = { port = 1, send = \"x\" }, timeout = 0.2 })",
);
pub(super) const C_EXEC: Field = eg(
    field(
        "exec",
        WORDS,
        "A program says so with exit code 0: program and arguments, no shell; {addr} and {port} become the server's.",
    ),
    "lvs.probe(\"127.0.0.1\", { exec = { \"true\", \"{addr}\" }, timeout = 0.2 })",
);
pub(super) const C_AGENT: Field = eg(
    field("agent", Ty::Table(&AGENT), "It says so itself: HAProxy's agent-check line."),
    "lvs.probe(\"127.0.0.1\", { agent = { port = 1 }, timeout = 0.2 })",
);
pub(super) const C_STEPS: Field = eg(
    field("steps", Ty::List(A_STEP), "A conversation goes as written."),
    "lvs.probe(\"127.0.0.1\", { port = 1, steps = { { send = \"PING\\r\\n\" }, { expect = \"+PONG\" } }, timeout = 0.2 })",
);
pub(super) const C_TLS: Field = eg(
    field("tls", Ty::Either(TLS_TYPES), "Steps are encrypted from the first byte on."),
    "lvs.probe(\"127.0.0.1\", { port = 1, tls = { verify = false }, steps = { { expect = \"OK\" } }, timeout = 0.2 })",
);
pub(super) const TIMEOUT: Field = eg(
    or(
        field(
            "timeout",
            Ty::Seconds { min: 0, max: 3600, whole: false },
            "Seconds from the first packet to the verdict.",
        ),
        "2",
    ),
    "lvs.probe(\"127.0.0.1\", { tcp = { port = 1 }, timeout = \"200ms\" })",
);
pub(super) const PORT: Field = eg(
    field("port", Ty::Integer { min: 1, max: 65535 }, "Port, for any kind of check."),
    "lvs.probe(\"127.0.0.1\", { http = { port = 1, path = \"/healthz\", host = \"www.example.org\", status = { 200, 399 } }, timeout = 0.2 })",
);
pub(super) const FROM: Field = eg(
    field("from", Ty::Address, "Source address."),
    "lvs.probe(\"127.0.0.1\", { tcp = { port = 1 }, from = \"127.0.0.1\", timeout = 0.2 })",
);
pub(super) const DEV: Field = eg(
    field("dev", Ty::Str, "Device to leave by; needed for link-local addresses."),
    "lvs.probe(\"127.0.0.1\", { tcp = { port = 1 }, dev = \"lo\", timeout = 0.2 })",
);
pub(super) const MARK: Field = eg(
    field("mark", Ty::Mark, "Firewall mark of what the check sends."),
    "lvs.probe(\"127.0.0.1\", { tcp = { port = 1 }, mark = 9, timeout = 0.2 })",
);
pub(super) const VIA: Field = eg(
    field(
        "via",
        Ty::Str,
        "\"vip\": through IPVS to the address that clients use, by a mark and a service of the server's own, so that a \
         server that does not answer for that address is found out. The address itself where it cannot be known.",
    ),
    "local web = lvs.get_service { fwmark = 3 }  if web then lvs.probe_all(web.servers, { tcp = { port = 80 }, via = \"vip\" }) end",
);
pub(super) const CONCURRENCY: Field = eg(
    or(
        field(
            "concurrency",
            Ty::Integer { min: 1, max: 100_000 },
            "Checks at once, as far as descriptors allow.",
        ),
        "1000",
    ),
    "lvs.probe(\"127.0.0.1\", { tcp = { port = 1 }, concurrency = 100, timeout = 0.2 })",
);

/// The fields of a check, and what else a table has: a policy's health says its check itself.
macro_rules! probe_fields {
    ($($more:expr),* $(,)?) => {
        &[
            super::probes::C_TCP,
            super::probes::C_HTTP,
            super::probes::C_HTTPS,
            super::probes::C_DNS,
            super::probes::C_SMTP,
            super::probes::C_PING,
            super::probes::C_UDP,
            super::probes::C_EXEC,
            super::probes::C_AGENT,
            super::probes::C_STEPS,
            super::probes::C_TLS,
            super::probes::DYNAMIC,
            super::probes::MATCH,
            super::probes::TIMEOUT,
            super::probes::PORT,
            super::probes::FROM,
            super::probes::DEV,
            super::probes::MARK,
            super::probes::VIA,
            super::probes::CONCURRENCY,
            $($more),*
        ]
    };
}
pub(super) use probe_fields;

/// One check; exactly one of its kinds.
pub static PROBE: Schema = Schema { name: "a probe", fields: probe_fields!() };

/// The names of the kinds of checks, in the order of [`PROBE`].
pub const KINDS: &[&str] = &["tcp", "http", "https", "dns", "smtp", "ping", "udp", "exec", "agent", "steps"];

const ANSWERED: &str = "local a = lvs.probe(\"127.0.0.1\", { http = { port = 1 }, timeout = 0.2 }) \
     print(a.ok, a.verdict, a.ms, a.err, a.status, a.headers[\"x-load\"], a.body, a.cert_days, a.percent, a.word, a.weight, #a.records)";

const fn told(name: &'static str, ty: &'static str, doc: &'static str) -> Member {
    Member::new(name, ty, doc, ANSWERED)
}

/// What a check found; an ordinary table.
pub static ANSWER_RECORD: Shape = Shape {
    name: "a probe's answer",
    fields: &[
        told("ok", "boolean", "Whether the server is well."),
        told("verdict", "string", "good, bad, or unknown: it could not be asked from here."),
        told("ms", "number", "Milliseconds from the start of the check to its verdict."),
        told("err", "string?", "Why it is not well."),
        told("status", "integer?", "Of HTTP or SMTP, or the exit code of a program."),
        told("headers", "table", "Of HTTP, names in lower case."),
        told("body", "string", "Body, reply, output or line; its first 64 KiB."),
        told("cert_days", "integer?", "Whole days until the certificate expires; negative when it has."),
        told("percent", "integer?", "An agent's opinion, per cent of the configured weight."),
        told("word", "string?", "An agent's word: ready, drain, maint, up, down, fail, stopped."),
        told("weight", "integer?", "A weight that a program gave by its exit code (dynamic)."),
        told("records", "string[]", "Of a DNS answer."),
    ],
    remedy: "",
    each: "",
};
