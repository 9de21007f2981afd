//! What GitHub is told.

use forge::ForgeError;
use forge::change::Button;
use forge::fake::github::NewPull;
use forge::report::{
    Check, CheckState, Comment, CommitStatus, Deployment, DeploymentState, Message, StatusState,
};

use super::{REPOSITORY, github, open};

fn comment(number: u64, text: &str) -> Message {
    let marker = "<!-- cygni -->".to_owned();
    Message::Comment(Comment {
        number,
        body: format!("{marker}\n{text}"),
        marker,
    })
}

#[tokio::test]
async fn a_comment_is_edited_found_again_and_made_anew() {
    let (fake, app) = github().await;
    fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let number = fake.open_pull(REPOSITORY, NewPull::from("b"));
    let reference = fake.reference(REPOSITORY);
    // Somebody else's, with our marker: never ours.
    fake.comment(REPOSITORY, number, ("mallory", "<!-- cygni -->\nfooled you"));
    for _ in 0..120 {
        fake.comment(REPOSITORY, number, ("ann", "nice"));
    }
    let id = app
        .put(&reference, &comment(number, "one"), None, true)
        .await
        .unwrap();
    let again = app
        .put(&reference, &comment(number, "two"), Some(&id), false)
        .await
        .unwrap();
    assert_eq!(again, id);
    let found = app
        .put(&reference, &comment(number, "three"), None, true)
        .await
        .unwrap();
    assert_eq!(found, id, "it is found on a later page");
    let ours = |fake: &forge::fake::FakeGitHub| {
        let comments = fake.comments(REPOSITORY, number).into_iter();
        comments
            .filter(|comment| comment.author == "cygni-test[bot]")
            .map(|comment| comment.body)
            .collect::<Vec<_>>()
    };
    assert_eq!(ours(&fake), ["<!-- cygni -->\nthree"]);
    fake.delete_comment(REPOSITORY, id.parse().unwrap());
    let anew = app
        .put(&reference, &comment(number, "four"), Some(&id), false)
        .await
        .unwrap();
    assert_ne!(anew, id);
    assert_eq!(ours(&fake).len(), 1);
    app.withdraw(&reference, &comment(number, ""), &anew)
        .await
        .unwrap();
    app.withdraw(&reference, &comment(number, ""), &anew)
        .await
        .unwrap();
    assert_eq!(ours(&fake), [""; 0]);
}

#[tokio::test]
async fn a_token_finds_its_owners_comment() {
    let (fake, _) = github().await;
    fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let number = fake.open_pull(REPOSITORY, NewPull::from("b"));
    let reference = fake.reference(REPOSITORY);
    fake.comment(REPOSITORY, number, ("mallory", "<!-- cygni -->\nfooled you"));
    let person = open(&fake.person("octocat"));
    let id = person
        .put(&reference, &comment(number, "one"), None, true)
        .await
        .unwrap();
    let found = person
        .put(&reference, &comment(number, "two"), None, true)
        .await
        .unwrap();
    assert_eq!(found, id);
}

#[tokio::test]
async fn a_check_run_goes_on_and_has_its_annotations_once() {
    let (fake, app) = github().await;
    let head = fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let reference = fake.reference(REPOSITORY);
    let check = |state, annotations| {
        let annotation = forge::report::Annotation {
            path: "src/a.js".to_owned(),
            line: 3,
            message: "no".to_owned(),
        };
        Message::Check(Check {
            key: "preview-1/shop".to_owned(),
            commit: head.clone(),
            name: "Preview (shop)".to_owned(),
            state,
            details_url: Some("https://example.com/log".to_owned()),
            title: "Building".to_owned(),
            summary: "…".to_owned(),
            annotations: vec![annotation; annotations],
            buttons: vec![Button::Redeploy, Button::Delete],
        })
    };
    let id = app
        .put(&reference, &check(CheckState::Queued, 0), None, false)
        .await
        .unwrap();
    app.put(&reference, &check(CheckState::InProgress, 0), Some(&id), false)
        .await
        .unwrap();
    for _ in 0..2 {
        app.put(&reference, &check(CheckState::Failure, 70), Some(&id), false)
            .await
            .unwrap();
    }
    let found = app
        .put(&reference, &check(CheckState::Success, 0), None, true)
        .await
        .unwrap();
    assert_eq!(found, id);
    let checks = fake.checks(REPOSITORY);
    assert_eq!((checks.len(), checks[0].annotations.len()), (1, 50));
    assert_eq!(checks[0].conclusion.as_deref(), Some("success"));
    assert_eq!(checks[0].actions, ["redeploy", "delete"]);
    // It goes on again when it is deployed again.
    app.put(&reference, &check(CheckState::InProgress, 0), Some(&id), false)
        .await
        .unwrap();
    assert_eq!(fake.checks(REPOSITORY)[0].conclusion, None);
    let person = open(&fake.person("octocat"));
    assert!(!person.capabilities().check_runs && app.capabilities().check_runs);
    let refused = person
        .put(&reference, &check(CheckState::Queued, 0), None, false)
        .await;
    assert!(matches!(refused, Err(ForgeError::Unsupported(_))), "{refused:?}");
}

