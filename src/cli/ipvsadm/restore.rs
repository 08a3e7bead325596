//! Saved rules: the lines that `ipvsadm -S` and lvsh write, read as a whole before anything is sent.

use super::change::{remedy, steps};
use super::command::{Command, Reach};
use super::parse::parse;
use super::wrong::{MINUS_ONE, Wrong};
use crate::error::{Error, Excerpt, Origin};
use crate::model::{State, SyncDaemon, SyncRole};
use crate::plan::{Action, World, advance, refusal};

/// A save file carried out on a machine in memory.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// The machine afterwards: services, timeouts, sync daemons.
    pub state: State,
    /// How it came to be, each with its line.
    pub actions: Vec<Action>,
}

/// Why a save file is refused: ipvsadm's exit code for that line, and what is wrong with it.
#[derive(Clone, Debug)]
pub struct Refused {
    pub code: u8,
    pub error: Box<Error>,
}

/// What the lines of a save file make of an empty machine; `name` stands for the file in messages.
///
/// Takes what `ipvsadm -S` and `lvsh ipvsadm -S` write: `-A`, `-a` and every other command that changes the table, each
/// as on ipvsadm's command line, with or without `ipvsadm` before it; `--set`, `--start-daemon`; lines that begin with
/// `#`; and numbers as large as the kernel takes them. Names of hosts and services are looked up.
///
/// # Errors
/// The first line that cannot be read, or that the kernel would refuse: with its number, the line and a remedy.
pub fn read(text: &str, name: &str) -> Result<State, Error> {
    replay(text, name, State::default()).map(|replay| replay.state).map_err(|refused| *refused.error)
}

/// As [`read`], on a machine that has something already.
pub fn replay(text: &str, name: &str, state: State) -> Result<Replay, Refused> {
    let mut replay = Replay { state, actions: Vec::new() };
    for (index, line) in text.lines().enumerate() {
        let origin = Origin { file: name.into(), line: u32::try_from(index + 1).unwrap_or(u32::MAX) };
        let words = split(line);
        if words.is_empty() || words[0].text.starts_with('#') {
            continue;
        }
        replay.line(&words, &origin).map_err(|mut refused| {
            refused.error.origin = Some(origin);
            refused.error.excerpt = Some(Box::new(excerpt(line, index, refused.column, refused.width)));
            Refused { code: refused.code, error: refused.error }
        })?;
    }
    Ok(replay)
}

/// A refusal that knows its word but not its line yet.
struct Fault {
    code: u8,
    error: Box<Error>,
    column: usize,
    width: usize,
}

impl Replay {
    fn line(&mut self, words: &[Word<'_>], origin: &Origin) -> Result<(), Fault> {
        let fault = |code, error: Box<Error>, word: Option<usize>| {
            let (first, last) = (&words[0], &words[words.len() - 1]);
            let whole = (first.column, last.column + last.width() - first.column);
            let place = word.and_then(|word| words.get(word)).map(|word| (word.column, word.width()));
            let (column, width) = place.unwrap_or(whole);
            Fault { code, error, column, width }
        };
        let texts: Vec<&str> = words.iter().map(|word| word.text).collect();
        let command = parse(&texts, Reach::Kernel, "ipvsadm");
        let command =
            command.and_then(only_changes).map_err(|wrong| fault(wrong.code, wrong.error, wrong.word))?;
        if let Command::StartDaemon { role, daemon } = &command
            && self.runs(*role, daemon)
        {
            return Ok(());
        }
        for step in steps(&command, &self.state) {
            advance(&mut self.state, &step, &World::default())
                .map_err(|errno| fault(MINUS_ONE, Box::new(remedy(&step, refusal(&step, errno))), None))?;
            self.actions.push(Action { step, origin: Some(origin.clone()), reason: None });
        }
        Ok(())
    }

    /// A daemon that runs like this already: a table can be saved and restored while it does.
    fn runs(&self, role: SyncRole, daemon: &SyncDaemon) -> bool {
        let canonical = daemon.clone().canonical(role, SyncDaemon::DEFAULT_MTU);
        self.state.syncs.get(&role).is_some_and(|running| *running == canonical || running == daemon)
    }
}

/// Listings and the like have no place among rules; neither have changes that cannot be taken back.
fn only_changes(command: Command) -> Result<Command, Wrong> {
    let what = match &command {
        Command::Help | Command::Version | Command::List { .. } | Command::Save { .. } => "shows something",
        Command::Restore => "restores",
        Command::Zero { .. } => "zeroes counters, which cannot be taken back",
        _ => return Ok(command),
    };
    let mut wrong = Wrong::new("", format!("a line of rules changes the table; this one {what}")).at(0);
    if command == Command::Restore {
        // ipvsadm's code for it; the others it does in the middle of a restore.
        wrong.code = MINUS_ONE;
    }
    Err(wrong.hint("take the line out, or use --strict-compat, which goes line by line as ipvsadm does"))
}

/// A word of a line, and where it begins.
struct Word<'a> {
    text: &'a str,
    /// In characters, from 0.
    column: usize,
}

