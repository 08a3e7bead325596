//! The program; all of it is in the library, so that tests and documentation see it.

use std::process::ExitCode;

fn main() -> ExitCode {
    lvsh::cli::main()
}