#[tokio::test]
async fn a_deployment_is_followed_and_leaves_nothing() {
    let (fake, app) = github().await;
    let head = fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let reference = fake.reference(REPOSITORY);
    let deployment = |key: &str, state| {
        Message::Deployment(Deployment {
            key: key.to_owned(),
            commit: head.clone(),
            environment: "preview-1/shop".to_owned(),
            state,
            environment_url: Some("https://preview-1-shop.example.com".to_owned()),
            log_url: None,
            description: "Building".to_owned(),
        })
    };
    let first = app
        .put(
            &reference,
            &deployment("d1", DeploymentState::Queued),
            None,
            false,
        )
        .await
        .unwrap();
    app.put(
        &reference,
        &deployment("d1", DeploymentState::Success),
        Some(&first),
        false,
    )
    .await
    .unwrap();
    let second = app
        .put(
            &reference,
            &deployment("d2", DeploymentState::InProgress),
            None,
            true,
        )
        .await
        .unwrap();
    assert_ne!(first, second);
    let found = app
        .put(
            &reference,
            &deployment("d2", DeploymentState::Success),
            None,
            true,
        )
        .await
        .unwrap();
    assert_eq!(found, second);
    let shown = fake.deployments(REPOSITORY);
    assert_eq!(shown.len(), 2);
    assert!(
        shown
            .iter()
            .all(|d| d.transient && !d.production && d.state() == "success")
    );
    app.withdraw(&reference, &deployment("d1", DeploymentState::Inactive), &first)
        .await
        .unwrap();
    assert_eq!(
        fake.environments(REPOSITORY),
        ["preview-1/shop"],
        "the other is still there"
    );
    for _ in 0..2 {
        app.withdraw(&reference, &deployment("d2", DeploymentState::Inactive), &second)
            .await
            .unwrap();
    }
    assert!(fake.deployments(REPOSITORY).is_empty() && fake.environments(REPOSITORY).is_empty());
    // What is gone is as inactive as can be, and is not made for that.
    let gone = app
        .put(
            &reference,
            &deployment("d1", DeploymentState::Inactive),
            Some(&first),
            false,
        )
        .await;
    assert_eq!(gone.unwrap(), first);
    assert!(fake.deployments(REPOSITORY).is_empty());
    // One that somebody has deleted is made anew while it goes on.
    let anew = app
        .put(
            &reference,
            &deployment("d1", DeploymentState::Success),
            Some(&first),
            false,
        )
        .await
        .unwrap();
    assert_eq!(fake.deployments(REPOSITORY)[0].id.to_string(), anew);
}

#[tokio::test]
async fn a_status_and_a_reaction_are_given() {
    let (fake, _) = github().await;
    let head = fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let number = fake.open_pull(REPOSITORY, NewPull::from("b"));
    let written = fake.comment(REPOSITORY, number, ("ann", "/cx redeploy"));
    let reference = fake.reference(REPOSITORY);
    let person = open(&fake.person("octocat"));
    let status = |description: &str| {
        Message::Status(CommitStatus {
            commit: head.clone(),
            context: "cygni/shop".to_owned(),
            state: StatusState::Pending,
            target_url: None,
            description: description.to_owned(),
        })
    };
    person
        .put(&reference, &status("Building"), None, false)
        .await
        .unwrap();
    assert_eq!(fake.statuses(REPOSITORY)[0].description, "Building");
    let long = person
        .put(&reference, &status(&"x".repeat(141)), None, false)
        .await;
    assert!(
        matches!(long, Err(ForgeError::Refused { status: 422, .. })),
        "{long:?}"
    );
    for reaction in [
        forge::report::Reaction::Eyes,
        forge::report::Reaction::Eyes,
        forge::report::Reaction::ThumbsDown,
    ] {
        person
            .react(&reference, &written.to_string(), reaction)
            .await
            .unwrap();
    }
    let reactions = fake.comments(REPOSITORY, number).remove(0).reactions;
    assert_eq!(reactions, ["eyes", "-1"]);
}
