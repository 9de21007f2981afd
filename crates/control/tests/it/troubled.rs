//! Long stories that make their own trouble. They are told once: with every fault at every step they would take days.

use std::future::Future;
use std::pin::pin;

use control::ops::InlineFile;

use crate::collecting::{DAY_MS, anything_happens, blob, missing, send};
use crate::world::{World, page, project};

crate::telling::told! {
    a_collection_that_dies_anywhere_leaves_nothing_wrong
    whatever_happens_what_rows_name_is_there
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

async fn whatever_happens_what_rows_name_is_there(world: &mut World) {
    for seed in 1..=4 {
        anything_happens(world, (seed, 40)).await;
    }
}
