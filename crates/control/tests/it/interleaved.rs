//! Events of several pull requests in any order, lost, late and twice, with the platform dying in between: in the end the
//! previews are those that the pull requests call for, and after the last one is closed there is nothing.

use std::collections::BTreeMap;

use forge::change::Command;
use forge::source::Permission;
use forge::{Change, Headers};
use model::commit::CommitSha;
use model::deployment::State;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::faults::Faults;
use crate::paper::PaperForge;
use crate::pulling::{LIST_MS, SHOP};
use crate::world::{World, ask};

/// Cases of the suite; `PROPTEST_CASES` asks for others, which proptest reads itself.
const CASES: u32 = 12;
/// What proptest takes where nobody asks.
const CASES_UNASKED: u32 = 256;
const STEPS_MAX: usize = 24;
/// Pull requests; the last one comes from a fork.
const PULLS: u64 = 3;

/// Something that happens at the forge or to the platform.
#[derive(Clone, Debug)]
enum Step {
    /// People do something, and it is delivered or lost.
    Happens(u64, Deed, bool),
    /// An earlier delivery comes again, or at last.
    Again(usize),
    /// The platform works for a moment, or until it rests.
    Pass,
    Settle,
    Dies,
}

#[derive(Clone, Debug)]
enum Deed {
    Push,
    Close,
    Reopen,
    Rename,
    Approve,
    Redeploy,
    Delete,
}

fn deeds() -> impl Strategy<Value = Deed> {
    prop_oneof![
        5 => Just(Deed::Push),
        2 => Just(Deed::Close),
        2 => Just(Deed::Reopen),
        1 => Just(Deed::Rename),
        2 => Just(Deed::Approve),
        1 => Just(Deed::Redeploy),
        1 => Just(Deed::Delete),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1..=PULLS, deeds(), prop::bool::weighted(0.75))
            .prop_map(|(number, deed, told)| Step::Happens(number, deed, told)),
        3 => (0..64_usize).prop_map(Step::Again),
        3 => Just(Step::Pass),
        2 => Just(Step::Settle),
        2 => Just(Step::Dies),
    ];
    prop::collection::vec(step, 1..STEPS_MAX)
}

#[test]
fn any_order_of_events_leads_to_the_same_previews() {
    let mut config = Config {
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    if config.cases == CASES_UNASKED {
        config.cases = CASES;
    }
    TestRunner::new(config)
        .run(&steps(), |steps| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(tell(&steps));
            Ok(())
        })
        .unwrap();
}

/// What has happened so far, besides what the forge itself knows.
struct Past {
    forge: PaperForge,
    deliveries: Vec<(Headers, Vec<u8>)>,
    /// What each commit shows.
    texts: BTreeMap<CommitSha, String>,
    /// Commits that somebody wanted to approve, and how often somebody asked for a commit again.
    approved: Vec<CommitSha>,
    again: BTreeMap<CommitSha, usize>,
    deleted: Vec<u64>,
    comments: u64,
}

async fn tell(steps: &[Step]) {
    let mut world = World::new(Faults::none()).await;
    let mut past = Past {
        forge: world.shop("").await,
        deliveries: Vec::new(),
        texts: BTreeMap::new(),
        approved: Vec::new(),
        again: BTreeMap::new(),
        deleted: Vec::new(),
        comments: 0,
    };
    past.forge.permit(SHOP, "maria", Permission::Admin);
    for step in steps {
        match step {
            Step::Happens(number, deed, told) => {
                let change = past.happens(&world, *number, deed);
                let delivery = past.forge.delivery(&change);
                past.deliveries.push(delivery.clone());
                if *told {
                    deliver(&mut world, delivery).await;
                }
            }
            Step::Again(which) => {
                let many = past.deliveries.len().max(1);
                if let Some(delivery) = past.deliveries.get(which % many) {
                    deliver(&mut world, delivery.clone()).await;
                }
            }
            Step::Pass => world.pass().await,
            Step::Settle => world.settle().await,
            Step::Dies => world.restart().await,
        }
    }
    let closed = past.check(&mut world).await;
    assert!(closed, "nothing is left of what is over");
    world.assert_quiet().await;
    world.end().await;
}

async fn deliver(world: &mut World, (headers, body): (Headers, Vec<u8>)) {
    let taken = ask!(world, [headers, body], |control| async {
        Ok(control.deliver("paper", &headers, &body).await.is_ok())
    });
    assert!(taken.unwrap());
}

