//! Taking one address of a subnet away without the others.

use super::sysctl;
use crate::model::SysctlName;

/// While this lives, the device keeps the other addresses of a subnet when the first one is deleted.
///
/// Without it the kernel deletes them all (`__inet_del_ifa`, net/ipv4/devinet.c: `promote_secondaries`), and they
/// are not ours to lose. The setting is put back when this goes.
pub struct Promotion {
    setting: SysctlName,
    before: String,
}

impl Promotion {
    /// `None` when the device does so already, or the kernel cannot be asked: then the deletion itself will tell.
    pub fn allow(device: &str) -> Option<Promotion> {
        // With slashes: a device's name may have dots.
        let setting = SysctlName::new(&format!("net/ipv4/conf/{device}/promote_secondaries")).ok()?;
        let before = sysctl::read(&setting).ok()??;
        if before != "0" || sysctl::write(&setting, "1").is_err() {
            return None;
        }
        Some(Promotion { setting, before })
    }
}

impl Drop for Promotion {
    fn drop(&mut self) {
        // It could be written a moment ago; a device that is gone since has no settings to put back.
        let _ = sysctl::write(&self.setting, &self.before);
    }
}
