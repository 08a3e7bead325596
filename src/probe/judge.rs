//! What a check makes of an answer that did not come over a wire: a test's.

use super::{Check, Seen, Trouble, Verdict, agent, exec, shown};

/// Fills in what follows from what was seen, and says what the check would say of it.
pub fn judge(check: &Check, seen: &mut Seen) -> (Verdict, String) {
    let said = match check {
        Check::Http(http) => {
            let status = seen.status.unwrap_or(200);
            seen.status = Some(status);
            http.fits(status).and_then(|()| match &http.body {
                Some(text) if !super::contains(&seen.body, text) => Err(Trouble::bad(format!(
                    "{} is not in the body of {} bytes",
                    shown(text),
                    seen.body.len()
                ))),
                _ => Ok(()),
            })
        }
        Check::Agent { .. } if !seen.body.is_empty() => agent::said(&seen.body.clone(), seen),
        Check::Exec(exec) => {
            let program = exec.argv.first().map_or("", String::as_str);
            exec::ended(exec, program, i32::from(seen.status.unwrap_or(0)), "", seen)
        }
        _ => Ok(()),
    };
    match said {
        Ok(()) => (Verdict::Good, String::new()),
        Err(Trouble::Bad(text)) => (Verdict::Bad, text),
        Err(Trouble::Blind(text)) => (Verdict::Unknown, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::Exec;

    #[test]
    fn an_agent_is_heard_and_a_program_weighs() {
        let mut seen = Seen { body: b"up 75%".to_vec(), ..Seen::default() };
        assert_eq!(judge(&Check::Agent { send: Vec::new() }, &mut seen), (Verdict::Good, String::new()));
        assert_eq!(seen.percent, Some(75));
        let exec = Check::Exec(Exec { argv: vec!["load".to_string()], dynamic: true });
        let mut seen = Seen { status: Some(12), ..Seen::default() };
        assert_eq!(judge(&exec, &mut seen).0, Verdict::Good);
        assert_eq!(seen.weight, Some(10));
        let mut seen = Seen { status: Some(1), ..Seen::default() };
        assert_eq!(judge(&exec, &mut seen), (Verdict::Bad, "load ended with 1".to_string()));
    }
}
