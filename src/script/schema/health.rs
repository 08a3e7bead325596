//! The tables of a policy about health.

use super::probes::probe_fields;
use super::{PROBE, Schema, Ty, eg, field, needed, or};

pub(super) const HEALTHY: &str = "return lvs.policy { name = \"web\", health = { http = { port = 80, path = \"/healthz\" }, rise = 2, fall = 3 } }";
pub(super) const CLIMBING: &str =
    "return lvs.policy { name = \"web\", slow_start = { over = \"4m\", from = 1 } }";
pub(super) const DRAINING: &str =
    "return lvs.policy { name = \"web\", drain = { timeout = \"15m\", remove = true, evict = true } }";
const FLAPPING: &str = "return lvs.policy { name = \"web\", health = { ping = true, flap = { changes = 4, within = \"5m\", hold = \"10m\" } } }";

const COUNT: Ty = Ty::Integer { min: 1, max: 1000 };
const SOME_TIME: Ty = Ty::Seconds { min: 0, max: 31 * 86_400, whole: false };
const PROBES: &Ty = &Ty::Table(&PROBE);

/// Servers that come and go too often have to wait.
pub static FLAP: Schema = Schema {
    name: "a flap rule",
    fields: &[
        eg(needed("changes", COUNT, "How many changes are too many."), FLAPPING),
        eg(needed("within", SOME_TIME, "Within which time they are counted."), FLAPPING),
        eg(needed("hold", SOME_TIME, "How long after the last one the server stays down."), FLAPPING),
    ],
};

/// How a policy's servers are checked: one probe said here, or several in `probes`.
pub static HEALTH: Schema = Schema {
    name: "a health rule",
    fields: probe_fields![
        eg(
            field("probes", Ty::List(PROBES), "Several checks of each server, instead of one."),
            "return lvs.policy { name = \"web\", health = { probes = { { tcp = { port = 80 } }, { ping = true } }, need = \"any\" } }",
        ),
        eg(
            or(
                field("need", Ty::Enum(&["all", "any"]), "How many of several probes must be good."),
                "\"all\"",
            ),
            "return lvs.policy { name = \"web\", health = { probes = { { tcp = { port = 80 } }, { ping = true } }, need = \"any\" } }",
        ),
        eg(
            or(field("rise", COUNT, "Good rounds in a row until a server is up."), "2"),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, rise = 2, fall = 3 } }",
        ),
        eg(
            or(field("fall", COUNT, "Bad rounds in a row until it is down."), "3"),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, rise = 2, fall = 3 } }",
        ),
        eg(
            or(
                field(
                    "initial",
                    Ty::Enum(&["up", "down", "first"]),
                    "Before the first answer; first: that one decides alone.",
                ),
                "\"up\"",
            ),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, initial = \"first\" } }",
        ),
        eg(
            or(
                field(
                    "down",
                    Ty::Enum(&["inhibit", "remove"]),
                    "A server that is down gets weight 0, or leaves the table.",
                ),
                "\"inhibit\"",
            ),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, down = \"remove\" } }",
        ),
        eg(
            or(
                field(
                    "min_up",
                    Ty::Integer { min: 0, max: 65535 },
                    "Keep the last weights rather than have fewer servers above 0; 0 with a sorry server.",
                ),
                "1",
            ),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, min_up = 2 } }",
        ),
        eg(
            or(
                field(
                    "panic",
                    Ty::Integer { min: 0, max: 100 },
                    "With fewer per cent of the servers up, keep the last weights.",
                ),
                "0",
            ),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, panic = 30 } }",
        ),
        eg(
            or(
                field(
                    "quorum",
                    Ty::Integer { min: 1, max: 1 << 24 },
                    "Weight that must be up for the service to be up.",
                ),
                "1",
            ),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, quorum = 4, hysteresis = 1 } }",
        ),
        eg(
            or(
                field(
                    "hysteresis",
                    Ty::Integer { min: 0, max: 1 << 24 },
                    "quorum + this to come up, quorum - this to stay up.",
                ),
                "0",
            ),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, quorum = 4, hysteresis = 1 } }",
        ),
        eg(
            field(
                "marks",
                Ty::List(&Ty::Mark),
                "First and last mark for checks with via; from 0x76000000 to 0x76ffffff when left out.",
            ),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, via = \"vip\", marks = { 1000, 1999 } } }",
        ),
        eg(field("flap", Ty::Table(&FLAP), "Damping of servers that come and go."), FLAPPING),
        eg(
            field(
                "max_change",
                Ty::Integer { min: 1, max: 65535 },
                "Most that weight() and agents change in one round.",
            ),
            "return lvs.policy { name = \"web\", health = { tcp = { port = 80 }, max_change = 2 } }",
        ),
    ],
};

pub static SLOW_START: Schema = Schema {
    name: "a slow start",
    fields: &[
        eg(needed("over", SOME_TIME, "Time from coming up to the full weight."), CLIMBING),
        eg(or(field("from", Ty::Integer { min: 1, max: 65535 }, "Weight at first."), "1"), CLIMBING),
    ],
};

pub static DRAIN: Schema = Schema {
    name: "a drain rule",
    fields: &[
        eg(field("timeout", SOME_TIME, "A drained server has this long to lose its connections."), DRAINING),
        eg(
            or(
                field(
                    "evict",
                    Ty::Boolean,
                    "When the time is over, the connections and templates that are left are ended.",
                ),
                "false",
            ),
            DRAINING,
        ),
        eg(
            or(field("remove", Ty::Boolean, "Then it leaves the table, until undrain or ready."), "false"),
            DRAINING,
        ),
    ],
};
