//! The tables of what is asked of the world outside: programs, URLs, names, mail.

use super::{Field, Member, Schema, Shape, Ty, eg, field, needed, or};

const SOME_TIME: Ty = Ty::Seconds { min: 0, max: 3600, whole: false };
const RUN: &str = "local r = lvs.exec { \"sh\", \"-c\", \"cat; echo $WHO\", stdin = \"hello\", env = { WHO = \"me\" }, cwd = \"/\", timeout = 5 } assert(r.ok, r.err)";

/// What stands beside the words of a command.
pub static EXEC: Schema = Schema {
    name: "exec's options",
    fields: &[
        eg(
            or(field("timeout", SOME_TIME, "Then it is killed, with all that it started."), "10"),
            "lvs.exec { \"sleep\", \"9\", timeout = \"100ms\" }",
        ),
        eg(field("stdin", Ty::Str, "What it reads; nothing when left out."), RUN),
        eg(field("env", Ty::Map(&Ty::Str), "Variables beside those that lvsh has itself."), RUN),
        eg(field("cwd", Ty::Str, "The folder it begins in."), RUN),
        eg(
            or(
                field(
                    "max_output",
                    Ty::Integer { min: 0, max: 64 << 20 },
                    "Bytes that are kept of each of its outputs.",
                ),
                "1048576",
            ),
            "lvs.exec { \"echo\", \"a long text\", max_output = 6 }",
        ),
    ],
};

const ASK: &str = "local a = lvs.http { url = \"http://127.0.0.1:1/hook\", method = \"PUT\", headers = { [\"X-From\"] = \"lvsh\" }, body = \"{}\", timeout = 0.2 } print(a.ok, a.err)";
const TRUSTED: &str =
    "lvs.http { url = \"https://127.0.0.1:1/\", verify = false, timeout = 0.2, max_body = 65536 }";
const FILES: &str = "pcall(lvs.http, { url = \"https://127.0.0.1:1/\", ca = \"/etc/lvsh/ca.pem\", cert = \"/etc/lvsh/me.pem\", key = \"/etc/lvsh/me.key\" })";

const fn file(name: &'static str, doc: &'static str) -> Field {
    eg(field(name, Ty::Str, doc), FILES)
}

pub static HTTP_REQUEST: Schema = Schema {
    name: "a request",
    fields: &[
        eg(needed("url", Ty::Str, "http:// or https://, host, port, path and query."), ASK),
        eg(field("method", Ty::Str, "GET, or POST when there is a body, unless said otherwise."), ASK),
        eg(field("headers", Ty::Map(&Ty::Str), "Headers to send beside Host and User-Agent."), ASK),
        eg(field("body", Ty::Str, "What is sent; name its Content-Type in headers."), ASK),
        eg(
            or(field("timeout", SOME_TIME, "From the look-up of the host to the end of the body."), "10"),
            ASK,
        ),
        eg(
            or(field("verify", Ty::Boolean, "Whether the server's certificate must be right."), "true"),
            TRUSTED,
        ),
        file("ca", "PEM file with the authorities that count, instead of those of the system."),
        file("cert", "PEM file with a certificate of ours, for servers that want one."),
        file("key", "PEM file with the key of cert, when it is not in there."),
        eg(
            or(
                field(
                    "max_body",
                    Ty::Integer { min: 0, max: 64 << 20 },
                    "Bytes; an answer with a longer body is a failure.",
                ),
                "1048576",
            ),
            TRUSTED,
        ),
    ],
};

const MAILED: &str = "pcall(lvs.mail, { to = \"ops@example.org\", subject = \"web\", text = \"a server is down\", from = \"lvsh@example.org\", sendmail = \"/bin/true\" })";
const NOTIFIED: &str = "return lvs.policy { name = \"web\", notify = { mail = \"ops@example.org\", from = \"lvsh@example.org\", sendmail = \"/usr/sbin/sendmail\" } }";
const WHO: Ty = Ty::OneOrList(&Ty::Str);

pub static MAIL: Schema = Schema {
    name: "a mail",
    fields: &[
        eg(needed("to", WHO, "Whom it is for: an address or a list of them."), MAILED),
        eg(needed("subject", Ty::Str, "Its first line."), MAILED),
        eg(field("text", Ty::Str, "What it says."), MAILED),
        eg(field("from", Ty::Str, "Whom it is from; the mail system decides when left out."), MAILED),
        eg(
            or(
                field("sendmail", Ty::Str, "The program that takes it, with the arguments -t -oi."),
                "\"/usr/sbin/sendmail\"",
            ),
            MAILED,
        ),
    ],
};

/// Who is told of what checks change.
pub static NOTIFY: Schema = Schema {
    name: "a notification",
    fields: &[
        eg(needed("mail", WHO, "Who gets one mail for each round that changed something."), NOTIFIED),
        eg(field("from", Ty::Str, "Sender of these mails; the mail system decides when left out."), NOTIFIED),
        eg(
            or(field("sendmail", Ty::Str, "The program that sends them."), "\"/usr/sbin/sendmail\""),
            NOTIFIED,
        ),
    ],
};

/// What of a policy is about telling others.
pub(super) const NOTIFIES: Field =
    eg(field("notify", Ty::Table(&NOTIFY), "Who is told by mail of what checks change."), NOTIFIED);
