//! What has had its time ends, and leaves nothing.

use control::ops::{NewPreview, PreviewChange};
use model::EnvironmentName;
use model::deployment::State;
use model::preview::{Status, TimeToLive};

use crate::world::{World, ask, namespace, page, project, server};

crate::telling::stories! {
    a_preview_expires
    old_deployments_retire_and_the_current_one_never
    a_deleted_project_is_gone_with_all_it_had
    a_preview_can_be_there_before_its_first_deployment
}

async fn a_preview_expires(world: &mut World) {
    let deployment = world.deploy("api", "main", server("serve")).await;
    let preview = world.preview("api", "main").await;
    let change = PreviewChange {
        ttl: Some(TimeToLive::Seconds(3_600)),
        keep: None,
    };
    let id = &preview.id;
    ask!(world, [id, change], |control| control.update_preview(&id, change)).unwrap();
    world.clock().advance(3_599_000);
    world.settle().await;
    assert!(!world.undisturbed() || world.visit(&preview.url).await.status == 200);
    world.clock().advance(2_000);
    world.settle().await;
    assert!(world.find_deployment(&deployment.id).await.is_err());
    assert!(world.provider().instances().is_empty());
    assert!(world.visit(&preview.url).await.body.contains("Gone"));
    assert!(world.event_kinds().await.contains(&"preview.expired".to_owned()));
}

async fn old_deployments_retire_and_the_current_one_never(world: &mut World) {
    let keep = |text: &str| {
        let mut files = page(text);
        files.push(("cx.toml".to_owned(), "[preview]\nkeep = 2\n".to_owned()));
        files
    };
    let first = world.deploy("shop", "main", keep("one")).await;
    let second = world.deploy("shop", "main", keep("two")).await;
    let preview = world.preview("shop", "main").await;
    world.rollback(&preview.id, Some(&first.id)).await.unwrap();
    let third = world.deploy("shop", "main", keep("three")).await;
    assert_eq!(world.deployment(&third.id).await.state, State::Ready);
    assert_eq!(world.deployment(&second.id).await.state, State::Ready);
    assert_eq!(world.deployment(&first.id).await.state, State::Retired);
    assert!(world.visit(&first.url).await.body.contains("Gone"));
}

async fn a_deleted_project_is_gone_with_all_it_had(world: &mut World) {
    world.deploy("api", "one", server("serve")).await;
    world.deploy("api", "two", server("serve")).await;
    world.deploy("shop", "main", page("stays")).await;
    let name = project("api");
    let gone = ask!(world, [name], |control| control.delete_project(&name));
    // Whoever says it again after a fault may hear that it is gone.
    assert!(!world.undisturbed() || gone.unwrap().len() == 2);
    world.settle().await;
    assert!(world.provider().instances().is_empty());
    assert_eq!(ask!(world, [], |control| control.projects()).unwrap().len(), 1);
    assert_eq!(world.visit("http://shop.localhost:7700").await.body, "stays");
    // The name is free again.
    assert_eq!(
        world.deploy("api", "one", server("serve")).await.state,
        State::Ready
    );
}

async fn a_preview_can_be_there_before_its_first_deployment(world: &mut World) {
    let new = NewPreview {
        project: project("api"),
        namespace: namespace("soon"),
        environment: EnvironmentName::Preview,
        ttl: Some(TimeToLive::Seconds(60)),
    };
    let made = ask!(world, [new], |control| control.create_preview(new)).unwrap();
    assert_eq!(made.status, Status::Empty);
    let again = ask!(world, [new], |control| control.create_preview(new)).unwrap();
    assert_eq!(again.id, made.id);
    assert!(world.visit(&made.url).await.body.contains("Queued"));
    let deployment = world.deploy("api", "soon", page("there")).await;
    assert_eq!(deployment.preview_url, made.url);
    assert_eq!(world.visit(&made.url).await.body, "there");
    world.clock().advance(61_000);
    world.settle().await;
    assert!(world.previews().await.is_empty());
}