impl Past {
    fn happens(&mut self, world: &World, number: u64, deed: &Deed) -> Change {
        let (forge, fork) = (self.forge.clone(), number == PULLS);
        let Some(pull) = forge.pull(SHOP, number) else {
            let head = self.commit(world);
            return forge.open(SHOP, (number, &head), |pull| pull.fork = fork);
        };
        match deed {
            Deed::Push => {
                let head = self.commit(world);
                forge.push(SHOP, number, &head)
            }
            Deed::Close => forge.close(SHOP, number),
            Deed::Reopen => forge.change(SHOP, number, |pull| pull.open = true),
            Deed::Rename => forge.change(SHOP, number, |pull| pull.title.push('!')),
            Deed::Approve => {
                let commit = pull.head.to_string();
                self.approved.push(pull.head);
                self.says(number, Command::Approve { commit })
            }
            Deed::Redeploy => self.redeploys(number),
            Deed::Delete => {
                self.deleted.push(number);
                self.says(number, Command::Delete)
            }
        }
    }

    fn commit(&mut self, world: &World) -> CommitSha {
        let text = format!("text {}", self.texts.len());
        let commit = world.commit(&text);
        self.texts.insert(commit.clone(), text);
        commit
    }

    fn says(&mut self, number: u64, command: Command) -> Change {
        self.comments += 1;
        let comment = self.comments.to_string();
        self.forge.comment(SHOP, (number, &comment, "maria"), command)
    }

    fn redeploys(&mut self, number: u64) -> Change {
        // It is about whatever is newest when it is heard.
        for commit in self.texts.keys() {
            *self.again.entry(commit.clone()).or_default() += 1;
        }
        self.says(number, Command::Redeploy)
    }

    /// What is there in the end, then what is there when people ask for everything, then when everything is over.
    async fn check(&mut self, world: &mut World) -> bool {
        world.clock().advance(LIST_MS);
        world.settle_after_deaths().await;
        for number in 1..=PULLS {
            self.check_pull(world, number, true).await;
        }
        for number in 1..=PULLS {
            let Some(pull) = self.forge.pull(SHOP, number).filter(|pull| pull.open) else {
                continue;
            };
            if pull.fork {
                self.approved.push(pull.head.clone());
                let commit = pull.head.to_string();
                let approval = self.says(number, Command::Approve { commit });
                world.tell(&approval).await;
                world.settle_after_deaths().await;
            }
            let redeploy = self.redeploys(number);
            world.tell(&redeploy).await;
            world.settle_after_deaths().await;
            self.check_pull(world, number, false).await;
        }
        for number in 1..=PULLS {
            if self.forge.pull(SHOP, number).is_some() {
                self.forge.close(SHOP, number);
            }
        }
        world.restart().await;
        world.clock().advance(LIST_MS);
        world.settle_after_deaths().await;
        world.previews().await.is_empty() && world.provider().instances().is_empty()
    }

    async fn check_pull(&self, world: &mut World, number: u64, may_lack: bool) {
        let space = format!("preview-{number}");
        let shown = world.shown("shop", &space).await;
        let Some(pull) = self.forge.pull(SHOP, number).filter(|pull| pull.open) else {
            assert_eq!(shown, None, "{number} is closed");
            return;
        };
        let Some(shown) = shown else {
            let lacks = self.deleted.contains(&number) || pull.fork;
            assert!(may_lack && lacks, "{number} has no preview");
            return;
        };
        let newest = &self.texts[&pull.head];
        if pull.fork && may_lack {
            let approved = self.approved.iter().any(|commit| self.texts[commit] == shown);
            assert!(approved, "{shown} of {number} was never approved");
        } else {
            assert_eq!(shown, *newest, "{number} shows its newest commit");
        }
        let preview = world.preview("shop", &space).await;
        let mut made: BTreeMap<CommitSha, usize> = BTreeMap::new();
        for deployment in world.deployments(&preview.id).await {
            assert!(!deployment.current || deployment.state == State::Ready);
            *made.entry(deployment.revision.unwrap().commit).or_default() += 1;
        }
        for (commit, times) in made {
            let asked = 1 + self.again.get(&commit).copied().unwrap_or_default();
            assert!(
                times <= asked,
                "{commit} was deployed {times} times, and asked for {asked} times"
            );
        }
    }
}
