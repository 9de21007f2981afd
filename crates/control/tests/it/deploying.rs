//! From a change to a URL, and from one change to the next.

use control::ops::Kind;
use model::deployment::State;
use model::preview::Status;
use model::tree::{Entry, Node, TreePath};
use model::{Digest, Tree};

use crate::world::{World, ask, namespace, page, project, server};

crate::telling::stories! {
    files_become_a_live_preview
    a_server_runs_and_goes_with_its_preview
    the_same_build_serves_another_namespace
    the_newest_change_wins
    rollback_moves_the_alias_and_nothing_else
    redeploying_makes_a_new_instance_of_the_same_artifact
    equal_labels_are_told_apart
    a_digest_is_no_key_to_another_projects_files
}

async fn files_become_a_live_preview(world: &mut World) {
    let deployment = world.deploy("shop", "main", page("hello")).await;
    assert_eq!(deployment.state, State::Ready);
    assert!(deployment.current);
    let preview = world.preview("shop", "main").await;
    assert_eq!(
        (preview.status, preview.url.as_str()),
        (Status::Live, "http://shop.localhost:7700")
    );
    for url in [&preview.url, &deployment.url] {
        let answer = world.visit(url).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
        assert_eq!(answer.deployment.as_ref(), Some(&deployment.id));
    }
    let kinds = world.event_kinds().await;
    let at = |kind: &str| {
        kinds
            .iter()
            .position(|k| k == kind)
            .unwrap_or_else(|| panic!("{kind} in {kinds:?}"))
    };
    assert!(at("deployment.queued") < at("deployment.deploying"));
    assert!(at("preview.switched") < at("deployment.ready"));
}

async fn a_server_runs_and_goes_with_its_preview(world: &mut World) {
    let deployment = world.deploy("api", "demo", server("serve")).await;
    assert_eq!(deployment.state, State::Ready, "{:?}", deployment.failure);
    let instance = world.provider().instances().pop().unwrap();
    let variable = |name: &str| instance.variables.get(name).cloned();
    assert_eq!(variable("CYGNI_NAMESPACE").as_deref(), Some("demo"));
    assert_eq!(
        variable("CYGNI_URL").as_deref(),
        Some("http://demo-api.localhost:7700")
    );
    assert_eq!(world.visit("http://demo-api.localhost:7700").await.status, 200);

    world.delete_namespace("demo").await;
    world.settle().await;
    assert!(world.provider().instances().is_empty());
    assert!(
        world
            .visit("http://demo-api.localhost:7700")
            .await
            .body
            .contains("Gone")
    );
    assert!(world.previews().await.is_empty());
}

async fn the_same_build_serves_another_namespace(world: &mut World) {
    let first = world.deploy("api", "one", server("serve")).await;
    let second = world.deploy("api", "two", server("serve")).await;
    assert_eq!(second.reused_build_of, Some(first.id.clone()));
    assert!(
        world
            .log(&second.id)
            .await
            .iter()
            .any(|line| line.contains(first.id.as_str()))
    );
    let ids: Vec<_> = [&first, &second]
        .iter()
        .map(|d| d.instances[0].id.clone())
        .collect();
    assert_ne!(ids[0], ids[1], "two previews never share an instance");
}

async fn the_newest_change_wins(world: &mut World) {
    let first = world.queue("shop", "main", page("one")).await;
    let second = world.queue("shop", "main", page("two")).await;
    world.settle().await;
    assert_eq!(world.deployment(&first).await.state, State::Cancelled);
    assert_eq!(world.deployment(&second).await.state, State::Ready);
    assert_eq!(world.visit("http://shop.localhost:7700").await.body, "two");
}

async fn rollback_moves_the_alias_and_nothing_else(world: &mut World) {
    let first = world.deploy("shop", "main", page("one")).await;
    let second = world.deploy("shop", "main", page("two")).await;
    let preview = world.preview("shop", "main").await;
    let back = world.rollback(&preview.id, None).await.unwrap();
    assert_eq!(back.id, first.id);
    assert_eq!(world.visit(&preview.url).await.body, "one");
    assert_eq!(
        world.visit(&second.url).await.body,
        "two",
        "a pinned address never changes"
    );
    world.rollback(&preview.id, Some(&second.id)).await.unwrap();
    assert_eq!(world.visit(&preview.url).await.body, "two");
    let error = world
        .rollback(&preview.id, Some(&model::DeploymentId::from_random([1; 10])))
        .await
        .unwrap_err();
    assert_eq!(error.kind, Kind::NotFound);
}

async fn redeploying_makes_a_new_instance_of_the_same_artifact(world: &mut World) {
    let first = world.deploy("api", "main", server("serve")).await;
    let second = world.redeploy(&first.id).await;
    assert_eq!((second.state, second.artifact), (State::Ready, first.artifact));
    assert_ne!(first.instances[0].id, second.instances[0].id);
}

async fn equal_labels_are_told_apart(world: &mut World) {
    let one = world.deploy("c", "a-b", page("one")).await;
    let two = world.deploy("b-c", "a", page("two")).await;
    assert_eq!(one.preview_url, "http://a-b-c.localhost:7700");
    assert_ne!(one.preview_url, two.preview_url);
    assert_eq!(world.visit(&one.preview_url).await.body, "one");
    assert_eq!(world.visit(&two.preview_url).await.body, "two");
    let reserved = world.deploy("api", "main", page("three")).await;
    assert_ne!(reserved.preview_url, "http://api.localhost:7700");
}

async fn a_digest_is_no_key_to_another_projects_files(world: &mut World) {
    world.deploy("rich", "main", page("treasure")).await;
    let digest = Digest::of(b"treasure");
    let thief = project("thief");
    let missing = ask!(world, [thief], |control| control.missing_blobs(&thief, &[digest])).unwrap();
    assert_eq!(missing, [digest], "what another project has sent is not told");
    let node = Node::File {
        digest,
        size_bytes: 8,
        executable: false,
    };
    let tree = Tree::new(vec![Entry {
        path: TreePath::new("index.html").unwrap(),
        node,
    }])
    .unwrap();
    let request = control::ops::DeployRequest {
        project: project("thief"),
        namespace: namespace("main"),
        environment: model::EnvironmentName::Preview,
        tree,
        origin: model::preview::Origin::Files,
        ttl: None,
        variables: Default::default(),
        rebuild: false,
        uploaded: None,
        live: None,
    };
    let error = ask!(world, [request], |control| control.deploy(request)).unwrap_err();
    assert_eq!(error.code, "missing_blobs");
    assert_eq!(world.previews().await.len(), 1, "only the one of `rich`");
}
