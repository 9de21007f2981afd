//! How long a preview lives: counted from its newest deployment, said by whoever deploys, by the project, or before.

use control::ops::PreviewChange;
use model::preview::TimeToLive;

use crate::world::{World, page};

// Told without faults: how often something is tried again decides when its time began.
crate::telling::told! {
    every_deployment_begins_the_time_anew
    never_is_a_time_to_live_too
}

const HOUR_MS: i64 = 3_600_000;

fn lives(text: &str, ttl: &str) -> Vec<(String, String)> {
    let mut files = page(text);
    files.push(("cx.toml".to_owned(), format!("[preview]\nttl = \"{ttl}\"\n")));
    files
}

async fn every_deployment_begins_the_time_anew(world: &mut World) {
    world.deploy("shop", "pr-1", lives("one", "2h")).await;
    world.clock().advance(HOUR_MS + HOUR_MS / 2);
    world.settle().await;
    // The second says nothing of it, and it has what it had.
    let second = world.deploy("shop", "pr-1", page("two")).await;
    let preview = world.preview("shop", "pr-1").await;
    assert_eq!(preview.ttl, TimeToLive::Seconds(7_200));
    let left = preview.expires_at_ms.unwrap() - world.clock().now_ms();
    assert!((HOUR_MS + HOUR_MS / 2..=2 * HOUR_MS).contains(&left), "{left}");
    world.clock().advance(HOUR_MS);
    world.settle().await;
    assert_eq!(world.visit(&preview.url).await.body, "two");
    // A visit puts nothing off; a redeployment does.
    world.redeploy(&second.id).await;
    world.clock().advance(HOUR_MS + HOUR_MS / 2);
    world.settle().await;
    assert_eq!(world.visit(&preview.url).await.body, "two");
    world.clock().advance(HOUR_MS);
    world.settle().await;
    assert!(world.visit(&preview.url).await.body.contains("Gone"));
    assert!(world.previews().await.is_empty());
}

async fn never_is_a_time_to_live_too(world: &mut World) {
    world.deploy("shop", "pr-1", lives("one", "2h")).await;
    let preview = world.preview("shop", "pr-1").await;
    let change = PreviewChange {
        ttl: Some(TimeToLive::Forever),
        keep: None,
    };
    let changed = world.control().update_preview(&preview.id, change).await.unwrap();
    assert_eq!((changed.ttl, changed.expires_at_ms), (TimeToLive::Forever, None));
    world.clock().advance(1_000 * HOUR_MS);
    world.settle().await;
    assert_eq!(world.visit(&preview.url).await.body, "one");
    // What the project says counts again with its next deployment.
    world.deploy("shop", "pr-1", lives("two", "1h")).await;
    let preview = world.preview("shop", "pr-1").await;
    assert_eq!(preview.ttl, TimeToLive::Seconds(3_600));
}
