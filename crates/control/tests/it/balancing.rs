//! A service of several instances: all of them start, rest and wake as one, and one that ends leaves the others serving.

use std::collections::BTreeSet;

use control::view::{Deployment, InstanceState};
use model::InstanceId;
use model::deployment::State;
use model::route::{Readiness, Target};
use provider::fake::{Call, How};
use provider::{Phase, Provider};

use crate::world::{World, server};

crate::telling::stories! {
    every_instance_of_a_service_answers
    a_deployment_is_ready_when_every_instance_listens
    the_others_answer_for_an_instance_that_ended
    the_instances_of_a_service_rest_and_wake_together
    going_back_goes_back_to_as_many_instances
}

const INSTANCES: usize = 3;

fn balanced(command: &str) -> Vec<(String, String)> {
    let mut files = server(command);
    files[0].1.push_str(&format!("instances = {INSTANCES}\n"));
    files
}

async fn phases(world: &World, deployment: &Deployment) -> Vec<Phase> {
    let mut phases = Vec::new();
    for instance in &deployment.instances {
        phases.push(world.provider().observe(&instance.id).await.unwrap().phase);
    }
    phases
}

/// The instances that answer as many visitors as there are instances.
async fn answering(world: &mut World, url: &str) -> BTreeSet<InstanceId> {
    let mut seen = BTreeSet::new();
    for _ in 0..INSTANCES {
        let answer = world.visit(url).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let named = answer.body.split("instance=").nth(1).unwrap();
        seen.insert(named.split_whitespace().next().unwrap().parse().unwrap());
    }
    seen
}

fn ids(deployment: &Deployment) -> BTreeSet<InstanceId> {
    deployment
        .instances
        .iter()
        .map(|instance| instance.id.clone())
        .collect()
}

async fn every_instance_of_a_service_answers(world: &mut World) {
    let deployment = world.deploy("api", "main", balanced("serve")).await;
    assert_eq!(deployment.state, State::Ready, "{:?}", deployment.failure);
    let numbers: Vec<u32> = deployment
        .instances
        .iter()
        .map(|instance| instance.replica)
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    let mut told: Vec<_> = world.provider().instances();
    told.sort_by_key(|instance| instance.variables["CYGNI_INSTANCE"].clone());
    let told: Vec<_> = told
        .iter()
        .map(|instance| &instance.variables["CYGNI_INSTANCE"])
        .collect();
    assert_eq!(told, ["1", "2", "3"]);
    assert_eq!(answering(world, &deployment.preview_url).await, ids(&deployment));

    world.delete_namespace("main").await;
    world.settle().await;
    assert!(world.provider().instances().is_empty());
}

async fn a_deployment_is_ready_when_every_instance_listens(world: &mut World) {
    world.provider().fail_next(Call::Ready, How::Error);
    let deployment = world.deploy("api", "main", balanced("serve")).await;
    assert!(
        !world.undisturbed() || deployment.state == State::Deploying,
        "two of three are not enough"
    );
    world.clock().advance(60_000);
    world.settle().await;
    let deployment = world.deployment(&deployment.id).await;
    assert_eq!(deployment.state, State::Ready);
    assert_eq!(
        world.provider().instances().len(),
        INSTANCES,
        "none was made twice"
    );
    assert_eq!(answering(world, &deployment.preview_url).await, ids(&deployment));
}

async fn the_others_answer_for_an_instance_that_ended(world: &mut World) {
    let deployment = world.deploy("api", "main", balanced("serve")).await;
    let ended = deployment.instances[1].id.clone();
    world.provider().crash(&ended, "was killed by signal 9");
    // Before anybody has noticed, and after.
    assert!(!answering(world, &deployment.preview_url).await.contains(&ended));
    world.settle().await;
    let others = answering(world, &deployment.preview_url).await;
    if world.undisturbed() {
        assert_eq!(others.len(), INSTANCES - 1);
        assert!(!others.contains(&ended), "it backs off");
        let now = world.deployment(&deployment.id).await;
        assert_eq!(now.instances[1].state, InstanceState::Restarting);
        let Some(Target::Instances(told)) = world.target(&deployment.preview_url).await else {
            panic!("instances serve");
        };
        let readiness: Vec<_> = told.iter().map(|replica| replica.readiness).collect();
        assert_eq!(readiness, [Readiness::Ready, Readiness::Away, Readiness::Ready]);
    }
    world.clock().advance(10_000);
    world.settle().await;
    assert_eq!(answering(world, &deployment.preview_url).await, ids(&deployment));
    assert!(world.event_kinds().await.contains(&"instance.exited".to_owned()));
}

async fn the_instances_of_a_service_rest_and_wake_together(world: &mut World) {
    let mut files = balanced("serve");
    files[0].1.push_str("[limits]\nidle = \"10m\"\n");
    let deployment = world.deploy("api", "main", files).await;
    let [first, _, last] = &deployment.instances[..] else {
        panic!("{:?}", deployment.instances);
    };
    world.clock().advance(9 * 60_000);
    world.keep_busy(&last.id);
    world.clock().advance(2 * 60_000);
    world.settle().await;
    assert_eq!(
        phases(world, &deployment).await,
        [Phase::Running, Phase::Running, Phase::Running],
        "one of them is used"
    );
    world.leave_alone(&last.id);
    world.clock().advance(11 * 60_000);
    world.settle().await;
    if !world.undisturbed() {
        // A platform that has just started knows of no request before its start.
        world.clock().advance(11 * 60_000);
        world.settle().await;
    }
    assert_eq!(
        phases(world, &deployment).await,
        [Phase::Asleep, Phase::Asleep, Phase::Asleep]
    );

    world.keep_busy(&first.id);
    world.wake(&first.id).await;
    assert_eq!(
        phases(world, &deployment).await,
        [Phase::Running, Phase::Running, Phase::Running]
    );
    assert_eq!(answering(world, &deployment.preview_url).await, ids(&deployment));
}

async fn going_back_goes_back_to_as_many_instances(world: &mut World) {
    let first = world.deploy("api", "main", balanced("serve one")).await;
    let second = world.deploy("api", "main", server("serve two")).await;
    assert_eq!(second.instances.len(), 1);
    world.clock().advance(31_000);
    world.settle().await;
    assert_eq!(
        phases(world, &first).await,
        [Phase::Asleep, Phase::Asleep, Phase::Asleep]
    );
    let preview = world.preview("api", "main").await;
    world.rollback(&preview.id, None).await.unwrap();
    assert_eq!(answering(world, &preview.url).await, ids(&first));
    world.clock().advance(31_000);
    world.settle().await;
    assert_eq!(phases(world, &second).await, [Phase::Asleep]);
    assert_eq!(answering(world, &preview.url).await, ids(&first));
}
