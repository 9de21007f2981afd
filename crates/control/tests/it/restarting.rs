//! The platform dies at a bad moment and starts again; an application ends by itself.

use model::deployment::State;

use crate::world::{World, namespace, page, server};

#[tokio::test]
async fn what_was_queued_goes_on_after_a_restart() {
    let mut world = World::new().await;
    let id = world.queue("shop", "main", page("hello")).await;
    world.restart().await;
    world.control.settle().await;
    assert_eq!(world.deployment(&id).await.state, State::Ready);
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_serves_is_adopted_and_not_started_twice() {
    let mut world = World::new().await;
    let deployment = world.deploy("api", "main", server("serve")).await;
    let before = world.provider.instances();
    world.restart().await;
    // The first table is out before anything else happens.
    assert_eq!(world.visit(&deployment.preview_url).await.status, 200);
    world.control.settle().await;
    assert_eq!(world.provider.instances().len(), 1);
    assert_eq!(world.provider.instances()[0].instance, before[0].instance);
    world.assert_quiet().await;
}

#[tokio::test]
async fn what_was_deleted_while_the_platform_died_is_removed() {
    let mut world = World::new().await;
    world.deploy("api", "main", server("serve")).await;
    world
        .control
        .delete_namespace(&namespace("main"), None)
        .await
        .unwrap();
    // No pass has run since: the process is still there, its rows are not.
    assert_eq!(world.provider.instances().len(), 1);
    world.restart().await;
    world.control.settle().await;
    assert!(world.provider.instances().is_empty());
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_crashed_application_is_started_again_after_a_while() {
    let world = World::new().await;
    let deployment = world.deploy("api", "main", server("serve")).await;
    let instance = deployment.instances[0].id.clone();
    world.provider.crash(&instance, "exited with code 137");
    world.control.settle().await;
    assert_eq!(
        world.visit(&deployment.preview_url).await.status,
        502,
        "not at once: it backs off"
    );
    world.clock.advance(10_000);
    world.control.settle().await;
    assert_eq!(world.visit(&deployment.preview_url).await.status, 200);
    assert!(world.event_kinds().await.contains(&"instance.exited".to_owned()));
    world.assert_quiet().await;
}

#[tokio::test]
async fn an_application_that_vanished_with_its_machine_comes_back() {
    let mut world = World::new().await;
    let deployment = world.deploy("api", "main", server("serve")).await;
    world.provider.vanish(&deployment.instances[0].id);
    world.restart().await;
    world.control.settle().await;
    assert_eq!(world.visit(&deployment.preview_url).await.status, 200);
    world.assert_quiet().await;
}
