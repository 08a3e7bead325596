//! A playground per test: folders for policies and state, a machine in a file, and the program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub struct Playground {
    root: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// For snapshots: exit code, stdout, stderr.
    pub fn all(&self) -> String {
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, self.out, self.err)
    }

    #[track_caller]
    pub fn ok(self) -> Ended {
        assert_eq!(self.code, 0, "{}", self.all());
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.all()))
    }
}

impl Playground {
    pub fn new() -> Playground {
        let root = tempfile::Builder::new().prefix("lvsh").tempdir().expect("a folder");
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).expect("rights");
        let here = Playground { root };
        fs::create_dir(here.policies()).expect("a folder");
        fs::set_permissions(here.policies(), fs::Permissions::from_mode(0o755)).expect("rights");
        here
    }

    pub fn policies(&self) -> PathBuf {
        self.root.path().join("etc")
    }

    pub fn state(&self) -> PathBuf {
        self.root.path().join("run")
    }

    pub fn machine(&self) -> PathBuf {
        self.root.path().join("machine.json")
    }

    /// Writes `etc/NAME.lua`.
    pub fn policy(&self, name: &str, text: &str) -> PathBuf {
        let path = self.policies().join(format!("{name}.lua"));
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("rights");
        path
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lvsh"));
        command.env_clear().env("LVSH_CONFIG_DIR", self.policies()).env("LVSH_STATE_DIR", self.state());
        command.arg("--memory").arg(self.machine()).args(words);
        command.current_dir(self.root.path()).stdin(Stdio::null());
        command
    }

    pub fn root(&self) -> &std::path::Path {
        self.root.path()
    }

    /// Runs the program on this machine; what differs between runs is made equal.
    pub fn run(&self, words: &[&str]) -> Ended {
        let Output { status, stdout, stderr } = self.command(words).output().expect("the program");
        Ended {
            code: status.code().unwrap_or(-1),
            out: self.normal(&String::from_utf8_lossy(&stdout)),
            err: self.normal(&String::from_utf8_lossy(&stderr)),
        }
    }

    fn normal(&self, text: &str) -> String {
        let real = fs::canonicalize(self.root.path()).expect("a folder");
        let text = text.replace(&*real.to_string_lossy(), "ROOT");
        let text = text.replace(&*self.root.path().to_string_lossy(), "ROOT");
        let mut out = String::new();
        for line in text.lines() {
            out.push_str(&number_after(&number_after(line, "pid ", "N"), "\"duration_ms\": ", "0"));
            out.push('\n');
        }
        out
    }

    /// What is on the machine, as bytes; empty before the first change.
    pub fn bytes(&self) -> Vec<u8> {
        fs::read(self.machine()).unwrap_or_default()
    }

    /// What is on the machine, read and written again: two equal machines are equal texts.
    pub fn state_text(&self) -> String {
        let value: serde_json::Value = serde_json::from_slice(&self.bytes()).expect("a machine");
        value.to_string()
    }

    /// Files of the state folder, sorted.
    pub fn state_files(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.state())
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Replaces the number after a word.
fn number_after(line: &str, word: &str, instead: &str) -> String {
    match line.split_once(word) {
        Some((before, rest)) => {
            let digits = rest.chars().take_while(char::is_ascii_digit).count();
            let n = if digits > 0 { instead } else { "" };
            format!("{before}{word}{n}{}", &rest[digits..])
        }
        None => line.to_string(),
    }
}

pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("rights");
}

/// The seed director, declared.
pub const WEB: &str = r#"return lvs.policy {
  name = "web",
  vip  = { addr = "192.168.1.99/32", dev = "eth0" },
  mark = { mark = 3, daddr = "192.168.1.99", proto = "tcp", dports = { 80, 443 } },
  service = {
    fwmark    = 3,
    scheduler = "sh",
    flags     = { "sh-fallback" },
    servers   = {
      { addr = "192.168.1.107", method = "dr", weight = 1 },
      { addr = "192.168.1.109", method = "dr", weight = 1 },
    },
  },
}
"#;

/// The seed director, one call per command.
pub const SEED: &str = r#"local VIP, MARK = "192.168.1.99", 3
local M = { name = "seed" }

function M.start()
  local web = lvs.add_service { fwmark = MARK, scheduler = "sh", flags = { "sh-fallback" } }
  web:add_server { addr = "192.168.1.107", method = "dr", weight = 1 }
  web:add_server { addr = "192.168.1.109", method = "dr", weight = 1 }
  lvs.add_mark { mark = MARK, daddr = VIP, proto = "tcp", dports = { 80, 443 } }
  lvs.add_vip { addr = VIP .. "/32", dev = "eth0" }
end

function M.stop()
  lvs.del_vip     { addr = VIP .. "/32", dev = "eth0", missing_ok = true }
  lvs.del_mark    { mark = MARK, missing_ok = true }
  lvs.del_service { fwmark = MARK, missing_ok = true }
end

return M
"#;
