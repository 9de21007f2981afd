//! Whoever works on a preview watches it, for as long as he says so.

use control::ops::WATCH_SECONDS;

use crate::world::{World, ask, page};

crate::telling::stories! {
    watching_ends_when_nobody_says_it_again
    watching_survives_a_restart_and_ends_when_it_is_said
}

async fn watching_ends_when_nobody_says_it_again(world: &mut World) {
    world.deploy("shop", "main", page("one")).await;
    world.deploy("shop", "other", page("one")).await;
    let preview = world.preview("shop", "main").await;
    let id = preview.id.clone();
    assert!(!world.is_watched(&preview.url).await);
    assert!(
        ask!(world, [id], |control| control.watch_preview(&id))
            .unwrap()
            .watched
    );
    assert!(world.is_watched(&preview.url).await);
    let other = world.preview("shop", "other").await;
    assert!(!world.is_watched(&other.url).await);
    assert!(
        !world.is_watched(&preview.newest.unwrap().url).await,
        "what never changes is never reloaded"
    );

    let nearly = i64::try_from(WATCH_SECONDS).unwrap() * 1_000 - 1;
    world.clock().advance(nearly);
    world.settle().await;
    ask!(world, [id], |control| control.watch_preview(&id)).unwrap();
    world.clock().advance(nearly);
    world.settle().await;
    assert!(
        !world.undisturbed() || world.is_watched(&preview.url).await,
        "it was said again"
    );
    world.clock().advance(1);
    world.settle().await;
    assert!(!world.is_watched(&preview.url).await);
    assert!(!world.preview("shop", "main").await.watched);
}

async fn watching_survives_a_restart_and_ends_when_it_is_said(world: &mut World) {
    world.deploy("shop", "main", page("one")).await;
    let preview = world.preview("shop", "main").await;
    let id = preview.id.clone();
    ask!(world, [id], |control| control.watch_preview(&id)).unwrap();
    world.restart().await;
    assert!(world.is_watched(&preview.url).await);
    ask!(world, [id], |control| control.unwatch_preview(&id)).unwrap();
    assert!(!world.is_watched(&preview.url).await);
}
