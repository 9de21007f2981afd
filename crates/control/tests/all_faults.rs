//! Every single fault of every story; the suite takes a sample. Run by `cargo xtask faults`, which takes minutes.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]
#![allow(dead_code, reason = "the stories come with the tests of the suite")]

#[path = "it/edge.rs"]
mod edge;
#[path = "it/faults.rs"]
mod faults;
#[path = "it/life.rs"]
mod life;
#[path = "it/paper.rs"]
mod paper;
#[path = "it/quiet.rs"]
mod quiet;
#[path = "it/receivers.rs"]
mod receivers;
#[path = "it/seams.rs"]
mod seams;
#[path = "it/telling.rs"]
mod telling;
#[path = "it/world.rs"]
mod world;

#[path = "it/balancing.rs"]
mod balancing;
#[path = "it/building.rs"]
mod building;
#[path = "it/collecting.rs"]
mod collecting;
#[path = "it/deploying.rs"]
mod deploying;
#[path = "it/ending.rs"]
mod ending;
#[path = "it/failing.rs"]
mod failing;
#[path = "it/pulling.rs"]
mod pulling;
#[path = "it/reporting.rs"]
mod reporting;
#[path = "it/restarting.rs"]
mod restarting;
#[path = "it/secrets.rs"]
mod secrets;
#[path = "it/sleeping.rs"]
mod sleeping;
#[path = "it/subscribing.rs"]
mod subscribing;
#[path = "it/watching.rs"]
mod watching;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const ALL: &[&[(&str, telling::Story)]] = &[
    balancing::STORIES,
    building::STORIES,
    collecting::STORIES,
    deploying::STORIES,
    ending::STORIES,
    failing::STORIES,
    pulling::STORIES,
    reporting::STORIES,
    restarting::STORIES,
    secrets::STORIES,
    sleeping::STORIES,
    subscribing::STORIES,
    watching::STORIES,
];

/// Takes a part of a story's name, or tells them all.
fn main() -> ExitCode {
    let part = std::env::args().nth(1).unwrap_or_default();
    let stories: Vec<_> = ALL
        .iter()
        .copied()
        .flatten()
        .filter(|(name, _)| name.contains(&part))
        .collect();
    let (next, total, failed) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(story) = stories.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match std::panic::catch_unwind(|| telling::disturb(**story, 1)) {
                        Ok(faults) => total.fetch_add(faults, Ordering::Relaxed),
                        Err(_) => failed.fetch_add(1, Ordering::Relaxed),
                    };
                }
            });
        }
    });
    let (total, failed) = (total.into_inner(), failed.into_inner());
    println!(
        "{} stories, {total} faults, {failed} stories did not end as they must",
        stories.len()
    );
    if failed == 0 && !stories.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
