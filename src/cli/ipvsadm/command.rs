//! What ipvsadm can be told to do.

use crate::model::{Server, ServerKey, Service, ServiceKey, SyncDaemon, SyncRole, Timeouts};
use crate::view::ipvsadm::Format;

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Help,
    Version,
    AddService {
        key: ServiceKey,
        service: Service,
    },
    /// Replaces all that is said of it: what is not given gets its default.
    EditService {
        key: ServiceKey,
        service: Service,
    },
    DeleteService {
        key: ServiceKey,
    },
    Clear,
    AddServer {
        service: ServiceKey,
        key: ServerKey,
        server: Server,
    },
    /// As [`Command::EditService`].
    EditServer {
        service: ServiceKey,
        key: ServerKey,
        server: Server,
    },
    DeleteServer {
        service: ServiceKey,
        key: ServerKey,
    },
    List {
        what: Listing,
        format: Format,
    },
    Save {
        format: Format,
    },
    Restore,
    /// `None`: all services.
    Zero {
        service: Option<ServiceKey>,
    },
    /// 0 keeps what is.
    SetTimeouts(Timeouts),
    StartDaemon {
        role: SyncRole,
        daemon: SyncDaemon,
    },
    StopDaemon {
        role: SyncRole,
    },
}

/// What `-L` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    All,
    Service(ServiceKey),
    Connections,
    Timeouts,
    Daemons,
}

/// How far numbers may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// As far as ipvsadm lets them.
    Ipvsadm,
    /// As far as the kernel does: for what was saved of a table that other programs made.
    Kernel,
}
