//! `-R` as ipvsadm does it: line by line, each sent before the next is read.

use super::command::{Command, Reach};
use super::parse::parse;
use super::run::{Bad, Run};
use super::show::Sink;
use super::wrong::{MINUS_ONE, Wrong};

impl Run<'_> {
    /// The exit code is that of the last line, unless one ends it all.
    pub(super) fn line_by_line(&self, text: &str, out: Sink<'_>) -> Result<u8, Bad> {
        let mut code = 0;
        for words in lines(text) {
            let line = parse(&words, Reach::Ipvsadm, &self.program).map_err(Bad::from);
            let done = line.and_then(|command| match command {
                Command::Restore => {
                    Err(Wrong::no_command(&self.program, "a restore within a restore").into())
                }
                command => self.command(&command, out).map(|code| (code, command)),
            });
            code = match done {
                // Both end ipvsadm where they stand.
                Ok((code, Command::Help | Command::Version)) => return Ok(code),
                Ok((code, _)) => code,
                Err(bad) if bad.ends => return Err(bad),
                Err(bad) => {
                    eprintln!("{}", bad.theirs);
                    MINUS_ONE
                }
            };
        }
        Ok(code)
    }
}

/// Lines as words. `ipvsadm` is left out wherever it stands, `#` is a word like others, and a last line that ends with
/// two blanks instead of a newline is lost.
fn lines(text: &str) -> Vec<Vec<&str>> {
    let mut lines: Vec<&str> = text.split('\n').collect();
    // What follows the last newline is read too, unless two blanks end it.
    let lost = |last: &&str| last.len() - last.trim_end_matches(blank).len() > 1;
    if lines.last().is_some_and(lost) {
        lines.pop();
    }
    lines.into_iter().map(words).filter(|words| !words.is_empty()).collect()
}

fn blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r')
}

fn words(line: &str) -> Vec<&str> {
    line.split(blank).filter(|word| !word.is_empty() && *word != "ipvsadm").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_lines() {
        let joined = |text| lines(text).iter().map(|words| words.join("+")).collect::<Vec<_>>().join("|");
        assert_eq!(joined("-A -t  a:1\n\n  ipvsadm -C ipvsadm\r\n# x\n"), "-A+-t+a:1|-C|#+x");
        assert_eq!(joined("-A\n-C"), "-A|-C");
        assert_eq!(joined("-A\n-C "), "-A|-C");
        assert_eq!(joined("-A\n-C  "), "-A");
    }
}
