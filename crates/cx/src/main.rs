//! `cx`.

use std::process::ExitCode;

fn main() -> ExitCode {
    cx::main()
}
