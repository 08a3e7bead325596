//! The boot clock and the boot's identity: what is kept in /run is told by these.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Since the machine was started, sleep included; wall clocks jump, this does not.
pub fn since_boot() -> Duration {
    match clock_gettime(ClockId::CLOCK_BOOTTIME) {
        Ok(time) => Duration::new(
            u64::try_from(time.tv_sec()).unwrap_or_default(),
            u32::try_from(time.tv_nsec()).unwrap_or_default(),
        ),
        Err(_) => Duration::ZERO,
    }
}

/// A new one for each boot; empty where the kernel does not say.
pub fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.map(|text| text.trim().to_string()).unwrap_or_default()
}
