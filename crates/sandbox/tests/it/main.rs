//! The promises of isolation, each a test, each kept as root and without root.
//!
//! Started as root, every test runs twice: here, and in a copy of this program as an unprivileged user. Nothing is
//! skipped where the machine cannot: it fails. The program is also what runs inside (`probe`) and the platform that
//! gets killed (`platform`).

#![allow(
    clippy::unwrap_used,
    reason = "tests; this target has a main of its own, so clippy cannot tell"
)]

mod escape;
mod filesystem;
mod lifecycle;
mod limits;
mod network;
mod output;
mod platform;
mod power;
mod probe;
mod stage;

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Trial};
use sandbox::Privilege;

/// A user that nobody is.
const NOBODY_IN_PARTICULAR: u32 = 54_321;

type Test = (&'static str, fn());

fn tests() -> Vec<Test> {
    [
        filesystem::TESTS,
        network::TESTS,
        limits::TESTS,
        power::TESTS,
        output::TESTS,
        lifecycle::TESTS,
        &escape::tests(),
    ]
    .concat()
}

fn main() {
    sandbox::run_if_zygote();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("probe", rest)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        return probe::run(rest);
    }
    let privilege = sandbox::acquire_privilege().expect("this machine must isolate programs");
    match arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        Some(("platform", rest)) => platform::run(rest),
        Some(("trial", [name])) => {
            let (_, test) = tests()
                .into_iter()
                .find(|(known, _)| known == name)
                .expect("a known test");
            test();
        }
        _ => run_all(privilege, &Arguments::from_args()),
    }
}

fn run_all(privilege: Privilege, arguments: &Arguments) {
    let mut trials = Vec::new();
    let kind = if privilege == Privilege::Root {
        "root"
    } else {
        "rootless"
    };
    for (name, test) in tests() {
        trials.push(Trial::test(format!("{kind}::{name}"), move || {
            test();
            Ok(())
        }));
    }
    let copy = (privilege == Privilege::Root).then(copy_for_everybody);
    if let Some((_, program)) = &copy {
        for (name, _) in tests() {
            let program = program.clone();
            trials.push(Trial::test(format!("rootless::{name}"), move || {
                without_root(&program, name)
            }));
        }
    }
    let conclusion = libtest_mimic::run(arguments, trials);
    drop(copy);
    conclusion.exit();
}

/// The build directory may lie where only root can read.
fn copy_for_everybody() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path().join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    (dir, program)
}

#[expect(clippy::disallowed_methods, reason = "this program itself, as another user")]
fn without_root(program: &std::path::Path, name: &str) -> Result<(), libtest_mimic::Failed> {
    let mut command = Command::new(program);
    command
        .args(["trial", name])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null());
    command.uid(NOBODY_IN_PARTICULAR).gid(NOBODY_IN_PARTICULAR);
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{}\n{text}", output.status).into())
}
