//! The codes of errors, as scripts compare them: `e.code == "EEXIST"`.

/// Codes that a script can meet, and what each says. The kernel's names where there is one.
pub static CODES: &[(&str, &str)] = &[
    ("EADDRINUSE", "something else uses the port"),
    ("EADDRNOTAVAIL", "the address is not there"),
    ("EAFNOSUPPORT", "this kernel does not support the address family"),
    ("EEXIST", "it exists already"),
    ("EINVAL", "the kernel does not take these values together"),
    ("ENODEV", "there is no such device"),
    ("ENOENT", "it does not exist, or the kernel has no such scheduler or setting"),
    ("EOPNOTSUPP", "this kernel cannot do it"),
    ("EPERM", "it needs CAP_NET_ADMIN"),
    ("ERANGE", "a weight or threshold is out of range"),
    ("ESRCH", "its service, or the daemon, does not exist"),
    ("bad_value", "an argument or a field has a value that cannot be"),
    ("conflict", "something foreign is in the way"),
    ("error", "error() was called with a string"),
    ("failed", "a test got something else than it wanted"),
    ("interrupted", "someone pressed Ctrl-C"),
    ("locked", "another run holds the lock"),
    ("memory", "the script needs more memory than it may have"),
    ("no_effects", "nothing can be changed while a policy loads"),
    ("no_exit", "os.exit is not for scripts; return ends one"),
    ("no_fou", "this kernel cannot unpack UDP; modprobe fou says why"),
    ("not_scripted", "a test did not say what a server answers"),
    ("not_verified", "the kernel has not what was sent"),
    ("read_only", "a record, the API, or this run cannot be changed"),
    ("syntax", "this is not Lua"),
    ("timeout", "the time is over"),
    ("unknown_field", "a table or record has no field of this name"),
    ("unknown_name", "there is no function or variable of this name"),
];

/// What a code says where one group of functions raises it: group, code, meaning.
static CLOSER: &[(&str, &str, &str)] = &[
    ("services", "ENOENT", "the kernel has no such scheduler or persistence engine"),
    ("services", "ESRCH", "the service does not exist"),
    ("servers", "ENOENT", "a server is not there"),
    ("servers", "ESRCH", "its service does not exist"),
    ("marks", "ENOENT", "no packets are marked so"),
    ("marks", "EEXIST", "the same match exists, or a range that crosses it"),
    ("connections", "ENOENT", "the server is not there"),
    ("connections", "ESRCH", "the service does not exist"),
    ("connections", "timeout", "an entry was still there after the time; the server is back as it was"),
    ("kernel", "ENOENT", "this kernel has no such setting"),
    ("kernel", "EEXIST", "a daemon of this role runs already"),
    ("kernel", "ESRCH", "no daemon of this role runs"),
];

/// What a code says when a function of this group raises it.
pub fn meaning_in(group: &str, code: &str) -> &'static str {
    let closer = CLOSER.iter().find(|(of, known, _)| *of == group && *known == code);
    closer.map_or_else(|| meaning(code), |(_, _, meaning)| meaning)
}

/// What a code says; empty for one that no script meets.
pub fn meaning(code: &str) -> &'static str {
    CODES.iter().find(|(known, _)| *known == code).map_or("", |(_, meaning)| meaning)
}
