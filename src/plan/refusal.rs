//! The one place that knows what an errno means for a step; both backends use it.

use super::Step;
use crate::error::{Error, Kind, did_you_mean, errno_name};
use crate::model::{SYSCTLS, Scheduler, Service, ServiceKey, Sysctl, SysctlName};

/// The error for a step that the kernel answered with `errno`.
///
/// The same number means different things: ENOENT on a server command is a missing server, on a service command
/// an unknown scheduler or persistence engine; ESRCH is always a missing service (ip_vs_ctl.c).
pub fn refusal(step: &Step, errno: i32) -> Error {
    let name = errno_name(errno);
    let (why, hint) = explain(step, errno);
    let kind = match errno {
        libc::EPERM => Kind::Unable,
        libc::EOPNOTSUPP => Kind::Unable,
        _ => Kind::Refused,
    };
    let words = step.words();
    let subject = step.subject();
    let mut error =
        Error::new(kind, &name, format!("cannot {words} {subject}: {why} ({name})")).about(subject);
    error.op = step.op();
    error.errno = Some(errno);
    error.hint = hint;
    error
}

/// What was asked of a service that is not there, beside steps: zeroing its counters.
pub fn no_service(op: &str, key: &ServiceKey) -> Error {
    let message = format!("cannot {op} service {key}: it does not exist (ESRCH)");
    let mut error = Error::new(Kind::Refused, "ESRCH", message).about(key.to_string());
    error.op = format!("{op} service");
    error.errno = Some(libc::ESRCH);
    error
}

fn explain(step: &Step, errno: i32) -> (String, Option<String>) {
    use Step::*;
    let plain = |why: &str| (why.to_string(), None);
    let with = |why: &str, hint: &str| (why.to_string(), Some(hint.to_string()));
    match (errno, step) {
        (libc::EPERM | libc::EACCES, _) => with(
            "permission denied: needs CAP_NET_ADMIN in the initial user namespace",
            "run as root, or: setcap cap_net_admin,cap_net_raw+ep on the program",
        ),
        (libc::EEXIST, AddMark { .. }) => with(
            "the same match exists, or a range that crosses it or ends where it ends",
            "lvsh list shows all marks; a range may lie within another when they share no end",
        ),
        (libc::EEXIST, StartSync { .. }) => plain("a daemon of this role runs already"),
        (libc::EEXIST, AddTunnel { tunnel, .. }) => (
            format!("it exists, or another device of kind {} takes all packets already", tunnel.kind),
            Some(format!("ip -d link show type {} shows them", tunnel.kind)),
        ),
        (libc::EEXIST, _) => plain("it exists"),
        (libc::EADDRINUSE, AddFou { key, .. }) => {
            (format!("UDP port {} is taken", key.port), Some("ss -lunp shows by whom".to_string()))
        }
        (libc::EOPNOTSUPP, AddTunnel { tunnel, .. }) => (
            format!("the kernel has no tunnels of kind {}", tunnel.kind),
            Some(format!("modprobe {} says why", tunnel.kind.module())),
        ),
        (libc::ENODEV, SetTunnel { .. } | DelTunnel { .. }) | (libc::EINVAL, DelFou { .. }) => {
            plain("it does not exist")
        }
        (libc::ESRCH, StopSync { .. }) => plain("no daemon of this role runs"),
        (libc::ESRCH, AddServer { .. } | SetServer { .. } | DelServer { .. }) => {
            plain("its service does not exist")
        }
        (libc::ESRCH, _) => plain("it does not exist"),
        (libc::ENOENT, AddService { service, .. } | SetService { to: service, .. }) => no_module(service),
        (libc::ENOENT | libc::EROFS, SetSysctl { name, .. }) => {
            let short = name.name().strip_prefix(SysctlName::VS);
            let near = short.and_then(|short| did_you_mean(short, SYSCTLS.iter().map(|known| known.name)));
            let hint = match (Sysctl::of(name).map(|known| known.since), near) {
                (Some(since), _) if !since.is_empty() => Some(format!("it is there since Linux {since}")),
                (None, Some(near)) => Some(format!("did you mean '{near}'?")),
                _ => None,
            };
            ("this kernel has no such sysctl".to_string(), hint)
        }
        (libc::ENOENT | libc::EADDRNOTAVAIL, _) => plain("it does not exist"),
        (libc::ERANGE, AddServer { .. } | SetServer { .. }) => {
            with("weight or thresholds out of range", "weight is 0..2147483647, and lower is at most upper")
        }
        (libc::EINVAL, AddServer { .. } | SetServer { .. }) => with(
            "the kernel does not take this server",
            "its address must be unicast and not link-local; gue needs a port; a server of the other family needs \
             method 'tun' and no sync daemon",
        ),
        (libc::EINVAL, AddMark { .. } | SetMark { .. }) => with(
            "this match cannot be kept",
            "its networks must be of one family; a port needs a protocol; only packets that arrive have an iif; \
             an owner has at most 127 bytes and no quotes",
        ),
        (libc::EINVAL, StartSync { .. }) => with(
            "the kernel does not take this daemon",
            "the group must be a multicast address, and no server may be of another family than its service",
        ),
        (libc::EAFNOSUPPORT, _) => plain("this kernel does not support the address family"),
        (libc::ENODEV, AddVip { key, .. }) => (format!("there is no device '{}'", key.dev), devices_hint()),
        (libc::ENODEV, StartSync { daemon, .. }) => {
            (format!("there is no device '{}'", daemon.dev), devices_hint())
        }
        (libc::EINVAL, SetSysctl { to, .. }) => (format!("the kernel does not take the value '{to}'"), None),
        _ => {
            let text = std::io::Error::from_raw_os_error(errno).to_string();
            (text.split(" (os error").next().unwrap_or_default().to_lowercase(), None)
        }
    }
}

fn devices_hint() -> Option<String> {
    Some("ip -brief link shows the devices of this namespace".to_string())
}

fn no_module(service: &Service) -> (String, Option<String>) {
    let scheduler = service.scheduler.name();
    match &service.pe {
        Some(pe) if Scheduler::KNOWN.contains(&scheduler) && pe.name() != "sip" => (
            format!("the kernel has no persistence engine '{pe}'"),
            Some("the only one is 'sip'".to_string()),
        ),
        _ => {
            let hint = match did_you_mean(scheduler, Scheduler::KNOWN) {
                Some(near) if near != scheduler => format!("did you mean '{near}'?"),
                Some(_) => format!("modprobe ip_vs_{scheduler} says why"),
                None => format!("schedulers: {}", Scheduler::KNOWN.join(", ")),
            };
            (format!("the kernel has no scheduler '{scheduler}'"), Some(hint))
        }
    }
}
