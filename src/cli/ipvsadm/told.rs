//! What ipvsadm prints of itself and of the kernel's refusals.

use super::command::Command;
use super::options::Verb;

/// `ipvsadm -v`. The command line is that of this version, and scripts look for it.
pub const VERSION: &str = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";

/// `ipvsadm -h`, under the name by which the program was called.
pub fn help(program: &str) -> String {
    format!("{VERSION}{}", include_str!("help.txt").replace("{program}", program))
}

/// What lvsh adds to it.
pub const DIFFERENCES: &str = "
lvsh instead of ipvsadm:
  Options, output and exit codes are those of ipvsadm 1.31, but for these:
  * -R reads everything before it sends anything. A bad line, or one that the kernel refuses, leaves the table as
    it was; the message has its number. Lines may begin with #. Not ipvsadm: -L, -S, -Z, -h, -v in such lines.
  * -S also writes -x and -y, marks above 2147483647 as they are, --set when timeouts are not the kernel's own,
    and --start-daemon for each sync daemon; ipvsadm -R reads all of it.
  * Messages say more.
  --strict-compat                     all of this as ipvsadm does it, word for word
  --dry-run                           show what would change and send nothing
  Options of lvsh itself (--netns, --json, --memory, ...) stand before 'ipvsadm'.
";

/// `ipvs_strerror`: what an errno means for a command.
pub fn refusal(verb: Option<Verb>, errno: i32) -> String {
    use Verb::*;
    let own = match (verb, errno) {
        (Some(AddService), libc::EEXIST) => "Service already exists",
        (Some(AddService | EditService), libc::ENOENT) => "Scheduler or persistence engine not found",
        (Some(EditService | DeleteService | Zero | List), libc::ESRCH) => "No such service",
        (Some(AddServer | EditServer | DeleteServer), libc::ESRCH) => "Service not defined",
        (Some(AddServer), libc::EEXIST) => "Destination already exists",
        (Some(EditServer | DeleteServer), libc::ENOENT) => "No such destination",
        (Some(StartDaemon), libc::EEXIST) => "Daemon has already run",
        (Some(StopDaemon), libc::ESRCH) => "No daemon is running",
        (_, libc::EPERM) => "Permission denied (you must be root)",
        (_, libc::EINVAL) => "Invalid operation.  Possibly wrong module version, address not unicast, ...",
        (_, libc::ENOPROTOOPT) => "Protocol not available",
        (_, libc::ENOMEM) => "Memory allocation problem",
        (_, libc::EOPNOTSUPP) => "Operation not supported with IPv6",
        (_, libc::EAFNOSUPPORT) => "Operation not supported with specified address family",
        (_, libc::EMSGSIZE) => "Module is wrong version",
        _ => {
            let text = std::io::Error::from_raw_os_error(errno).to_string();
            return text.split(" (os error").next().unwrap_or_default().to_string();
        }
    };
    own.to_string()
}

impl Command {
    /// The option that it was asked for with.
    pub fn verb(&self) -> Verb {
        match self {
            Command::Help => Verb::Help,
            Command::Version => Verb::Version,
            Command::AddService { .. } => Verb::AddService,
            Command::EditService { .. } => Verb::EditService,
            Command::DeleteService { .. } => Verb::DeleteService,
            Command::Clear => Verb::Clear,
            Command::AddServer { .. } => Verb::AddServer,
            Command::EditServer { .. } => Verb::EditServer,
            Command::DeleteServer { .. } => Verb::DeleteServer,
            Command::List { .. } => Verb::List,
            Command::Save { .. } => Verb::Save,
            Command::Restore => Verb::Restore,
            Command::Zero { .. } => Verb::Zero,
            Command::SetTimeouts(_) => Verb::Set,
            Command::StartDaemon { .. } => Verb::StartDaemon,
            Command::StopDaemon { .. } => Verb::StopDaemon,
        }
    }
}
