//! Tables change under load, and nobody notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use model::route::Target;

use crate::application::http;
use crate::visitor::{Visitor, get};
use crate::world::{World, asleep, awake, deployment, instance};

/// Answers with many bytes that all say which instance they are from.
async fn telling(world: &World, n: u8) -> crate::application::Application {
    http(world, n, move |_| async move {
        http::Response::new(http_body_util::Full::new(bytes::Bytes::from(vec![
            b'0' + n;
            50_000
        ])))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_under_load_fails_no_request_and_mixes_no_bytes() {
    let mut world = World::new().await;
    let (_one, _two) = (telling(&world, 1).await, telling(&world, 2).await);
    world.publish(vec![("a.localhost", awake(1))]).await;
    let stop = Arc::new(AtomicBool::new(false));
    // Visitors that have met both instances: the load goes on until it is every one of them.
    let met_both = Arc::new(AtomicU32::new(0));
    let visitors: Vec<_> = (0..4)
        .map(|_| {
            let (address, stop, met_both) = (world.address, stop.clone(), met_both.clone());
            tokio::spawn(async move {
                let mut visitor = Visitor::new(address).await;
                let mut seen = [0_u32; 2];
                while !stop.load(Ordering::Relaxed) {
                    let answer = visitor.get("a.localhost", "/", "").await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    let number = answer.body[0] - b'0';
                    assert!(
                        answer.body.len() == 50_000 && answer.body.iter().all(|byte| *byte == b'0' + number)
                    );
                    assert_eq!(answer.all("x-cygni-deployment"), [deployment(number).as_str()]);
                    let other = seen[usize::from(2 - number)];
                    let own = &mut seen[usize::from(number) - 1];
                    *own += 1;
                    if *own == 1 && other > 0 {
                        met_both.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    let mut round = 0;
    while round < 60 || met_both.load(Ordering::Relaxed) < 4 {
        assert!(round < 10_000, "some visitor never met both");
        round += 1;
        let (current, former) = if round % 2 == 0 { (2, 1) } else { (1, 2) };
        world
            .publish(vec![
                ("a.localhost", awake(current)),
                ("old.localhost", awake(former)),
            ])
            .await;
        // The former one is drained, as control does it, and only then put to sleep.
        world.until_in_flight(&instance(former), 0).await;
        world
            .publish(vec![
                ("a.localhost", awake(current)),
                ("old.localhost", asleep(former)),
            ])
            .await;
        assert_eq!(world.activity.of(&instance(former)).in_flight, 0);
    }
    stop.store(true, Ordering::Relaxed);
    for visitor in visitors {
        visitor.await.unwrap();
    }
}

#[tokio::test]
async fn the_last_table_is_served_when_no_more_come() {
    let mut world = World::new().await;
    let tree = world.tree(&[("index.html", b"still here")]);
    world
        .publish(vec![("a.localhost", Target::Static { tree, spa: false })])
        .await;
    let address = world.address;
    world.lose_control();
    for _ in 0..3 {
        assert_eq!(get(address, "a.localhost", "/").await.text(), "still here");
    }
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let world = World::new().await;
    let error = World::bind_error(world.address);
    assert_eq!(
        error,
        format!(
            "{} is in use by another program; stop it, or listen elsewhere with --listen",
            world.address
        )
    );
}
