//! By what right GitHub is asked: tokens for one purpose, made anew when they are not taken any more, and found again
//! when a repository has moved.

use data_encoding::BASE64;
use forge::change::RepositoryRef;
use forge::fake::github::{Fault, NewPull, Rule};
use forge::report::{Comment, Message};
use forge::{Credentials, ForgeError, OpenError, Reach, Settings};
use serde_json::{Value, json};

use super::{REPOSITORY, github, open};

/// What tokens were asked for so far.
fn minted(fake: &forge::fake::FakeGitHub) -> Vec<Value> {
    let calls = fake.calls().into_iter();
    let minted = calls.filter(|call| call.path.ends_with("/access_tokens"));
    minted.map(|call| call.body).collect()
}

#[tokio::test]
async fn a_token_is_made_once_and_for_one_repository() {
    let (fake, app) = github().await;
    let reference = fake.reference(REPOSITORY);
    for _ in 0..3 {
        app.branch(&reference, "main").await.unwrap();
    }
    let id: u64 = reference.id.parse().unwrap();
    assert_eq!(minted(&fake), [json!({ "repository_ids": [id] })]);
    app.git_access(&reference).await.unwrap();
    let read = json!({ "contents": "read", "metadata": "read" });
    assert_eq!(
        minted(&fake)[1],
        json!({ "repository_ids": [id], "permissions": read })
    );
}

#[tokio::test]
async fn a_token_that_is_not_taken_is_made_anew_once() {
    let (fake, app) = github().await;
    let reference = fake.reference(REPOSITORY);
    app.branch(&reference, "main").await.unwrap();
    fake.expire_tokens();
    app.branch(&reference, "main").await.unwrap();
    assert_eq!(minted(&fake).len(), 2);
    fake.fail(Rule::always(Fault::Unauthorized).at("/branches/"));
    let denied = app.branch(&reference, "main").await;
    assert!(matches!(denied, Err(ForgeError::Denied { .. })), "{denied:?}");
    assert_eq!(minted(&fake).len(), 3, "once, not for ever");
}

#[tokio::test]
async fn credentials_that_are_wrong_are_told_apart() {
    let (fake, _) = github().await;
    let reference = fake.reference(REPOSITORY);
    let stranger = Settings {
        credentials: Credentials::Token {
            token: "ghp_unknown".to_owned(),
        },
        ..fake.app()
    };
    let denied = open(&stranger).branch(&reference, "main").await;
    assert!(matches!(denied, Err(ForgeError::Denied { .. })), "{denied:?}");
    let app = |private_key: &str| Settings {
        credentials: Credentials::App {
            id: 1,
            slug: "x".to_owned(),
            private_key: private_key.to_owned(),
        },
        ..fake.app()
    };
    let Credentials::App { private_key, .. } = fake.app().credentials else {
        panic!("an App");
    };
    let denied = open(&app(&private_key)).branch(&reference, "main").await;
    assert!(matches!(denied, Err(ForgeError::Denied { .. })), "{denied:?}");
    let reach = Reach::default();
    for key in [
        "",
        "no key",
        "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    ] {
        let error = forge::open(&app(key), &reach).err();
        assert!(matches!(error, Some(OpenError::Key(_))), "{key}: {error:?}");
    }
    for token in ["", "a b", "ghp_x\n"] {
        let settings = Settings::github(Credentials::Token {
            token: token.to_owned(),
        });
        assert_eq!(forge::open(&settings, &reach).err(), Some(OpenError::Token));
    }
    for api in ["", "github.com", "ftp://github.com", "https://u:p@github.com"] {
        let settings = Settings {
            api: api.to_owned(),
            ..Settings::github(Credentials::Anonymous)
        };
        assert!(
            matches!(forge::open(&settings, &reach).err(), Some(OpenError::Address(_))),
            "{api}"
        );
    }
}

#[tokio::test]
async fn an_installation_that_is_gone_or_rests_opens_nothing() {
    let (fake, app) = github().await;
    let reference = fake.reference(REPOSITORY);
    fake.suspend("octo", true);
    let rests = app.branch(&reference, "main").await;
    assert!(matches!(rests, Err(ForgeError::Denied { .. })), "{rests:?}");
    fake.suspend("octo", false);
    app.branch(&reference, "main").await.unwrap();
    fake.uninstall("octo");
    let gone = app.branch(&reference, "main").await;
    assert!(matches!(gone, Err(ForgeError::NotFound { .. })), "{gone:?}");
    let gone = app.repository(&reference.name).await;
    assert!(matches!(gone, Err(ForgeError::NotFound { .. })), "{gone:?}");
    // Installed again it has another number; the old one is still written down.
    fake.install("octo");
    app.branch(&reference, "main").await.unwrap();
}

