//! test: tests of policies and scripts, in memory and in simulated time.

mod machine;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::context::Context;
use super::done::Done;
use super::find;
use crate::backend::Memory;
use crate::error::{Error, Kind, Result};
use crate::plan::{Mode, NoJournal, Owned, Session};
use crate::script::{Job, excerpt_of, print_aside};
use crate::view::{error_text, error_value};

/// Arguments of test.
#[derive(Clone, Debug, Args)]
#[group(skip)]
pub struct Tests {
    /// Files that declare tests with lvs.test
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Only tests with this text in their name
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
}

/// How one test ended.
struct Ended {
    file: PathBuf,
    name: String,
    line: u32,
    ms: u64,
    error: Option<Error>,
}

/// Runs all of them; the exit code is 1 if one failed. A file that is no file of tests ends it with its own error.
pub fn test(context: &Context, args: &Tests) -> Result<Done> {
    // What scripts print is not the report.
    print_aside();
    let _tidy = machine::Tidy;
    let (mut ended, mut names) = (Vec::new(), Vec::new());
    for file in &args.files {
        run_file(context, args, file, &mut ended, &mut names)?;
    }
    if ended.is_empty() {
        return Err(nothing(args, &names));
    }
    Ok(report(context, &ended))
}

fn nothing(args: &Tests, names: &[String]) -> Error {
    match &args.filter {
        Some(text) if !names.is_empty() => {
            let message = format!("no test has '{text}' in its name");
            Error::new(Kind::Usage, "unknown_name", message).note(format!("tests: {}", names.join("; ")))
        }
        _ => Error::new(Kind::Usage, "unknown_name", "there is no test in these files")
            .hint("lvs.test(\"it starts\", function() … end) declares one"),
    }
}

fn run_file(
    context: &Context,
    args: &Tests,
    file: &Path,
    ended: &mut Vec<Ended>,
    names: &mut Vec<String>,
) -> Result<()> {
    find::check(file)?;
    let mut engine = context.engine_for_tests(machine::maker(context))?;
    let session = || {
        let memory = Box::new(Memory::default());
        Session::new(memory, Box::new(NoJournal), Mode::Staged, Owned::default())
    };
    let tests = engine.run(session(), Job::Tests(file.to_path_buf())).1?.tests;
    names.extend(tests.iter().map(|(name, _)| name.clone()));
    for (index, (name, line)) in tests.into_iter().enumerate() {
        if args.filter.as_ref().is_some_and(|text| !name.contains(text.as_str())) {
            continue;
        }
        let begun = Instant::now();
        let error = engine.run(session(), Job::Test(index)).1.err();
        if let Some(error) = &error
            && matches!(error.kind, Kind::Interrupted | Kind::Timeout)
        {
            return Err(error.clone().note(format!("while '{name}' ran")));
        }
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        ended.push(Ended { file: file.to_path_buf(), name, line, ms, error: error.map(with_lines) });
    }
    Ok(())
}

/// With the lines of the file that it is about.
fn with_lines(mut error: Error) -> Error {
    if error.excerpt.is_none() {
        error.excerpt = error.origin.as_ref().and_then(excerpt_of).map(Box::new);
    }
    error
}

fn report(context: &Context, ended: &[Ended]) -> Done {
    let failed = ended.iter().filter(|test| test.error.is_some()).count();
    let mut text = String::new();
    for test in ended {
        let Some(error) = &test.error else {
            text.push_str(&format!("ok    {}\n", test.name));
            continue;
        };
        text.push_str(&format!("FAIL  {}\n", test.name));
        for line in error_text(error, "", context.style()).lines() {
            text.push_str(format!("      {line}").trim_end());
            text.push('\n');
        }
    }
    let count = ended.len();
    let plural = if count == 1 { "" } else { "s" };
    text.push_str(&match failed {
        0 => format!("{count} test{plural} passed\n"),
        failed => format!("{failed} of {count} test{plural} failed\n"),
    });
    let done = Done::text(text)
        .with("ok", failed == 0)
        .with("failed", failed)
        .with("tests", ended.iter().map(Ended::value).collect::<Vec<Value>>());
    // A failure is said with --quiet too.
    Done { code: u8::from(failed > 0), asked: failed > 0, ..done }
}

impl Ended {
    fn value(&self) -> Value {
        let mut value = json!({
            "file": self.file.display().to_string(), "line": self.line, "name": self.name, "ms": self.ms,
            "ok": self.error.is_none(),
        });
        if let Some(error) = &self.error {
            value["error"] = error_value(error);
        }
        value
    }
}
