//! Attempts to get out, one test each: what a hostile program tries first, tried for real.
//!
//! Where it can be done without harm the same attempt is made outside as well, as root, and must succeed there (or
//! fail in another way): so a test cannot pass because the attempt was a bad one.

pub(crate) mod calls;
mod control;
mod exhaustion;
mod files;
mod groups;
mod logs;
mod network;
mod proc;
mod processes;

use std::process::{Command, Stdio};

use sandbox::Privilege;

use crate::Test;

pub(crate) fn tests() -> Vec<Test> {
    [
        calls::TESTS,
        control::TESTS,
        exhaustion::TESTS,
        files::TESTS,
        groups::TESTS,
        logs::TESTS,
        network::TESTS,
        proc::TESTS,
        processes::TESTS,
    ]
    .concat()
}

/// The probes of this folder; false: it is none of them.
pub(crate) fn probe(arguments: &[&str]) -> bool {
    calls::probe(arguments)
        || files::probe(arguments)
        || network::probe(arguments)
        || processes::probe(arguments)
        || exhaustion::probe(arguments)
        || proc::probe(arguments)
}

/// Whether attempts made outside of any sandbox have root's power.
fn is_root() -> bool {
    sandbox::acquire_privilege().unwrap() == Privilege::Root
}

/// What the probe says outside of any sandbox, as this user.
#[expect(
    clippy::disallowed_methods,
    reason = "this program itself, unsandboxed on purpose"
)]
fn outside(arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("probe").args(arguments).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(str::to_owned).collect()
}

/// One raw system call.
fn call(number: i64, [a, b, c, d, e, f]: [i64; 6]) -> i64 {
    // SAFETY: pointers among the arguments are null, or lead to what outlives the call.
    unsafe { libc::syscall(number, a, b, c, d, e, f) }
}

/// `ok`, or the number of the error.
fn verdict(result: i64) -> String {
    if result == -1 {
        let error = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        return format!("error {error}");
    }
    "ok".to_owned()
}
