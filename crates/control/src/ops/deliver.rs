//! Taking a delivery: whether it is from who it says, then a row, then a bell. What it says is looked into later: the
//! forge waits for an answer, and gives up soon.

use forge::{DeliveryError, Headers};

use super::OpError;
use crate::control::Control;
use crate::rows::{self};
use crate::view;

/// Deliveries that are shown.
const SHOWN_MAX: i64 = 200;

/// A delivery that is kept now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The forge's id of it.
    pub delivery: String,
    /// Whether it was here before.
    pub again: bool,
}

/// The delivery was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// It is not from who it says, or is not readable.
    #[error(transparent)]
    Refused(#[from] DeliveryError),
    /// There is no such forge, or nothing can be written.
    #[error(transparent)]
    Operation(#[from] OpError),
}

impl From<sqlx::Error> for DeliverError {
    fn from(error: sqlx::Error) -> Self {
        Self::Operation(error.into())
    }
}

impl Control {
    /// Takes what a forge delivers. When this returns, it is kept and will be worked on, whatever happens.
    pub async fn deliver(
        &self,
        forge: &str,
        headers: &Headers,
        body: &[u8],
    ) -> Result<Delivered, DeliverError> {
        let open = self.forge(forge).await?;
        let secret = self.webhook_secret(forge, &open);
        let envelope = open.forge.verify(headers, body, &secret)?;
        let text = std::str::from_utf8(body).map_err(|error| DeliveryError::Unreadable(error.to_string()))?;
        let new = rows::delivery::insert(self.db().write(), (forge, &envelope), text, self.now()).await?;
        // The forge will not say it again: it is acknowledged when it would survive the loss of power as well.
        self.db().flush().await.map_err(sqlx::Error::Io)?;
        self.inner.work.ring();
        Ok(Delivered {
            delivery: envelope.delivery,
            again: !new,
        })
    }

    /// The newest deliveries, with what came of them.
    pub async fn deliveries(&self) -> Result<Vec<view::Delivery>, OpError> {
        let rows = rows::delivery::newest(self.db().read(), SHOWN_MAX).await?;
        let shown = |row: rows::delivery::Delivery| view::Delivery {
            forge: row.forge,
            delivery: row.delivery,
            event: row.event,
            received_at_ms: row.received_at_ms,
            done_at_ms: row.done_at_ms,
            outcome: row.outcome,
        };
        Ok(rows.into_iter().map(shown).collect())
    }
}
