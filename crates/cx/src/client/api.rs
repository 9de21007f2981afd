//! The calls of the API, one method each.

use std::collections::BTreeMap;

use control::view;
use model::preview::{Origin, TimeToLive};
use model::{DeploymentId, Digest, EnvironmentName, NamespaceName, PreviewId, ProjectName, Tree};
use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::request::{Client, quote, with_query};
use super::sse::SseReader;

/// Digests asked about in one call.
const DIGESTS_PER_CALL: usize = 10_000;

/// What a deployment is made of.
#[derive(Debug, Serialize)]
pub(crate) struct NewDeployment {
    pub(crate) project: ProjectName,
    pub(crate) namespace: NamespaceName,
    pub(crate) environment: EnvironmentName,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ttl: Option<TimeToLive>,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) rebuild: bool,
    pub(crate) origin: Origin,
    pub(crate) tree: Tree,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uploaded: Option<Uploaded>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) live: Option<Live>,
}

/// A directory of the server's machine, and the name of a file in it that was made just now.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Live {
    pub(crate) directory: String,
    pub(crate) proof: String,
}

/// How long the upload took, as measured here.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Uploaded {
    pub(crate) started_at_ms: i64,
    pub(crate) millis: u64,
}

/// Whose variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct VariableScope {
    pub(crate) project: Option<ProjectName>,
    pub(crate) namespace: Option<NamespaceName>,
    pub(crate) environment: Option<EnvironmentName>,
}

#[derive(Deserialize)]
struct Missing {
    missing: Vec<Digest>,
}

#[derive(Serialize)]
struct Digests<'a> {
    digests: &'a [Digest],
}

impl Client {
    pub(crate) async fn health(&self) -> anyhow::Result<serde_json::Value> {
        self.get("/health").await
    }

    /// What the server takes on its disk.
    pub(crate) async fn usage(&self) -> anyhow::Result<view::Usage> {
        self.get("/usage").await
    }

    /// Those of `digests` that the project has not sent yet.
    pub(crate) async fn missing(
        &self,
        project: &ProjectName,
        digests: &[Digest],
    ) -> anyhow::Result<Vec<Digest>> {
        let mut missing = Vec::new();
        for digests in digests.chunks(DIGESTS_PER_CALL) {
            let path = format!("/projects/{project}/blobs/missing");
            let answer: Missing = self.send(Method::POST, &path, &Digests { digests }).await?;
            missing.extend(answer.missing);
        }
        Ok(missing)
    }

    pub(crate) async fn deploy(&self, new: &NewDeployment) -> anyhow::Result<view::Deployment> {
        self.send(Method::POST, "/deployments", new).await
    }

    /// A deployment by its whole id or a unique beginning.
    pub(crate) async fn deployment(&self, id: &str) -> anyhow::Result<view::Deployment> {
        self.get(&format!("/deployments/{}", quote(id))).await
    }

    pub(crate) async fn redeploy(
        &self,
        id: &DeploymentId,
        rebuild: bool,
    ) -> anyhow::Result<view::Deployment> {
        let body = serde_json::json!({ "rebuild": rebuild });
        self.send(Method::POST, &format!("/deployments/{id}/redeploy"), &body)
            .await
    }

    pub(crate) async fn previews(&self) -> anyhow::Result<Vec<view::Preview>> {
        self.get("/previews").await
    }

    pub(crate) async fn find_preview(
        &self,
        project: &ProjectName,
        namespace: &NamespaceName,
    ) -> anyhow::Result<view::Preview> {
        self.get(&format!("/namespaces/{namespace}/previews/{project}"))
            .await
    }

    pub(crate) async fn preview_deployments(&self, id: &PreviewId) -> anyhow::Result<Vec<view::Deployment>> {
        self.get(&format!("/previews/{id}/deployments")).await
    }

    pub(crate) async fn delete_preview(&self, id: &PreviewId) -> anyhow::Result<view::Preview> {
        self.delete(&format!("/previews/{id}")).await
    }