#[tokio::test]
async fn a_renamed_repository_is_followed_for_reading_and_writing() {
    let (fake, app) = github().await;
    fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let number = fake.open_pull(REPOSITORY, NewPull::from("b"));
    let old = fake.reference(REPOSITORY);
    fake.rename_repository(REPOSITORY, "octo/store");
    let found = app.repository(&old.name).await.unwrap();
    assert_eq!(found.reference, fake.reference("octo/store"));
    assert!(app.pull_request(&old, number).await.unwrap().open);
    assert_eq!(
        app.open_pull_requests(&old, None).await.unwrap(),
        app.open_pull_requests(&found.reference, None).await.unwrap()
    );
    let comment = Message::Comment(Comment {
        number,
        marker: "<!-- m -->".to_owned(),
        body: "<!-- m -->".to_owned(),
    });
    app.put(&old, &comment, None, true).await.unwrap();
    assert_eq!(fake.comments("octo/store", number).len(), 1);
}

#[tokio::test]
async fn a_transferred_repository_is_found_where_it_is_now() {
    let (fake, app) = github().await;
    fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let number = fake.open_pull(REPOSITORY, NewPull::from("b"));
    let old = fake.reference(REPOSITORY);
    assert!(app.pull_request(&old, number).await.unwrap().open);
    fake.rename_repository(REPOSITORY, "acme/shop");
    // Also with the token of the old owner's installation still at hand.
    assert!(app.pull_request(&old, number).await.unwrap().open);
    let found = app.repository(&old.name).await.unwrap();
    assert_eq!(found.reference, fake.reference("acme/shop"));
    assert_ne!(found.reference.installation, old.installation);
    let access = app.git_access(&found.reference).await.unwrap();
    assert!(access.url.ends_with("/acme/shop.git"));
}

/// What was remembered of the old owner's installation must not hide what the new one's sees.
#[tokio::test]
async fn a_transferred_repository_that_was_asked_for_is_read() {
    let (fake, app) = github().await;
    let nameless = RepositoryRef {
        installation: None,
        ..fake.reference(REPOSITORY)
    };
    app.branch(&nameless, "main").await.unwrap();
    fake.rename_repository(REPOSITORY, "acme/shop");
    let found = app.repository(&nameless.name).await.unwrap();
    app.branch(&found.reference, "main").await.unwrap();
    app.branch(&nameless, "main").await.unwrap();
}

#[tokio::test]
async fn git_reads_the_repository_and_what_its_default_branch_names() {
    let (fake, app) = github().await;
    let module = fake.create_repository("octo/parts");
    let secret = fake.create_repository("octo/secret");
    fake.create_repository("octo/open");
    fake.make_public("octo/open");
    fake.create_repository("other/parts");
    let text = "[submodule \"p\"]\n\tpath = p\n\turl = ../parts.git\n[submodule \"o\"]\n\turl = ../open\n\
        [submodule \"x\"]\n\turl = ../../other/parts\n[submodule \"n\"]\n\turl = ../not-there\n";
    fake.commit(REPOSITORY, "main", &[(".gitmodules", text)]);
    // What a pull request names opens nothing.
    let more = format!("{text}[submodule \"s\"]\n\turl = ../secret\n");
    fake.commit(REPOSITORY, "b", &[(".gitmodules", &more)]);
    fake.open_pull(REPOSITORY, NewPull::from("b"));
    let reference = fake.reference(REPOSITORY);
    let access = app.git_access(&reference).await.unwrap();
    let id: u64 = reference.id.parse().unwrap();
    let asked = minted(&fake).pop().unwrap();
    assert_eq!(asked["repository_ids"], json!([id, module]));
    assert!(!asked.to_string().contains(&secret.to_string()));
    assert_eq!(access.url, format!("{}/octo/shop.git", fake.url()));
    assert_eq!(access.scope, format!("{}/", fake.url()));
    let basic = access.authorization.unwrap();
    let decoded = BASE64
        .decode(basic.strip_prefix("Basic ").unwrap().as_bytes())
        .unwrap();
    assert!(decoded.starts_with(b"x-access-token:ghs_"));
}

#[test]
fn a_server_of_ones_own_has_its_addresses_below_its_host() {
    let settings = Settings::github_enterprise("https://github.example.com/", Credentials::Anonymous);
    assert_eq!(settings.api, "https://github.example.com/api/v3");
    assert_eq!(settings.web, "https://github.example.com");
    let text = serde_json::to_string(&settings).unwrap();
    assert!(text.contains(r#""kind":"github""#), "{text}");
    assert!(serde_json::from_str::<Settings>(&text).unwrap() == settings);
}
