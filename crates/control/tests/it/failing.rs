//! A deployment that fails leaves the one before it serving, and says why.

use model::deployment::State;
use model::failure::{Blame, Code};
use model::preview::Status;
use provider::fake::{Behaviour, Call, How};

use crate::world::{World, page, server};

crate::telling::stories! {
    a_server_that_exits_changes_nothing
    an_unhealthy_server_never_becomes_ready
    a_source_without_a_plan_fails_with_what_to_do
    a_failure_of_the_platform_is_tried_again_later
    a_platform_that_keeps_failing_gives_up_in_the_end
    a_start_whose_answer_was_lost_makes_no_second_instance
    nothing_is_removed_because_an_answer_was_missing
}

async fn a_server_that_exits_changes_nothing(world: &mut World) {
    let good = world.deploy("api", "main", server("serve")).await;
    let line = "Error: no such table".to_owned();
    world.provider().behave(
        "broken",
        Behaviour::Exit {
            line,
            summary: "exited with code 1".to_owned(),
            out_of_memory: false,
        },
    );
    let bad = world.deploy("api", "main", server("broken")).await;
    assert_eq!(bad.state, State::Failed);
    let failure = bad.failure.unwrap();
    assert_eq!(
        (failure.code, failure.blame),
        (Code::ServerExited, Blame::Project)
    );
    // Without its log a failure has no excerpt.
    assert!(
        !world.undisturbed()
            || failure
                .log_excerpt
                .iter()
                .any(|line| line.contains("no such table")),
        "{failure:?}"
    );
    let preview = world.preview("api", "main").await;
    assert_eq!(
        (preview.status, preview.current),
        (Status::Error, Some(good.id.clone()))
    );
    assert_eq!(world.visit(&preview.url).await.deployment, Some(good.id));
}

async fn an_unhealthy_server_never_becomes_ready(world: &mut World) {
    world.provider().behave("sick", Behaviour::Serve { status: 503 });
    let bad = world.deploy("api", "main", server("sick")).await;
    let failure = bad.failure.unwrap();
    assert_eq!(failure.code, Code::HealthCheckFailed);
    assert!(failure.message.contains("503"), "{}", failure.message);
    assert_eq!(world.preview("api", "main").await.status, Status::Failed);
    assert!(
        world.provider().instances().is_empty(),
        "what failed does not go on running"
    );
}

async fn a_source_without_a_plan_fails_with_what_to_do(world: &mut World) {
    let bad = world
        .deploy("shop", "main", vec![("notes.txt".to_owned(), "hi".to_owned())])
        .await;
    let failure = bad.failure.unwrap();
    assert_eq!(failure.code, Code::NoFramework);
    assert!(!failure.hint.is_empty());
    let bad = world
        .deploy(
            "shop",
            "main",
            vec![("cx.toml".to_owned(), "[bild]\n".to_owned())],
        )
        .await;
    let failure = bad.failure.unwrap();
    assert_eq!(failure.code, Code::InvalidProjectFile);
    assert_eq!(failure.locations[0].line, Some(1));
}

async fn a_failure_of_the_platform_is_tried_again_later(world: &mut World) {
    world.provider().fail_next(Call::Ensure, How::Error);
    let deployment = world.deploy("api", "main", server("serve")).await;
    assert!(
        !world.undisturbed() || deployment.state == State::Deploying,
        "not given up, and not tried again at once"
    );
    world.clock().advance(60_000);
    world.settle().await;
    assert_eq!(world.deployment(&deployment.id).await.state, State::Ready);
}

async fn a_platform_that_keeps_failing_gives_up_in_the_end(world: &mut World) {
    // A death in between takes an attempt that is not counted.
    for _ in 0..=model::limits::ATTEMPTS_MAX {
        world.provider().fail_next(Call::Ensure, How::Error);
    }
    let deployment = world.deploy("api", "main", server("serve")).await;
    for _ in 0..model::limits::ATTEMPTS_MAX {
        world.clock().advance(600_000);
        world.settle().await;
    }
    let deployment = world.deployment(&deployment.id).await;
    assert_eq!(deployment.state, State::Failed);
    assert_eq!(deployment.failure.unwrap().blame, Blame::Platform);
    world.provider().stop_failing();
}

async fn a_start_whose_answer_was_lost_makes_no_second_instance(world: &mut World) {
    world.provider().fail_next(Call::Ensure, How::DoneButFailed);
    let deployment = world.deploy("api", "main", server("serve")).await;
    world.clock().advance(60_000);
    world.settle().await;
    assert_eq!(world.deployment(&deployment.id).await.state, State::Ready);
    assert_eq!(world.provider().instances().len(), 1);
}

async fn nothing_is_removed_because_an_answer_was_missing(world: &mut World) {
    let deployment = world.deploy("api", "main", server("serve")).await;
    world.provider().fail_next(Call::List, How::Error);
    world.settle().await;
    assert_eq!(world.provider().instances().len(), 1);
    assert_eq!(world.visit(&deployment.preview_url).await.status, 200);
    let page = world.deploy("shop", "main", page("hello")).await;
    assert_eq!(page.state, State::Ready);
}
