//! What webhooks of GitHub say: GitHub's own examples, those of the fake, and whatever else may come.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use forge::change::{Button, Command};
use forge::fake::FakeGitHub;
use forge::fake::github::{NewPull, WEBHOOK_SECRET, webhooks};
use forge::{Change, DeliveryError, Headers};
use proptest::prelude::*;
use serde_json::Value;

use super::{REPOSITORY, github, open};

/// GitHub's examples, all of them: which changes they are, by event and action. Its pushes and deletions are mostly of
/// tags, none of its comments is a command, and none of its check runs has a key of ours.
#[tokio::test]
async fn the_published_examples_are_understood() {
    let fake = FakeGitHub::start().await;
    let forge = open(&fake.anonymous());
    let mut table: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for entry in webhooks() {
        let event = entry["name"].as_str().unwrap();
        for example in entry["examples"].as_array().unwrap() {
            count += 1;
            let changes = forge.changes(event, &serde_json::to_vec(example).unwrap());
            let changes = changes.unwrap_or_else(|error| panic!("{event}: {error}"));
            for change in &changes {
                agrees(change, example);
            }
            let kinds: Vec<String> = changes.iter().map(kind).collect();
            let action = example["action"].as_str().unwrap_or("-");
            if !kinds.is_empty() {
                let name = format!("{event} {action}: {}", kinds.join(", "));
                table.entry(name).or_default().push(String::new());
            }
        }
    }
    assert!(count > 300, "{count} examples");
    let table: Vec<String> = table
        .iter()
        .map(|(line, times)| format!("{line} ×{}", times.len()))
        .collect();
    insta::assert_snapshot!(table.join("\n"), @r"
    installation created: installation ×2
    installation deleted: installation ×2
    installation new_permissions_accepted: installation ×1
    installation suspend: installation ×1
    installation unsuspend: installation ×1
    installation_repositories added: installation ×2
    installation_repositories removed: installation ×1
    ping -: ping ×4
    pull_request closed: pull_request ×2
    pull_request converted_to_draft: pull_request ×3
    pull_request labeled: pull_request, labelled ×2
    pull_request opened: pull_request ×4
    pull_request ready_for_review: pull_request ×3
    pull_request reopened: pull_request ×2
    pull_request synchronize: pull_request ×1
    pull_request unlabeled: pull_request ×2
    push -: branch ×2
    repository edited: repository_renamed ×2
    repository renamed: repository_renamed ×1
    repository transferred: repository_renamed ×3
    ");
}

fn kind(change: &Change) -> String {
    let value = serde_json::to_value(change).expect("a change is written down");
    value["kind"].as_str().expect("it has a kind").to_owned()
}

/// What a change says is what its payload says.
fn agrees(change: &Change, payload: &Value) {
    let value = serde_json::to_value(change).expect("a change is written down");
    if value["repository"].is_object() {
        let id = payload["repository"]["id"].to_string();
        assert_eq!(value["repository"]["id"], id.as_str());
        assert_eq!(value["repository"]["name"], payload["repository"]["full_name"]);
    }
    match change {
        Change::PullRequest { number, .. } => assert_eq!(payload["pull_request"]["number"], *number),
        Change::Branch { branch, .. } => {
            let name = payload["ref"].as_str().expect("a push names what was pushed");
            assert!(name.ends_with(branch.as_str()));
        }
        Change::Labelled { label, .. } => assert_eq!(payload["label"]["name"], label.as_str()),
        Change::Installation { installation, .. } => {
            assert_eq!(payload["installation"]["id"].to_string(), *installation);
        }
        _ => {}
    }
}

#[tokio::test]
async fn a_delivery_is_believed_by_its_signature_alone() {
    let (fake, app) = github().await;
    fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let delivery = fake.take_deliveries().remove(0);
    let headers = delivery.headers(WEBHOOK_SECRET);
    let envelope = app.verify(&headers, &delivery.body, WEBHOOK_SECRET).unwrap();
    assert_eq!(
        (envelope.delivery, envelope.event.as_str()),
        (delivery.guid, "push")
    );
    let without = |name: &str| -> Headers {
        let mut headers = headers.clone();
        headers.remove(name);
        headers
    };
    let mut sha1 = without("x-hub-signature-256");
    sha1.insert("x-hub-signature".to_owned(), "sha1=4bd4c2".to_owned());
    let verify = |headers: &Headers, secret| app.verify(headers, &delivery.body, secret).unwrap_err();
    assert_eq!(verify(&sha1, WEBHOOK_SECRET), DeliveryError::Unsigned);
    assert_eq!(verify(&headers, "another"), DeliveryError::WrongSignature);
    assert_eq!(verify(&headers, ""), DeliveryError::WrongSignature);
    for name in ["x-github-event", "x-github-delivery"] {
        assert_eq!(
            verify(&without(name), WEBHOOK_SECRET),
            DeliveryError::MissingHeader(name)
        );
    }
    let changed = app.verify(&headers, b"{}", WEBHOOK_SECRET);
    assert_eq!(changed.unwrap_err(), DeliveryError::WrongSignature);
}

#[tokio::test]
async fn what_people_do_becomes_changes() {
    let (fake, app) = github().await;
    let head = fake.commit(REPOSITORY, "feature/x", &[("a", "1")]);
    let number = fake.open_pull(REPOSITORY, NewPull::from("feature/x"));
    fake.label(REPOSITORY, number, ("ann", "approve-preview"));
    fake.comment(REPOSITORY, number, ("ann", "/cx approve 0123456"));
    fake.comment(REPOSITORY, number, ("robot[bot]", "/cx delete"));
    fake.comment(REPOSITORY, number, ("ann", "looks good"));
    fake.delete_branch(REPOSITORY, "feature/x");
    fake.ping();
    let mut changes = Vec::new();
    for delivery in fake.take_deliveries() {
        changes.extend(app.changes(&delivery.event, &delivery.body).unwrap());
    }
    let reference = fake.reference(REPOSITORY);
    let kinds: Vec<String> = changes.iter().map(kind).collect();
    let expected = [
        "branch",
        "pull_request",
        "pull_request",
        "labelled",
        "command",
        "branch",
        "branch",
        "ping",
    ];
    assert_eq!(kinds, expected);
    assert!(matches!(&changes[0], Change::Branch { repository, branch }
        if *repository == reference && branch == "feature/x"));
    assert!(
        matches!(&changes[3], Change::Labelled { label, commit, author, .. }
        if label == "approve-preview" && *commit == head && author.login == "ann" && !author.bot)
    );
    assert!(
        matches!(&changes[4], Change::Command { command: Command::Approve { commit }, .. } if commit == "0123456")
    );
}

#[tokio::test]
async fn buttons_come_back_with_their_key() {
    let (fake, app) = github().await;
    let head = fake.commit(REPOSITORY, "b", &[("a", "1")]);
    let reference = fake.reference(REPOSITORY);
    let check = forge::Message::Check(forge::report::Check {
        key: "preview-1/shop".to_owned(),
        commit: head.clone(),
        name: "Preview (shop)".to_owned(),
        state: forge::report::CheckState::ActionRequired,
        details_url: None,
        title: "Waits".to_owned(),
        summary: "Waits".to_owned(),
        annotations: Vec::new(),
        buttons: vec![Button::Redeploy, Button::Delete, Button::Approve],
    });
    let id = app
        .put(&reference, &check, None, false)
        .await
        .unwrap()
        .parse()
        .unwrap();
    fake.take_deliveries();
    for (clicked, expected) in [
        ("", Button::Redeploy),
        ("redeploy", Button::Redeploy),
        ("delete", Button::Delete),
        ("approve", Button::Approve),
    ] {
        fake.click(REPOSITORY, id, ("ann", clicked));
        let delivery = fake.take_deliveries().remove(0);
        let changes = app.changes(&delivery.event, &delivery.body).unwrap();
        assert!(
            matches!(changes.as_slice(), [Change::Button { button, key, commit, author, .. }]
            if *button == expected && key == "preview-1/shop" && *commit == head && author.login == "ann")
        );
    }
}

/// One place of a payload is replaced, or the text is cut or spoilt.
fn mangled() -> impl Strategy<Value = (String, Vec<u8>)> {
    let events = [
        "pull_request",
        "push",
        "delete",
        "issue_comment",
        "check_run",
        "installation",
        "repository",
        "ping",
    ];
    let replacement = prop_oneof![
        Just(Value::Null),
        Just(Value::from(-1)),
        Just(Value::from("../..")),
        Just(Value::from("ä".repeat(300))),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
    ];
    let spoil = (any::<prop::sample::Index>(), any::<u8>(), any::<bool>());
    (
        prop::sample::select(events.to_vec()),
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        replacement,
        spoil,
    )
        .prop_map(|(event, which, place, replacement, (at, byte, is_text))| {
            let entry = webhooks().iter().find(|entry| entry["name"] == event);
            let examples = entry.and_then(|entry| entry["examples"].as_array());
            let mut example = which.get(examples.expect("examples of the event")).clone();
            if !is_text {
                let places = places(&example, "");
                let place = example.pointer_mut(place.get::<String>(&places));
                *place.expect("a place of it") = replacement;
            }
            let mut body = serde_json::to_vec(&example).expect("JSON");
            if is_text {
                let at = at.index(body.len());
                body[at] = byte;
                if byte % 2 == 0 {
                    body.truncate(at);
                }
            }
            (event.to_owned(), body)
        })
}

fn places(value: &Value, at: &str) -> Vec<String> {
    let mut found = vec![at.to_owned()];
    match value {
        Value::Object(object) => {
            for (name, inside) in object {
                found.extend(places(
                    inside,
                    &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                ));
            }
        }
        Value::Array(list) => {
            for (index, inside) in list.iter().enumerate() {
                found.extend(places(inside, &format!("{at}/{index}")));
            }
        }
        _ => {}
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes is a change or an error, and what it names is a name.
    #[test]
    fn no_body_is_too_strange((event, body) in mangled()) {
        static FORGE: LazyLock<Arc<dyn forge::Forge>> =
            LazyLock::new(|| open(&forge::Settings::github(forge::Credentials::Anonymous)));
        if let Ok(changes) = FORGE.changes(&event, &body) {
            for change in changes {
                let text = serde_json::to_string(&change).unwrap();
                let again: Change = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(again, change);
            }
        }
    }
}
