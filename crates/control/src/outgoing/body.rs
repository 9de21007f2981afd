//! The body of a request: an event, with where to look at what it is about.

use jiff::Timestamp;
use model::Failure;

use crate::control::Control;
use crate::rows::deployment::Deployment;
use crate::rows::{self};
use crate::view::{self, Happening, HookDeployment, HookEvent};

impl Control {
    /// What subscribers are told of `event`. Of what is gone by now only its names are left.
    pub(crate) async fn hook_event(&self, event: &view::Event) -> Result<HookEvent, sqlx::Error> {
        let deployment = match &event.deployment {
            Some(id) => rows::deployment::by_id(self.db().read(), id).await?,
            None => None,
        };
        let preview = match (&event.project, &event.namespace) {
            (Some(project), Some(namespace)) => {
                rows::preview::by_name(self.db().read(), project, namespace).await?
            }
            _ => None,
        };
        Ok(HookEvent {
            kind: event.kind.clone(),
            timestamp: timestamp(event.at_ms),
            data: Happening {
                sequence: event.sequence,
                installation: self.inner.installation.clone(),
                project: event.project.clone(),
                namespace: event.namespace.clone(),
                url: preview.map(|preview| self.url(&preview.label)),
                deployment: deployment.map(|row| self.hook_deployment(row, &event.kind)),
                detail: event.detail.clone(),
            },
        })
    }

    fn hook_deployment(&self, row: Deployment, kind: &str) -> HookDeployment {
        let pinned = || model::host::pinned_label(&row.project, &row.id);
        HookDeployment {
            url: self.url(&row.label.clone().unwrap_or_else(pinned)),
            page: format!("{}/deployments/{}", self.inner.platform_url, row.id),
            // What became of it later is told by a later event.
            failure: row.failure.filter(|_| kind == "deployment.failed").map(brief),
            environment: row.environment,
            revision: row.revision,
            id: row.id,
        }
    }
}

/// Without the lines of a log, which may hold anything.
fn brief(failure: Failure) -> Failure {
    Failure {
        log_excerpt: Vec::new(),
        ..failure
    }
}

/// In UTC by RFC 3339, with milliseconds.
pub(crate) fn timestamp(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_full() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(timestamp(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
    }
}
