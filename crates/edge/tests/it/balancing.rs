//! Several instances of one service: who answers, and what happens to the requests of one that dies.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use model::route::{Readiness, Target};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::application::{Application, nobody, raw, read_head};
use crate::visitor::{Visitor, get};
use crate::world::{World, balanced, deployment, instance, replica, until};

const HOST: &str = "a.localhost";

/// Instance `n`, which answers with its number as long as it lives.
struct Living {
    application: Application,
    life: CancellationToken,
}

impl Living {
    async fn begin(world: &World, n: u8) -> Self {
        let life = CancellationToken::new();
        let living = life.clone();
        let application = raw(world, n, move |stream| {
            let living = living.clone();
            // As when a process is killed: every connection of it ends where it is.
            async move {
                tokio::select! {
                    () = tell(stream, n) => {}
                    () = living.cancelled_owned() => {}
                }
            }
        })
        .await;
        Self { application, life }
    }

    fn kill(self) {
        drop(self.application);
        self.life.cancel();
    }
}

async fn tell(mut stream: TcpStream, n: u8) {
    while read_head(&mut stream).await.is_some() {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n{n}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Instance `n` takes requests and never answers one.
async fn closing(world: &World, n: u8) -> Application {
    raw(world, n, |mut stream| async move {
        read_head(&mut stream).await;
    })
    .await
}

fn count(application: &Application) -> usize {
    application.connections.load(Ordering::SeqCst)
}

#[tokio::test]
async fn instances_take_turns() {
    let mut world = World::new().await;
    let _living = [Living::begin(&world, 1).await, Living::begin(&world, 2).await];
    world.publish(vec![(HOST, balanced(&[1, 2]))]).await;
    let mut visitor = Visitor::new(world.address).await;
    let mut seen = [0; 2];
    for _ in 0..20 {
        let answer = visitor.get(HOST, "/", "").await;
        assert_eq!(answer.header("x-cygni-deployment"), Some(deployment(1).as_str()));
        seen[usize::from(answer.body[0] - b'1')] += 1;
    }
    assert_eq!(seen, [10, 10]);
}

#[tokio::test]
async fn who_has_the_fewest_open_requests_is_asked() {
    let mut world = World::new().await;
    let _busy = raw(&world, 1, |mut stream| async move {
        read_head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let _idle = Living::begin(&world, 2).await;
    world.publish(vec![(HOST, balanced(&[1, 2]))]).await;
    let mut waiting = Visitor::new(world.address).await;
    waiting.send("GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await;
    world.until_in_flight(&instance(1), 1).await;
    for _ in 0..10 {
        assert_eq!(get(world.address, HOST, "/").await.text(), "2");
    }
}

#[tokio::test]
async fn upgraded_connections_are_spread_and_count_as_long_as_they_last() {
    let mut world = World::new().await;
    let switch = |mut stream: TcpStream| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        read_head(&mut stream).await;
    };
    let _applications = [raw(&world, 1, switch).await, raw(&world, 2, switch).await];
    world.publish(vec![(HOST, balanced(&[1, 2]))]).await;
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut visitor = Visitor::new(world.address).await;
        visitor
            .send("GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            .await;
        assert_eq!(visitor.head().await.status, 101);
        open.push(visitor);
    }
    let in_flight = |n| world.activity.of(&instance(n)).in_flight;
    assert_eq!((in_flight(1), in_flight(2)), (2, 2));
    drop(open);
    until(|| in_flight(1) + in_flight(2) == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_dies_under_load_costs_no_request() {
    let mut world = World::with(|options| options.workers = 2).await;
    let mut living = Vec::new();
    for n in 1..=3 {
        living.push(Living::begin(&world, n).await);
    }
    world.publish(vec![(HOST, balanced(&[1, 2, 3]))]).await;
    let (stop, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let visitors: Vec<_> = (0..8)
        .map(|_| {
            let (address, stop, answers) = (world.address, stop.clone(), answers.clone());
            tokio::spawn(async move {
                let mut visitor = Visitor::new(address).await;
                while !stop.load(Ordering::Relaxed) {
                    let answer = visitor.get(HOST, "/", "").await;
                    assert_eq!(answer.status, 200, "{}", answer.text());
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let more = |count: usize| {
        let (answers, from) = (answers.clone(), answers.load(Ordering::Relaxed));
        async move { until(|| answers.load(Ordering::Relaxed) >= from + count).await }
    };
    more(500).await;
    living.remove(1).kill();
    more(500).await;
    assert_eq!(
        world.wakes.recv().await,
        Some(instance(2)),
        "whoever makes instances looks"
    );
    let away = [
        replica(1, Readiness::Ready),
        replica(2, Readiness::Away),
        replica(3, Readiness::Ready),
    ];
    world
        .publish(vec![(HOST, Target::Instances(away.to_vec()))])
        .await;
    more(500).await;
    let _again = Living::begin(&world, 2).await;
    world.publish(vec![(HOST, balanced(&[1, 2, 3]))]).await;
    let count = &_again.application.connections;
    until(|| count.load(Ordering::SeqCst) > 0).await;
    stop.store(true, Ordering::Relaxed);
    for visitor in visitors {
        visitor.await.unwrap();
    }
}

#[tokio::test]
async fn what_was_never_sent_goes_to_another_instance_whatever_it_is() {
    let mut world = World::new().await;
    world.dialer.point(&instance(1), nobody());
    world.dialer.point(&instance(2), nobody());
    let _living = Living::begin(&world, 3).await;
    world.publish(vec![(HOST, balanced(&[1, 2, 3]))]).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send("DELETE / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(visitor.answer().await.text(), "3");
    assert_eq!(world.wakes.recv().await, Some(instance(1)));
    assert_eq!(world.wakes.recv().await, Some(instance(2)));
    for _ in 0..5 {
        visitor.get(HOST, "/", "").await;
    }
    let dials = world.dialer.dials.load(Ordering::SeqCst);
    assert_eq!(dials, 3, "who was not reached is left alone for a moment");
}

#[tokio::test]
async fn a_body_reaches_another_instance_whole() {
    let mut world = World::new().await;
    world.dialer.point(&instance(1), nobody());
    let _echo = crate::application::http(
        &world,
        2,
        |request: hyper::Request<hyper::body::Incoming>| async {
            let body = http_body_util::BodyExt::collect(request.into_body())
                .await
                .unwrap();
            http::Response::new(http_body_util::Full::new(body.to_bytes()))
        },
    )
    .await;
    world.publish(vec![(HOST, balanced(&[1, 2]))]).await;
    let body = "x".repeat(200_000);
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send(format!(
            "POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    let answer = visitor.answer().await;
    assert_eq!((answer.status, answer.body.len()), (200, body.len()));
}

#[tokio::test]
async fn what_may_have_been_heard_is_sent_once_more_and_only_where_it_is_safe() {
    let mut world = World::new().await;
    let silent = [
        closing(&world, 1).await,
        closing(&world, 2).await,
        closing(&world, 3).await,
    ];
    let heard = || silent.iter().map(count).sum::<usize>();
    world.publish(vec![(HOST, balanced(&[1, 2, 3]))]).await;
    let answer = get(world.address, HOST, "/").await;
    assert_eq!(
        (answer.status, answer.header("x-cygni-error")),
        (502, Some("upstream_closed"))
    );
    assert_eq!(heard(), 2, "not by all of them");
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send("POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert_eq!(visitor.answer().await.status, 502);
    assert_eq!(heard(), 3, "it could have done something");

    let _living = Living::begin(&world, 4).await;
    world.publish(vec![(HOST, balanced(&[1, 4]))]).await;
    for _ in 0..4 {
        assert_eq!(get(world.address, HOST, "/").await.text(), "4");
    }
}

#[tokio::test]
async fn who_is_not_ready_is_asked_only_when_nobody_is() {
    let mut world = World::new().await;
    let _living = [Living::begin(&world, 1).await, Living::begin(&world, 2).await];
    let target = |first, second| Target::Instances(vec![replica(1, first), replica(2, second)]);
    for rest in [Readiness::Asleep, Readiness::Away] {
        world.publish(vec![(HOST, target(rest, Readiness::Ready))]).await;
        for _ in 0..4 {
            assert_eq!(get(world.address, HOST, "/").await.text(), "2");
        }
    }
    world
        .publish(vec![(HOST, target(Readiness::Away, Readiness::Away))])
        .await;
    assert_eq!(
        get(world.address, HOST, "/").await.status,
        200,
        "it may be back already"
    );
    world
        .publish(vec![(HOST, target(Readiness::Away, Readiness::Asleep))])
        .await;
    let held = tokio::spawn(get(world.address, HOST, "/"));
    assert_eq!(world.wakes.recv().await, Some(instance(2)));
    world
        .publish(vec![(HOST, target(Readiness::Away, Readiness::Ready))])
        .await;
    assert_eq!(held.await.unwrap().text(), "2");
}