pub(super) const ON_CHANGE: Field = eg(
    field(
        "on_change",
        Ty::Function,
        "Called with each change that a check made and verified: service, server, from, to (weights, nil for not in the table), reason, detail.",
    ),
    "return lvs.policy { name = \"web\", on_change = function(e) lvs.log.notice(\"%s: %s\", e.server, e.reason) end }",
);
pub(super) const ON_QUORUM: Field = eg(
    field(
        "on_quorum",
        Ty::Function,
        "Called when a service loses or gains its quorum: kind (\"quorum lost\", \"quorum gained\"), service, up, sorry (whether the sorry server takes over).",
    ),
    "return lvs.policy { name = \"web\", on_quorum = function(e) lvs.log.warn(\"%s: %s\", e.service, e.kind) end }",
);
pub(super) const ON_DEGRADED: Field = eg(
    field(
        "on_degraded",
        Ty::Function,
        "Called when checks begin or cease to leave weights as they are, or a service to be down: kind (\"degraded\", \"recovered\"), degraded, detail.",
    ),
    "return lvs.policy { name = \"web\", on_degraded = function(e) lvs.log.warn(\"%s: %s\", e.kind, e.detail) end }",
);

const RAN: &str = "local r = lvs.exec { \"echo\", \"hello\" } print(r.ok, r.code, r.signal, r.stdout, r.stderr, r.cut, r.ms, r.err, r.skipped)";
const ANSWERED: &str = "local a = lvs.http { url = \"http://127.0.0.1:1/\", timeout = 0.2 } print(a.ok, a.status, a.headers[\"date\"], a.body, a.cert_days, a.ms, a.err, a.skipped)";
const FOUND: &str =
    "local a = lvs.resolve(\"localhost\", \"A\") print(a.ok, a.ms, a.err, a.records[1], #a.srv)";

const fn ran(name: &'static str, ty: &'static str, doc: &'static str) -> Member {
    Member::new(name, ty, doc, RAN)
}

const fn answered(name: &'static str, ty: &'static str, doc: &'static str) -> Member {
    Member::new(name, ty, doc, ANSWERED)
}

const fn found(name: &'static str, ty: &'static str, doc: &'static str) -> Member {
    Member::new(name, ty, doc, FOUND)
}

/// What a program did; an ordinary table.
pub static EXEC_RECORD: Shape = Shape {
    name: "a program's answer",
    fields: &[
        ran("ok", "boolean", "Whether it ended by itself with code 0; true when it was skipped."),
        ran("code", "integer?", "Its exit code."),
        ran("signal", "integer?", "The signal that ended it."),
        ran("stdout", "string", "What it wrote, up to max_output bytes."),
        ran("stderr", "string", "What it complained of, up to max_output bytes."),
        ran("cut", "boolean?", "It wrote more than was kept."),
        ran("ms", "number", "Milliseconds it took."),
        ran("err", "string?", "Why it is not ok, in words."),
        ran("skipped", "boolean?", "This is a plan or a dry run: it was not run."),
    ],
    remedy: "",
    each: "",
};

/// What a server of the web answered; an ordinary table.
pub static HTTP_RECORD: Shape = Shape {
    name: "a request's answer",
    fields: &[
        answered(
            "ok",
            "boolean",
            "Whether a whole answer of status 200 to 299 came; true when it was skipped.",
        ),
        answered("status", "integer?", "The status of the answer; redirections are not followed."),
        answered("headers", "table", "Those of the answer, names in lower case."),
        answered("body", "string", "The body of the answer, up to max_body bytes."),
        answered("cert_days", "integer?", "Whole days until the server's certificate expires."),
        answered("ms", "number", "Milliseconds until the answer was there."),
        answered("err", "string?", "Why the answer is not ok."),
        answered(
            "skipped",
            "boolean?",
            "This is a plan or a dry run, and the method is one that changes something.",
        ),
    ],
    remedy: "",
    each: "",
};

/// What a name has; an ordinary table.
pub static NAME_RECORD: Shape = Shape {
    name: "a name's answer",
    fields: &[
        found("ok", "boolean", "Whether there is at least one record."),
        found("ms", "number", "Milliseconds the look-up took."),
        found("err", "string?", "Why there is none."),
        found("records", "string[]", "All of them as text: addresses, or \"priority weight port target\"."),
        found("srv", "LvsServicePlace[]", "Those of type SRV taken apart, the best ones first."),
    ],
    remedy: "",
    each: "",
};

const PLACED: &str = "for _, s in ipairs(lvs.resolve(\"_http._tcp.localhost\", \"SRV\", \"200ms\").srv) do print(s.target, s.port, s.priority, s.weight) end";

const fn placed(name: &'static str, ty: &'static str, doc: &'static str) -> Member {
    Member::new(name, ty, doc, PLACED)
}

pub static PLACE_RECORD: Shape = Shape {
    name: "a service's place",
    fields: &[
        placed("target", "string", "The name of the host; look up its address."),
        placed("port", "integer", "Where the service is on that host."),
        placed("priority", "integer", "Lower ones are to be asked first."),
        placed("weight", "integer", "Share among those of one priority."),
    ],
    remedy: "",
    each: "",
};

pub static JSON_OPTIONS: Schema = Schema {
    name: "encode's options",
    fields: &[eg(
        or(field("pretty", Ty::Boolean, "Over several lines, indented."), "false"),
        "print(lvs.json.encode({ 1, 2 }, { pretty = true }))",
    )],
};
