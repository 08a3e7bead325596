//! Namespaces, programs and selectors for the tests.

use std::process::Command;

use lvsh::model::{Family, Fwmark, Hook, IfName, MarkEntry, MarkSelector, PortRange, Protocol};

/// Runs the test in a thread with a network namespace of its own; says why when it cannot.
pub fn in_netns(test: impl FnOnce() + Send) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    if Command::new("ip").arg("-V").output().is_err() {
        println!("skipped: no ip program");
        return;
    }
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            if let Err(errno) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
                println!("skipped: cannot make a network namespace: {errno}");
                return;
            }
            run("ip link set lo up");
            test();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// Runs a command line, split at spaces, and gives what it prints.
pub fn run(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    run_words(&words)
}

pub fn run_words(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output().expect(words[0]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", words.join(" "));
    String::from_utf8(output.stdout).expect("text")
}

/// Whether `nft` is here and works; says so when not.
pub fn has_nft() -> bool {
    let works = Command::new("nft").args(["list", "tables"]).output().is_ok_and(|out| out.status.success());
    if !works {
        println!("skipped: no nft program, or no nf_tables");
    }
    works
}

/// `prerouting 192.0.2.0/24 tcp 80-89 from 10.0.0.0/8 on eth0`, each part but the hook may be missing.
pub fn selector(text: &str) -> MarkSelector {
    let mut words = text.split(' ');
    let hook = match words.next() {
        Some("prerouting") => Hook::Prerouting,
        Some("output") => Hook::Output,
        other => panic!("hook {other:?}"),
    };
    let mut selector = MarkSelector {
        hook,
        family: Family::Ipv4,
        daddr: None,
        protocol: None,
        dport: None,
        saddr: None,
        iif: None,
    };
    while let Some(word) = words.next() {
        if word == "from" {
            let net: ipnet::IpNet = words.next().unwrap().parse().unwrap();
            selector.family = Family::of(net.addr());
            selector.saddr = Some(net);
        } else if word == "on" {
            selector.iif = Some(IfName::new(words.next().unwrap()).unwrap());
        } else if word == "ipv6" {
            selector.family = Family::Ipv6;
        } else if let Ok(protocol) = word.parse::<Protocol>() {
            selector.protocol = Some(protocol);
        } else if let Ok(net) = word.parse::<ipnet::IpNet>() {
            selector.family = Family::of(net.addr());
            selector.daddr = Some(net);
        } else {
            let (first, last) = word.split_once('-').unwrap_or((word, word));
            let port = |text: &str| text.parse().expect(text);
            selector.dport = Some(PortRange::new(port(first), port(last)).unwrap());
        }
    }
    selector
}

pub fn entry(mark: u32, owner: &str) -> MarkEntry {
    MarkEntry { mark: Fwmark::new(mark).unwrap(), owner: owner.to_string() }
}

/// A neighbour in a namespace of its own, at the other end of a veth pair: `here` in this one, `there` in its.
pub struct Peer {
    jobs: std::sync::mpsc::Sender<Box<dyn FnOnce() + Send>>,
}

impl Peer {
    pub fn new() -> Peer {
        use std::sync::mpsc::channel;
        let (jobs, inbox) = channel::<Box<dyn FnOnce() + Send>>();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
            tell.send(nix::unistd::gettid()).unwrap();
            for job in inbox {
                job();
            }
        });
        let thread = told.recv().unwrap();
        run("ip link add here type veth peer name there");
        run(&format!("ip link set there netns {thread}"));
        run("ip link set here up");
        let peer = Peer { jobs };
        peer.run(|| {
            run("ip link set lo up");
            run("ip link set there up");
        });
        peer
    }

    /// Does something over there and waits for it.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> T {
        let (tell, told) = std::sync::mpsc::channel();
        let job = Box::new(move || tell.send(job()).unwrap());
        self.jobs.send(job).unwrap();
        told.recv().expect("the job over there failed")
    }
}
