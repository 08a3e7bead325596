//! The boot's identity: what is kept in /run is told by it.

/// A new one for each boot; empty where the kernel does not say.
pub fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
    text.map(|text| text.trim().to_string()).unwrap_or_default()
}
