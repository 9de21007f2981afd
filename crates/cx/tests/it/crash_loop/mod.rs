//! The platform, its zygote and single inits are killed at random moments of a loop of deployments, rollbacks, deletions
//! and visits, and in the middle of collections and backups; after each kill the right deployment serves from the process it had, what was built is not built again, and
//! nothing is left of what was under way.
//!
//! The moments follow from a seed, as far as the machine lets them. A loss of power is not told here: the kernel lives on.

mod acting;
mod judging;
mod keeping;
mod machine;
mod rows;

use std::collections::BTreeMap;
use std::thread::park_timeout;
use std::time::{Duration, Instant};

use self::judging::Serving;
use self::machine::{Random, child_called, kill};
use crate::platform::Platform;

/// How long the platform may take to put everything in order after a kill.
const PATIENCE: Duration = Duration::from_secs(90);
/// How often the init of one instance is killed: the wait before a restart doubles each time.
const INIT_KILLS_MAX: u32 = 4;
const PROJECT: &str = "loop";
/// Printed by every build.
const BUILT: &str = "built-for-real";
/// Two of each, so that one is in the way of another.
const NAMESPACES: [&str; 4] = ["page-a", "page-b", "server-a", "server-b"];

/// How many of each are killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kills {
    pub(crate) platform: u32,
    pub(crate) zygote: u32,
    pub(crate) init: u32,
    /// The platform, while it removes what nobody names.
    pub(crate) collection: u32,
    /// The platform or the copying process, while a backup is made.
    pub(crate) backup: u32,
}

impl Kills {
    fn left(self) -> u32 {
        self.platform + self.zygote + self.init + self.collection + self.backup
    }
}

/// Kills until all of `kills` are done; panics where a promise does not hold. Gives how many commands said that they were
/// done, and how many that they were not.
pub(crate) fn survive(seed: u64, mut kills: Kills) -> (u32, u32) {
    let mut story = Story {
        platform: Platform::start(),
        random: Random(seed),
        serving: BTreeMap::new(),
        round: 0,
        source: tempfile::tempdir().unwrap(),
        init_kills: BTreeMap::new(),
        commands: (0, 0),
    };
    while kills.left() > 0 {
        story.round += 1;
        let mut chosen = story.random.below(u64::from(kills.left())) as u32;
        let mut is = |count: u32| {
            let chosen_here = chosen < count;
            chosen = chosen.wrapping_sub(count);
            chosen_here
        };
        if is(kills.platform) {
            kills.platform -= story.kill_the_platform().min(kills.platform);
        } else if is(kills.zygote) {
            kills.zygote -= 1;
            story.kill_the_zygote();
        } else if is(kills.init) {
            kills.init -= u32::from(story.kill_an_init());
        } else if is(kills.collection) {
            kills.collection -= 1;
            story.kill_a_collection();
        } else {
            kills.backup -= 1;
            story.kill_a_backup();
        }
        story.assert_only_what_is_called_for();
    }
    story.platform.assert_leaves_nothing();
    story.commands
}

struct Story {
    platform: Platform,
    random: Random,
    serving: BTreeMap<&'static str, Serving>,
    round: u32,
    source: tempfile::TempDir,
    init_kills: BTreeMap<String, u32>,
    /// Commands that said that they were done, and that did not.
    commands: (u32, u32),
}

impl Story {
    /// Gives how often it was killed.
    fn kill_the_platform(&mut self) -> u32 {
        let mut action = self.act();
        self.random.pause();
        let built = self.builds_done(action.namespace);
        self.platform.kill();
        let mut killed = 1;
        // Sometimes at its start too, while it takes over what runs.
        while self.random.below(4) == 0 {
            self.platform.begin();
            park_timeout(Duration::from_millis(self.random.below(150)));
            self.platform.kill();
            killed += 1;
        }
        self.platform.start_again();
        let done = self.finish(&mut action);
        self.settle(action.namespace);
        self.judge(&action, done);
        if let Some((deployment, lines)) = built {
            let now = self.build_lines(&deployment);
            // Its preview may be deleted by now, and its log with it.
            assert!(
                now.is_none_or(|now| now == lines),
                "{} built again: {}",
                deployment,
                action.what
            );
        }
        killed
    }

    fn kill_the_zygote(&mut self) {
        let mut action = self.act();
        self.random.pause();
        // None is there for a moment after another one ended.
        if let Some(zygote) = child_called(self.platform.pid(), "cygni-zygote") {
            kill(zygote);
        }
        let done = self.finish(&mut action);
        self.settle(action.namespace);
        self.judge(&action, done);
    }

    /// `false` where something had to be deployed first: nothing runs, or what runs was killed often and waits long.
    fn kill_an_init(&mut self) -> bool {
        let servers = ["server-a", "server-b"];
        let namespace = servers[self.random.below(2) as usize];
        let running = self
            .serving
            .get(namespace)
            .map(|serving| serving.deployment.clone());
        let instance = running.map(|deployment| {
            let instance = &self.deployment(&deployment)["instances"][0]["id"];
            instance.as_str().unwrap().to_owned()
        });
        let fresh = |instance: &String| {
            self.init_kills
                .get(instance)
                .is_none_or(|kills| *kills < INIT_KILLS_MAX)
        };
        let Some(instance) = instance.filter(fresh) else {
            let mut action = self.deploy(namespace);
            let done = self.finish(&mut action);
            self.settle(namespace);
            self.judge(&action, done);
            return false;
        };
        *self.init_kills.entry(instance.clone()).or_default() += 1;
        let init = self
            .init_of(&instance)
            .unwrap_or_else(|| panic!("{instance} has no init"));
        kill(init);
        self.until_started_again(namespace, &instance, init);
        true
    }

    fn until_started_again(&mut self, namespace: &'static str, instance: &str, init: u32) {
        let before = self.serving[namespace].deployment.clone();
        let begin = Instant::now();
        loop {
            let now = self.look(namespace);
            if let Some(now) = now.filter(|now| now.deployment == before)
                && self.init_of(instance).is_some_and(|new| new != init)
            {
                self.serving.insert(namespace, now);
                return;
            }
            self.in_time(begin, || format!("{instance} is not started again"));
        }
    }

    /// Waits a moment; gives up when it has been too long.
    fn in_time(&self, begin: Instant, what: impl FnOnce() -> String) {
        if begin.elapsed() > PATIENCE {
            panic!("{}\n{}", what(), self.platform.log());
        }
        park_timeout(Duration::from_millis(10));
    }
}
