//! A program that is started once and forked for every command line; `tests/zygote` is inside it.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use super::Said;
use crate::support::Namespace;

pub struct Zygote {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// Before the words of each command.
    prefix: Vec<String>,
}

impl Zygote {
    /// In the namespace.
    pub fn start(namespace: &Namespace, program: &[&str]) -> Zygote {
        let library = Path::new(env!("CARGO_BIN_EXE_lvsh")).with_file_name("examples").join("libzygote.so");
        assert!(library.exists(), "{}: cargo build --example zygote", library.display());
        let mut command = Command::new(program[0]);
        command.env("LD_PRELOAD", library).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = namespace.inside(|| command.spawn()).expect("a program");
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("piped"));
        let prefix = program.iter().map(|word| word.to_string()).collect();
        Zygote { child, input, output, prefix }
    }

    /// One command line, in a process of its own.
    pub fn run(&mut self, words: &[String], stdin: &str) -> Said {
        let mut request = Vec::new();
        let all: Vec<&String> = self.prefix.iter().chain(words).collect();
        request.extend((all.len() as u32).to_ne_bytes());
        for text in all.iter().map(|word| word.as_str()).chain([stdin]) {
            request.extend((text.len() as u32).to_ne_bytes());
            request.extend(text.as_bytes());
        }
        self.input.as_mut().expect("open").write_all(&request).expect("a zygote");
        let mut head = [0; 8];
        self.output.read_exact(&mut head).expect("a reply");
        let number = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().expect("four bytes"));
        let mut text = vec![0; number(4) as usize];
        self.output.read_exact(&mut text).expect("what was said");
        let status = number(0) as i32;
        let code =
            if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { 128 + libc::WTERMSIG(status) };
        Said { code, text: String::from_utf8_lossy(&text).into_owned() }
    }

    /// What Debian's ipvsadm lists, once it says the same twice in a row: while services of any other namespace come and go,
    /// 6.1 tells it some of ours again, or not at all.
    pub fn listed(&mut self, words: &[String], stdin: &str) -> Said {
        let mut said = self.run(words, stdin);
        for _ in 0..20 {
            let again = self.run(words, stdin);
            if again == said {
                return said;
            }
            said = again;
        }
        panic!("{words:?}: never the same twice in a row; at last:\n{}", said.text);
    }
}

impl Drop for Zygote {
    fn drop(&mut self) {
        // It ends with its input.
        self.input = None;
        self.child.wait().ok();
    }
}
