//! The calls about subscribers.

use control::view;
use model::{ProjectName, SubscriberId};
use reqwest::Method;
use serde::Serialize;
use serde_json::json;

use super::request::Client;

/// Who is to be told, and of what.
#[derive(Debug, Serialize)]
pub(crate) struct NewHook<'a> {
    pub(crate) url: &'a str,
    pub(crate) kinds: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<&'a ProjectName>,
}

/// What is to be sent again; one of the two.
#[derive(Debug, Serialize)]
pub(crate) struct Again {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) since_ms: Option<i64>,
}

impl Client {
    pub(crate) async fn add_subscriber(&self, new: &NewHook<'_>) -> anyhow::Result<view::AddedSubscriber> {
        self.send(Method::POST, "/subscribers", new).await
    }

    pub(crate) async fn subscribers(&self) -> anyhow::Result<Vec<view::Subscriber>> {
        self.get("/subscribers").await
    }

    pub(crate) async fn subscriber(&self, id: &SubscriberId) -> anyhow::Result<view::Subscriber> {
        self.get(&format!("/subscribers/{id}")).await
    }

    pub(crate) async fn remove_subscriber(&self, id: &SubscriberId) -> anyhow::Result<view::Subscriber> {
        self.delete(&format!("/subscribers/{id}")).await
    }

    pub(crate) async fn pause_subscriber(&self, id: &SubscriberId) -> anyhow::Result<view::Subscriber> {
        let path = format!("/subscribers/{id}/pause");
        self.send(Method::POST, &path, &json!({})).await
    }

    pub(crate) async fn resume_subscriber(&self, id: &SubscriberId) -> anyhow::Result<view::Subscriber> {
        let path = format!("/subscribers/{id}/resume");
        self.send(Method::POST, &path, &json!({})).await
    }

    pub(crate) async fn test_subscriber(&self, id: &SubscriberId) -> anyhow::Result<view::Trial> {
        let path = format!("/subscribers/{id}/test");
        self.send(Method::POST, &path, &json!({})).await
    }

    pub(crate) async fn replay(&self, id: &SubscriberId, what: &Again) -> anyhow::Result<view::Replayed> {
        let path = format!("/subscribers/{id}/replay");
        self.send(Method::POST, &path, what).await
    }

    pub(crate) async fn sendings(&self, id: &SubscriberId) -> anyhow::Result<Vec<view::Sending>> {
        self.get(&format!("/subscribers/{id}/sendings")).await
    }
}
