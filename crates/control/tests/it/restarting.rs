//! The platform dies at a bad moment and starts again; an application ends by itself.

use model::deployment::State;

use crate::world::{World, page, server};

crate::telling::stories! {
    what_was_queued_goes_on_after_a_restart
    what_serves_is_adopted_and_not_started_twice
    what_was_deleted_while_the_platform_died_is_removed
    a_crashed_application_is_started_again_after_a_while
    an_application_that_vanished_with_its_machine_comes_back
}

async fn what_was_queued_goes_on_after_a_restart(world: &mut World) {
    let id = world.queue("shop", "main", page("hello")).await;
    world.restart().await;
    world.settle().await;
    assert_eq!(world.deployment(&id).await.state, State::Ready);
}

async fn what_serves_is_adopted_and_not_started_twice(world: &mut World) {
    let deployment = world.deploy("api", "main", server("serve")).await;
    let before = world.provider().instances();
    world.restart().await;
    // The first table is out before anything else happens.
    assert_eq!(world.visit(&deployment.preview_url).await.status, 200);
    world.settle().await;
    assert_eq!(world.provider().instances().len(), 1);
    assert_eq!(world.provider().instances()[0].instance, before[0].instance);
}

async fn what_was_deleted_while_the_platform_died_is_removed(world: &mut World) {
    world.deploy("api", "main", server("serve")).await;
    world.delete_namespace("main").await;
    // No pass has run since: the process is still there, its rows are not.
    assert_eq!(world.provider().instances().len(), 1);
    world.restart().await;
    world.settle().await;
    assert!(world.provider().instances().is_empty());
}

async fn a_crashed_application_is_started_again_after_a_while(world: &mut World) {
    let deployment = world.deploy("api", "main", server("serve")).await;
    let instance = deployment.instances[0].id.clone();
    world.provider().crash(&instance, "exited with code 137");
    world.settle().await;
    assert!(
        !world.undisturbed() || world.visit(&deployment.preview_url).await.status == 502,
        "not at once: it backs off"
    );
    world.clock().advance(10_000);
    world.settle().await;
    assert_eq!(world.visit(&deployment.preview_url).await.status, 200);
    assert!(world.event_kinds().await.contains(&"instance.exited".to_owned()));
}

async fn an_application_that_vanished_with_its_machine_comes_back(world: &mut World) {
    let deployment = world.deploy("api", "main", server("serve")).await;
    world.provider().vanish(&deployment.instances[0].id);
    world.restart().await;
    world.settle().await;
    assert_eq!(world.visit(&deployment.preview_url).await.status, 200);
}
