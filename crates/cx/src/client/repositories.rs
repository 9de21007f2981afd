//! The calls about forges, repositories and the projects that follow them.

use control::ops::NewForge;
use control::view;
use model::ProjectName;
use model::git::GitBounds;
use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::request::{Client, quote};

/// The repository of a project.
#[derive(Debug, Serialize)]
pub(crate) struct Connection {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) forge: Option<String>,
    pub(crate) repository: String,
    pub(crate) root: String,
    pub(crate) settings: GitBounds,
    pub(crate) webhook: bool,
}

/// The previews that went with a project.
#[derive(serde::Deserialize, Serialize)]
pub(crate) struct Deleted {
    pub(crate) previews: Vec<view::Preview>,
}

impl Client {
    pub(crate) async fn projects(&self) -> anyhow::Result<Vec<view::Project>> {
        self.get("/projects").await
    }

    pub(crate) async fn project(&self, name: &ProjectName) -> anyhow::Result<view::Project> {
        self.get(&format!("/projects/{name}")).await
    }

    pub(crate) async fn create_project(&self, name: &ProjectName) -> anyhow::Result<view::Project> {
        self.send(Method::POST, "/projects", &json!({ "name": name }))
            .await
    }

    pub(crate) async fn delete_project(&self, name: &ProjectName) -> anyhow::Result<Deleted> {
        self.delete(&format!("/projects/{name}")).await
    }

    pub(crate) async fn connect(
        &self,
        name: &ProjectName,
        connection: &Connection,
    ) -> anyhow::Result<view::Project> {
        self.send(Method::PUT, &format!("/projects/{name}/repository"), connection)
            .await
    }

    pub(crate) async fn disconnect(&self, name: &ProjectName) -> anyhow::Result<view::Project> {
        self.delete(&format!("/projects/{name}/repository")).await
    }

    pub(crate) async fn set_project(
        &self,
        name: &ProjectName,
        (root, settings): (&str, &GitBounds),
    ) -> anyhow::Result<view::Project> {
        let body = json!({ "root": root, "settings": settings });
        self.send(Method::PATCH, &format!("/projects/{name}"), &body)
            .await
    }

    /// `word` is `pause` or `resume`.
    pub(crate) async fn tell_project(&self, name: &ProjectName, word: &str) -> anyhow::Result<view::Project> {
        self.send(Method::POST, &format!("/projects/{name}/{word}"), &json!({}))
            .await
    }

    pub(crate) async fn repositories(&self) -> anyhow::Result<Vec<view::Repository>> {
        self.get("/repositories").await
    }

    /// The pull requests and branches that are followed.
    pub(crate) async fn changes(&self) -> anyhow::Result<Vec<view::Head>> {
        self.get("/changes").await
    }

    pub(crate) async fn resume_repository(&self, name: &str) -> anyhow::Result<Vec<view::Repository>> {
        self.send(
            Method::POST,
            "/repositories/resume",
            &json!({ "repository": name }),
        )
        .await
    }

    pub(crate) async fn deliveries(&self) -> anyhow::Result<Vec<view::Delivery>> {
        self.get("/deliveries").await
    }

    pub(crate) async fn forges(&self) -> anyhow::Result<Vec<view::Forge>> {
        self.get("/forges").await
    }

    pub(crate) async fn add_forge(&self, name: &str, new: &NewForge) -> anyhow::Result<view::AddedForge> {
        self.send(Method::PUT, &format!("/forges/{}", quote(name)), new)
            .await
    }

    pub(crate) async fn remove_forge(&self, name: &str) -> anyhow::Result<view::Forge> {
        self.delete(&format!("/forges/{}", quote(name))).await
    }
}
