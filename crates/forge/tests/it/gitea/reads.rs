//! What is true at Gitea, where it differs from others.

use forge::ForgeError;
use forge::source::{ChangedFiles, Permission, PullRequest};

use super::*;

const SHOP: &str = "boss/shop";

#[tokio::test]
async fn what_is_long_or_renamed_is_read_to_its_end() {
    let mut world = World::new().await;
    let mut expected = Vec::new();
    // The pages of this server have two entries.
    for branch in ["a", "b", "c", "d", "e"] {
        world
            .commit(SHOP, branch, &[(branch, ""), ("shared", branch), ("ä b", "")])
            .await;
        expected.push(world.open(&world.boss, SHOP, (branch, "WIP: one of many")).await);
    }
    let numbers = |listing: Listing<PullRequest>| {
        let mut numbers: Vec<u64> = all(listing).iter().map(|pull| pull.number).collect();
        numbers.sort_unstable();
        numbers
    };
    let listing = world.forge.open_pull_requests(&world.shop, None).await.unwrap();
    assert_eq!(numbers(listing), expected);
    let files = world.forge.changed_files(&world.shop, expected[0]).await.unwrap();
    let ChangedFiles::All(mut files) = files else {
        panic!("these are few");
    };
    files.sort();
    assert_eq!(files, ["a", "shared", "ä b"]);
    let pull = world.forge.pull_request(&world.shop, expected[0]).await.unwrap();
    assert!(pull.draft && !pull.fork, "{pull:?}");

    let (missing, commit) = ("1".repeat(40).parse().unwrap(), &pull.head);
    assert_eq!(world.forge.file(&world.shop, "none", commit).await, Ok(None));
    let file = world.forge.file(&world.shop, "a", &missing).await;
    assert!(matches!(file, Err(ForgeError::NotFound { .. })), "{file:?}");

    // By its old name, and not concluded from silence.
    world
        .call(Method::PATCH, "/repos/boss/shop", json!({ "name": "store" }))
        .await;
    let found = world.forge.repository(&world.shop.name).await.unwrap();
    assert_eq!(found.reference.name, "boss/store".parse().unwrap());
    assert_eq!(found.reference.id, world.shop.id);
    let pull = world.forge.pull_request(&world.shop, expected[1]).await.unwrap();
    assert_eq!(pull.number, expected[1]);

    world.gitea.stop();
    let pulls = world.forge.open_pull_requests(&world.shop, None).await;
    assert!(matches!(pulls, Err(ForgeError::Unavailable { .. })), "{pulls:?}");
    let hook = world.forge.remove_hook(&world.shop, "http://127.0.0.1:1/x").await;
    assert!(matches!(hook, Err(ForgeError::Unavailable { .. })), "{hook:?}");
    world.gitea.resume().await;
    let listing = world.forge.open_pull_requests(&world.shop, None).await.unwrap();
    assert_eq!(numbers(listing), expected);
}

#[tokio::test]
async fn strangers_are_told_from_members() {
    let world = World::new().await;
    world
        .call(Method::PATCH, "/repos/boss/shop", json!({ "private": false }))
        .await;
    let mallory = world.gitea.user("mallory").await;
    let as_mallory = |method, path, body| world.gitea.api(&mallory, (method, path), body);
    as_mallory(Method::POST, "/repos/boss/shop/forks", json!({})).await;
    let body = json!({ "content": "", "branch": "main", "new_branch": "gift", "message": "A gift" });
    as_mallory(Method::POST, "/repos/mallory/shop/contents/gift", body).await;
    let number = world.open(&mallory, SHOP, ("mallory:gift", "A gift")).await;
    let pull = world.forge.pull_request(&world.shop, number).await.unwrap();
    assert!(pull.fork);
    assert_eq!(pull.head_repository, Some("mallory/shop".parse().unwrap()));

    // Whoever may read may propose a commit without any copy: it lies in the repository, and is a stranger's.
    push_for_review(&world, &mallory);
    let listing = world.forge.open_pull_requests(&world.shop, None).await.unwrap();
    let pulls = all(listing);
    assert_eq!(pulls.len(), 2, "{pulls:?}");
    assert!(pulls.iter().all(|pull| pull.fork), "{pulls:?}");

    as_mallory(Method::DELETE, "/repos/mallory/shop", Value::Null).await;
    let pull = world.forge.pull_request(&world.shop, number).await.unwrap();
    assert!(
        !pull.open && pull.fork && pull.head_repository.is_none(),
        "{pull:?}"
    );

    let (stranger, shop) = (world.gitea.settings(&mallory), &world.shop);
    assert_eq!(
        world.forge.permission(shop, "mallory").await,
        Ok(Permission::Read),
        "it is public"
    );
    // Only an administrator may ask what others may.
    let theirs = forge::open(&stranger, &Reach::default()).unwrap();
    let denied = theirs.permission(shop, "boss").await;
    assert!(matches!(denied, Err(ForgeError::Denied { .. })), "{denied:?}");
    let wrong = forge::open(&world.gitea.settings("0123456789"), &Reach::default()).unwrap();
    let denied = wrong.repository(&shop.name).await;
    assert!(matches!(denied, Err(ForgeError::Denied { .. })), "{denied:?}");
}

/// Pushes a commit to `refs/for/main`.
#[allow(clippy::disallowed_methods, reason = "people use git")]
fn push_for_review(world: &World, token: &str) {
    let dir = tempfile::tempdir().unwrap();
    let url = world
        .gitea
        .url()
        .replace("http://", &format!("http://mallory:{token}@"));
    let git = |arguments: &[&str]| {
        let output = std::process::Command::new("git")
            .current_dir(dir.path())
            .args(["-c", "user.name=M", "-c", "user.email=m@example.com"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    git(&["clone", "-q", &format!("{url}/boss/shop.git"), "."]);
    git(&["commit", "-q", "--allow-empty", "-m", "A stranger's"]);
    git(&[
        "push",
        "-q",
        "origin",
        "HEAD:refs/for/main",
        "-o",
        "topic=gift2",
        "-o",
        "title=Mine",
    ]);
}
