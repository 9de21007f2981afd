//! *send*: subscribers are told of every event, in order, each by himself: one that does not answer holds up nobody else.
//!
//! What is to be sent is written first, beside how far the events have been read; a crash sends nothing twice but what was
//! just being sent, and that with the same id. Whoever does not take an event is tried again, for days.

use std::time::Duration;

use model::SubscriberId;

use crate::control::Control;
use crate::links::{Answered, Outgoing};
use crate::ops::OpError;
use crate::outgoing::Signed;
use crate::rows::sending::{NewSending, Sending};
use crate::rows::subscriber::Subscriber;
use crate::rows::{self};

/// How long after the first, second, … failure in a row it is tried again, in milliseconds; the last one repeats.
const BACK_OFF_MS: [i64; 8] = [
    2_000, 10_000, 60_000, 300_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000,
];
/// The longest that a receiver can ask us to wait, in milliseconds.
const RETRY_AFTER_MS_MAX: i64 = 3_600_000;
/// How long an event is tried to be sent, in milliseconds.
const GIVE_UP_MS: i64 = 3 * 24 * 3_600_000;
/// How long a receiver has to answer; it takes the event and works on it later.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// Events that wait for one subscriber; more are read when some have been sent.
const WAITING_MAX: i64 = 10_000;
/// Characters of what is noted about a failure.
const TROUBLE_CHARS_MAX: usize = 300;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// An event that was not taken.
#[derive(Debug)]
pub(crate) struct NotTaken {
    pub(crate) status: Option<u16>,
    pub(crate) why: String,
    retry_after: Option<Duration>,
}

/// Whether an answer means that the event was taken.
fn verdict(answer: Result<Answered, String>) -> Result<u16, NotTaken> {
    let (status, why, retry_after) = match answer {
        Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer.status),
        Ok(answer) => {
            let why = format!("it answered with status {}", answer.status);
            (Some(answer.status), why, answer.retry_after)
        }
        Err(why) => (None, why.chars().take(TROUBLE_CHARS_MAX).collect(), None),
    };
    Err(NotTaken {
        status,
        why,
        retry_after,
    })
}

impl Control {
    pub(super) async fn send(&self) {
        if let Err(error) = self.send_all().await {
            tracing::error!(%error, "subscribers could not be told; the next pass tells them");
        }
    }

    async fn send_all(&self) -> Result<(), AnyError> {
        for row in rows::subscriber::all(self.db().read()).await? {
            if row.paused {
                continue;
            }
            let id = row.id.clone();
            self.note_events(row).await?;
            self.send_in_background(id);
        }
        Ok(())
    }

    /// Writes what has happened since the subscriber was last looked at as to be sent.
    async fn note_events(&self, mut row: Subscriber) -> Result<(), AnyError> {
        loop {
            if rows::sending::waiting(self.db().read(), &row.id).await? >= WAITING_MAX {
                return Ok(());
            }
            let page = self.events(row.cursor).await.map_err(|error| error.to_string())?;
            let Some(last) = page.last() else { return Ok(()) };
            let cursor = last.sequence;
            let mut noted = Vec::new();
            for event in page.iter().filter(|event| row.takes(event)) {
                noted.push((event, serde_json::to_string(&self.hook_event(event).await?)?));
            }
            let mut tx = self.db().begin().await?;
            if !rows::subscriber::move_on(&mut tx, &row, cursor).await? {
                return Ok(());
            }
            for (event, body) in &noted {
                let new = NewSending {
                    event,
                    body,
                    now: self.now(),
                };
                rows::sending::want(&mut tx, &row.id, new).await?;
            }
            tx.commit().await?;
            row.cursor = cursor;
        }
    }

    fn send_in_background(&self, id: SubscriberId) {
        let Some(held) = self.take_in_hand(id.as_str()) else {
            return;
        };
        let control = self.clone();
        self.inner.tasks.spawn(async move {
            let _held = held;
            if let Err(error) = control.send_waiting(&id).await {
                tracing::error!(subscriber = %id, %error, "a sending could not be noted; it is made again");
            }
        });
    }

