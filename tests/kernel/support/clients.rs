//! Clients that ask all the time, http and https in turn, and what came of each request.

use super::{Failure, Host, client};
use std::{
    fmt,
    net::SocketAddr,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

/// Between two requests of a client: what a broken server may cost is counted by it.
pub const PACE: Duration = Duration::from_millis(50);

/// No client uses one twice: a connection from the port of an earlier one goes to the server of that one for as long as
/// the kernel remembers it (two minutes), also when this one has weight 0 or is gone. A kernel that chooses ports
/// begins elsewhere every ten seconds, so that such a thing happens within a minute.
const OWN_PORTS: RangeInclusive<u16> = 10_000..=30_000;

#[derive(Clone, Debug)]
pub struct Request {
    pub client: usize,
    pub begun: Instant,
    pub ended: Instant,
    /// The server that answered, with status 200.
    pub outcome: Result<String, Trouble>,
}

/// What came instead of an answer.
#[derive(Clone, Debug)]
pub enum Trouble {
    Status(u16, String),
    Failed(Failure),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Status(status, server) => write!(f, "status {status} of {server}"),
            Self::Failed(failure) => write!(f, "{failure}"),
        }
    }
}

/// Each on a thread of its own, until this is dropped. All that they did is kept, in the order of the answers.
pub struct Clients {
    log: Arc<Mutex<Vec<Request>>>,
    count: usize,
}

impl Clients {
    pub fn start<'a>(clients: impl Iterator<Item = &'a Host>, address: &str) -> Self {
        let log: Arc<Mutex<Vec<Request>>> = Arc::default();
        let mut count = 0;
        for host in clients {
            let (namespace, log, address) =
                (host.namespace.clone(), Arc::downgrade(&log), address.to_owned());
            let client = count;
            count += 1;
            thread::spawn(move || {
                for (scheme, port) in ["http", "https"].iter().cycle().zip(OWN_PORTS.cycle()) {
                    let begun = Instant::now();
                    let source = SocketAddr::new([0; 4].into(), port);
                    let url = format!("{scheme}://{address}/");
                    let outcome = match client::get_as(&namespace, Some(source), &url, client::LIMIT) {
                        Ok(answer) if answer.status == 200 => Ok(answer.server),
                        Ok(answer) => Err(Trouble::Status(answer.status, answer.server)),
                        Err(failure) => Err(Trouble::Failed(failure)),
                    };
                    let Some(log) = log.upgrade() else { return };
                    let ended = Instant::now();
                    log.lock().expect("the log").push(Request { client, begun, ended, outcome });
                    thread::sleep(PACE);
                }
            });
        }
        Self { log, count }
    }

    pub fn log(&self) -> MutexGuard<'_, Vec<Request>> {
        self.log.lock().expect("the log")
    }

    /// Waits until each of them has made so many requests that were begun after this moment.
    #[track_caller]
    pub fn each_asks(&self, requests: usize) {
        let now = Instant::now();
        super::eventually(Duration::from_secs(60), "requests of every client", || {
            let log = self.log();
            let made = |client| log.iter().filter(|r| r.client == client && r.begun > now).count();
            (0..self.count).all(|client| made(client) >= requests).then_some(())
        });
    }

    /// The server that each of them was answered by last.
    pub fn servers(&self) -> Vec<String> {
        let log = self.log();
        let last =
            |client| log.iter().rev().find_map(|r| (r.client == client).then(|| r.outcome.clone().ok())?);
        (0..self.count).map(|client| last(client).unwrap_or_default()).collect()
    }
}
