//! What is true at GitHub.

use forge::fake::github::NewPull;
use forge::source::{ChangedFiles, Permission};
use forge::{ForgeError, Listing};

use super::{REPOSITORY, github, open};

#[tokio::test]
async fn a_repository_is_found_by_its_name() {
    let (fake, app) = github().await;
    let found = app.repository(&REPOSITORY.parse().unwrap()).await.unwrap();
    assert_eq!(found.reference, fake.reference(REPOSITORY));
    assert_eq!((found.default_branch.as_str(), found.private), ("main", true));
    let gone = app.repository(&"octo/other".parse().unwrap()).await;
    assert!(matches!(gone, Err(ForgeError::NotFound { .. })), "{gone:?}");
}

#[tokio::test]
async fn a_pull_request_is_told_as_it_is_now() {
    let (fake, app) = github().await;
    let head = fake.commit(REPOSITORY, "feature/cart", &[("cart.js", "1")]);
    let number = fake.open_pull(REPOSITORY, NewPull::from("feature/cart"));
    let base = fake.commit(REPOSITORY, "main", &[("cx.toml", "")]);
    let reference = fake.reference(REPOSITORY);
    let pull = app.pull_request(&reference, number).await.unwrap();
    assert_eq!((pull.head, pull.base), (head, base));
    assert!(pull.open && !pull.merged && !pull.draft && !pull.fork);
    assert_eq!(pull.head_branch, "feature/cart");
    fake.merge_pull(REPOSITORY, number);
    let pull = app.pull_request(&reference, number).await.unwrap();
    assert!(!pull.open && pull.merged);
    let none = app.pull_request(&reference, 99).await;
    assert!(matches!(none, Err(ForgeError::NotFound { .. })), "{none:?}");
}

#[tokio::test]
async fn a_copy_is_a_fork_also_when_it_is_gone() {
    let (fake, app) = github().await;
    let head = fake.commit_in_fork(REPOSITORY, &[("evil.js", "1")]);
    let new = NewPull {
        draft: true,
        labels: vec!["a b".to_owned()],
        ..NewPull::from_fork("mallory", "main", head)
    };
    let number = fake.open_pull(REPOSITORY, new);
    let reference = fake.reference(REPOSITORY);
    let pull = app.pull_request(&reference, number).await.unwrap();
    assert!(pull.fork && pull.draft);
    assert_eq!(pull.head_repository, Some("mallory/shop".parse().unwrap()));
    assert_eq!(
        (pull.labels, pull.author.login.as_str()),
        (vec!["a b".to_owned()], "mallory")
    );
    fake.delete_fork(REPOSITORY, number);
    let pull = app.pull_request(&reference, number).await.unwrap();
    assert!(pull.fork && pull.head_repository.is_none());
}

#[tokio::test]
async fn all_open_pull_requests_are_listed_or_none() {
    let (fake, app) = github().await;
    for number in 0..230 {
        let branch = format!("b{number}");
        fake.commit(REPOSITORY, &branch, &[("a", &branch)]);
        fake.open_pull(REPOSITORY, NewPull::from(&branch));
    }
    fake.close_pull(REPOSITORY, 7);
    let reference = fake.reference(REPOSITORY);
    let Listing::All { items, tag } = app.open_pull_requests(&reference, None).await.unwrap() else {
        panic!("nothing is known yet");
    };
    let mut numbers: Vec<u64> = items.iter().map(|pull| pull.number).collect();
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=230).filter(|number| *number != 7).collect();
    assert_eq!(numbers, expected);
    // A change on any page is a change.
    assert_eq!(
        app.open_pull_requests(&reference, tag.as_deref()).await.unwrap(),
        Listing::Unchanged
    );
    fake.close_pull(REPOSITORY, 3);
    let again = app.open_pull_requests(&reference, tag.as_deref()).await.unwrap();
    assert!(matches!(again, Listing::All { items, .. } if items.len() == 228));
}

