//! The disk gets back what nobody needs, never what a row names or what a project was told it need not send.

use std::future::Future;
use std::pin::pin;

use builder::fake::Script;
use control::ops::InlineFile;
use model::deployment::State;
use model::{DeploymentId, Digest, ProjectName};

use crate::world::{World, ask, page, project};

// Told without faults: a collection that fails is made again an hour later, and these say what goes when. Deaths in the
// middle of one have a story of their own below.
crate::telling::told! {
    what_nobody_names_goes_and_what_serves_stays
    a_project_can_rely_on_what_it_was_told
    below_the_floor_builds_wait_and_uploads_are_refused
    a_full_disk_takes_caches_before_anything_that_is_named
    directories_of_what_is_gone_are_removed
    what_ended_long_ago_is_forgotten_with_its_log
    a_collection_that_dies_anywhere_leaves_nothing_wrong
    whatever_happens_what_rows_name_is_there
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// Lets `days` pass and everything come to rest.
async fn pass_days(world: &mut World, days: i64) {
    world.clock().advance(days * DAY_MS);
    world.settle().await;
}

fn blob(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

async fn send(world: &mut World, to: &ProjectName, file: InlineFile) {
    ask!(world, [to, file], |control| control.put_inline(&to, vec![file])).unwrap();
}

async fn missing(world: &mut World, of: &ProjectName, digests: &[Digest]) -> Vec<Digest> {
    let digests = digests.to_vec();
    ask!(world, [of, digests], |control| control
        .missing_blobs(&of, &digests))
    .unwrap()
}

/// A source that is built; the fake writes `text`.
fn built(world: &World, text: &str) -> Vec<(String, String)> {
    let command = format!("make {text}");
    let script = Script {
        writes: vec![("dist/index.html".to_owned(), text.to_owned())],
        ..Script::default()
    };
    world.runner().on(&command, script);
    let file = format!("[build]\ncommand = \"{command}\"\noutput = \"dist\"\n");
    vec![
        ("cx.toml".to_owned(), file),
        ("source".to_owned(), text.to_owned()),
    ]
}

async fn what_nobody_names_goes_and_what_serves_stays(world: &mut World) {
    let kept = world.deploy("shop", "main", built(world, "kept")).await;
    let gone = world.deploy("shop", "other", built(world, "gone")).await;
    assert_eq!((kept.state, gone.state), (State::Ready, State::Ready));
    let preview = world.preview("shop", "other").await;
    world.delete(&preview.id).await;
    // What was built is kept for a while, because the same may be asked for again.
    pass_days(world, 2).await;
    let again = world.deploy("shop", "again", built(world, "gone")).await;
    assert!(again.reused_build_of.is_some());
    let preview = world.preview("shop", "again").await;
    world.delete(&preview.id).await;
    pass_days(world, 30).await;
    assert!(!world.store().has_blob(&blob("gone")), "nobody names it");
    assert!(world.store().has_blob(&blob("kept")));
    assert_eq!(world.visit(&kept.preview_url).await.body, "kept");
    let last = ask!(world, [], |control| control.usage())
        .unwrap()
        .collected
        .unwrap();
    assert!(last.at_ms > 0);
    // What went is built again, and nothing stands in its way.
    let anew = world.deploy("shop", "again", built(world, "gone")).await;
    assert_eq!((anew.state, anew.reused_build_of), (State::Ready, None));
}

async fn a_project_can_rely_on_what_it_was_told(world: &mut World) {
    let file = |text: &str| InlineFile {
        path: "index.html".to_owned(),
        bytes: text.as_bytes().to_vec(),
        executable: false,
    };
    let shop = project("shop");
    send(world, &shop, file("asked")).await;
    send(world, &shop, file("forgotten")).await;
    send(world, &project("other"), file("forgotten")).await;
    let both = [blob("asked"), blob("forgotten")];
    world.clock().advance(20 * HOUR_MS);
    world.settle().await;
    assert!(missing(world, &shop, &both[..1]).await.is_empty());
    world.clock().advance(10 * HOUR_MS);
    world.settle().await;
    assert!(world.store().has_blob(&both[0]) && !world.store().has_blob(&both[1]));
    assert_eq!(missing(world, &shop, &both).await, both[1..]);
    // What was told to be here can be deployed at any time before it is asked for again.
    let live = world.deploy("shop", "main", page("asked")).await;
    assert_eq!(live.state, State::Ready);
    // What another project sends is not ours because we sent it once.
    send(world, &project("other"), file("forgotten")).await;
    assert!(world.store().has_blob(&both[1]));
    assert_eq!(missing(world, &shop, &both[1..]).await, both[1..]);
}

async fn below_the_floor_builds_wait_and_uploads_are_refused(world: &mut World) {
    let serving = world.deploy("shop", "main", page("serving")).await;
    let waiting = world.queue("shop", "next", built(world, "next")).await;
    world.disk().set_free(1 << 20);
    world.settle().await;
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
    world.redeploy(&serving.id).await;
    for _ in 0..3 {
        world.clock().advance(60_000);
        world.settle().await;
        assert_eq!(world.deployment(&waiting).await.state, State::Queued);
    }
    assert_eq!(world.visit(&serving.preview_url).await.status, 200);
    let told = world.log(&waiting).await;
    assert_eq!(
        told.iter().filter(|line| line.contains("Waiting")).count(),
        1,
        "{told:?}"
    );
    world.disk().set_free(50 << 30);
    world.clock().advance(3_000);
    world.settle().await;
    let done = world.deployment(&waiting).await;
    assert_eq!((done.state, done.waiting), (State::Ready, None));
}

async fn a_full_disk_takes_caches_before_anything_that_is_named(world: &mut World) {
    let live = world.deploy("shop", "main", built(world, "live")).await;
    let old = world.deploy("shop", "old", built(world, "old")).await;
    let cache = format!("cache-{}-owner", world.project("shop").await.id);
    std::fs::write(world.store().scratch(&cache).unwrap().join("package"), "bytes").unwrap();
    let preview = world.preview("shop", "old").await;
    world.delete(&preview.id).await;
    // Young enough to stay as long as there is room.
    world.clock().advance(3 * HOUR_MS);
    world.settle().await;
    assert!(world.store().has_blob(&blob("old")) && world.store().scratches().unwrap().contains(&cache));
    world.disk().set_free(1 << 20);
    world.clock().advance(60_000);
    world.settle().await;
    assert!(!world.store().has_blob(&blob("old")), "{}", old.id);
    assert!(!world.store().scratches().unwrap().contains(&cache));
    assert_eq!(world.visit(&live.preview_url).await.body, "live");
    world.disk().set_free(50 << 30);
}

async fn directories_of_what_is_gone_are_removed(world: &mut World) {
    world.deploy("shop", "main", page("shop")).await;
    let id = world.project("shop").await.id;
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
        world.store().scratch(name).unwrap();
    }
    world.clock().advance(HOUR_MS);
    world.settle().await;
    let mut left = world.store().scratches().unwrap();
    left.sort();
    assert_eq!(left, [ours.clone(), "toolchains".to_owned()]);
    pass_days(world, 8).await;
    assert_eq!(world.store().scratches().unwrap(), ["toolchains"]);
}

async fn what_ended_long_ago_is_forgotten_with_its_log(world: &mut World) {
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
    pass_days(world, 29).await;
    assert!(world.find_deployment(&ids[0]).await.is_ok());
    pass_days(world, 2).await;
    assert!(world.find_deployment(&ids[0]).await.is_err() && world.find_deployment(&ids[1]).await.is_err());
    assert!(!world.path("logs").join(ids[0].as_str()).exists());
    // The newest says what became of the preview.
    assert_eq!(world.deployment(&ids[2]).await.state, State::Failed);
    assert!(!world.log(&ids[2]).await.is_empty());
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

async fn a_collection_that_dies_anywhere_leaves_nothing_wrong(world: &mut World) {
    let live = world.deploy("shop", "main", page("live")).await;
    let mut times = 1;
    loop {
        let text = format!("sent {times}");
        let file = InlineFile {
            path: "x".to_owned(),
            bytes: text.clone().into_bytes(),
            executable: false,
        };
        send(world, &project("shop"), file).await;
        world.clock().advance(2 * DAY_MS);
        let control = world.control();
        let ended = die_after(times, control.settle()).await.is_some();
        drop(control);
        world.restart().await;
        let missing = missing(world, &project("shop"), &[blob(&text)]).await;
        assert!(
            !missing.is_empty() || world.store().has_blob(&blob(&text)),
            "promised and gone after {times}"
        );
        assert_eq!(world.visit(&live.preview_url).await.body, "live");
        if ended {
            break;
        }
        times += 1;
    }
    assert!(times > 20, "{times}");
    world.clock().advance(9 * DAY_MS);
    world.settle().await;
    for n in 1..=times {
        assert!(!world.store().has_blob(&blob(&format!("sent {n}"))));
    }
}

/// Deploys, deletes, rollbacks, time and collections in any order: whatever a row names can be served.
async fn whatever_happens_what_rows_name_is_there(world: &mut World) {
    for seed in 1..=4_u64 {
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
                        _ => built(world, &text),
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
                    if let Some(preview) = world.previews().await.pop() {
                        world.delete(&preview.id).await;
                    }
                }
                3 => {
                    if let Some(preview) = world.previews().await.pop() {
                        // There may be nothing to go back to.
                        let _ = world.rollback(&preview.id, None).await;
                    }
                }
                4 => world.disk().set_free([1 << 20, 50 << 30][next(2) as usize]),
                _ => world
                    .clock()
                    .advance([60_000, 2 * HOUR_MS, 9 * DAY_MS][next(3) as usize]),
            }
            world.settle().await;
            if next(4) > 0 {
                world.disk().set_free(50 << 30);
            }
            for preview in world.previews().await {
                for ready in world.deployments(&preview.id).await {
                    if ready.state == State::Ready {
                        let answer = world.visit(&ready.url).await;
                        assert_eq!(answer.status, 200, "seed {seed}, step {step}: {}", ready.id);
                        assert!(answer.body.starts_with('t'), "{}", answer.body);
                    }
                }
            }
            world.disk().set_free(50 << 30);
        }
    }
}
