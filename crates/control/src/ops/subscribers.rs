//! Subscribers: added with a secret that is shown once, listed, paused, tried out, sent to again, removed.
//!
//! Only the operator of the server names their addresses, so any address may be named, also one of the server's own network.

use std::time::Instant;

use model::{ProjectName, SubscriberId};
use url::Url;

use super::{Kind, OpError};
use crate::control::Control;
use crate::outgoing::{SECRET_BYTES, secret_text};
use crate::rows::sending::NewSending;
use crate::rows::{self, subscriber::Subscriber};
use crate::secret::random;
use crate::view::{self, EVENT_KINDS, Happening, HookEvent, TEST_KIND};

const SUBSCRIBERS_MAX: usize = 50;
const URL_BYTES_MAX: usize = 2_000;
/// Sendings that are shown.
const SHOWN_MAX: i64 = 100;

/// Who is to be told, and of what.
#[derive(Clone, Debug)]
pub struct NewSubscriber {
    pub url: String,
    /// Kinds of events, such as `deployment.ready` or `deployment.*`; empty is all.
    pub kinds: Vec<String>,
    /// Only what happens to this project.
    pub project: Option<ProjectName>,
}

/// What is to be sent again.
#[derive(Clone, Copy, Debug)]
pub enum Replay {
    /// One event, by its sequence.
    Event(i64),
    /// What happened since then, in milliseconds since 1970.
    Since(i64),
}

impl Control {
    /// Adds a subscriber: it is told of what happens from now on.
    pub async fn add_subscriber(&self, new: NewSubscriber) -> Result<view::AddedSubscriber, OpError> {
        check_url(&new.url)?;
        let mut kinds = new.kinds;
        kinds.iter().try_for_each(|kind| check_kind(kind))?;
        kinds.sort_unstable();
        kinds.dedup();
        if let Some(project) = &new.project {
            self.project_row(project).await?;
        }
        if rows::subscriber::all(self.db().read()).await?.len() >= SUBSCRIBERS_MAX {
            let message = format!("there are {SUBSCRIBERS_MAX} subscribers already");
            return Err(OpError::new(Kind::TooLarge, "too_many_subscribers", message)
                .hint("Remove one with `cx hook remove`; one address can take all kinds of events."));
        }
        let id = SubscriberId::from_random(random()?);
        let secret: [u8; SECRET_BYTES] = random()?;
        let row = Subscriber {
            sealed: self.inner.sealer.seal(&Subscriber::place(&id), &secret)?,
            url: new.url,
            kinds,
            project: new.project.map(String::from).unwrap_or_default(),
            paused: false,
            cursor: rows::event::newest(self.db().read()).await?,
            attempts: 0,
            not_before_ms: 0,
            trouble: None,
            created_at_ms: self.now(),
            id,
        };
        rows::subscriber::insert(self.db().write(), &row).await?;
        Ok(view::AddedSubscriber {
            subscriber: self.show_subscriber(row).await?,
            secret: secret_text(&secret),
        })
    }

    /// Every subscriber, the oldest first.
    pub async fn subscribers(&self) -> Result<Vec<view::Subscriber>, OpError> {
        let mut shown = Vec::new();
        for row in rows::subscriber::all(self.db().read()).await? {
            shown.push(self.show_subscriber(row).await?);
        }
        Ok(shown)
    }

    /// One subscriber.
    pub async fn subscriber(&self, id: &SubscriberId) -> Result<view::Subscriber, OpError> {
        let row = self.subscriber_row(id).await?;
        self.show_subscriber(row).await
    }

    /// Forgets the subscriber, and what was to be sent to it.
    pub async fn remove_subscriber(&self, id: &SubscriberId) -> Result<view::Subscriber, OpError> {
        let shown = self.subscriber(id).await?;
        rows::subscriber::delete(self.db().write(), id).await?;
        Ok(shown)
    }

    /// Sends it nothing until it is resumed. What happens meanwhile is sent then, as far as the server remembers it.
    pub async fn pause_subscriber(&self, id: &SubscriberId) -> Result<view::Subscriber, OpError> {
        self.subscriber_row(id).await?;
        rows::subscriber::set_paused(self.db().write(), id, true).await?;
        self.subscriber(id).await
    }

