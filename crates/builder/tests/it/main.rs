//! Tests of builds over a real store: with a scripted runner, with real sandboxes, and with a registry of our own.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod builds;
mod escape;
mod failures;
mod fetches;
mod git_server;
mod keys;
mod languages;
mod registry;
mod sandboxed;
mod toolchains;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// A test and its name.
type Test = (&'static str, fn());

fn main() -> ExitCode {
    sandbox::run_if_zygote();
    sandbox::acquire_privilege().unwrap();
    let tests = [
        builds::TESTS,
        escape::TESTS,
        failures::TESTS,
        fetches::TESTS,
        keys::TESTS,
        languages::TESTS,
        sandboxed::TESTS,
        toolchains::TESTS,
    ]
    .concat();
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Runs a test that waits for things, for half a minute at the most.
fn wait_for<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::time::timeout(std::time::Duration::from_secs(60), work)
            .await
            .expect("the test ended in time")
    })
}
