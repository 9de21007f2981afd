//! The end of every story: nothing half-way and nothing left behind.

use model::DeploymentId;
use model::deployment::State;

use crate::world::World;

impl World {
    /// What runs is what the rows call for, every unfinished thing is gone, and no promise was broken on the way.
    pub(crate) async fn assert_quiet(&mut self) {
        self.settle().await;
        let mut called_for = Vec::new();
        for preview in self.previews().await {
            for deployment in self.deployments(&preview.id).await {
                assert!(
                    !deployment.state.is_unfinished(),
                    "{} is {}: {:?}",
                    deployment.id,
                    deployment.state,
                    self.log(&deployment.id).await
                );
                assert!(
                    deployment.phases.iter().all(|phase| phase.millis.is_some()),
                    "{:?} of {}",
                    deployment.phases,
                    deployment.state,
                );
                assert!(deployment.state != State::Failed || deployment.failure.is_some());
                called_for.extend(deployment.instances.into_iter().map(|instance| instance.id));
                if deployment.current {
                    let answer = self.visit(&preview.url).await;
                    assert_eq!(answer.deployment, Some(deployment.id), "{answer:?}");
                }
            }
        }
        for instance in self.provider().instances() {
            assert!(
                called_for.contains(&instance.instance),
                "{} runs and no row calls for it",
                instance.instance
            );
        }
        self.assert_no_stray_logs().await;
        assert_eq!(self.broken(), Vec::<String>::new());
    }

    async fn assert_no_stray_logs(&mut self) {
        let logs = std::fs::read_dir(self.path("logs"))
            .into_iter()
            .flatten()
            .flatten();
        for log in logs {
            let id: DeploymentId = log.file_name().to_str().unwrap().parse().unwrap();
            assert!(
                self.find_deployment(&id).await.is_ok(),
                "the log of {id} is left behind"
            );
        }
        let scratch = self.store().scratches().unwrap();
        assert!(
            scratch.iter().all(|name| !name.starts_with("build-")),
            "{scratch:?} is left behind"
        );
    }
}
