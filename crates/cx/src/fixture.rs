//! Values for tests of words.

use control::view;
use model::deployment::State;
use model::{DeploymentId, Digest, EnvironmentName, NamespaceName, ProjectName};

/// A deployment in `state`, with nothing else to tell.
pub(crate) fn deployment(state: State) -> view::Deployment {
    view::Deployment {
        id: DeploymentId::from_random([7; 10]),
        project: ProjectName::from_text("guestbook"),
        namespace: NamespaceName::main(),
        environment: EnvironmentName::Preview,
        state,
        url: "http://guestbook-abc.localhost:7700".into(),
        preview_url: "http://guestbook.localhost:7700".into(),
        source: Digest::of(b""),
        created_at_ms: 1_000,
        finished_at_ms: None,
        current: false,
        phases: Vec::new(),
        reused_build_of: None,
        plan: None,
        artifact: None,
        failure: None,
        instances: Vec::new(),
    }
}
