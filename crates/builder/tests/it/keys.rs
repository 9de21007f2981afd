//! What makes builds and layers equal, and what must not.

use builder::BuildRequest;
use model::ProjectId;
use model::trust::Trust;

use crate::builds::{CI, LOCK, MANIFEST};
use crate::world::{World, server};
use crate::{Test, wait_for};

pub(crate) const TESTS: &[Test] = &[
    (
        "keys_change_with_everything_that_counts",
        keys_change_with_everything_that_counts,
    ),
    (
        "layers_are_not_shared_between_projects",
        layers_are_not_shared_between_projects,
    ),
    (
        "a_stranger_reads_caches_and_writes_only_its_own",
        a_stranger_reads_caches_and_writes_only_its_own,
    ),
    (
        "what_an_install_can_read_names_its_layer",
        what_an_install_can_read_names_its_layer,
    ),
];

fn keys_change_with_everything_that_counts() {
    let world = World::new();
    let base = world.request("b", &[MANIFEST, LOCK, ("a.js", "1")]);
    let changed = |change: fn(&mut BuildRequest)| {
        let mut request = base.clone();
        change(&mut request);
        wait_for(world.builder.key(&request)).unwrap()
    };
    let key = changed(|_| {});
    let same: [fn(&mut BuildRequest); 4] = [
        |request| request.name = "other".to_owned(),
        |request| request.plan.reasons.clear(),
        |request| request.plan.limits.memory_bytes += 1,
        |request| request.rebuild = true,
    ];
    for change in same {
        assert_eq!(changed(change), key);
    }
    let other: [fn(&mut BuildRequest); 5] = [
        |request| request.tree = model::Digest::of(b"x"),
        |request| request.project = ProjectId::from_random([2; 10]),
        |request| request.plan.root = "x".to_owned(),
        |request| drop(request.variables.insert("A".to_owned(), "1".to_owned())),
        |request| drop(request.plan.toolchains.pop()),
    ];
    for (index, change) in other.into_iter().enumerate() {
        assert_ne!(changed(change), key, "change {index}");
    }
}

fn layers_are_not_shared_between_projects() {
    let world = World::new();
    wait_for(async {
        let mut request = world.request("b", &[MANIFEST, LOCK]);
        let one = world.build(&request).await.unwrap();
        request.project = ProjectId::from_random([2; 10]);
        let two = world.build(&request).await.unwrap();
        assert_ne!(server(&one).layers, server(&two).layers);
        assert_eq!(world.runner.commands(), [CI, CI]);
        let steps = world.runner.steps();
        assert_ne!(steps[0].cache, steps[1].cache);
    });
}

fn a_stranger_reads_caches_and_writes_only_its_own() {
    let world = World::new();
    wait_for(async {
        let mut request = world.request("b", &[MANIFEST, LOCK]);
        request.trust = Trust::Fork;
        world.build(&request).await.unwrap();
        assert_eq!(world.runner.steps()[0].egress, model::network::Egress::Registries);
        request.trust = Trust::Member;
        world.build(&request).await.unwrap();
        assert_eq!(
            world.runner.commands().len(),
            2,
            "a member does not take what a stranger installed"
        );
        let mut other = world.request("b", &[MANIFEST, ("package-lock.json", "{ }")]);
        world.build(&other).await.unwrap();
        other.trust = Trust::Fork;
        world.build(&other).await.unwrap();
        assert_eq!(
            world.runner.commands().len(),
            3,
            "a stranger takes what a member installed"
        );
        let steps = world.runner.steps();
        assert_ne!(steps[0].cache, steps[1].cache);
    });
}

fn what_an_install_can_read_names_its_layer() {
    let world = World::new();
    let hook = (
        "package.json",
        r#"{"scripts": {"start": "node a", "postinstall": "node b"}}"#,
    );
    type Texts<'a> = &'a [(&'a str, &'a str)];
    let table: [(Texts, Texts, usize); 4] = [
        (&[MANIFEST, LOCK], &[MANIFEST, LOCK, ("src/new.js", "")], 1),
        (
            &[MANIFEST, LOCK, (".npmrc", "a=1")],
            &[MANIFEST, LOCK, (".npmrc", "a=2")],
            2,
        ),
        (&[hook, ("b.js", "1")], &[hook, ("b.js", "2")], 2),
        (
            &[MANIFEST, LOCK, ("patches/x.patch", "1")],
            &[MANIFEST, LOCK, ("patches/x.patch", "2")],
            2,
        ),
    ];
    for (index, (first, second, installs)) in table.into_iter().enumerate() {
        let before = world.runner.steps().len();
        wait_for(async {
            world.build(&world.request("b", first)).await.unwrap();
            world.build(&world.request("b", second)).await.unwrap();
        });
        assert_eq!(world.runner.steps().len() - before, installs, "row {index}");
    }
}
