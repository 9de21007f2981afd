//! Instances rest when nobody needs them, and wake with their memory.

use model::preview::Status;
use provider::Phase;
use provider::Provider;

use crate::world::{World, server};

crate::telling::stories! {
    a_predecessor_drains_then_freezes_and_goes_back_instantly
    the_one_before_the_predecessor_stops_and_starts_on_request
    an_idle_preview_sleeps_and_wakes_on_request
}

async fn a_predecessor_drains_then_freezes_and_goes_back_instantly(world: &mut World) {
    let first = world.deploy("api", "main", server("serve one")).await;
    let second = world.deploy("api", "main", server("serve two")).await;
    let (old, new) = (first.instances[0].id.clone(), second.instances[0].id.clone());
    assert!(
        !world.undisturbed() || world.provider().observe(&old).await.unwrap().phase == Phase::Running,
        "it still drains"
    );
    world.clock().advance(31_000);
    world.settle().await;
    assert_eq!(world.provider().observe(&old).await.unwrap().phase, Phase::Asleep);
    let preview = world.preview("api", "main").await;
    world.rollback(&preview.id, None).await.unwrap();
    assert_eq!(world.visit(&preview.url).await.deployment, Some(first.id));
    assert_eq!(world.visit(&preview.url).await.status, 200);
    world.clock().advance(31_000);
    world.settle().await;
    assert_eq!(
        world.provider().observe(&old).await.unwrap().phase,
        Phase::Running
    );
    assert_eq!(world.provider().observe(&new).await.unwrap().phase, Phase::Asleep);
}

async fn the_one_before_the_predecessor_stops_and_starts_on_request(world: &mut World) {
    let first = world.deploy("api", "main", server("serve one")).await;
    world.deploy("api", "main", server("serve two")).await;
    world.deploy("api", "main", server("serve three")).await;
    world.clock().advance(31_000);
    world.settle().await;
    let oldest = first.instances[0].id.clone();
    assert_eq!(
        world.provider().observe(&oldest).await.unwrap().phase,
        Phase::Absent
    );
    world.wake(&oldest).await;
    assert_eq!(world.visit(&first.url).await.status, 200);
    world.clock().advance(10 * 60_000);
    world.settle().await;
    assert_eq!(
        world.provider().observe(&oldest).await.unwrap().phase,
        Phase::Absent,
        "the visit is over"
    );
}

async fn an_idle_preview_sleeps_and_wakes_on_request(world: &mut World) {
    let mut files = server("serve");
    files[0].1.push_str("[limits]\nidle = \"10m\"\n");
    let deployment = world.deploy("api", "main", files).await;
    let instance = deployment.instances[0].id.clone();
    world.clock().advance(9 * 60_000);
    world.settle().await;
    assert!(
        !world.undisturbed() || world.provider().observe(&instance).await.unwrap().phase == Phase::Running
    );
    world.clock().advance(2 * 60_000);
    world.settle().await;
    if !world.undisturbed() {
        // A platform that has just started knows of no request before its start.
        world.clock().advance(11 * 60_000);
        world.settle().await;
    }
    assert_eq!(
        world.provider().observe(&instance).await.unwrap().phase,
        Phase::Asleep
    );
    assert_eq!(world.preview("api", "main").await.status, Status::Asleep);

    world.keep_busy(&instance);
    world.wake(&instance).await;
    assert_eq!(
        world.provider().observe(&instance).await.unwrap().phase,
        Phase::Running
    );
    assert_eq!(world.preview("api", "main").await.status, Status::Live);
}
