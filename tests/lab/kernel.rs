//! The kernel to boot: a Debian package, unpacked and reduced to what the tests use. Nothing of it is installed.

use crate::{Context, Result, apt::Apt, output, paths, vmlinux};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Short names and the Debian suite each comes from; any other name is taken for a suite.
const NAMES: [(&str, Option<&str>); 5] = [
    ("default", None),
    ("6.1", Some("bookworm")),
    ("6.12", Some("trixie")),
    ("newest", Some("sid")),
    ("7.2", Some("sid")),
];

/// Modules that the guest can load, by shell pattern on the name; what they need comes along. To give the tests one
/// more, add it here and remove `target/lab/kernels`.
const MODULES: &[&str] = &[
    // The machine itself.
    "virtio_pci virtio_net virtio_rng 9p 9pnet_virtio",
    "ip_vs ip_vs_*",
    "nf_tables nft_* nfnetlink* nf_conntrack* nf_nat* nf_log* nf_reject* nf_defrag* nf_tproxy*",
    // iptables, legacy and nft.
    "x_tables xt_* ip_tables iptable_* ipt_* ip6_tables ip6table_* ip6t_* ip_set ip_set_*",
    "veth bridge dummy macvlan ipvlan vrf 8021q ifb",
    "ipip sit tunnel4 tunnel6 ip_tunnel ip6_tunnel ip_gre ip6_gre gre fou fou6",
    "act_mirred act_gact cls_u32 cls_matchall cls_bpf sch_ingress sch_netem sch_tbf sch_prio",
    "inet_diag tcp_diag udp_diag raw_diag netlink_diag unix_diag af_packet_diag",
    "crc32c* libcrc32c",
];

/// What is built in: modprobe must not miss it.
const LISTS: [&str; 3] = ["modules.builtin", "modules.builtin.modinfo", "modules.order"];

pub struct Kernel {
    pub version: String,
    pub image: PathBuf,
    /// Holds `lib/modules/VERSION`, plain `.ko` files only.
    pub tree: PathBuf,
}

pub fn get(name: &str) -> Result<Kernel> {
    let dir = paths::lab().join("kernels").join(name);
    if !dir.join("version").exists() {
        eprintln!("lab: fetching kernel {name}");
        fetch(name, &dir)?;
    }
    let version = fs::read_to_string(dir.join("version")).context("version")?;
    Ok(Kernel { version: version.trim().to_owned(), image: dir.join("vmlinux"), tree: dir.join("tree") })
}

fn fetch(name: &str, dir: &Path) -> Result<()> {
    let suite = match NAMES.iter().find(|(n, _)| *n == name) {
        Some((_, suite)) => *suite,
        None if name.starts_with(|c: char| c.is_ascii_digit()) => {
            let known: Vec<_> = NAMES.iter().map(|(n, _)| *n).collect();
            return Err(format!(
                "kernel {name} is not one of {}; the name of a Debian suite works too",
                known.join(", ")
            ));
        }
        None => Some(name),
    };
    let apt = Apt::for_suite(suite)?;
    let image = apt.dependencies("linux-image-amd64", "linux-image-")?;
    let image = image.first().ok_or("linux-image-amd64 depends on no kernel")?;
    let mut packages = vec![image.clone()];
    // Since 7.x the image is only a frame around these.
    for part in ["linux-base-", "linux-binary-", "linux-modules-"] {
        packages.extend(apt.dependencies(image, part)?);
    }
    fs::remove_dir_all(dir).ok();
    let full = dir.join("package");
    fs::create_dir_all(&full).context(full.display())?;
    for package in &packages {
        let deb = apt.download(package)?;
        output(Command::new("dpkg").arg("-x").arg(&deb).arg(&full))?;
        fs::remove_file(&deb).context(deb.display())?;
    }

    // Newer suites keep everything under usr/, or divide it between the two.
    let places = ["usr/lib/modules", "lib/modules"].map(|m| full.join(m));
    let modules = places
        .iter()
        .find(|m| m.is_dir() && holds_modules(m))
        .ok_or_else(|| format!("{packages:?} have no lib/modules"))?;
    let version = only_entry(modules)?;
    let boot = [
        full.join("boot").join(format!("vmlinuz-{version}")),
        full.join("usr/boot").join(format!("vmlinuz-{version}")),
        modules.join(&version).join("vmlinuz"),
    ];
    let boot =
        boot.iter().find(|path| path.exists()).ok_or_else(|| format!("{packages:?} have no vmlinuz"))?;
    let vmlinux = dir.join("vmlinux");
    if !vmlinux::extract(boot, &vmlinux)? {
        fs::copy(boot, &vmlinux).context(boot.display())?;
    }

    for list in LISTS {
        let found = places.iter().map(|p| p.join(&version).join(list));
        let wanted = modules.join(&version).join(list);
        if let Some(elsewhere) = found.into_iter().find(|f| f.exists() && *f != wanted) {
            fs::copy(&elsewhere, &wanted).context(elsewhere.display())?;
        }
    }
    reduce(modules, &version, &dir.join("tree"))?;
    fs::remove_dir_all(&full).context(full.display())?;
    // Last, because it says that all of the above is done.
    fs::write(dir.join("version"), &version).context("version")?;
    eprintln!("lab: kernel {version} of {image}");
    Ok(())
}

