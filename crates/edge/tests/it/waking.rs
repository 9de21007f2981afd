//! Requests for sleeping instances.

use std::time::Duration;

use futures_util::future::join_all;
use model::route::{Notice, Target};
use tokio::sync::mpsc::error::TryRecvError;

use crate::application::{held, mirror};
use crate::visitor::{Visitor, get};
use crate::world::{World, asleep, awake, deployment, instance};

#[tokio::test]
async fn requests_are_held_until_the_instance_is_awake_and_one_wake_is_asked_for() {
    let mut world = World::new().await;
    let _application = mirror(&world, 1).await;
    world.publish(vec![("a.localhost", asleep(1))]).await;
    let address = world.address;
    let visits = tokio::spawn(join_all((0..20).map(move |_| get(address, "a.localhost", "/"))));
    assert_eq!(world.wakes.recv().await, Some(instance(1)));
    assert!(!visits.is_finished());
    world.publish(vec![("a.localhost", awake(1))]).await;
    for answer in visits.await.unwrap() {
        assert_eq!(
            (answer.status, answer.header("x-cygni-deployment")),
            (200, Some(deployment(1).as_str()))
        );
    }
    assert_eq!(world.wakes.try_recv(), Err(TryRecvError::Empty));
}

#[tokio::test]
async fn a_held_request_follows_the_table_wherever_it_goes() {
    let mut world = World::new().await;
    let _application = mirror(&world, 2).await;
    let tree = world.tree(&[("index.html", b"files")]);
    let outcomes = [
        (vec![("a.localhost", awake(2))], 200),
        (vec![("a.localhost", Target::Static { tree, spa: false })], 200),
        (vec![("a.localhost", Target::Notice(Notice::Gone))], 410),
        (vec![], 404),
    ];
    for (table, status) in outcomes {
        world.publish(vec![("a.localhost", asleep(1))]).await;
        let visit = tokio::spawn(get(world.address, "a.localhost", "/"));
        // Wakes come once a second at the most; the pages of the others say what they say without one.
        tokio::task::yield_now().await;
        world.publish(table).await;
        assert_eq!(visit.await.unwrap().status, status);
    }
}

#[tokio::test]
async fn a_request_is_held_for_so_long_and_so_many_and_no_more() {
    let mut world = World::with(|options| {
        options.limits.hold_time = Duration::from_millis(200);
        options.limits.held_max = 1;
    })
    .await;
    world.publish(vec![("a.localhost", asleep(1))]).await;
    let first = tokio::spawn(get(world.address, "a.localhost", "/"));
    assert_eq!(world.wakes.recv().await, Some(instance(1)));
    let second = get(world.address, "a.localhost", "/").await;
    assert_eq!(
        (second.status, second.header("x-cygni-error")),
        (503, Some("too_many_waiting"))
    );
    let first = first.await.unwrap();
    assert_eq!(
        (first.status, first.header("x-cygni-error")),
        (504, Some("wake_timeout"))
    );
}

#[tokio::test]
async fn an_instance_put_to_sleep_under_a_request_is_woken_for_it() {
    let mut world = World::new().await;
    let (_application, release) = held(&world, 1).await;
    world.publish(vec![("a.localhost", awake(1))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor.send("GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    world.until_in_flight(&instance(1), 1).await;
    world.publish(vec![("a.localhost", asleep(1))]).await;
    assert_eq!(world.wakes.recv().await, Some(instance(1)));
    world.publish(vec![("a.localhost", awake(1))]).await;
    release.send(true).unwrap();
    assert_eq!(visitor.answer().await.text(), "ok");
}
