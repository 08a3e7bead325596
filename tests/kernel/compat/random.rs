//! Random sequences of commands: the same exit code after every command, the same output of every listing, the same
//! table after every sequence. Every second one is with `--strict-compat`, and then every word is the same.
//!
//! `LVSH_COMPAT_SECONDS` is how long (300), `LVSH_COMPAT_SEQUENCES` how many at most. The seed is printed; `LVSH_SEED`
//! takes it again. What fails is shrunk to the shortest sequence that fails, and belongs into [`KEPT`].

use std::time::{Duration, Instant};

use super::commands::{Random, sequence};
use super::zygote::Zygote;
use super::{Said, Side};

type Sequence = Vec<Vec<String>>;

const LENGTH: usize = 20;

/// Shrunk failures of earlier days, and sequences that hold what is easy to get wrong.
const KEPT: &[(&str, &[&str])] = &[
    (
        "an edit forgets what it does not say",
        &[
            "-A -t 10.0.0.1:80 -s sh -b sh-fallback -p 60",
            "-a -t 10.0.0.1:80 -r 10.1.0.1 -m -w 5 -x 10 -y 5",
            "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -m",
            "-E -t 10.0.0.1:80",
        ],
    ),
    (
        "the port is the service's unless it is masqueraded",
        &[
            "-A -t 10.0.0.1:80",
            "-a -t 10.0.0.1:80 -r 10.1.0.1:81",
            "-a -t 10.0.0.1:80 -r 10.1.0.1:81 -m",
            "-a -r 10.1.0.2 -t 10.0.0.1:80 -m",
            "-a -r 10.1.0.2 -t 10.0.0.1:80",
            "-d -t 10.0.0.1:80 -r 10.1.0.1:81",
        ],
    ),
    (
        "a mask is read as far as the family is known",
        &[
            "-A -M 255.255.255.0 -t [fd00::1]:80 -p",
            "-A -t [fd00::2]:80 -p -M 64abc",
            "-A -f 3 -M 255.255.0.0 -6 -p",
            "-A -f 4 -6 -M 48 -p",
        ],
    ),
    (
        "families meet in tunnels only, and not beside a daemon",
        &[
            "-A -t 10.0.0.1:80",
            "-a -t 10.0.0.1:80 -r [fd00::9]:80",
            "-a -t 10.0.0.1:80 -r [fd00::9]:80 -i",
            "--start-daemon master --mcast-interface d0",
            "-C",
            "--start-daemon master --mcast-interface d0",
            "--start-daemon master --mcast-interface d0",
            "--stop-daemon backup",
        ],
    ),
];

struct Pair {
    ours: Side,
    theirs: Side,
    /// How long each side was at work.
    spent: [Duration; 2],
    /// Commands that ipvsadm took and refused.
    taken: [usize; 2],
}

impl Pair {
    fn new(name: &str) -> Pair {
        let (ours, theirs) = (Side::ours(&format!("{name}-o")), Side::theirs(&format!("{name}-t")));
        Pair { ours, theirs, spent: Default::default(), taken: Default::default() }
    }

