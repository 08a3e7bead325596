//! The tables of tests.

use super::{Field, Schema, Shape, Ty, eg, field};

pub(super) const A_SIM: &str = "local sim = lvs.sim { policy = \"web.lua\" }";

pub static SIM_SPEC: Schema = Schema {
    name: "a simulation",
    fields: &[
        eg(
            field(
                "policy",
                Ty::Str,
                "The policy's file, beside the test's; its name, if it is in the folder of policies.",
            ),
            A_SIM,
        ),
        eg(
            field("machine", Ty::Str, "What is there before: a file that lvsh export --as json wrote."),
            "pcall(lvs.sim, { machine = \"director.json\" })",
        ),
    ],
};

const SCRIPTED: &str = "sim:probe(\"192.168.1.109\", { status = 503 })";
const WEIGHED: &str = "sim:probe(\"192.168.1.109\", { headers = { [\"x-load\"] = \"0.95\" }, ms = 3 })";
const SAID: &str = "sim:probe(\"192.168.1.109\", { body = \"up 75%\" })";
const FOUND: &str = "sim:probe(\"192.168.1.109\", { ok = true, percent = 75, word = \"up\", weight = 4, cert_days = 9, records = {} })";
const BLIND: &str = "sim:probe(\"192.168.1.109\", { unknown = true, err = \"socket: too many open files\" })";

/// What a server answers in a test. What is not said here is made of what is, by the check that asks.
pub static SCRIPTED_ANSWER: Schema = Schema {
    name: "a scripted answer",
    fields: &[
        eg(field("ok", Ty::Boolean, "The verdict; left out, the check judges what was seen."), FOUND),
        eg(field("unknown", Ty::Boolean, "It could not be asked from here."), BLIND),
        eg(field("err", Ty::Str, "Why it is not well; alone, it is not."), BLIND),
        eg(
            field("ms", Ty::Integer { min: 0, max: 3_600_000 }, "Milliseconds it took; 1 when left out."),
            WEIGHED,
        ),
        eg(field("status", Ty::Integer { min: 0, max: 599 }, "HTTP's, or a program's exit code."), SCRIPTED),
        eg(field("headers", Ty::Map(&Ty::Str), "Of the HTTP answer."), WEIGHED),
        eg(field("body", Ty::Str, "Body, reply, output, or the line of an agent."), SAID),
        eg(field("cert_days", INTEGER, "Whole days until the certificate expires."), FOUND),
        eg(field("percent", Ty::Integer { min: 0, max: 1000 }, "An agent's opinion."), FOUND),
        eg(field("word", Ty::Str, "An agent's word."), FOUND),
        eg(field("weight", Ty::Integer { min: 0, max: 65535 }, "A weight that a program gave."), FOUND),
        eg(field("records", Ty::List(&Ty::Str), "Of a DNS answer."), FOUND),
    ],
};

const INTEGER: Ty = Ty::Integer { min: -100_000, max: 100_000 };
const COUNT: Ty = Ty::Integer { min: 0, max: u32::MAX as i64 };
const LIVE: &str = "sim:live(\"192.168.1.109\", { active = 17, inactive = 52, persist = 9 })";

const fn count(name: &'static str, doc: &'static str) -> Field {
    eg(field(name, COUNT, doc), LIVE)
}

/// What is not named is 0.
pub static LIVE_COUNTS: Schema = Schema {
    name: "a count of connections",
    fields: &[
        count("active", "Established connections."),
        count("inactive", "Finished ones that the kernel still knows."),
        count("persist", "Persistence templates: clients bound to the server."),
    ],
};

const STARTED: &str = "sim:start { adopt = true }";

pub static SIM_START: Schema = Schema {
    name: "how to start",
    fields: &[eg(field("adopt", Ty::Boolean, "Take over what is there already."), STARTED)],
};

const DECIDED: &str = "sim:drain(\"192.168.1.109\", { reason = \"new kernel\", timeout = \"15m\" })";

/// What goes with an operator's word.
pub static DECISION: Schema = Schema {
    name: "a decision",
    fields: &[
        eg(field("reason", Ty::Str, "Why; status shows it."), DECIDED),
        eg(
            field(
                "timeout",
                Ty::Seconds { min: 0, max: 31 * 86_400, whole: false },
                "How long a drain may take; the policy's own otherwise.",
            ),
            DECIDED,
        ),
    ],
};

/// Not a record but an object; its methods are entries of the registry.
pub static SIM_OBJECT: Shape = Shape { name: "a sim", fields: &[], remedy: "", each: "" };
