//! Fetches one package of any Debian suite without touching the machine's own apt state: a private configuration
//! whose sources are the machine's, with the suite's name swapped.

use crate::{Context, Result, output, paths};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

pub struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// `None`: the machine's own suite, with its updates and security fixes.
    pub fn for_suite(suite: Option<&str>) -> Result<Self> {
        let dir = paths::lab().join("apt").join(suite.unwrap_or("own"));
        for sub in ["lists/partial", "archives/partial"] {
            fs::create_dir_all(dir.join(sub)).context(dir.display())?;
        }
        let apt = Self { dir };
        let file = apt.dir.join("sources.list");
        fs::write(&file, sources(suite)?).context(file.display())?;
        fs::write(apt.dir.join("status"), "").context("status")?;
        output(apt.command("apt-get").args(["-qq", "update"]))?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let at = |name: &str| self.dir.join(name).display().to_string();
        for option in [
            format!("Dir::Etc::sourcelist={}", at("sources.list")),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State={}", self.dir.display()),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache={}", self.dir.display()),
            // Package lists only.
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            // Its sandbox user cannot reach a folder inside somebody's home.
            "APT::Sandbox::User=root".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command.current_dir(&self.dir).env("LC_ALL", "C");
        command
    }

    /// What a package depends on, by the start of the name: `linux-image-` for the package that `linux-image-amd64`
    /// stands for.
    pub fn dependencies(&self, package: &str, prefix: &str) -> Result<Vec<String>> {
        let text = output(self.command("apt-cache").args(["depends", package]))?;
        Ok(text
            .lines()
            .filter_map(|l| l.trim().strip_prefix("Depends: "))
            .filter(|name| name.starts_with(prefix))
            .map(str::to_owned)
            .collect())
    }

    pub fn download(&self, package: &str) -> Result<PathBuf> {
        output(self.command("apt-get").args(["-qq", "download", package]))?;
        newest_deb(&self.dir, package)
            .ok_or_else(|| format!("apt-get downloaded {package} and it is not there"))
    }
}

fn newest_deb(dir: &Path, package: &str) -> Option<PathBuf> {
    let prefix = format!("{package}_");
    let mut found: Vec<_> = fs::read_dir(dir)
        .ok()?
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().starts_with(&prefix))
        .collect();
    found.sort_by_key(|e| e.metadata().and_then(|m| m.modified()).ok());
    found.pop().map(|e| e.path())
}

/// What the machine's own sources are, in one-line style.
fn sources(suite: Option<&str>) -> Result<String> {
    let mut targets = own_targets()?;
    if targets.is_empty() {
        // A fresh machine or image: apt knows its sources only after the first update.
        output(Command::new("apt-get").args(["-qq", "update"]))?;
        targets = own_targets()?;
    }
    let codename = os_release("VERSION_CODENAME")?;
    let suite = suite.filter(|s| *s != codename);
    let signed = if Path::new(KEYRING).exists() { format!(" [signed-by={KEYRING}]") } else { String::new() };
    let lines: BTreeSet<String> = targets
        .iter()
        .filter_map(|(uri, release)| match suite {
            None => Some(format!("deb{signed} {uri} {release} main\n")),
            // Only the main archive has every suite; updates and security are of this one.
            Some(suite) if *release == codename => Some(format!("deb{signed} {uri} {suite} main\n")),
            Some(_) => None,
        })
        .collect();
    if lines.is_empty() {
        return Err("no Debian source in this machine's apt configuration; \
             the lab takes its kernel from Debian"
            .to_owned());
    }
    Ok(lines.into_iter().collect())
}

/// Address and suite of every Debian source.
fn own_targets() -> Result<Vec<(String, String)>> {
    let format = "$(CREATED_BY)|$(ORIGIN)|$(COMPONENT)|$(REPO_URI)|$(RELEASE)";
    let text = output(Command::new("apt-get").args(["indextargets", "--format", format]))?;
    Ok(text
        .lines()
        .filter_map(|l| {
            let (uri, release) = l.strip_prefix("Packages|Debian|main|")?.split_once('|')?;
            Some((uri.to_owned(), release.to_owned()))
        })
        .collect())
}

fn os_release(key: &str) -> Result<String> {
    let text = fs::read_to_string("/etc/os-release").context("/etc/os-release")?;
    text.lines()
        .find_map(|l| l.strip_prefix(key)?.strip_prefix('='))
        .map(|value| value.trim_matches('"').to_owned())
        .ok_or_else(|| format!("/etc/os-release does not say {key}"))
}
