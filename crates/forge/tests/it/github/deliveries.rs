//! How deliveries come here: webhooks of repositories, deliveries asked for again, and an App made in one click.

use forge::fake::FakeGitHub;
use forge::fake::github::NewPull;
use forge::github::manifest::{ConvertError, Manifest, convert, form_url};
use forge::{Credentials, ForgeError, Reach};

use super::{REPOSITORY, github, open};

#[tokio::test]
async fn a_token_makes_the_webhook_and_takes_it_away() {
    let (fake, app) = github().await;
    let reference = fake.reference(REPOSITORY);
    let person = open(&fake.person("octocat"));
    let url = "https://previews.example.com/api/v1/webhooks/github";
    for secret in ["one", "another"] {
        person.ensure_hook(&reference, url, secret).await.unwrap();
        assert_eq!(fake.hooks(REPOSITORY), [url]);
    }
    person
        .remove_hook(&reference, "https://elsewhere.example.com")
        .await
        .unwrap();
    assert_eq!(fake.hooks(REPOSITORY), [url]);
    for _ in 0..2 {
        person.remove_hook(&reference, url).await.unwrap();
        assert!(fake.hooks(REPOSITORY).is_empty());
    }
    let unsupported = app.ensure_hook(&reference, url, "x").await;
    assert!(
        matches!(unsupported, Err(ForgeError::Unsupported(_))),
        "{unsupported:?}"
    );
    // Who may only write may not do that.
    fake.grant(REPOSITORY, "ann", "write");
    let refused = open(&fake.person("ann")).ensure_hook(&reference, url, "x").await;
    assert!(matches!(refused, Err(ForgeError::NotFound { .. })), "{refused:?}");
}

#[tokio::test]
async fn what_did_not_arrive_is_asked_for_again() {
    let (fake, app) = github().await;
    let start = jiff::Timestamp::now().as_millisecond() - 1_000;
    fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let first: Vec<String> = fake
        .take_deliveries()
        .into_iter()
        .map(|delivery| delivery.guid)
        .collect();
    assert_eq!(app.redeliver_failed(start).await.unwrap(), 0, "all arrived");
    for number in 0..60 {
        let branch = format!("b{number}");
        fake.commit(REPOSITORY, &branch, &[("a", &branch)]);
        fake.open_pull(REPOSITORY, NewPull::from(&branch));
    }
    assert_eq!(fake.lose_deliveries(), 120);
    assert_eq!(app.redeliver_failed(start).await.unwrap(), 120);
    let again = fake.take_deliveries();
    assert!(
        again.len() == 120
            && again
                .iter()
                .all(|delivery| delivery.redelivery && !first.contains(&delivery.guid))
    );
    assert_eq!(
        app.redeliver_failed(start).await.unwrap(),
        0,
        "now they have arrived"
    );
    assert_eq!(app.redeliver_failed(start + 3_600_000).await.unwrap(), 0);
    let person = open(&fake.person("octocat"));
    assert!(!person.capabilities().redelivery);
    assert!(matches!(
        person.redeliver_failed(0).await,
        Err(ForgeError::Unsupported(_))
    ));
}

#[tokio::test]
async fn what_never_arrives_is_given_up() {
    let (fake, app) = github().await;
    fake.ping();
    let mut asked = 0;
    for _ in 0..10 {
        fake.lose_deliveries();
        asked += app.redeliver_failed(0).await.unwrap();
    }
    assert_eq!(asked, 4);
}

#[tokio::test]
async fn an_app_is_made_with_one_code() {
    let fake = FakeGitHub::start().await;
    let code = fake.manifest_code();
    let reach = Reach::default();
    let made = convert(&fake.anonymous(), &reach, &code).await.unwrap();
    assert!(made.settings.credentials == fake.app().credentials);
    assert_eq!(made.settings.webhook_secret.as_deref(), Some("made-by-github"));
    assert_eq!(
        made.install_url,
        format!("{}/apps/cygni-test/installations/new", fake.url())
    );
    let again = convert(&fake.anonymous(), &reach, &code).await.err();
    assert!(
        matches!(again, Some(ConvertError::Forge(ForgeError::NotFound { .. }))),
        "{again:?}"
    );
}

#[test]
fn the_form_and_the_manifest_are_what_github_takes() {
    let url = form_url("https://github.com", None, "s t").unwrap();
    assert_eq!(url, "https://github.com/settings/apps/new?state=s+t");
    let url = form_url("https://github.example.com/", Some("acme"), "s").unwrap();
    assert_eq!(
        url,
        "https://github.example.com/organizations/acme/settings/apps/new?state=s"
    );
    let manifest = Manifest {
        name: "Previews of acme".to_owned(),
        url: "https://previews.example.com".to_owned(),
        webhook_url: Some("https://previews.example.com/api/v1/webhooks/github".to_owned()),
        redirect_url: "http://127.0.0.1:4000/callback".to_owned(),
    };
    let json = manifest.to_json();
    assert_eq!(json["hook_attributes"]["active"], true);
    assert_eq!(
        json["default_permissions"]["contents"], "read",
        "nothing of theirs is ever written"
    );
    let without = Manifest {
        webhook_url: None,
        ..manifest
    };
    assert!(without.to_json()["hook_attributes"].is_null());
    // Known by what the settings of github.com are.
    assert_eq!(
        forge::Settings::github(Credentials::Anonymous).web,
        "https://github.com"
    );
}
