//! The contract of providers, kept by each of them, and what each promises besides.
//!
//! Has a main of its own: it must be able to become a zygote, and enter a user namespace, before any thread starts.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something is not as it must be"
)]

mod fake;
mod local;

use std::future::Future;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};

/// A test: its name and what it does.
type Test = (&'static str, fn());

fn main() {
    sandbox::run_if_zygote();
    sandbox::acquire_privilege().expect("this machine must isolate programs");
    let mut arguments = Arguments::from_args();
    // Each starts a platform of its own; more at a time only get in each other's way.
    arguments.test_threads.get_or_insert(2);
    let mut trials = fake::contract();
    trials.extend(local::contract());
    let own = fake::TESTS.iter().chain(local::TESTS);
    trials.extend(own.map(|&(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    }));
    libtest_mimic::run(&arguments, trials).exit();
}

/// Runs a test to its end.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let patience = Duration::from_secs(60);
    runtime.block_on(async {
        tokio::time::timeout(patience, test)
            .await
            .expect("the test ends in time")
    })
}
