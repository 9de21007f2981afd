//! Pull requests and branches: every change that is wanted has its preview, and what is over leaves nothing.

use builder::fake::Script;
use control::ops::NewConnection;
use forge::Change;
use forge::change::Command;
use forge::report::Reaction;
use forge::source::Permission;
use model::commit::CommitSha;
use model::deployment::State;
use model::git::GitBounds;
use model::preview::{Origin, Status};

use crate::paper::PaperForge;
use crate::world::{World, ask, page, project};

crate::telling::stories! {
    a_pull_request_has_a_preview_until_it_is_closed
    a_push_cancels_what_is_not_ready
    a_strangers_commit_waits_for_its_own_approval
    what_nobody_told_is_found
    commands_are_done_once_and_by_who_may
    a_chosen_branch_follows_its_pushes
    a_deleted_repository_leaves_nothing
}

/// The forge's number of the repository of most stories.
pub(crate) const SHOP: &str = "100";
/// Longer than it takes until the open pull requests are listed again.
pub(crate) const LIST_MS: i64 = 10 * 60 * 1_000 + 1_000;

impl World {
    /// Makes `name` a project of the repository with the number `id`.
    pub(crate) async fn connect(&mut self, name: &str, id: &str, root: &str) {
        let (name, new) = (
            project(name),
            NewConnection {
                forge: Some("paper".to_owned()),
                repository: self.forge().reference(id).name,
                root: root.to_owned(),
                bounds: GitBounds::default(),
                webhook: false,
            },
        );
        ask!(self, [name, new], |control| control
            .connect_repository(&name, new))
        .unwrap();
        self.settle().await;
    }

    /// A shop in the repository [`SHOP`], whose base branch says `settings`.
    pub(crate) async fn shop(&mut self, settings: &str) -> PaperForge {
        let forge = self.forge();
        forge.create(SHOP, "acme/shop", settings);
        let main = forge.branch_head(SHOP, "main");
        self.holds(&main, page("main"));
        self.connect("shop", SHOP, "").await;
        forge
    }

    /// A commit that holds `files`.
    pub(crate) fn commit(&self, text: &str) -> CommitSha {
        let commit = self.forge().commit();
        self.holds(&commit, page(text));
        commit
    }

    /// Fetching `commit` gives these files.
    pub(crate) fn holds(&self, commit: &CommitSha, writes: Vec<(String, String)>) {
        let script = Script {
            writes,
            ..Script::default()
        };
        self.runner().on_fetch(commit, script);
    }

    /// The forge delivers the change, until it is acknowledged.
    pub(crate) async fn tell(&mut self, change: &Change) {
        let (headers, body) = self.forge().delivery(change);
        ask!(self, [headers, body], |control| async {
            let delivered = control.deliver("paper", &headers, &body).await;
            delivered.map_err(|error| match error {
                control::ops::DeliverError::Operation(error) => error,
                control::ops::DeliverError::Refused(error) => panic!("{error}"),
            })
        })
        .unwrap();
    }

    /// The forge delivers the change, and everything comes to rest.
    pub(crate) async fn told(&mut self, change: &Change) {
        self.tell(change).await;
        self.settle().await;
    }

    /// What visitors of the pull request's preview of `name` see; `None` where there is no preview.
    pub(crate) async fn shown(&mut self, name: &str, space: &str) -> Option<String> {
        let previews = self.previews().await;
        let preview = previews
            .into_iter()
            .find(|preview| preview.project.as_str() == name && preview.namespace.as_str() == space)?;
        Some(self.visit(&preview.url).await.body)
    }

    pub(crate) async fn heads(&mut self) -> Vec<control::view::Head> {
        ask!(self, [], |control| control.heads()).unwrap()
    }

    pub(crate) async fn pause(&mut self, paused: bool) {
        let name = project("shop");
        let done = match paused {
            true => ask!(self, [name], |control| control.pause_project(&name)),
            false => ask!(self, [name], |control| control.resume_project(&name)),
        };
        done.unwrap();
        self.settle().await;
    }
}

fn approve(forge: &PaperForge, number: u64, (comment, author): (&str, &str), commit: &CommitSha) -> Change {
    let commit = commit.short().to_owned();
    forge.comment(SHOP, (number, comment, author), Command::Approve { commit })
}