fn holds_modules(dir: &Path) -> bool {
    let mut versions = fs::read_dir(dir).into_iter().flatten().flatten();
    versions.any(|v| v.path().join("kernel").is_dir())
}

fn only_entry(dir: &Path) -> Result<String> {
    let mut entries = fs::read_dir(dir).context(dir.display())?.flatten();
    match (entries.next(), entries.next()) {
        (Some(entry), None) => Ok(entry.file_name().to_string_lossy().into_owned()),
        _ => Err(format!("{} does not hold one folder", dir.display())),
    }
}

/// Copies the wanted modules and what they need, unpacked: unpacking in the emulated machine is slow.
fn reduce(modules: &Path, version: &str, tree: &Path) -> Result<()> {
    let from = modules.join(version);
    let to = tree.join("lib/modules").join(version);
    fs::create_dir_all(&to).context(to.display())?;
    depmod(modules, version)?;
    let needs = dependencies(&from)?;
    let mut wanted = BTreeSet::new();
    let patterns: Vec<&str> = MODULES.iter().flat_map(|l| l.split(' ')).collect();
    for file in needs.keys() {
        let name = module_name(file);
        if patterns.iter().any(|p| matches(p, &name)) {
            wanted.insert(file.clone());
            wanted.extend(needs[file].iter().cloned());
        }
    }
    for file in &wanted {
        unpack(&from.join(file), &to)?;
    }
    for list in LISTS {
        // What is missing here only makes depmod warn.
        fs::copy(from.join(list), to.join(list)).ok();
    }
    depmod(&tree.join("lib/modules"), version)
}

fn depmod(modules: &Path, version: &str) -> Result<()> {
    // depmod wants the folder that holds lib/modules.
    let base = modules.ancestors().nth(2).ok_or("lib/modules has no parent")?;
    output(Command::new("/sbin/depmod").arg("-b").arg(base).arg(version)).map(drop)
}

/// Every module's file and the files that must be loaded before it.
fn dependencies(tree: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let file = tree.join("modules.dep");
    let text = fs::read_to_string(&file).context(file.display())?;
    Ok(text
        .lines()
        .filter_map(|l| l.split_once(':'))
        .map(|(module, needs)| {
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            (module.to_owned(), needs)
        })
        .collect())
}

fn module_name(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split(".ko").next().unwrap_or(name).replace('-', "_")
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

fn unpack(module: &Path, to: &Path) -> Result<()> {
    let name = module
        .file_name()
        .and_then(|n| n.to_str())
        .ok_or_else(|| format!("{}: strange name", module.display()))?;
    let plain = name.split(".ko").next().unwrap_or(name).to_owned() + ".ko";
    let target = to.join(plain);
    let (program, flag) = match module.extension().and_then(|e| e.to_str()) {
        Some("xz") => ("xz", "-dc"),
        Some("zst") => ("zstd", "-dcq"),
        Some("gz") => ("gzip", "-dc"),
        _ => {
            fs::copy(module, &target).context(module.display())?;
            return Ok(());
        }
    };
    let file = fs::File::create(&target).context(target.display())?;
    let status = Command::new(program).arg(flag).arg(module).stdout(file).status().context(program)?;
    if status.success() { Ok(()) } else { Err(format!("{program} {}: {status}", module.display())) }
}