    /// The first difference.
    fn differs(&mut self, sequence: &Sequence, strict: bool) -> Option<String> {
        type Run<'a> = &'a dyn Fn(&mut Zygote, &[String]) -> Said;
        let play = |side: &mut Side, run: Run| -> (Vec<Said>, String, Duration) {
            side.clean();
            let begun = Instant::now();
            let said = sequence.iter().map(|words| run(&mut side.program, words)).collect();
            let spent = begun.elapsed();
            (said, side.table(), spent)
        };
        let with_lvsh = |program: &mut Zygote, words: &[String]| {
            let own = strict.then(|| "--strict-compat".to_string());
            program.run(&words.iter().cloned().chain(own).collect::<Vec<_>>(), "")
        };
        let with_ipvsadm = |program: &mut Zygote, words: &[String]| {
            if lists(words) { program.listed(words, "") } else { program.run(words, "") }
        };
        let ((ours, our_table, our_time), (theirs, their_table, their_time)) = std::thread::scope(|scope| {
            let ours = scope.spawn(|| play(&mut self.ours, &with_lvsh));
            let theirs = play(&mut self.theirs, &with_ipvsadm);
            (ours.join().expect("our side"), theirs)
        });
        self.spent[0] += our_time;
        self.spent[1] += their_time;
        for said in &theirs {
            self.taken[usize::from(said.code != 0)] += 1;
        }
        for ((words, ours), theirs) in sequence.iter().zip(&ours).zip(&theirs) {
            let equal = strict || lists(words) && theirs.code == 0;
            if ours.code != theirs.code || equal && ours.text != theirs.text {
                let line = words.join(" ");
                let Said { code, text } = ours;
                let (their_code, their_text) = (theirs.code, &theirs.text);
                return Some(format!("{line}: {code}\n{text}\nipvsadm: {their_code}\n{their_text}"));
            }
        }
        (our_table != their_table).then(|| format!("the table:\n{our_table}\nipvsadm's:\n{their_table}"))
    }

    /// Fewer commands that still differ.
    fn shrink(&mut self, mut sequence: Sequence, strict: bool, first: String) -> (Sequence, String) {
        let Some(mut difference) = self.differs(&sequence, strict) else {
            return (sequence, format!("only once:\n{first}"));
        };
        let mut index = 0;
        while index < sequence.len() {
            let mut shorter = sequence.clone();
            shorter.remove(index);
            match self.differs(&shorter, strict) {
                Some(found) => (sequence, difference) = (shorter, found),
                None => index += 1,
            }
        }
        (sequence, difference)
    }
}

fn lists(words: &[String]) -> bool {
    words.first().is_none_or(|word| ["-L", "-l", "--l"].iter().any(|p| word.starts_with(p)))
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_string).collect()
}

fn number(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value} is not a number")))
}

#[test]
fn kept_sequences() {
    needs!(ipvs);
    let mut pair = Pair::new("kept");
    for (name, lines) in KEPT {
        let sequence: Sequence = lines.iter().map(|line| words(line)).collect();
        for strict in [false, true] {
            if let Some(difference) = pair.differs(&sequence, strict) {
                panic!("{name}: {difference}");
            }
        }
    }
}

#[test]
fn sequences() {
    needs!(ipvs);
    let seed = number("LVSH_SEED").unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| since.as_secs())
    });
    let limit = Duration::from_secs(number("LVSH_COMPAT_SECONDS").unwrap_or(300));
    let most = number("LVSH_COMPAT_SEQUENCES").unwrap_or(u64::MAX);
    eprintln!("LVSH_SEED={seed}");
    let (mut random, mut pair, begun) = (Random(seed), Pair::new("rand"), Instant::now());
    let mut done = 0;
    while done < most && begun.elapsed() < limit {
        let sequence = sequence(&mut random, LENGTH);
        let strict = done % 2 == 1;
        if let Some(first) = pair.differs(&sequence, strict) {
            let (short, difference) = pair.shrink(sequence, strict, first);
            let lines: Vec<String> = short.iter().map(|words| format!("{:?}", words.join(" "))).collect();
            panic!(
                "LVSH_SEED={seed}, sequence {done}, strict {strict}:\n{}\n{difference}",
                lines.join(",\n")
            );
        }
        done += 1;
    }
    let Pair { spent: [ours, theirs], taken: [good, bad], .. } = pair;
    eprintln!(
        "{done} sequences of {LENGTH} commands in {:?}; lvsh {ours:?}, ipvsadm {theirs:?}, side by side; {good} \
         commands taken, {bad} refused",
        begun.elapsed()
    );
    assert!(done > 0, "not one sequence in {limit:?}");
    assert!(good > 0 && bad > 0, "all taken or all refused: {good}, {bad}");
}