    pub(crate) async fn set_ttl(&self, id: &PreviewId, ttl: TimeToLive) -> anyhow::Result<view::Preview> {
        let body = serde_json::json!({ "ttl": ttl });
        self.send(Method::PATCH, &format!("/previews/{id}"), &body).await
    }

    pub(crate) async fn rollback(
        &self,
        preview: &PreviewId,
        to: Option<&DeploymentId>,
    ) -> anyhow::Result<view::Deployment> {
        let body = serde_json::json!({ "to": to });
        self.send(Method::POST, &format!("/previews/{preview}/rollback"), &body)
            .await
    }

    /// Says that somebody works on the preview; holds for a few seconds.
    pub(crate) async fn watch(&self, preview: &PreviewId) -> anyhow::Result<view::Preview> {
        let nothing = serde_json::json!({});
        self.send(Method::PUT, &format!("/previews/{preview}/watch"), &nothing)
            .await
    }

    pub(crate) async fn unwatch(&self, preview: &PreviewId) -> anyhow::Result<view::Preview> {
        self.delete(&format!("/previews/{preview}/watch")).await
    }

    /// Deletes a namespace, or its preview of `project`; gives what went.
    pub(crate) async fn delete_namespace(
        &self,
        namespace: &NamespaceName,
        project: Option<&ProjectName>,
    ) -> anyhow::Result<Vec<view::Preview>> {
        let project = project.map(ToString::to_string);
        self.delete(&with_query(
            &format!("/namespaces/{namespace}"),
            &[("project", project)],
        ))
        .await
    }

    pub(crate) async fn log(
        &self,
        id: &DeploymentId,
        source: view::LogSource,
        from: u64,
    ) -> anyhow::Result<view::LogPage> {
        self.get(&log_path(id, source, ("from", from.to_string()))).await
    }

    /// The lines of a log as they come, then an event `end`.
    pub(crate) async fn follow_log(
        &self,
        id: &DeploymentId,
        source: view::LogSource,
        last: Option<&str>,
    ) -> anyhow::Result<SseReader> {
        self.follow(&log_path(id, source, ("follow", "true".to_owned())), last)
            .await
    }

    /// What happens to a deployment from now on.
    pub(crate) async fn follow_events(&self, id: &DeploymentId) -> anyhow::Result<SseReader> {
        self.follow(
            &with_query("/events", &[("deployment", Some(id.to_string()))]),
            None,
        )
        .await
    }

    pub(crate) async fn variables(&self, scope: &VariableScope) -> anyhow::Result<Vec<view::Variable>> {
        self.get(&scope.path()).await
    }

    pub(crate) async fn set_variable(
        &self,
        scope: &VariableScope,
        variable: &view::Variable,
    ) -> anyhow::Result<serde_json::Value> {
        self.send(Method::PUT, &scope.path(), variable).await
    }

    pub(crate) async fn unset_variable(
        &self,
        scope: &VariableScope,
        name: &str,
    ) -> anyhow::Result<serde_json::Value> {
        let path = scope.path();
        let glue = if path.contains('?') { '&' } else { '?' };
        self.delete(&format!("{path}{glue}name={}", quote(name))).await
    }
}

impl VariableScope {
    fn path(&self) -> String {
        with_query(
            "/variables",
            &[
                ("project", self.project.as_ref().map(ToString::to_string)),
                ("namespace", self.namespace.as_ref().map(ToString::to_string)),
                ("environment", self.environment.map(|name| name.to_string())),
            ],
        )
    }
}

fn log_path(id: &DeploymentId, source: view::LogSource, (name, value): (&str, String)) -> String {
    let parameters = [
        ("kind", Some(kind_text(source.kind).to_owned())),
        ("instance", source.instance.map(|number| number.to_string())),
        (name, Some(value)),
    ];
    with_query(&format!("/deployments/{id}/logs"), &parameters)
}

fn kind_text(kind: view::LogKind) -> &'static str {
    match kind {
        view::LogKind::Build => "build",
        view::LogKind::Runtime => "runtime",
    }
}
