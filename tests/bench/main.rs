//! Measures lvsh against what people use instead. Run by `tests/bench/run`, in one boot of the lab (or on this machine
//! for what needs no kernel); prints medians and ratios of alternating rounds.
//!
//! These are measurements, not tests: nothing here passes or fails.

mod cases;
#[path = "../kernel/support/datagrams.rs"]
mod datagrams;
mod measure;
mod peers;
mod probes;
mod prompt;
mod site;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo bench` adds --bench; cargo and nextest ask for a list.
    let words: Vec<&str> = args.iter().map(String::as_str).filter(|word| *word != "--bench").collect();
    match words[..] {
        ["host", lvsh] => {
            cases::host(lvsh);
            prompt::prompt(lvsh);
        }
        ["prompt", lvsh] => prompt::prompt(lvsh),
        ["probes", lvsh, rounds] => probes::probes(lvsh, rounds.parse().expect("a number of rounds")),
        ["peers", lvsh] => peers::peers(lvsh),
        ["lab", lvsh, rounds, parts] => {
            let parts: Vec<&str> = parts.split(',').collect();
            cases::lab(lvsh, rounds.parse().expect("a number of rounds"), &parts);
        }
        _ => println!("tests/bench/run measures; this program alone does nothing"),
    }
}
