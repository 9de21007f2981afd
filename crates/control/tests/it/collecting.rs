//! The disk gets back what nobody needs, never what a row names or what a project was told it need not send.

use std::future::Future;
use std::pin::pin;

use builder::fake::Script;
use control::ops::InlineFile;
use model::deployment::State;
use model::{DeploymentId, Digest};

use crate::world::{World, page, project};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Lets `days` pass and everything come to rest.
async fn pass_days(world: &World, days: i64) {
    world.clock.advance(days * DAY_MS);
    world.control.settle().await;
}

fn blob(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// A source that is built; the fake writes `text`.
fn built(world: &World, text: &str) -> Vec<(String, String)> {
    let command = format!("make {text}");
    let script = Script {
        writes: vec![("dist/index.html".to_owned(), text.to_owned())],
        ..Script::default()
    };
    world.runner.on(&command, script);
    let file = format!("[build]\ncommand = \"{command}\"\noutput = \"dist\"\n");
    vec![
        ("cx.toml".to_owned(), file),
        ("source".to_owned(), text.to_owned()),
    ]
}

#[tokio::test]
async fn what_nobody_names_goes_and_what_serves_stays() {
    let world = World::today().await;
    let kept = world.deploy("shop", "main", built(&world, "kept")).await;
    let gone = world.deploy("shop", "other", built(&world, "gone")).await;
    assert_eq!((kept.state, gone.state), (State::Ready, State::Ready));
    let preview = world.preview("shop", "other").await;
    world.control.delete_preview(&preview.id).await.unwrap();
    // What was built is kept for a while, because the same may be asked for again.
    pass_days(&world, 2).await;
    let again = world.deploy("shop", "again", built(&world, "gone")).await;
    assert!(again.reused_build_of.is_some());
    let preview = world.preview("shop", "again").await;
    world.control.delete_preview(&preview.id).await.unwrap();
    pass_days(&world, 30).await;
    assert!(!world.store.has_blob(&blob("gone")), "nobody names it");
    assert!(world.store.has_blob(&blob("kept")));
    assert_eq!(world.visit(&kept.preview_url).await.body, "kept");
    let last = world.control.usage().await.unwrap().collected.unwrap();
    assert!(last.at_ms > 0);
    // What went is built again, and nothing stands in its way.
    let anew = world.deploy("shop", "again", built(&world, "gone")).await;
    assert_eq!((anew.state, anew.reused_build_of), (State::Ready, None));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_project_can_rely_on_what_it_was_told() {
    let world = World::today().await;
    let file = |text: &str| InlineFile {
        path: "index.html".to_owned(),
        bytes: text.as_bytes().to_vec(),
        executable: false,
    };
    let shop = project("shop");
    world
        .control
        .put_inline(&shop, vec![file("asked")])
        .await
        .unwrap();
    world
        .control
        .put_inline(&shop, vec![file("forgotten")])
        .await
        .unwrap();
    world
        .control
        .put_inline(&project("other"), vec![file("forgotten")])
        .await
        .unwrap();
    let both = [blob("asked"), blob("forgotten")];
    world.clock.advance(20 * HOUR_MS);
    world.control.settle().await;
    assert!(
        world
            .control
            .missing_blobs(&shop, &both[..1])
            .await
            .unwrap()
            .is_empty()
    );
    world.clock.advance(10 * HOUR_MS);
    world.control.settle().await;
    assert!(world.store.has_blob(&both[0]) && !world.store.has_blob(&both[1]));
    assert_eq!(
        world.control.missing_blobs(&shop, &both).await.unwrap(),
        both[1..]
    );
    // What was told to be here can be deployed at any time before it is asked for again.
    let live = world.deploy("shop", "main", page("asked")).await;
    assert_eq!(live.state, State::Ready);
    // What another project sends is not ours because we sent it once.
    world
        .control
        .put_inline(&project("other"), vec![file("forgotten")])
        .await
        .unwrap();
    assert!(world.store.has_blob(&both[1]));
    assert_eq!(
        world.control.missing_blobs(&shop, &both[1..]).await.unwrap(),
        both[1..]
    );
}

#[tokio::test]
async fn below_the_floor_builds_wait_and_uploads_are_refused() {
    let world = World::today().await;
    let serving = world.deploy("shop", "main", page("serving")).await;
    let waiting = world.queue("shop", "next", built(&world, "next")).await;
    world.disk.set_free(1 << 20);
    world.control.settle().await;
    let queued = world.deployment(&waiting).await;
    assert_eq!(queued.state, State::Queued);
    let reason = queued.waiting.unwrap();
    assert!(
        reason.contains("1.0 MB") && reason.contains("10.7 GB"),
        "{reason}"
    );
    assert!(
        world
            .event_kinds()
            .await
            .contains(&"deployment.waiting".to_owned())
    );
    let refused = world
        .try_deploy("shop", "third", page("third"), &[])
        .await
        .unwrap_err();
    assert_eq!(refused.code, "disk_full");
    assert!(!refused.hint.is_empty());
    // What serves goes on, and what needs no room is done.
    assert_eq!(world.visit(&serving.preview_url).await.body, "serving");
    world.control.redeploy(&serving.id, false).await.unwrap();
    for _ in 0..3 {
        world.clock.advance(60_000);
        world.control.settle().await;
        assert_eq!(world.deployment(&waiting).await.state, State::Queued);
    }
    assert_eq!(world.visit(&serving.preview_url).await.status, 200);
    let told = world.log(&waiting).await;
    assert_eq!(
        told.iter().filter(|line| line.contains("Waiting")).count(),
        1,
        "{told:?}"
    );
    world.disk.set_free(50 << 30);
    world.clock.advance(3_000);
    world.control.settle().await;
    let done = world.deployment(&waiting).await;
    assert_eq!((done.state, done.waiting), (State::Ready, None));
    world.assert_quiet().await;
}

#[tokio::test]
async fn a_full_disk_takes_caches_before_anything_that_is_named() {
    let world = World::today().await;
    let live = world.deploy("shop", "main", built(&world, "live")).await;
    let old = world.deploy("shop", "old", built(&world, "old")).await;
    let cache = format!(
        "cache-{}-owner",
        world.control.project(&project("shop")).await.unwrap().id
    );
    std::fs::write(world.store.scratch(&cache).unwrap().join("package"), "bytes").unwrap();
    let preview = world.preview("shop", "old").await;
    world.control.delete_preview(&preview.id).await.unwrap();
    // Young enough to stay as long as there is room.
    world.clock.advance(3 * HOUR_MS);
    world.control.settle().await;
    assert!(world.store.has_blob(&blob("old")) && world.store.scratches().unwrap().contains(&cache));
    world.disk.set_free(1 << 20);
    world.clock.advance(60_000);
    world.control.settle().await;
    assert!(!world.store.has_blob(&blob("old")), "{}", old.id);
    assert!(!world.store.scratches().unwrap().contains(&cache));
    assert_eq!(world.visit(&live.preview_url).await.body, "live");
    world.disk.set_free(50 << 30);
    world.assert_quiet().await;
}

#[tokio::test]
async fn directories_of_what_is_gone_are_removed() {
    let world = World::today().await;
    world.deploy("shop", "main", page("shop")).await;
    let id = world.control.project(&project("shop")).await.unwrap().id;
    let (ours, gone) = (
        format!("cache-{id}-owner"),
        "cache-prj_2222222222222222-owner".to_owned(),
    );
    let lost = "ins_2222222222222222".to_owned();
    for name in [
        &ours,
        &gone,
        &lost,
        &"build-lost".to_owned(),
        &"toolchains".to_owned(),
    ] {
        world.store.scratch(name).unwrap();
    }
    world.clock.advance(HOUR_MS);
    world.control.settle().await;
    let mut left = world.store.scratches().unwrap();
    left.sort();
    assert_eq!(left, [ours.clone(), "toolchains".to_owned()]);
    pass_days(&world, 8).await;
    assert_eq!(world.store.scratches().unwrap(), ["toolchains"]);
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_with_its_log() {
    let world = World::today().await;
    let mut ids: Vec<DeploymentId> = Vec::new();
    for text in ["one", "two", "three"] {
        let files = vec![(
            "cx.toml".to_owned(),
            format!("[build]\ncommand = \"\"\n# {text}\nwrong = 1\n"),
        )];
        let failed = world.deploy("shop", "main", files).await;
        assert_eq!(failed.state, State::Failed);
        ids.push(failed.id);
    }
    pass_days(&world, 29).await;
    assert!(world.control.deployment(&ids[0]).await.is_ok());
    pass_days(&world, 2).await;
    assert!(
        world.control.deployment(&ids[0]).await.is_err() && world.control.deployment(&ids[1]).await.is_err()
    );
    assert!(!world.directory.path().join("logs").join(ids[0].as_str()).exists());
    // The newest says what became of the preview.
    assert_eq!(world.deployment(&ids[2]).await.state, State::Failed);
    assert!(!world.log(&ids[2]).await.is_empty());
    world.assert_quiet().await;
}

/// Polls `future` at most `times` times and drops it then: the platform dies there.
async fn die_after<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[tokio::test]
async fn a_collection_that_dies_anywhere_leaves_nothing_wrong() {
    let mut world = World::today().await;
    let live = world.deploy("shop", "main", page("live")).await;
    let mut times = 1;
    loop {
        let text = format!("sent {times}");
        let file = InlineFile {
            path: "x".to_owned(),
            bytes: text.clone().into_bytes(),
            executable: false,
        };
        world
            .control
            .put_inline(&project("shop"), vec![file])
            .await
            .unwrap();
        world.clock.advance(2 * DAY_MS);
        let ended = die_after(times, world.control.settle()).await.is_some();
        world.restart().await;
        let missing = world
            .control
            .missing_blobs(&project("shop"), &[blob(&text)])
            .await
            .unwrap();
        assert!(
            !missing.is_empty() || world.store.has_blob(&blob(&text)),
            "promised and gone after {times}"
        );
        assert_eq!(world.visit(&live.preview_url).await.body, "live");
        if ended {
            break;
        }
        times += 1;
    }
    assert!(times > 20, "{times}");
    world.clock.advance(9 * DAY_MS);
    world.control.settle().await;
    for n in 1..=times {
        assert!(!world.store.has_blob(&blob(&format!("sent {n}"))));
    }
    world.assert_quiet().await;
}

/// Deploys, deletes, rollbacks, time and collections in any order: whatever a row names can be served.
#[tokio::test]
async fn whatever_happens_what_rows_name_is_there() {
    for seed in 1..=4_u64 {
        let world = World::today().await;
        let mut state = seed;
        let mut next = |bound: u64| {
            // A linear congruential generator: the same story every time.
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        for step in 0..40 {
            let (space, text) = (format!("n{}", next(3)), format!("t{}", next(5)));
            match next(6) {
                0 | 1 => {
                    let files = match next(2) {
                        0 => page(&text),
                        _ => built(&world, &text),
                    };
                    let done = world.deploy("shop", &space, files).await;
                    assert_eq!(
                        done.state,
                        State::Ready,
                        "seed {seed}, step {step}: {:?}",
                        done.failure
                    );
                }
                2 => {
                    if let Some(preview) = world.control.previews().await.unwrap().pop() {
                        world.control.delete_preview(&preview.id).await.unwrap();
                    }
                }
                3 => {
                    if let Some(preview) = world.control.previews().await.unwrap().pop() {
                        // There may be nothing to go back to.
                        let _ = world.control.rollback(&preview.id, None).await;
                    }
                }
                4 => world.disk.set_free([1 << 20, 50 << 30][next(2) as usize]),
                _ => world
                    .clock
                    .advance([60_000, 2 * HOUR_MS, 9 * DAY_MS][next(3) as usize]),
            }
            world.control.settle().await;
            if next(4) > 0 {
                world.disk.set_free(50 << 30);
            }
            for preview in world.control.previews().await.unwrap() {
                for ready in world.control.deployments(&preview.id).await.unwrap() {
                    if ready.state == State::Ready {
                        let answer = world.visit(&ready.url).await;
                        assert_eq!(answer.status, 200, "seed {seed}, step {step}: {}", ready.id);
                        assert!(answer.body.starts_with('t'), "{}", answer.body);
                    }
                }
            }
            world.disk.set_free(50 << 30);
        }
        world.assert_quiet().await;
    }
}
