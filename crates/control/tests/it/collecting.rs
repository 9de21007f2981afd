//! The disk gets back what nobody needs, never what a row names or what a project was told it need not send.

use std::path::PathBuf;

use builder::fake::Script;
use control::ops::InlineFile;
use model::deployment::State;
use model::{DeploymentId, Digest, ProjectName};

use crate::world::{World, ask, page, project};

crate::telling::stories! {
    what_nobody_names_goes_and_what_serves_stays
    a_project_can_rely_on_what_it_was_told
    below_the_floor_builds_wait_and_uploads_are_refused
    a_full_disk_takes_caches_before_anything_that_is_named
    directories_of_what_is_gone_are_removed
    what_ended_long_ago_is_forgotten_with_its_log
    in_a_busy_month_what_rows_name_is_there
}

const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// After a collection that failed, or a start, the next one has been made when this long has passed, whatever happens.
const AGAIN_MS: i64 = 6 * HOUR_MS + 60_000;

/// Lets time pass and everything come to rest; the disk has been looked through in the end.
async fn pass(world: &mut World, millis: i64) {
    world.clock().advance(millis);
    world.settle().await;
    if !world.undisturbed() {
        world.clock().advance(AGAIN_MS);
        world.settle().await;
    }
}

async fn pass_days(world: &mut World, days: i64) {
    pass(world, days * DAY_MS).await;
}

pub(crate) fn blob(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

pub(crate) async fn send(world: &mut World, to: &ProjectName, file: InlineFile) {
    ask!(world, [to, file], |control| control.put_inline(&to, vec![file])).unwrap();
}

pub(crate) async fn missing(world: &mut World, of: &ProjectName, digests: &[Digest]) -> Vec<Digest> {
    let digests = digests.to_vec();
    ask!(world, [of, digests], |control| control
        .missing_blobs(&of, &digests))
    .unwrap()
}

/// Makes a directory as if a build or an instance had; it is nothing that the platform does.
fn in_scratch(world: &World, name: &str) -> PathBuf {
    let path = world.path("store/scratch").join(name);
    std::fs::create_dir(&path).unwrap();
    path
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
    let usage = ask!(world, [], |control| control.usage()).unwrap();
    // Whoever has started since knows nothing of it.
    assert!(!world.undisturbed() || usage.collected.is_some_and(|last| last.at_ms > 0));
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
    pass(world, 14 * HOUR_MS).await;
    assert!(missing(world, &shop, &both[..1]).await.is_empty());
    pass(world, 12 * HOUR_MS).await;
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
    std::fs::write(in_scratch(world, &cache).join("package"), "bytes").unwrap();
    let preview = world.preview("shop", "old").await;
    world.delete(&preview.id).await;
    // Young enough to stay as long as there is room.
    pass(world, 3 * HOUR_MS).await;
    assert!(world.store().has_blob(&blob("old")) && world.store().scratches().unwrap().contains(&cache));
    world.disk().set_free(1 << 20);
    pass(world, 60_000).await;
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
        in_scratch(world, name);
    }
    pass(world, HOUR_MS).await;
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

/// Deploys, deletes, rollbacks, time and collections in the order of `seed`: whatever a row names can be served.
pub(crate) async fn anything_happens(world: &mut World, (seed, steps): (u64, usize)) {
    let mut state = seed;
    let mut next = |bound: u64| {
        // A linear congruential generator: the same story every time.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for step in 0..steps {
        let (space, text) = (format!("n{}", next(3)), format!("t{}", next(5)));
        match next(6) {
            0 | 1 => {
                let files = match next(2) {
                    0 => page(&text),
                    _ => built(world, &text),
                };
                let done = world.deploy("shop", &space, files).await;
                let why = done.failure;
                assert_eq!(done.state, State::Ready, "seed {seed}, step {step}: {why:?}");
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
        assert_all_serve(world, &format!("seed {seed}, step {step}")).await;
        world.disk().set_free(50 << 30);
    }
}

async fn assert_all_serve(world: &mut World, when: &str) {
    for preview in world.previews().await {
        for ready in world.deployments(&preview.id).await {
            if ready.state == State::Ready {
                let answer = world.visit(&ready.url).await;
                assert_eq!(answer.status, 200, "{when}: {}", ready.id);
                assert!(answer.body.starts_with('t'), "{when}: {}", answer.body);
            }
        }
    }
}

async fn in_a_busy_month_what_rows_name_is_there(world: &mut World) {
    anything_happens(world, (3, 10)).await;
}