    /// Sends one event after the other, until there is none or one is not taken.
    async fn send_waiting(&self, id: &SubscriberId) -> Result<(), AnyError> {
        while !self.inner.closing.is_cancelled() {
            // Read anew each time: it may have been paused or removed meanwhile.
            let Some(row) = rows::subscriber::by_id(self.db().read(), id).await? else {
                return Ok(());
            };
            if row.paused || row.not_before_ms > self.now() {
                return Ok(());
            }
            let Some(sending) = rows::sending::next(self.db().read(), id).await? else {
                return Ok(());
            };
            let message = format!(
                "msg_{}_{}_{}",
                self.inner.installation, sending.sequence, sending.at_ms
            );
            let answer = tokio::select! {
                answer = self.send_once(&row, (&message, &sending.body)) => answer?,
                () = self.inner.closing.cancelled() => return Ok(()),
            };
            match answer {
                Ok(status) => self.note_taken(&sending, status).await?,
                Err(failed) => return self.note_not_taken(&row, (&sending, failed)).await,
            }
        }
        Ok(())
    }

    /// Makes one request that is signed now; gives the status by which it was taken.
    pub(crate) async fn send_once(
        &self,
        row: &Subscriber,
        (message, body): (&str, &str),
    ) -> Result<Result<u16, NotTaken>, OpError> {
        let secret = self.inner.sealer.open(&Subscriber::place(&row.id), &row.sealed)?;
        let signed = Signed {
            id: message,
            at_seconds: self.now().div_euclid(1_000),
            body,
        };
        let outgoing = Outgoing {
            url: row.url.clone(),
            headers: signed.headers(&secret),
            body: body.to_owned(),
        };
        let answer = self
            .inner
            .clock
            .within(ANSWER_MAX, self.inner.sender.send(outgoing))
            .await;
        let late = || Err(format!("no answer came within {} s", ANSWER_MAX.as_secs()));
        Ok(verdict(answer.unwrap_or_else(late)))
    }

    async fn note_taken(&self, sending: &Sending, status: u16) -> Result<(), sqlx::Error> {
        let mut tx = self.db().begin().await?;
        rows::sending::set_sent(&mut tx, sending, status, self.now()).await?;
        rows::subscriber::set_well(&mut *tx, &sending.subscriber).await?;
        tx.commit().await?;
        self.inner.work.ring();
        Ok(())
    }

    async fn note_not_taken(
        &self,
        row: &Subscriber,
        (sending, failed): (&Sending, NotTaken),
    ) -> Result<(), AnyError> {
        let now = self.now();
        let attempts = row.attempts.saturating_add(1);
        let gone = failed.status == Some(410);
        tracing::warn!(subscriber = %row.id, event = sending.sequence, attempts, why = failed.why, "an event was not taken");
        let mut tx = self.db().begin().await?;
        rows::sending::set_failed(&mut tx, sending, (failed.status, &failed.why)).await?;
        let due = now + wait_ms(row.attempts, failed.retry_after);
        rows::subscriber::set_trouble(&mut *tx, &row.id, (attempts, due), &failed.why).await?;
        if gone {
            rows::subscriber::set_paused(&mut *tx, &row.id, true).await?;
        } else if sending.wanted_at_ms < now - GIVE_UP_MS {
            let given_up = rows::sending::give_up(&mut tx, &row.id, now - GIVE_UP_MS, now).await?;
            tracing::error!(subscriber = %row.id, events = given_up, "events are given up; `cx hook replay` sends them");
        }
        tx.commit().await?;
        self.inner.work.ring();
        Ok(())
    }
}

/// How long to wait after another failure, in milliseconds.
fn wait_ms(failures_before: u32, retry_after: Option<Duration>) -> i64 {
    let index = (failures_before as usize).min(BACK_OFF_MS.len() - 1);
    let asked = retry_after.map_or(0, |after| i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
    BACK_OFF_MS[index].max(asked.min(RETRY_AFTER_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_waits_longer_and_longer_and_as_long_as_it_is_asked() {
        assert_eq!(wait_ms(0, None), 2_000);
        assert_eq!(wait_ms(100, None), 14_400_000);
        assert_eq!(wait_ms(0, Some(Duration::from_secs(30))), 30_000);
        assert_eq!(wait_ms(0, Some(Duration::MAX)), RETRY_AFTER_MS_MAX);
    }

    #[test]
    fn only_success_takes_an_event() {
        let answer = |status| {
            Ok(Answered {
                status,
                retry_after: None,
            })
        };
        for (status, taken) in [(200, true), (299, true), (301, false), (404, false), (500, false)] {
            assert_eq!(verdict(answer(status)).is_ok(), taken, "{status}");
        }
        let failed = verdict(Err("x".repeat(1_000))).unwrap_err();
        assert_eq!(failed.why.len(), TROUBLE_CHARS_MAX);
    }
}
