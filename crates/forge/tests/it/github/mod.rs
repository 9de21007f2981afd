//! GitHub, against one of our own that holds everything against GitHub's description of its API.

mod access;
mod contract;
mod deliveries;
mod faults;
mod reads;
mod reports;
mod webhooks;

use std::sync::Arc;

use forge::fake::FakeGitHub;
use forge::{Forge, Reach, Settings};

const REPOSITORY: &str = "octo/shop";

fn open(settings: &Settings) -> Arc<dyn Forge> {
    forge::open(settings, &Reach::default()).expect("settings of the fake")
}

/// A fake with a repository, and its App.
async fn github() -> (FakeGitHub, Arc<dyn Forge>) {
    let fake = FakeGitHub::start().await;
    fake.create_repository(REPOSITORY);
    let app = open(&fake.app());
    (fake, app)
}
