//! The logs of a deployment side by side: of building, and of each of its instances.
//!
//! Each instance writes a log of its own; whoever reads wants to see them as one, and who wrote which line.

use control::view::{self, LogKind, LogLine, LogSource};
use futures_util::future::select_all;
use model::{DeploymentId, ServiceName};

use super::follow::LogFollower;
use crate::client::Client;

/// The logs of `kind`; one that has instances besides it names them.
pub(super) fn sources(deployment: &view::Deployment, kind: LogKind) -> Vec<LogSource> {
    let planned = deployment.plan.as_ref();
    let instances = planned.map_or(1, |plan| plan.instances(&ServiceName::web()));
    match (kind, instances) {
        (LogKind::Runtime, 2..) => (1..=instances)
            .map(|number| LogSource {
                kind,
                instance: Some(number),
            })
            .collect(),
        _ => vec![kind.into()],
    }
}

/// The lines of several logs as they come.
pub(super) struct SideBySide {
    followers: Vec<(LogSource, LogFollower)>,
}

impl SideBySide {
    pub(super) fn new(client: &Client, id: &DeploymentId, sources: Vec<LogSource>) -> Self {
        let follow = |source| (source, LogFollower::new(client, id, source));
        Self {
            followers: sources.into_iter().map(follow).collect(),
        }
    }

    /// Of everything that the instances of `deployment` write.
    pub(super) fn of_instances(client: &Client, deployment: &view::Deployment) -> Self {
        Self::new(client, &deployment.id, sources(deployment, LogKind::Runtime))
    }

    /// The next line and whose it is; `None` when all logs have ended. Can be dropped between lines without loss.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<(LogSource, LogLine)>> {
        loop {
            self.followers.retain(|(_, follower)| !follower.ended);
            if self.followers.is_empty() {
                return Ok(None);
            }
            let next = self.followers.iter_mut().map(|(source, follower)| {
                let source = *source;
                Box::pin(async move { (source, follower.next().await) })
            });
            let ((source, line), ..) = select_all(next).await;
            if let Some(line) = line? {
                return Ok(Some((source, line)));
            }
        }
    }
}
