//! What GitHub sends. Nothing is sent by itself: a test takes what there is and hands it over, in whatever order and as
//! often as it likes, or lets it be sent to an address. What came back is remembered, so that it can be asked for again.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::world::{Delivery, Hook, World};
use super::{FakeGitHub, WEBHOOK_SECRET, render};
use crate::forge::Headers;
use crate::signature;

impl Delivery {
    /// The headers of it, signed.
    pub fn headers(&self, secret: &str) -> Headers {
        let signature = format!("sha256={}", signature::of(&self.body, secret));
        [
            ("content-type", "application/json".to_owned()),
            ("user-agent", "GitHub-Hookshot/0000000".to_owned()),
            ("x-github-event", self.event.clone()),
            ("x-github-delivery", self.guid.clone()),
            ("x-hub-signature-256", signature),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

impl FakeGitHub {
    /// Where [`Self::send_all`] sends to.
    pub fn set_hook(&self, url: &str, secret: &str) {
        let mut world = self.world();
        let id = world.id();
        world.hook = Some(Hook {
            id,
            url: url.to_owned(),
            secret: secret.to_owned(),
            events: Vec::new(),
        });
    }

    /// All that was not delivered yet, oldest first; from now on it has been, and arrived.
    pub fn take_deliveries(&self) -> Vec<Delivery> {
        let mut world = self.world();
        let waiting = world
            .deliveries
            .iter_mut()
            .filter(|delivery| delivery.status == 0);
        waiting
            .map(|delivery| {
                delivery.status = 202;
                delivery.clone()
            })
            .collect()
    }

    /// All that was not delivered yet was tried and did not arrive: it is lost until it is asked for again.
    pub fn lose_deliveries(&self) -> usize {
        let mut world = self.world();
        let waiting = world
            .deliveries
            .iter_mut()
            .filter(|delivery| delivery.status == 0);
        waiting.map(|delivery| delivery.status = 502).count()
    }

    /// Sends one to an address, signed; what came back, 0 for nothing.
    pub async fn send(&self, delivery: &Delivery, (url, secret): (&str, &str)) -> u16 {
        let mut request = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client")
            .post(url)
            .body(delivery.body.clone());
        for (name, value) in delivery.headers(secret) {
            request = request.header(name, value);
        }
        let status = request.send().await.map_or(0, |answer| answer.status().as_u16());
        let mut world = self.world();
        let sent = world.deliveries.iter_mut().find(|other| other.id == delivery.id);
        if let Some(sent) = sent {
            // Tried and not arrived is not the same as not tried.
            sent.status = if status == 0 { 502 } else { status };
        }
        status
    }

    /// Sends all that was not tried yet to where the App's deliveries go, and those of repositories' own webhooks where
    /// there is no App's; how many arrived.
    pub async fn send_all(&self) -> usize {
        let (waiting, hook) = {
            let world = self.world();
            let waiting = world.deliveries.iter().filter(|delivery| delivery.status == 0);
            (waiting.cloned().collect::<Vec<_>>(), world.hook.clone())
        };
        let mut arrived = 0;
        for delivery in waiting {
            let hooks = match &hook {
                Some(hook) => vec![hook.clone()],
                None => self.hooks_of(&delivery),
            };
            for hook in hooks {
                let status = self.send(&delivery, (&hook.url, &hook.secret)).await;
                arrived += usize::from((200..300).contains(&status));
            }
        }
        arrived
    }

    fn hooks_of(&self, delivery: &Delivery) -> Vec<Hook> {
        let body: Value = serde_json::from_slice(&delivery.body).unwrap_or_default();
        let world = self.world();
        let repository = body["repository"]["id"]
            .as_u64()
            .and_then(|id| world.repositories.get(&id));
        let hooks = repository
            .into_iter()
            .flat_map(|repository| repository.hooks.values());
        let wanted = hooks.filter(|hook| hook.events.contains(&delivery.event));
        wanted.cloned().collect()
    }

    /// Something that GitHub would send whether or not anything happened.
    pub fn ping(&self) {
        let mut world = self.world();
        let body = json!({ "zen": "Keep it logically awesome." });
        let payload = super::template::payload("ping", None, body);
        push(&mut world, "ping", &payload);
    }

    pub(super) fn emit(
        &self,
        world: &mut World,
        repository: &str,
        (event, action): (&str, Option<&str>),
        (who, body): (&str, Value),
    ) {
        let id = world.named(repository).id;
        let around = render::surroundings(world, &world.repositories[&id], who);
        let payload = render::payload(event, action, (around, body));
        push(world, event, &payload);
    }

    pub(super) fn emit_installation(&self, world: &mut World, id: u64, action: &str) {
        let owner = world.installations[&id].owner.clone();
        let body = json!({ "installation": { "id": id, "account": render::user(&owner) } });
        let payload = super::template::payload("installation", Some(action), body);
        push(world, "installation", &payload);
    }

    /// The secret that deliveries are signed with where nothing else was said.
    pub fn secret(&self) -> &'static str {
        WEBHOOK_SECRET
    }
}

fn push(world: &mut World, event: &str, payload: &Value) {
    let id = world.id();
    world.deliveries.push(Delivery {
        id,
        guid: format!("{id:08x}-0000-4000-8000-{id:012x}"),
        event: event.to_owned(),
        body: payload.to_string().into_bytes(),
        delivered_at: Timestamp::now(),
        status: 0,
        redelivery: false,
    });
}
