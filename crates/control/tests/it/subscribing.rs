//! Subscribers are told everything that happens, in order and at least once, and none holds up another.

use control::ops::{NewSubscriber, Replay};
use control::view::{Event, SendingState, Subscriber};
use model::SubscriberId;

use crate::world::{World, ask, page, project};

crate::telling::stories! {
    everything_that_happens_is_told_in_order
    a_dead_subscriber_holds_up_nobody_and_catches_up
    what_was_given_up_is_sent_again_when_somebody_asks
    who_is_gone_is_left_alone_until_somebody_says_otherwise
    a_restart_forgets_nothing_that_was_to_be_told
}

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

async fn subscribe(world: &mut World, url: &str, kinds: &[&str]) -> SubscriberId {
    let new = NewSubscriber {
        url: url.to_owned(),
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        project: None,
    };
    let added = ask!(world, [new], |control| control.add_subscriber(new)).unwrap();
    assert!(added.secret.starts_with("whsec_"));
    added.subscriber.id
}

async fn subscriber(world: &mut World, id: &SubscriberId) -> Subscriber {
    ask!(world, [id], |control| control.subscriber(&id)).unwrap()
}

async fn events(world: &mut World) -> Vec<Event> {
    ask!(world, [], |control| control.events(0)).unwrap()
}

/// What the receiver at `url` must have been told.
async fn assert_told(world: &mut World, url: &str, wanted: impl Fn(&Event) -> bool) {
    let expected: Vec<(i64, String)> = events(world)
        .await
        .into_iter()
        .filter(|event| wanted(event))
        .map(|event| (event.sequence, event.kind))
        .collect();
    let told: Vec<(i64, String)> = world
        .receivers()
        .taken(url)
        .iter()
        .map(|body| {
            let kind = body["type"].as_str().unwrap().to_owned();
            (body["data"]["sequence"].as_i64().unwrap(), kind)
        })
        .collect();
    assert_eq!(told, expected);
}

async fn everything_that_happens_is_told_in_order(world: &mut World) {
    let (all, some) = ("http://all.test/", "http://some.test/");
    subscribe(world, all, &[]).await;
    subscribe(world, some, &["deployment.ready", "preview.*"]).await;
    let first = world.deploy("shop", "main", page("one")).await;
    world.deploy("api", "main", page("one")).await;
    let preview = world.preview("shop", "main").await;
    world.delete(&preview.id).await;
    world.settle().await;
    assert_told(world, all, |_| true).await;
    let wanted = |event: &Event| event.kind == "deployment.ready" || event.kind.starts_with("preview.");
    assert_told(world, some, wanted).await;

    let told = world.receivers().taken(some);
    let ready = told
        .iter()
        .find(|body| body["type"] == "deployment.ready" && body["data"]["project"] == "shop")
        .unwrap();
    assert_eq!(ready["data"]["deployment"]["id"], first.id.as_str());
    assert!(!world.undisturbed() || ready["data"]["url"] == preview.url.as_str());
    let deleted = told
        .iter()
        .find(|body| body["type"] == "preview.deleted")
        .unwrap();
    assert_eq!(deleted["data"]["namespace"], "main");
}

async fn a_dead_subscriber_holds_up_nobody_and_catches_up(world: &mut World) {
    let (dead, well) = ("http://dead.test/", "http://well.test/");
    world.receivers().answer(dead, 503);
    let id = subscribe(world, dead, &[]).await;
    subscribe(world, well, &[]).await;
    world.deploy("shop", "main", page("one")).await;
    assert_told(world, well, |_| true).await;
    let shown = subscriber(world, &id).await;
    let count = events(world).await.len() as u64;
    assert_eq!(shown.waiting, count);
    assert!(!world.undisturbed() || shown.trouble.unwrap().contains("503"));
    let before = world.receivers().requests();
    world.settle().await;
    assert!(
        !world.undisturbed() || world.receivers().requests() == before,
        "it is not asked again before its time"
    );

    world.receivers().answer(dead, 204);
    world.clock().advance(HOUR_MS);
    world.deploy("shop", "main", page("two")).await;
    assert_told(world, dead, |_| true).await;
    let shown = subscriber(world, &id).await;
    assert_eq!((shown.waiting, shown.trouble), (0, None));
}

