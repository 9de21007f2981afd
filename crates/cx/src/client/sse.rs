//! Reads server-sent events from an answer as they come.

use anyhow::Context as _;
use reqwest::Response;

use super::event::{Parser, SseEvent};

/// The events of one answer, as they come.
pub(crate) struct SseReader {
    response: Response,
    parser: Parser,
}

impl SseReader {
    pub(super) fn new(response: Response) -> Self {
        Self {
            response,
            parser: Parser::default(),
        }
    }

    /// The next event; `None` when the server has closed the stream. Can be dropped between calls without loss.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Option<SseEvent>> {
        loop {
            if let Some(event) = self.parser.take() {
                return Ok(Some(event));
            }
            match self
                .response
                .chunk()
                .await
                .context("the event stream broke off")?
            {
                Some(chunk) => self.parser.push(&chunk)?,
                None => return Ok(None),
            }
        }
    }
}