impl Word<'_> {
    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

/// Words by white space; ipvsadm knows no quotes, and leaves out `ipvsadm` wherever it stands.
fn split(line: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut column = 0;
    for piece in line.split_inclusive([' ', '\t', '\r']) {
        let text = piece.trim_end_matches([' ', '\t', '\r']);
        if !text.is_empty() && text != "ipvsadm" {
            words.push(Word { text, column });
        }
        column += piece.chars().count();
    }
    words
}

fn excerpt(line: &str, index: usize, column: usize, width: usize) -> Excerpt {
    let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
    let lines = vec![(number, line.trim_end().to_string())];
    Excerpt { lines, column, width: width.max(1), label: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "\
# what lvsh ipvsadm -S writes
--set 600 60 120
--start-daemon master --mcast-interface eth0 --syncid 7
-A -t 192.0.2.1:80 -s sh -p 600 -M 255.255.255.0 -b sh-fallback
-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 70000 -x 100 -y 50

ipvsadm -A -f 4294967295 -6 -s wlc
 -a -f 4294967295 -6 -r [fd00::1]:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
";

    #[test]
    fn rules_become_a_state() {
        let state = read(RULES, "rules").expect("a state");
        assert_eq!(state.services.len(), 2);
        assert_eq!(state.timeouts.to_string(), "tcp 600 tcp_fin 60 udp 120");
        assert_eq!(state.syncs[&SyncRole::Master].id, 7);
        let servers: Vec<String> =
            state.services.values().flat_map(|entry| entry.servers.values()).map(|s| s.to_string()).collect();
        assert_eq!(servers, ["dr weight 70000 upper 100 lower 50", "tun weight 1 gue port 6080 csum"]);
    }

    #[test]
    fn the_first_bad_line_is_told_with_its_word() {
        for (text, line, code, part, column, width) in [
            ("-A -t 192.0.2.1:80\n-A -t 192.0.2.1:80 -s rr", 2, 255, "it exists (EEXIST)", 0, 24),
            ("\n\n  -A -t 192.0.2.1:80 -w 1", 3, 2, "does not take -w", 24, 1),
            ("-a -t 192.0.2.1:80 -r 10.0.0.1", 1, 255, "its service does not exist", 0, 30),
            ("-A -t 192.0.2.1:80 --shed rr", 1, 255, "unknown option '--shed'", 19, 6),
            ("-L -n", 1, 2, "shows something", 0, 2),
            ("-A -t 192.0.2.1:80 -s sh -b mh-port", 1, 2, "belongs to scheduler 'mh'", 28, 7),
        ] {
            let refused = replay(text, "rules", State::default()).expect_err(text);
            assert_eq!(refused.code, code, "{text}");
            assert_eq!(refused.error.origin, Some(Origin { file: "rules".into(), line }), "{text}");
            assert!(refused.error.message.contains(part), "{text}: {}", refused.error);
            let excerpt = refused.error.excerpt.expect("an excerpt");
            assert_eq!((excerpt.column, excerpt.width), (column, width), "{text}");
        }
    }

    #[test]
    fn a_daemon_that_runs_already_is_as_asked() {
        let state = read(RULES, "rules").expect("a state");
        let line = "--start-daemon master --mcast-interface eth0 --syncid 7";
        let again = replay(line, "rules", state.clone()).expect("nothing to do");
        assert!(again.actions.is_empty());
        let other = replay("--start-daemon master --mcast-interface eth1", "rules", state);
        assert_eq!(other.map(|_| ()).map_err(|refused| refused.code), Err(255));
    }
}