async fn what_was_given_up_is_sent_again_when_somebody_asks(world: &mut World) {
    let url = "http://late.test/";
    world.receivers().answer(url, 500);
    let id = subscribe(world, url, &["deployment.ready"]).await;
    world.deploy("shop", "main", page("one")).await;
    let begin_ms = world.clock().now_ms();
    while world.clock().now_ms() < begin_ms + 3 * DAY_MS + 5 * HOUR_MS {
        world.clock().advance(5 * HOUR_MS);
        world.settle().await;
    }
    let log = ask!(world, [id], |control| control.sendings(&id)).unwrap();
    assert_eq!((log.len(), log[0].state), (1, SendingState::GivenUp));
    assert!(log[0].attempts > 5 && log[0].status == Some(500), "{log:?}");
    world.receivers().answer(url, 200);
    world.clock().advance(5 * HOUR_MS);
    world.settle().await;
    assert!(world.receivers().taken(url).is_empty());

    let sequence = log[0].sequence;
    ask!(world, [id], |control| control
        .replay(&id, Replay::Event(sequence)))
    .unwrap();
    world.settle().await;
    assert_told(world, url, |event| event.kind == "deployment.ready").await;
    // One that came later can have what happened before.
    let other = "http://other.test/";
    let id = subscribe(world, other, &["deployment.ready"]).await;
    world.settle().await;
    assert!(world.receivers().taken(other).is_empty());
    ask!(world, [id], |control| control.replay(&id, Replay::Since(0))).unwrap();
    world.settle().await;
    assert_told(world, other, |event| event.kind == "deployment.ready").await;
    let unknown = ask!(world, [id], |control| control.replay(&id, Replay::Event(99_999)));
    assert_eq!(unknown.unwrap_err().code, "not_found");
}

async fn who_is_gone_is_left_alone_until_somebody_says_otherwise(world: &mut World) {
    let url = "http://gone.test/";
    world.receivers().answer(url, 410);
    let id = subscribe(world, url, &["deployment.*"]).await;
    world.deploy("shop", "main", page("one")).await;
    assert!(!world.undisturbed() || subscriber(world, &id).await.paused);
    world.clock().advance(DAY_MS);
    world.settle().await;
    assert!(subscriber(world, &id).await.paused);
    let before = world.receivers().requests();
    world.deploy("shop", "main", page("two")).await;
    world.clock().advance(DAY_MS);
    world.settle().await;
    assert!(!world.undisturbed() || world.receivers().requests() == before);

    world.receivers().answer(url, 200);
    ask!(world, [id], |control| control.resume_subscriber(&id)).unwrap();
    world.settle().await;
    assert_told(world, url, |event| event.kind.starts_with("deployment.")).await;
    let tried = ask!(world, [id], |control| control.test_subscriber(&id)).unwrap();
    assert!(!world.undisturbed() || (tried.status, tried.trouble) == (Some(200), None));
    let removed = ask!(world, [id], |control| control.remove_subscriber(&id));
    assert!(removed.is_ok() || !world.undisturbed());
    let before = world.receivers().taken(url).len();
    world.deploy("shop", "main", page("three")).await;
    assert!(!world.undisturbed() || world.receivers().taken(url).len() == before);
}

async fn a_restart_forgets_nothing_that_was_to_be_told(world: &mut World) {
    let url = "http://one.test/";
    world.receivers().answer(url, 500);
    let id = subscribe(world, url, &[]).await;
    world.deploy("shop", "main", page("one")).await;
    world.restart().await;
    world.receivers().answer(url, 200);
    world.clock().advance(HOUR_MS);
    world.settle().await;
    assert_told(world, url, |_| true).await;
    let unknown = NewSubscriber {
        url: url.to_owned(),
        kinds: Vec::new(),
        project: Some(project("nobody")),
    };
    let refused = ask!(world, [unknown], |control| control.add_subscriber(unknown));
    assert_eq!(refused.unwrap_err().code, "not_found");
    assert_eq!(subscriber(world, &id).await.waiting, 0);
}
