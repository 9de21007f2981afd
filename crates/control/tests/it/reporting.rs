//! What a forge shows is what the rows say: one comment, a check and a deployment for each commit, and nothing of what is
//! over.

use builder::fake::Script;
use forge::report::{CheckState, DeploymentState};
use forge::{ForgeError, Message};
use provider::fake::Behaviour;

use crate::paper::PaperForge;
use crate::pulling::SHOP;
use crate::world::{World, server};

crate::telling::stories! {
    a_pull_request_is_told_from_its_first_commit_to_its_end
    a_push_that_fails_says_what_goes_on_serving
    a_forge_that_was_away_shows_the_newest_state
    what_is_refused_is_not_asked_for_again
    a_pull_request_that_opens_again_keeps_its_comment
}

/// What the forge shows, in a few words each, and each thing once.
fn shown(forge: &PaperForge) -> Vec<String> {
    let messages = forge.messages();
    let mut keys: Vec<String> = messages.iter().map(Message::key).collect();
    keys.sort();
    let all = keys.len();
    keys.dedup();
    assert_eq!(all, keys.len(), "something is shown twice: {messages:?}");
    let mut words: Vec<String> = messages.iter().map(words).collect();
    words.sort();
    words
}

fn words(message: &Message) -> String {
    match message {
        Message::Comment(_) => "comment".to_owned(),
        Message::Check(check) => format!("check {} {:?}", check.commit.short(), check.state),
        Message::Deployment(deployment) => {
            format!("deployment {} {:?}", deployment.commit.short(), deployment.state)
        }
        Message::Status(status) => format!("status {} {:?}", status.commit.short(), status.state),
    }
}

fn comment(forge: &PaperForge) -> String {
    let comment = |message: Message| match message {
        Message::Comment(comment) => Some(comment.body),
        _ => None,
    };
    forge.messages().into_iter().find_map(comment).unwrap_or_default()
}

fn check(commit: &model::commit::CommitSha, state: CheckState) -> String {
    format!("check {} {state:?}", commit.short())
}

fn deployment(commit: &model::commit::CommitSha, state: DeploymentState) -> String {
    format!("deployment {} {state:?}", commit.short())
}

fn some(words: &[String]) -> Vec<String> {
    let mut words = [&["comment".to_owned()], words].concat();
    words.sort();
    words
}

async fn a_pull_request_is_told_from_its_first_commit_to_its_end(world: &mut World) {
    let forge = world.shop("").await;
    let (first, second) = (world.commit("one"), world.commit("two"));
    world.told(&forge.open(SHOP, (12, &first), |_| ())).await;
    let ready = |commit| {
        [
            check(commit, CheckState::Success),
            deployment(commit, DeploymentState::Success),
        ]
    };
    assert_eq!(shown(&forge), some(&ready(&first)));
    let said = comment(&forge);
    assert!(
        said.contains("Ready") && said.contains("preview-12-shop.localhost:7700"),
        "{said}"
    );

    world.told(&forge.push(SHOP, 12, &second)).await;
    let all = shown(&forge);
    for words in ready(&second) {
        assert!(all.contains(&words), "{all:?}");
    }
    assert!(
        all.contains(&deployment(&first, DeploymentState::Inactive)),
        "{all:?}"
    );
    assert!(comment(&forge).contains(second.short()));

    world.told(&forge.close(SHOP, 12)).await;
    let all = shown(&forge);
    assert!(
        all.iter().all(|words| !words.starts_with("deployment")),
        "{all:?}"
    );
    assert!(comment(&forge).contains("This is over"), "{}", comment(&forge));
    let puts = forge.calls();
    world.settle().await;
    assert!(
        !world.undisturbed() || forge.calls() == puts,
        "nothing more is told"
    );
}

async fn a_push_that_fails_says_what_goes_on_serving(world: &mut World) {
    let forge = world.shop("").await;
    let first = world.commit("one");
    world.told(&forge.open(SHOP, (12, &first), |_| ())).await;
    let broken = forge.commit();
    let script = Script {
        writes: server("broken"),
        ..Script::default()
    };
    world.runner().on_fetch(&broken, script);
    world.provider().behave(
        "broken",
        Behaviour::Exit {
            line: "Error: no such table @octocat".to_owned(),
            summary: "exited with code 1".to_owned(),
            out_of_memory: false,
        },
    );
    world.told(&forge.push(SHOP, 12, &broken)).await;
    let all = shown(&forge);
    for words in [
        check(&broken, CheckState::Failure),
        deployment(&broken, DeploymentState::Failure),
        deployment(&first, DeploymentState::Success),
    ] {
        assert!(all.contains(&words), "{all:?}");
    }
    let said = comment(&forge);
    assert!(
        said.contains("server_exited") && said.contains(first.short()),
        "{said}"
    );
}

async fn a_forge_that_was_away_shows_the_newest_state(world: &mut World) {
    let forge = world.shop("").await;
    let (first, second) = (world.commit("one"), world.commit("two"));
    world.told(&forge.open(SHOP, (12, &first), |_| ())).await;
    let opened = forge.push(SHOP, 12, &second);
    forge.refuse_to_show(Some(ForgeError::Unavailable {
        message: "it is away".to_owned(),
    }));
    world.told(&opened).await;
    assert!(!comment(&forge).contains(second.short()));
    let asked = forge.calls();
    world.settle().await;
    assert!(
        !world.undisturbed() || forge.calls() == asked,
        "it is left alone for a while"
    );
    forge.refuse_to_show(None);
    world.clock().advance(6 * 60 * 1_000);
    world.settle().await;
    assert!(comment(&forge).contains(second.short()));
    assert!(shown(&forge).contains(&check(&second, CheckState::Success)));
}

async fn what_is_refused_is_not_asked_for_again(world: &mut World) {
    let forge = world.shop("").await;
    let (first, second) = (world.commit("one"), world.commit("two"));
    forge.refuse_to_show(Some(ForgeError::Refused {
        status: 422,
        message: "no".to_owned(),
    }));
    world.told(&forge.open(SHOP, (12, &first), |_| ())).await;
    assert!(forge.messages().is_empty());
    let asked = forge.shown_calls();
    world.clock().advance(60_000);
    world.settle().await;
    assert!(!world.undisturbed() || forge.shown_calls() == asked);
    forge.refuse_to_show(None);
    world.told(&forge.push(SHOP, 12, &second)).await;
    assert!(comment(&forge).contains(second.short()));
}

async fn a_pull_request_that_opens_again_keeps_its_comment(world: &mut World) {
    let forge = world.shop("").await;
    let first = world.commit("one");
    world.told(&forge.open(SHOP, (12, &first), |_| ())).await;
    world.told(&forge.close(SHOP, 12)).await;
    assert!(comment(&forge).contains("This is over"));
    world.told(&forge.change(SHOP, 12, |pull| pull.open = true)).await;
    let said = comment(&forge);
    assert!(said.contains("Ready"), "{said}");
    let comments = shown(&forge).into_iter().filter(|words| words == "comment");
    assert_eq!(comments.count(), 1);
}