    /// Goes on sending to it, beginning at once.
    pub async fn resume_subscriber(&self, id: &SubscriberId) -> Result<view::Subscriber, OpError> {
        self.subscriber_row(id).await?;
        let mut tx = self.db().begin().await?;
        rows::subscriber::set_paused(&mut *tx, id, false).await?;
        rows::subscriber::set_well(&mut *tx, id).await?;
        tx.commit().await?;
        self.inner.work.ring();
        self.subscriber(id).await
    }

    /// Sends it something now that has not happened, and says how it was answered.
    pub async fn test_subscriber(&self, id: &SubscriberId) -> Result<view::Trial, OpError> {
        let row = self.subscriber_row(id).await?;
        let event = HookEvent {
            kind: TEST_KIND.to_owned(),
            timestamp: crate::outgoing::timestamp(self.now()),
            data: Happening {
                sequence: 0,
                installation: self.inner.installation.clone(),
                project: None,
                namespace: None,
                url: None,
                deployment: None,
                detail: Default::default(),
            },
        };
        let body = serde_json::to_string(&event).map_err(OpError::internal)?;
        let message = format!("msg_{}_test_{}", self.inner.installation, self.now());
        let begin = Instant::now();
        let answer = self.send_once(&row, (&message, &body)).await?;
        let millis = begin.elapsed().as_millis() as u64;
        let (status, trouble) = match answer {
            Ok(status) => (Some(status), None),
            Err(failed) => (failed.status, Some(failed.why)),
        };
        Ok(view::Trial {
            status,
            trouble,
            millis,
        })
    }

    /// Sends it again what it was sent, or what had happened before it was there.
    pub async fn replay(&self, id: &SubscriberId, what: Replay) -> Result<view::Replayed, OpError> {
        let row = self.subscriber_row(id).await?;
        let (event, since_ms) = match what {
            Replay::Event(sequence) => (Some(sequence), None),
            Replay::Since(at_ms) => (None, Some(at_ms)),
        };
        let found = self.happened(&row, what).await?;
        let mut tx = self.db().begin().await?;
        let before = rows::sending::waiting(&mut *tx, id).await?;
        // What is written once stays as it was written, also where the event is forgotten by now.
        rows::sending::want_again(&mut tx, id, (event, since_ms), self.now()).await?;
        for (event, body) in &found {
            let new = NewSending {
                event,
                body,
                now: self.now(),
            };
            rows::sending::want(&mut tx, id, new).await?;
        }
        let after = rows::sending::waiting(&mut *tx, id).await?;
        rows::subscriber::set_well(&mut *tx, id).await?;
        tx.commit().await?;
        let events = u64::try_from(after - before).unwrap_or(0);
        if let (Some(sequence), 0, true) = (event, events, found.is_empty()) {
            return Err(OpError::not_found("event", sequence)
                .hint("`cx hook log` shows the newest events that were sent, with their numbers."));
        }
        self.inner.work.ring();
        Ok(view::Replayed { events })
    }

    /// The newest that was or is to be sent to it.
    pub async fn sendings(&self, id: &SubscriberId) -> Result<Vec<view::Sending>, OpError> {
        self.subscriber_row(id).await?;
        Ok(rows::sending::newest(self.db().read(), id, SHOWN_MAX).await?)
    }

    /// The events that it is told of, with what it is told; those after its cursor come to it anyway.
    async fn happened(&self, row: &Subscriber, what: Replay) -> Result<Vec<(view::Event, String)>, OpError> {
        let mut found = Vec::new();
        let mut after = match what {
            Replay::Event(sequence) => sequence.saturating_sub(1),
            Replay::Since(_) => 0,
        };
        loop {
            let page = self.events(after).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.sequence;
            for event in page {
                let meant = match what {
                    Replay::Event(sequence) if event.sequence > sequence => return Ok(found),
                    Replay::Event(_) => true,
                    Replay::Since(at_ms) => event.at_ms >= at_ms,
                };
                if event.sequence > row.cursor {
                    return Ok(found);
                }
                if meant && row.takes(&event) {
                    let body = self.hook_event(&event).await?;
                    found.push((event, serde_json::to_string(&body).map_err(OpError::internal)?));
                }
            }
        }
    }

