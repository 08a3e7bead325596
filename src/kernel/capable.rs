//! What this kernel could load.

use std::collections::BTreeSet;
use std::path::Path;

/// The kernel's release: `6.1.0-40-amd64`.
pub fn release() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    release.trim().to_string()
}

/// Schedulers that are loaded, built in, or on disk as modules; `None` when there is no module tree to ask, as in
/// many containers.
pub fn schedulers(release: &str) -> Option<BTreeSet<String>> {
    let tree = Path::new("/lib/modules").join(release);
    let dependencies = std::fs::read_to_string(tree.join("modules.dep")).ok()?;
    let builtin = std::fs::read_to_string(tree.join("modules.builtin")).unwrap_or_default();
    let on_disk = dependencies.lines().filter_map(|line| line.split(':').next());
    let files = on_disk.chain(builtin.lines()).filter_map(|path| path.rsplit('/').next());
    let loaded: Vec<String> = std::fs::read_dir("/sys/module")
        .map(|entries| entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
        .unwrap_or_default();
    let names = files.chain(loaded.iter().map(String::as_str));
    Some(names.filter_map(scheduler).map(str::to_string).collect())
}

/// `rr` for `ip_vs_rr.ko.xz`; nothing for the modules of IPVS that are not schedulers.
fn scheduler(module: &str) -> Option<&str> {
    let name = module.split('.').next()?.strip_prefix("ip_vs_")?;
    (!name.starts_with("pe_") && name != "ftp").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_names() {
        assert_eq!(scheduler("ip_vs_rr.ko.xz"), Some("rr"));
        assert_eq!(scheduler("ip_vs_pe_sip.ko"), None);
        assert_eq!(scheduler("ip_vs_ftp.ko"), None);
        assert_eq!(scheduler("ip_vs.ko"), None);
    }
}
