//! What else pull requests meet: a forge that is not well, lists that lie, projects that pause, move and share.

use std::time::Duration;

use control::ops::ProjectChange;
use forge::ForgeError;
use model::git::GitBounds;

use crate::pulling::{LIST_MS, SHOP};
use crate::world::{World, ask, project};

crate::telling::told! {
    the_same_delivery_twice_makes_one_preview
    nothing_goes_because_the_forge_is_down
    a_sudden_loss_is_asked_about
    a_paused_project_catches_up
    a_repository_keeps_its_previews_under_another_name
    several_projects_share_a_pull_request
    a_project_that_leaves_its_repository_takes_its_previews_along
}

async fn the_same_delivery_twice_makes_one_preview(world: &mut World) {
    let forge = world.shop("").await;
    let first = world.commit("one");
    let change = forge.open(SHOP, (1, &first), |_| ());
    let (headers, body) = forge.delivery(&change);
    let mut again = Vec::new();
    for _ in 0..3 {
        let delivered = ask!(world, [headers, body], |control| async {
            let delivered = control.deliver("paper", &headers, &body).await;
            Ok(delivered.unwrap_or_else(|_| control::ops::Delivered {
                delivery: "delivery-1".to_owned(),
                again: true,
            }))
        });
        again.push(delivered.unwrap().again);
        world.settle().await;
    }
    assert!(!world.undisturbed() || again == [false, true, true]);
    // The same told by other deliveries.
    world.told(&change).await;
    world.told(&change).await;
    let preview = world.preview("shop", "preview-1").await;
    assert_eq!(world.deployments(&preview.id).await.len(), 1);
    let forged = ask!(world, [body], |control| async {
        let headers = [("signature", "wrong"), ("delivery", "x"), ("event", "change")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(control.deliver("paper", &headers.into(), &body).await.is_err())
    });
    assert!(forged.unwrap());
}

async fn nothing_goes_because_the_forge_is_down(world: &mut World) {
    let forge = world.shop("").await;
    let first = world.commit("one");
    world.told(&forge.open(SHOP, (1, &first), |_| ())).await;
    let minutes = 60_000;
    let failures = [
        (
            ForgeError::Unavailable {
                message: "the answer is cut off".to_owned(),
            },
            minutes / 2,
        ),
        (
            ForgeError::Limited {
                retry_after: Duration::from_secs(90),
                message: "secondary rate limit".to_owned(),
            },
            2 * minutes,
        ),
        (
            ForgeError::Denied {
                message: "the token has expired".to_owned(),
            },
            11 * minutes,
        ),
        (
            ForgeError::NotFound {
                what: "acme/shop".to_owned(),
            },
            11 * minutes,
        ),
        (
            ForgeError::Refused {
                status: 422,
                message: "no".to_owned(),
            },
            11 * minutes,
        ),
    ];
    for (index, (failure, wait_ms)) in failures.into_iter().enumerate() {
        forge.fail(Some(failure));
        let text = format!("push {index}");
        let commit = world.commit(&text);
        world.told(&forge.push(SHOP, 1, &commit)).await;
        world.clock().advance(wait_ms / 3);
        world.settle().await;
        let before = forge.calls();
        world.settle().await;
        assert_eq!(forge.calls(), before, "it is asked again and again");
        assert_eq!(world.previews().await.len(), 1);
        let trouble = world.heads().await.iter().any(|head| head.trouble.is_some());
        let forges = ask!(world, [], |control| control.forges()).unwrap();
        assert!(
            trouble || forges[0].trouble.is_some(),
            "{index}: nobody can see it"
        );
        forge.fail(None);
        world.clock().advance(wait_ms);
        world.settle().await;
        assert_eq!(world.shown("shop", "preview-1").await, Some(text));
        assert!(world.heads().await.iter().all(|head| head.trouble.is_none()));
    }
}

async fn a_sudden_loss_is_asked_about(world: &mut World) {
    let forge = world.shop("").await;
    for number in 1..=5 {
        let commit = world.commit("one");
        world.tell(&forge.open(SHOP, (number, &commit), |_| ())).await;
    }
    world.settle().await;
    assert_eq!(world.previews().await.len(), 5);
    // One that cannot be found by itself is looked for twice.
    let lost = forge.lose(SHOP, 5);
    world.clock().advance(LIST_MS);
    world.settle().await;
    assert_eq!(world.previews().await.len(), 5);
    forge.find_again(SHOP, lost);
    world.clock().advance(LIST_MS);
    world.settle().await;
    assert_eq!(world.previews().await.len(), 5);

    // A list that is whole again needs nobody.
    let is_held = async |world: &mut World| world.heads().await[0].held.is_some();
    for blind in [true, false, true] {
        forge.go_blind(SHOP, blind);
        world.clock().advance(LIST_MS);
        world.settle().await;
        assert_eq!(is_held(world).await, blind);
        assert_eq!(world.previews().await.len(), 5);
    }
    assert!(
        world.heads().await[0]
            .held
            .as_ref()
            .is_some_and(|why| why.contains("cx git resume acme/shop"))
    );
    for number in 1..=4 {
        forge.close(SHOP, number);
    }
    world.clock().advance(LIST_MS);
    world.settle().await;
    assert_eq!(world.previews().await.len(), 5, "somebody has to look first");
    let name = forge.reference(SHOP).name;
    let resumed = ask!(world, [name], |control| control
        .resume_repository(Some("paper"), &name));
    assert!(!world.undisturbed() || resumed.is_ok());
    world.settle().await;
    let left: Vec<String> = world
        .previews()
        .await
        .into_iter()
        .map(|preview| preview.namespace.to_string())
        .collect();
    assert_eq!(left, ["preview-5"], "it is open, whatever the list says");
    assert!(world.heads().await.iter().all(|head| head.held.is_none()));
}

async fn a_paused_project_catches_up(world: &mut World) {
    let forge = world.shop("").await;
    let (first, second) = (world.commit("one"), world.commit("two"));
    world.told(&forge.open(SHOP, (1, &first), |_| ())).await;
    world.pause(true).await;
    world.told(&forge.push(SHOP, 1, &second)).await;
    world.told(&forge.open(SHOP, (2, &second), |_| ())).await;
    world.told(&forge.open(SHOP, (3, &second), |_| ())).await;
    world.told(&forge.close(SHOP, 3)).await;
    assert_eq!(world.shown("shop", "preview-1").await.as_deref(), Some("one"));
    assert_eq!(world.previews().await.len(), 1);
    world.pause(false).await;
    assert_eq!(world.shown("shop", "preview-1").await.as_deref(), Some("two"));
    assert_eq!(world.shown("shop", "preview-2").await.as_deref(), Some("two"));
    assert_eq!(world.previews().await.len(), 2);
}

async fn a_repository_keeps_its_previews_under_another_name(world: &mut World) {
    let forge = world.shop("").await;
    let (first, second) = (world.commit("one"), world.commit("two"));
    world.told(&forge.open(SHOP, (1, &first), |_| ())).await;
    world.told(&forge.rename(SHOP, "globex/store")).await;
    world.told(&forge.push(SHOP, 1, &second)).await;
    assert_eq!(world.shown("shop", "preview-1").await.as_deref(), Some("two"));
    assert!(
        world
            .heads()
            .await
            .iter()
            .all(|head| head.repository == "globex/store")
    );
    // Said to be deleted, and not found for a while: that it comes back is seen.
    forge.vanish(SHOP);
    world.clock().advance(LIST_MS);
    world.settle().await;
    assert_eq!(world.previews().await.len(), 1);
    forge.reappear(SHOP);
    world.clock().advance(LIST_MS);
    world.settle().await;
    assert!(world.heads().await.iter().all(|head| head.trouble.is_none()));
}

async fn several_projects_share_a_pull_request(world: &mut World) {
    let forge = world.shop("[git]\npaths = [\"web/**\"]\n").await;
    world.connect("api", SHOP, "api").await;
    let first = world.commit("one");
    forge.touches(SHOP, 1, &["api/main.go"]);
    world.told(&forge.open(SHOP, (1, &first), |_| ())).await;
    assert_eq!(world.shown("shop", "preview-1").await, None);
    assert_eq!(world.previews().await.len(), 1);
    forge.touches(SHOP, 1, &["api/main.go", "web/index.html"]);
    let second = forge.commit();
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    world.holds(
        &second,
        vec![file("index.html", "all of it"), file("api/index.html", "api")],
    );
    world.told(&forge.push(SHOP, 1, &second)).await;
    assert_eq!(world.previews().await.len(), 2);
    // Each is planned where it lies.
    if world.undisturbed() {
        assert_eq!(
            world.shown("shop", "preview-1").await.as_deref(),
            Some("all of it")
        );
        assert_eq!(world.shown("api", "preview-1").await.as_deref(), Some("api"));
    }
    world.told(&forge.close(SHOP, 1)).await;
    assert!(world.previews().await.is_empty());
}

async fn a_project_that_leaves_its_repository_takes_its_previews_along(world: &mut World) {
    let forge = world.shop("").await;
    world.connect("other", SHOP, "").await;
    let first = world.commit("one");
    world.told(&forge.open(SHOP, (1, &first), |_| ())).await;
    assert_eq!(world.previews().await.len(), 2);
    let name = project("other");
    let left = ask!(world, [name], |control| control.disconnect_repository(&name));
    assert!(!world.undisturbed() || left.is_ok());
    world.settle().await;
    assert_eq!(world.previews().await.len(), 1);
    let (name, change) = (
        project("shop"),
        ProjectChange {
            root: None,
            bounds: Some(GitBounds {
                pull_requests: Some(false),
                ..GitBounds::default()
            }),
        },
    );
    ask!(world, [name, change], |control| control
        .set_project(&name, change))
    .unwrap();
    world.settle().await;
    assert!(world.previews().await.is_empty());
}
