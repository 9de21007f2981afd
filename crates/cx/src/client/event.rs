//! Server-sent events (WHATWG HTML, section 9.2): only the parts that the API uses.
//!
//! Guards against a server that sends an event without end.

/// Bytes of one event at the most; the API's events are a line of a log.
const EVENT_BYTES_MAX: usize = 1 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    pub(crate) id: Option<String>,
    /// `message` when it has no name.
    pub(crate) event: String,
    pub(crate) data: String,
}

/// Bytes in, events out.
#[derive(Default)]
pub(crate) struct Parser {
    buffer: Vec<u8>,
}

impl Parser {
    /// Takes the next piece of the stream.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.buffer.extend(bytes.iter().filter(|b| **b != b'\r'));
        let oversized = self.buffer.len() > EVENT_BYTES_MAX && self.end().is_none();
        anyhow::ensure!(!oversized, "an event is larger than 1 MiB");
        Ok(())
    }

    fn end(&self) -> Option<usize> {
        self.buffer.windows(2).position(|pair| pair == b"\n\n")
    }

    /// The next whole event; comments and empty blocks are none.
    pub(crate) fn take(&mut self) -> Option<SseEvent> {
        loop {
            let end = self.end()?;
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            if let Some(event) = parse(&String::from_utf8_lossy(&block)) {
                return Some(event);
            }
        }
    }
}

fn parse(block: &str) -> Option<SseEvent> {
    let mut event = SseEvent {
        event: "message".to_owned(),
        ..SseEvent::default()
    };
    let mut data: Vec<&str> = Vec::new();
    for line in block.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => event.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut event.event),
            "data" => data.push(value),
            _ => {}
        }
    }
    event.data = data.join("\n");
    (!data.is_empty()).then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_any_cut() {
        let text =
            b": hello\n\nid: 7\nevent: line\ndata: {\"a\":\ndata: 1}\n\nevent: end\r\ndata: {}\r\n\r\n";
        for cut in 0..text.len() {
            let mut parser = Parser::default();
            parser.push(&text[..cut]).unwrap();
            let mut events: Vec<SseEvent> = std::iter::from_fn(|| parser.take()).collect();
            parser.push(&text[cut..]).unwrap();
            events.extend(std::iter::from_fn(|| parser.take()));
            assert_eq!(events.len(), 2, "cut at {cut}");
            assert_eq!(events[0].id.as_deref(), Some("7"));
            assert_eq!(
                (events[0].event.as_str(), events[0].data.as_str()),
                ("line", "{\"a\":\n1}")
            );
            assert_eq!(events[1].event, "end");
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; EVENT_BYTES_MAX / 2];
        assert!(parser.push(&piece).is_ok() && parser.push(&piece).is_ok());
        assert!(parser.push(b"x").is_err());
    }
}