async fn a_pull_request_has_a_preview_until_it_is_closed(world: &mut World) {
    let forge = world.shop("").await;
    let (first, second) = (world.commit("one"), world.commit("two"));
    world.told(&forge.open(SHOP, (12, &first), |_| ())).await;
    let preview = world.preview("shop", "preview-12").await;
    assert_eq!(preview.status, Status::Live);
    assert_eq!(preview.url, "http://preview-12-shop.localhost:7700");
    let origin = Origin::PullRequest {
        repository: "acme/shop".to_owned(),
        number: 12,
        url: "https://forge.test/acme/shop/pull/12".to_owned(),
    };
    assert_eq!(preview.origin, origin);
    let newest = preview.newest.unwrap();
    let revision = newest.revision.clone().unwrap();
    assert_eq!((&revision.commit, revision.pull_request), (&first, Some(12)));
    assert_eq!(newest.phases[0].name, "source");
    assert_eq!(world.shown("shop", "preview-12").await.as_deref(), Some("one"));

    world.told(&forge.push(SHOP, 12, &second)).await;
    assert_eq!(world.shown("shop", "preview-12").await.as_deref(), Some("two"));
    // Another title is no other preview.
    let deployments = world.deployments(&preview.id).await.len();
    world
        .told(&forge.change(SHOP, 12, |pull| pull.title = "Renamed".to_owned()))
        .await;
    assert_eq!(world.deployments(&preview.id).await.len(), deployments);

    world.told(&forge.close(SHOP, 12)).await;
    assert_eq!(world.shown("shop", "preview-12").await, None);
    assert!(world.visit(&preview.url).await.body.contains("Gone"));
    world.told(&forge.change(SHOP, 12, |pull| pull.open = true)).await;
    assert_eq!(world.shown("shop", "preview-12").await.as_deref(), Some("two"));
    world.told(&forge.close(SHOP, 12)).await;
    assert!(world.previews().await.is_empty());
}

async fn a_push_cancels_what_is_not_ready(world: &mut World) {
    let forge = world.shop("").await;
    let (first, second) = (world.forge().commit(), world.commit("two"));
    let never = Script {
        end: builder::fake::End::Never,
        ..Script::default()
    };
    world.runner().on_fetch(&first, never);
    world.tell(&forge.open(SHOP, (1, &first), |_| ())).await;
    world
        .until(async |world| !world.previews().await.is_empty())
        .await;
    world.told(&forge.push(SHOP, 1, &second)).await;
    let preview = world.preview("shop", "preview-1").await;
    let states: Vec<State> = world
        .deployments(&preview.id)
        .await
        .iter()
        .map(|deployment| deployment.state)
        .collect();
    assert_eq!(states, [State::Ready, State::Cancelled]);
    assert_eq!(world.shown("shop", "preview-1").await.as_deref(), Some("two"));
}

async fn a_strangers_commit_waits_for_its_own_approval(world: &mut World) {
    let forge = world.shop("").await;
    forge.permit(SHOP, "maria", Permission::Write);
    let (first, second) = (world.commit("one"), world.commit("two"));
    let steps = world.runner().steps().len();
    world
        .told(&forge.open(SHOP, (7, &first), |pull| pull.fork = true))
        .await;
    assert!(world.previews().await.is_empty());
    assert_eq!(
        world.heads().await.last().unwrap().projects[0].state,
        "awaits_approval"
    );
    // Somebody who may only read, and a commit that is not the newest, change nothing.
    world.told(&approve(&forge, 7, ("1", "eve"), &first)).await;
    world.told(&approve(&forge, 7, ("2", "maria"), &second)).await;
    assert!(world.previews().await.is_empty());
    assert_eq!(
        world.runner().steps().len(),
        steps,
        "nothing of it was even fetched"
    );

    world.told(&approve(&forge, 7, ("3", "maria"), &first)).await;
    assert_eq!(world.shown("shop", "preview-7").await.as_deref(), Some("one"));
    assert_eq!(
        forge.reactions(),
        [
            ("1".to_owned(), Reaction::ThumbsDown),
            ("2".to_owned(), Reaction::Confused),
            ("3".to_owned(), Reaction::Rocket)
        ]
    );
    // What was approved goes on; the next commit needs an approval of its own.
    world.told(&forge.push(SHOP, 7, &second)).await;
    assert_eq!(world.shown("shop", "preview-7").await.as_deref(), Some("one"));
    let label = Change::Labelled {
        repository: forge.reference(SHOP),
        number: 7,
        label: "approve-preview".to_owned(),
        commit: second.clone(),
        author: forge::change::Account {
            login: "maria".to_owned(),
            bot: false,
        },
    };
    world.told(&label).await;
    assert_eq!(world.shown("shop", "preview-7").await.as_deref(), Some("two"));
    world.told(&forge.close(SHOP, 7)).await;
    assert!(world.previews().await.is_empty());
}

async fn what_nobody_told_is_found(world: &mut World) {
    let forge = world.shop("").await;
    let (first, second) = (world.commit("one"), world.commit("two"));
    forge.open(SHOP, (1, &first), |_| ());
    world.restart().await;
    world.settle().await;
    assert_eq!(world.shown("shop", "preview-1").await.as_deref(), Some("one"));
    forge.push(SHOP, 1, &second);
    world.clock().advance(LIST_MS);
    world.settle().await;
    assert_eq!(world.shown("shop", "preview-1").await.as_deref(), Some("two"));
    forge.close(SHOP, 1);
    world.clock().advance(LIST_MS);
    world.settle().await;
    assert!(world.previews().await.is_empty());
    // Seen between two lists that are equal.
    world.told(&forge.open(SHOP, (2, &first), |_| ())).await;
    assert_eq!(world.shown("shop", "preview-2").await.as_deref(), Some("one"));
    forge.close(SHOP, 2);
    world.clock().advance(LIST_MS);
    world.settle().await;
    assert!(world.previews().await.is_empty());
}

