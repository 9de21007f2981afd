//! Builds: never twice for the same input, never one project in the way of another, stopped when no longer wanted.

use builder::fake::{End, Script};
use model::deployment::State;
use model::failure::Code;

use crate::world::{World, page};

crate::telling::stories! {
    the_same_input_is_never_built_twice
    a_failing_build_says_what_it_printed
    a_newer_change_stops_the_older_build
    a_hanging_build_is_in_nobody_elses_way
}

/// A source whose build runs `command` and is served from `dist`.
fn built(command: &str, text: &str) -> Vec<(String, String)> {
    let file = format!("[build]\ncommand = \"{command}\"\noutput = \"dist\"\n");
    vec![
        ("cx.toml".to_owned(), file),
        ("src/app.js".to_owned(), text.to_owned()),
    ]
}

fn writes(text: &str) -> Script {
    Script {
        writes: vec![("dist/index.html".to_owned(), text.to_owned())],
        ..Script::default()
    }
}

async fn the_same_input_is_never_built_twice(world: &mut World) {
    world.runner().on("make", writes("built"));
    let first = world.deploy("site", "one", built("make", "a")).await;
    assert_eq!(first.state, State::Ready, "{:?}", first.failure);
    assert_eq!(world.visit(&first.preview_url).await.body, "built");
    let ran = world.runner().commands().len();
    let second = world.deploy("site", "two", built("make", "a")).await;
    assert_eq!(
        (second.state, second.reused_build_of),
        (State::Ready, Some(first.id.clone()))
    );
    assert_eq!(world.runner().commands().len(), ran, "nothing ran");
    let third = world.deploy("site", "two", built("make", "b")).await;
    assert_eq!((third.state, third.reused_build_of), (State::Ready, None));
    assert!(world.runner().commands().len() > ran);
}

async fn a_failing_build_says_what_it_printed(world: &mut World) {
    let prints = vec!["src/app.js:3:7: error: unexpected token".to_owned()];
    world.runner().on(
        "make",
        Script {
            prints,
            end: End::Exit(2),
            ..Script::default()
        },
    );
    let good = world.deploy("site", "main", page("good")).await;
    let bad = world.deploy("site", "main", built("make", "a")).await;
    let failure = bad.failure.clone().unwrap();
    assert_eq!((bad.state, failure.code), (State::Failed, Code::BuildFailed));
    assert!(
        failure
            .log_excerpt
            .iter()
            .any(|line| line.contains("unexpected token"))
    );
    assert_eq!(failure.locations[0].line, Some(3));
    assert!(
        world
            .log(&bad.id)
            .await
            .iter()
            .any(|line| line.contains("unexpected token"))
    );
    assert_eq!(world.visit(&good.preview_url).await.body, "good");
}

async fn a_newer_change_stops_the_older_build(world: &mut World) {
    world.runner().on(
        "forever",
        Script {
            end: End::Never,
            ..Script::default()
        },
    );
    let old = world.queue("site", "main", built("forever", "a")).await;
    world.until(async |world| world.runner().steps().len() == 1).await;
    let new = world.queue("site", "main", page("new")).await;
    world.settle().await;
    assert_eq!(world.deployment(&old).await.state, State::Cancelled);
    assert_eq!(world.deployment(&new).await.state, State::Ready);
    assert!(
        !world.undisturbed()
            || world
                .log(&old)
                .await
                .iter()
                .any(|line| line.contains("no longer wanted"))
    );
    assert_eq!(world.visit("http://site.localhost:7700").await.body, "new");
}

async fn a_hanging_build_is_in_nobody_elses_way(world: &mut World) {
    world.runner().on(
        "forever",
        Script {
            end: End::Never,
            ..Script::default()
        },
    );
    world.runner().on("make", writes("quick"));
    let hanging = world.queue("slow", "one", built("forever", "a")).await;
    world.until(async |world| world.runner().steps().len() == 1).await;
    let behind = world.queue("slow", "two", built("make", "a")).await;
    let other = world.queue("fast", "main", built("make", "a")).await;
    let files = world.queue("slow", "three", page("files")).await;
    for id in [&other, &files] {
        world
            .until(async |world| !world.deployment(id).await.state.is_unfinished())
            .await;
        assert_eq!(world.deployment(id).await.state, State::Ready);
    }
    // Whoever starts again may begin with either of the two.
    assert!(
        !world.undisturbed() || world.deployment(&behind).await.state == State::Queued,
        "its own project has no slot left"
    );
    world.cancel(&hanging).await;
    world.settle().await;
    assert_eq!(world.deployment(&hanging).await.state, State::Cancelled);
    assert_eq!(world.deployment(&behind).await.state, State::Ready);
}