    async fn subscriber_row(&self, id: &SubscriberId) -> Result<Subscriber, OpError> {
        let row = rows::subscriber::by_id(self.db().read(), id).await?;
        row.ok_or_else(|| OpError::not_found("subscriber", id).hint("`cx hook list` shows the subscribers."))
    }

    async fn show_subscriber(&self, row: Subscriber) -> Result<view::Subscriber, OpError> {
        let waiting = rows::sending::waiting(self.db().read(), &row.id).await?;
        Ok(view::Subscriber {
            waiting: waiting.unsigned_abs(),
            url: row.url,
            kinds: row.kinds,
            project: row.project.parse().ok(),
            paused: row.paused,
            next_try_at_ms: row.trouble.is_some().then_some(row.not_before_ms),
            trouble: row.trouble,
            created_at_ms: row.created_at_ms,
            id: row.id,
        })
    }
}

impl Subscriber {
    /// Whether it is told of `event`.
    pub(crate) fn takes(&self, event: &view::Event) -> bool {
        let kind = |wanted: &String| covers(wanted, &event.kind);
        let project = event.project.as_ref().map(ProjectName::as_str);
        (self.kinds.is_empty() || self.kinds.iter().any(kind))
            && (self.project.is_empty() || project == Some(self.project.as_str()))
    }
}

/// `deployment.*` covers all kinds that begin with `deployment.`.
fn covers(wanted: &str, kind: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(beginning) => kind.starts_with(beginning),
        None => kind == wanted,
    }
}

fn check_kind(kind: &str) -> Result<(), OpError> {
    let group = kind.strip_suffix(".*");
    let is_group = group.is_some_and(|group| {
        EVENT_KINDS
            .iter()
            .any(|known| known.split_once('.').is_some_and(|(noun, _)| noun == group))
    });
    if is_group || EVENT_KINDS.contains(&kind) {
        return Ok(());
    }
    let shown: String = kind.chars().take(100).collect();
    let error = OpError::invalid(
        "unknown_event_kind",
        format!("nothing of the kind `{shown}` ever happens"),
    );
    Err(match model::name::nearest(&shown, EVENT_KINDS.iter().copied()) {
        Some(meant) => error.hint(format!("Did you mean `{meant}`?")),
        None => error.hint(format!("There are {}.", EVENT_KINDS.join(", "))),
    })
}

fn check_url(text: &str) -> Result<(), OpError> {
    let invalid = |why: &str| {
        let shown: String = text.chars().take(200).collect();
        OpError::invalid("invalid_url", format!("`{shown}` {why}"))
            .hint("Give an address such as `https://ci.example.org/cygni`.")
    };
    if text.len() > URL_BYTES_MAX {
        return Err(invalid("is too long"));
    }
    let url = Url::parse(text).map_err(|_| invalid("is not an address"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(invalid("is not an address of the web"));
    }
    // It would be shown in lists and logs.
    if !url.username().is_empty() || url.password().is_some() {
        let error = OpError::invalid("invalid_url", "the address holds a user name or a password");
        return Err(error.hint("Leave them out: requests are signed, and the receiver checks that."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_that_there_are() {
        for kind in ["deployment.ready", "deployment.*", "preview.*"] {
            assert!(check_kind(kind).is_ok(), "{kind}");
        }
        for kind in ["", "*", "deployment", "deploy*", "deployment.red", "session.*"] {
            assert!(check_kind(kind).is_err(), "{kind}");
        }
        let error = check_kind("deployment.redy").unwrap_err();
        assert_eq!(error.hint, "Did you mean `deployment.ready`?");
        assert!(covers("deployment.*", "deployment.ready") && !covers("deployment.*", "preview.deleted"));
    }

    #[test]
    fn addresses_are_of_the_web_and_hold_no_password() {
        for url in ["http://127.0.0.1:9/x", "https://ci.example.org/cygni?a=b"] {
            assert!(check_url(url).is_ok(), "{url}");
        }
        let long = format!("https://a/{}", "x".repeat(URL_BYTES_MAX));
        for url in [
            "",
            "ci.example.org",
            "ftp://a/b",
            "https://user:pw@a/b",
            "file:///etc/passwd",
            &long,
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }
}