async fn commands_are_done_once_and_by_who_may(world: &mut World) {
    let forge = world.shop("").await;
    forge.permit(SHOP, "maria", Permission::Write);
    let (first, second) = (world.commit("one"), world.commit("two"));
    world.told(&forge.open(SHOP, (1, &first), |_| ())).await;
    let preview = world.preview("shop", "preview-1").await;
    let comment =
        |comment: &str, author: &str, command: Command| forge.comment(SHOP, (1, comment, author), command);
    world.told(&comment("1", "eve", Command::Delete)).await;
    assert_eq!(world.previews().await.len(), 1);
    let redeploy = comment("2", "maria", Command::Redeploy);
    world.told(&redeploy).await;
    world.told(&redeploy).await;
    let deployments = world.deployments(&preview.id).await;
    assert_eq!(deployments.len(), 2, "once for all deliveries");
    assert_eq!(deployments[0].artifact, deployments[1].artifact);
    world.told(&comment("3", "maria", Command::Delete)).await;
    assert!(world.previews().await.is_empty());
    // Nothing brings it back but a push, or somebody who asks for it.
    world
        .told(&forge.change(SHOP, 1, |pull| pull.title = "Renamed".to_owned()))
        .await;
    assert!(world.previews().await.is_empty());
    world.told(&comment("4", "maria", Command::Redeploy)).await;
    assert_eq!(world.shown("shop", "preview-1").await.as_deref(), Some("one"));
    world.told(&comment("5", "maria", Command::Delete)).await;
    world.told(&forge.push(SHOP, 1, &second)).await;
    assert_eq!(world.shown("shop", "preview-1").await.as_deref(), Some("two"));
    let unknown = Command::Unknown {
        text: "dance".to_owned(),
    };
    world.told(&comment("6", "eve", unknown)).await;
    world.told(&comment("7", "eve", Command::Help)).await;
    let reactions: Vec<Reaction> = forge
        .reactions()
        .into_iter()
        .map(|(_, reaction)| reaction)
        .collect();
    let rocket = Reaction::Rocket;
    assert_eq!(
        reactions,
        [
            Reaction::ThumbsDown,
            rocket,
            rocket,
            rocket,
            rocket,
            Reaction::Confused,
            rocket
        ]
    );
}

async fn a_chosen_branch_follows_its_pushes(world: &mut World) {
    let settings = "[git]\nbranches = [\"main\", \"release/*\"]\n";
    let forge = world.shop(settings).await;
    assert_eq!(world.shown("shop", "main").await.as_deref(), Some("main"));
    let (first, second) = (world.commit("one"), world.commit("two"));
    world
        .told(&forge.push_branch(SHOP, "release/1.2", &first, None))
        .await;
    assert_eq!(
        world.shown("shop", "branch-release-1-2").await.as_deref(),
        Some("one")
    );
    world
        .told(&forge.push_branch(SHOP, "feature", &first, None))
        .await;
    assert_eq!(world.previews().await.len(), 2);
    assert_eq!(world.heads().await.len(), 2, "what nobody wants is not followed");
    // What main says now decides, for branches that nobody has pushed to since as well.
    world
        .told(&forge.push_branch(SHOP, "main", &second, Some("[git]\nbranches = [\"main\"]\n")))
        .await;
    assert_eq!(world.shown("shop", "main").await.as_deref(), Some("two"));
    assert_eq!(world.shown("shop", "branch-release-1-2").await, None);
    let third = world.commit("three");
    world
        .told(&forge.push_branch(SHOP, "main", &third, Some(settings)))
        .await;
    world
        .told(&forge.push_branch(SHOP, "release/2", &first, None))
        .await;
    world.told(&forge.delete_branch(SHOP, "release/2")).await;
    assert_eq!(world.previews().await.len(), 2, "once is not enough");
    world.clock().advance(61_000);
    world.settle().await;
    assert_eq!(world.shown("shop", "branch-release-2").await, None);
    assert_eq!(world.previews().await.len(), 1);
}

async fn a_deleted_repository_leaves_nothing(world: &mut World) {
    let forge = world.shop("[git]\nbranches = [\"main\"]\n").await;
    let first = world.commit("one");
    world.told(&forge.open(SHOP, (1, &first), |_| ())).await;
    assert_eq!(world.previews().await.len(), 2);
    let deleted = forge.vanish(SHOP);
    forge.reappear(SHOP);
    world.told(&deleted).await;
    assert_eq!(world.previews().await.len(), 2, "it is there, whatever was said");
    world.told(&forge.vanish(SHOP)).await;
    assert!(world.previews().await.is_empty());
}
