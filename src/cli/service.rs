//! Being a service: what the service manager is told (sd_notify(3)), and its watchdog.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// The service manager, if one listens.
#[derive(Clone, Debug)]
pub struct Manager {
    at: Option<SocketAddr>,
    /// Within this time it wants to hear from us again and again.
    watchdog: Option<Duration>,
}

impl Manager {
    /// As the environment says.
    pub fn new() -> Manager {
        let text = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        let at = text("NOTIFY_SOCKET").and_then(|name| match name.strip_prefix('@') {
            Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name).ok(),
            None => SocketAddr::from_pathname(&name).ok(),
        });
        // What is meant for the process that started us is not for us.
        let ours = text("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let micros = text("WATCHDOG_USEC").and_then(|text| text.parse::<u64>().ok()).filter(|_| ours);
        let watchdog = micros.filter(|micros| *micros > 0).map(Duration::from_micros);
        Manager { at, watchdog }
    }

    pub fn say(&self, state: &str) {
        let Some(at) = &self.at else { return };
        // Nobody to tell is no failure of a check.
        if let Ok(socket) = UnixDatagram::unbound() {
            let _ = socket.send_to_addr(state.as_bytes(), at);
        }
    }

    /// That files are read anew; `READY=1` ends it.
    pub fn reloading(&self) {
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map_or(0, |now| i128::from(now.tv_sec()) * 1_000_000 + i128::from(now.tv_nsec()) / 1000);
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={now}"));
    }

    /// Tells the watchdog that we are well, as long as the work keeps its promises.
    pub fn heart(&self) -> Heart {
        let heart = Heart { until: Arc::new(Mutex::new(Instant::now())) };
        if let (Some(within), Some(_)) = (self.watchdog, &self.at) {
            let (manager, until) = (self.clone(), Arc::downgrade(&heart.until));
            // Twice within the time, as sd_watchdog_enabled(3) advises. Without a thread the manager ends us, and
            // starts us again: no less safe.
            let beat = std::thread::Builder::new().name("watchdog".to_string());
            let _ = beat.spawn(move || beats(&manager, &until, within / 2));
        }
        heart
    }
}

fn beats(manager: &Manager, until: &Weak<Mutex<Instant>>, every: Duration) {
    while let Some(until) = until.upgrade() {
        if Instant::now() <= *until.lock().unwrap_or_else(PoisonError::into_inner) {
            manager.say("WATCHDOG=1");
        }
        drop(until);
        std::thread::sleep(every);
    }
}

/// The word of the working loop that it will speak again before a time. The heart beats until then and no longer, so
/// that a loop that hangs is found out although the thread of the heart lives.
#[derive(Debug)]
pub struct Heart {
    until: Arc<Mutex<Instant>>,
}

impl Heart {
    pub fn promise(&self, within: Duration) {
        let until = Instant::now() + within;
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heart_beats_as_long_as_the_loop_keeps_its_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let manager = Manager {
            at: Some(SocketAddr::from_pathname(&path).unwrap()),
            watchdog: Some(Duration::from_millis(40)),
        };
        let heart = manager.heart();
        heart.promise(Duration::from_secs(60));
        let mut said = [0; 64];
        for _ in 0..5 {
            let count = socket.recv(&mut said).expect("a beat");
            assert_eq!(&said[..count], b"WATCHDOG=1");
        }
        // It hangs: what was sent before is read, and then nothing comes any more.
        heart.promise(Duration::ZERO);
        let end = Instant::now() + Duration::from_secs(20);
        while socket.recv(&mut said).is_ok() {
            assert!(Instant::now() < end, "it beats on");
        }
        heart.promise(Duration::from_secs(60));
        assert!(socket.recv(&mut said).is_ok(), "it works again");
    }
}
