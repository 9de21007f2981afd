//! GitHub down, slow, wrong, full up: each is told apart, and nothing is concluded that was not said.

use std::time::Duration;

use forge::fake::FakeGitHub;
use forge::fake::github::{Fault, NewPull, Rule};
use forge::report::{Check, CheckState, Comment, Deployment, DeploymentState, Message};
use forge::{ForgeError, Listing, Reach};

use super::{REPOSITORY, github};

/// What an error is, without its words.
fn kind(error: &ForgeError) -> &'static str {
    match error {
        ForgeError::NotFound { .. } => "not found",
        ForgeError::Denied { .. } => "denied",
        ForgeError::Limited { .. } => "limited",
        ForgeError::Refused { .. } => "refused",
        ForgeError::Unavailable { .. } => "unavailable",
        ForgeError::Unsupported(_) => "unsupported",
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn every_fault_has_its_meaning() {
    let fake = FakeGitHub::start().await;
    fake.create_repository(REPOSITORY);
    let reach = Reach {
        call_timeout: Duration::from_millis(1_500),
        ..Reach::default()
    };
    let app = forge::open(&fake.app(), &reach).unwrap();
    let reference = fake.reference(REPOSITORY);
    for (fault, expected) in [
        (Fault::Down, "unavailable"),
        (Fault::Hang, "unavailable"),
        (Fault::Truncated, "unavailable"),
        (Fault::NotJson, "unavailable"),
        (Fault::Endless, "unavailable"),
        (Fault::Page(404), "unavailable"),
        (Fault::Page(403), "unavailable"),
        (Fault::Status(500), "unavailable"),
        (Fault::Status(503), "unavailable"),
        (Fault::Status(404), "not found"),
        (Fault::Status(410), "not found"),
        (Fault::Status(403), "denied"),
        (Fault::Status(451), "denied"),
        (Fault::Unauthorized, "denied"),
        (
            Fault::Said(403, "Unable to create comment because issue is locked."),
            "refused",
        ),
        (
            Fault::Said(403, "Repository was archived so is read-only."),
            "refused",
        ),
        (
            Fault::Said(403, "API rate limit exceeded for user ID 1."),
            "limited",
        ),
        (Fault::Status(422), "refused"),
        (Fault::Status(409), "refused"),
        (Fault::Status(429), "limited"),
        (Fault::Secondary { retry_after: MINUTE }, "limited"),
        (Fault::Primary { reset_in: MINUTE }, "limited"),
    ] {
        fake.fail(Rule::always(fault).at("/branches/"));
        let error = app.branch(&reference, "main").await.unwrap_err();
        assert_eq!(kind(&error), expected, "{fault:?}: {error}");
        if let ForgeError::Limited { retry_after, .. } = &error {
            assert!(
                retry_after.abs_diff(MINUTE) <= Duration::from_secs(10),
                "{fault:?}: {error}"
            );
        }
        fake.heal();
    }
    app.branch(&reference, "main").await.unwrap();
}

#[tokio::test]
async fn a_list_is_whole_or_an_error() {
    let (fake, app) = github().await;
    for number in 0..150 {
        let branch = format!("b{number}");
        fake.commit(REPOSITORY, &branch, &[("a", &branch)]);
        fake.open_pull(REPOSITORY, NewPull::from(&branch));
    }
    let reference = fake.reference(REPOSITORY);
    for fault in [
        Fault::Down,
        Fault::Status(502),
        Fault::Truncated,
        Fault::NotJson,
        Fault::Status(404),
    ] {
        fake.fail(Rule::once(fault).at("/pulls").after(1));
        let listed = app.open_pull_requests(&reference, None).await;
        assert!(listed.is_err(), "{fault:?} on the second page");
        fake.heal();
    }
    let listed = app.open_pull_requests(&reference, None).await.unwrap();
    assert!(matches!(listed, Listing::All { items, .. } if items.len() == 150));
}

fn messages(fake: &FakeGitHub, number: u64) -> [Message; 3] {
    let commit = fake.pull(REPOSITORY, number).head;
    [
        Message::Comment(Comment {
            number,
            marker: "<!-- m -->".to_owned(),
            body: "<!-- m -->\nHello".to_owned(),
        }),
        Message::Check(Check {
            key: "preview-1/shop".to_owned(),
            commit: commit.clone(),
            name: "Preview (shop)".to_owned(),
            state: CheckState::Queued,
            details_url: None,
            title: "Queued".to_owned(),
            summary: String::new(),
            annotations: Vec::new(),
            buttons: Vec::new(),
        }),
        Message::Deployment(Deployment {
            key: "d1".to_owned(),
            commit,
            environment: "preview-1/shop".to_owned(),
            state: DeploymentState::Queued,
            environment_url: None,
            log_url: None,
            description: String::new(),
        }),
    ]
}

/// A call that was done, of which nobody heard: when it is looked for it is found, and there is one of it.
#[tokio::test]
async fn what_was_done_unheard_is_found_again() {
    let (fake, app) = github().await;
    fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let number = fake.open_pull(REPOSITORY, NewPull::from("b"));
    let reference = fake.reference(REPOSITORY);
    app.branch(&reference, "main").await.unwrap();
    for message in messages(&fake, number) {
        // A deployment takes two calls, of which either may be the one.
        let calls = 1 + u32::from(matches!(message, Message::Deployment(_)));
        for skipped in 0..calls {
            for old in fake.deployments(REPOSITORY) {
                fake.delete_deployment(REPOSITORY, old.id);
            }
            fake.fail(Rule::once(Fault::DoneThenDown).method("post").after(skipped));
            let unheard = app.put(&reference, &message, None, true).await.unwrap_err();
            assert_eq!(kind(&unheard), "unavailable", "{unheard}");
            app.put(&reference, &message, None, true).await.unwrap();
        }
    }
    let counts = (
        fake.comments(REPOSITORY, number).len(),
        fake.checks(REPOSITORY).len(),
        fake.deployments(REPOSITORY).len(),
    );
    assert_eq!(counts, (1, 1, 1));
}

/// Whichever of its calls fails: taking back can be repeated until nothing is left.
#[tokio::test]
async fn taking_back_can_be_repeated() {
    let (fake, app) = github().await;
    fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let number = fake.open_pull(REPOSITORY, NewPull::from("b"));
    let reference = fake.reference(REPOSITORY);
    let [_, _, deployment] = messages(&fake, number);
    for fails in 0..4 {
        let known = app.put(&reference, &deployment, None, true).await.unwrap();
        fake.fail(Rule::once(Fault::DoneThenDown).at("/octo/shop/").after(fails));
        let first = app.withdraw(&reference, &deployment, &known).await;
        assert!(first.unwrap_err().is_passing());
        fake.heal();
        app.withdraw(&reference, &deployment, &known).await.unwrap();
        assert!(fake.deployments(REPOSITORY).is_empty() && fake.environments(REPOSITORY).is_empty());
    }
}

/// Somebody took the App's permission away: an error that says so, and no removal of anything.
#[tokio::test]
async fn what_is_forbidden_is_told_by_its_words() {
    let (fake, app) = github().await;
    let reference = fake.reference(REPOSITORY);
    fake.fail(Rule::always(Fault::Status(403)).at("/pulls"));
    let denied = app.open_pull_requests(&reference, None).await.unwrap_err();
    assert_eq!(
        denied.to_string(),
        "the forge refused our credentials: made to fail"
    );
    assert!(!denied.is_passing());
}