#[tokio::test]
async fn files_branches_and_roles_are_told() {
    let (fake, app) = github().await;
    let head = fake.commit(
        REPOSITORY,
        "feature/x",
        &[("apps/web/cx.toml", "[git]\n"), ("b", "2")],
    );
    let reference = fake.reference(REPOSITORY);
    let file = app.file(&reference, "apps/web/cx.toml", &head).await.unwrap();
    assert_eq!(file.as_deref(), Some(b"[git]\n".as_slice()));
    assert_eq!(app.file(&reference, "apps/web", &head).await.unwrap(), None);
    assert_eq!(app.file(&reference, "absent", &head).await.unwrap(), None);
    // That there is no such commit is not that there is no such file.
    let elsewhere = "0".repeat(40).parse().unwrap();
    let lost = app.file(&reference, "absent", &elsewhere).await;
    assert!(matches!(lost, Err(ForgeError::NotFound { .. })), "{lost:?}");
    let branch = app.branch(&reference, "feature/x").await.unwrap();
    assert_eq!((branch.head, branch.message.as_str()), (head, "Change feature/x"));
    let none = app.branch(&reference, "feature/y").await;
    assert!(matches!(none, Err(ForgeError::NotFound { .. })), "{none:?}");
    let number = fake.open_pull(REPOSITORY, NewPull::from("feature/x"));
    let files = app.changed_files(&reference, number).await.unwrap();
    let expected = ["apps/web/cx.toml", "b"].map(str::to_owned).to_vec();
    assert_eq!(files, ChangedFiles::All(expected));
    for (role, permission) in [
        ("admin", Permission::Admin),
        ("maintain", Permission::Write),
        ("write", Permission::Write),
        ("triage", Permission::Read),
        ("read", Permission::Read),
        ("", Permission::None),
    ] {
        fake.grant(REPOSITORY, "ann", role);
        assert_eq!(
            app.permission(&reference, "ann").await.unwrap(),
            permission,
            "{role}"
        );
    }
    for nobody in ["nobody", "dependabot[bot]"] {
        assert_eq!(
            app.permission(&reference, nobody).await.unwrap(),
            Permission::None
        );
    }
}

/// The fake can also stand before a real repository, which git then fetches from elsewhere.
#[tokio::test]
async fn a_repository_of_git_is_read_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let (work, bare) = (directory.path().join("work"), directory.path().join("bare.git"));
    let git = |arguments: &[&str]| git(&work, arguments);
    std::fs::create_dir(&work).unwrap();
    git(&["init", "--quiet", "--initial-branch=main", "."]);
    std::fs::write(work.join("cx.toml"), "[git]\n").unwrap();
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=First"]);
    git(&["checkout", "--quiet", "-b", "feature"]);
    std::fs::write(work.join("new.txt"), "new").unwrap();
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message=Add new"]);
    git(&["clone", "--quiet", "--bare", ".", bare.to_str().unwrap()]);

    let (fake, app) = github().await;
    fake.create_git_repository("octo/real", &bare);
    let number = fake.open_pull("octo/real", NewPull::from("feature"));
    let reference = fake.reference("octo/real");
    let pull = app.pull_request(&reference, number).await.unwrap();
    assert_eq!(pull.head.as_str(), git(&["rev-parse", "feature"]));
    assert_eq!(pull.base.as_str(), git(&["rev-parse", "main"]));
    let file = app.file(&reference, "cx.toml", &pull.base).await.unwrap();
    assert_eq!(file.as_deref(), Some(b"[git]\n".as_slice()));
    assert_eq!(app.file(&reference, "new.txt", &pull.base).await.unwrap(), None);
    let files = app.changed_files(&reference, number).await.unwrap();
    assert_eq!(files, ChangedFiles::All(vec!["new.txt".to_owned()]));
    assert_eq!(
        app.branch(&reference, "feature").await.unwrap().message,
        "Add new"
    );
    let fetched = git(&["ls-remote", bare.to_str().unwrap(), &pull.reference()]);
    assert!(fetched.starts_with(pull.head.as_str()), "{fetched}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests ask the machine's git about repositories of their own"
)]
fn git(directory: &std::path::Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .args(["-c", "user.name=Ann", "-c", "user.email=ann@example.com"])
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("git runs");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test]
async fn more_files_than_github_tells_are_too_many() {
    let (fake, app) = github().await;
    let names: Vec<String> = (0..3_000).map(|number| format!("f{number}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), "x")).collect();
    fake.commit(REPOSITORY, "many", &files);
    let number = fake.open_pull(REPOSITORY, NewPull::from("many"));
    let found = app
        .changed_files(&fake.reference(REPOSITORY), number)
        .await
        .unwrap();
    assert_eq!(found, ChangedFiles::TooMany);
}

#[tokio::test]
async fn what_is_public_needs_no_right() {
    let (fake, _) = github().await;
    let nobody = open(&fake.anonymous());
    let name = REPOSITORY.parse().unwrap();
    assert!(matches!(
        nobody.repository(&name).await,
        Err(ForgeError::NotFound { .. })
    ));
    fake.make_public(REPOSITORY);
    let found = nobody.repository(&name).await.unwrap();
    assert_eq!(found.reference.installation, None);
    let access = nobody.git_access(&found.reference).await.unwrap();
    assert!(access.authorization.is_none() && access.url.ends_with("/octo/shop.git"));
}
