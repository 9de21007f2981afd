//! Whoever works on a preview watches it, for as long as he says so.

use control::ops::WATCH_SECONDS;

use crate::world::{World, page};

#[tokio::test]
async fn watching_ends_when_nobody_says_it_again() {
    let world = World::new().await;
    world.deploy("shop", "main", page("one")).await;
    world.deploy("shop", "other", page("one")).await;
    let preview = world.preview("shop", "main").await;
    assert!(!world.is_watched(&preview.url));
    assert!(world.control.watch_preview(&preview.id).await.unwrap().watched);
    assert!(world.is_watched(&preview.url));
    assert!(!world.is_watched(&world.preview("shop", "other").await.url));
    assert!(
        !world.is_watched(&preview.newest.unwrap().url),
        "what never changes is never reloaded"
    );

    let nearly = i64::try_from(WATCH_SECONDS).unwrap() * 1_000 - 1;
    world.clock.advance(nearly);
    world.control.settle().await;
    world.control.watch_preview(&preview.id).await.unwrap();
    world.clock.advance(nearly);
    world.control.settle().await;
    assert!(world.is_watched(&preview.url), "it was said again");
    world.clock.advance(1);
    world.control.settle().await;
    assert!(!world.is_watched(&preview.url));
    assert!(!world.preview("shop", "main").await.watched);
    world.assert_quiet().await;
}

#[tokio::test]
async fn watching_survives_a_restart_and_ends_when_it_is_said() {
    let mut world = World::new().await;
    world.deploy("shop", "main", page("one")).await;
    let preview = world.preview("shop", "main").await;
    world.control.watch_preview(&preview.id).await.unwrap();
    world.restart().await;
    assert!(world.is_watched(&preview.url));
    world.control.unwatch_preview(&preview.id).await.unwrap();
    assert!(!world.is_watched(&preview.url));
    world.assert_quiet().await;
}
